"""Sets of parameter changes and their parts. Keys: the set's id in decimal."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from chain.projections import DecodedLog, History, Projector
from network.models import Parameter, ParameterChange, ParameterSet
from network.models.parameters import value_text
from network.projectors.parameters import CONTRACT, SETS, log_position, time_of


def _set_key(args: dict[str, Any]) -> Iterable[str]:
    return [str(args["setId"])]


def _undo_keys(args: dict[str, Any]) -> Iterable[str]:
    return [str(args["setId"]), str(args["bySetId"])]


class ParameterSetsProjector(Projector):
    """Writes ParameterSet and ParameterChange."""

    name = SETS
    models = (ParameterSet, ParameterChange)
    depends_on = ("network.parameters",)
    events: Mapping[tuple[str, str], Callable[[dict[str, Any]], Iterable[str]]] = {
        (CONTRACT, "ParameterSetScheduled"): _set_key,
        (CONTRACT, "ParameterChanged"): _set_key,
        (CONTRACT, "ParameterSetVetoed"): _set_key,
        (CONTRACT, "ParameterSetWithdrawn"): _set_key,
        (CONTRACT, "ParameterSetUndone"): _undo_keys,
    }

    def recompute(self, *, key: str, history: History) -> None:
        self._set_write(int(key), history)
        # A dropped undo leaves the set it meant to undo as it was, and only the undo's own
        # key is touched then.
        for log in history.logs("ParameterSetUndone", key=key):
            if log.args["bySetId"] == int(key):
                self._set_write(log.args["setId"], history)

    def _set_write(self, set_id: int, history: History) -> None:
        logs = history.logs(key=str(set_id))
        scheduled = next((log for log in logs if log.event == "ParameterSetScheduled"), None)
        if scheduled is None:
            ParameterSet.objects.filter(set_id=set_id).delete()
            return
        row, _ = ParameterSet.objects.update_or_create(
            set_id=set_id, defaults=_set_fields(set_id, scheduled, logs, history)
        )
        _changes_write(row, logs)


def _set_fields(
    set_id: int, scheduled: DecodedLog, logs: list[DecodedLog], history: History
) -> dict[str, Any]:
    vetoed = _last(logs, "ParameterSetVetoed")
    withdrawn = _last(logs, "ParameterSetWithdrawn")
    dropped = vetoed or withdrawn
    undone = _undone_by(set_id, logs, history)
    return {
        "version": scheduled.args["version"],
        "scheduled_at": time_of(scheduled.block_timestamp),
        "effective_at": time_of(scheduled.args["effectiveAt"]),
        "block_number": scheduled.block_number,
        "transaction_hash": scheduled.transaction_hash,
        "vetoed_at": time_of(vetoed.block_timestamp) if vetoed else None,
        "withdrawn_at": time_of(withdrawn.block_timestamp) if withdrawn else None,
        "dropped_tx": dropped.transaction_hash if dropped else None,
        "undone_by": undone.args["bySetId"] if undone else None,
        "undone_at": time_of(undone.block_timestamp) if undone else None,
    }


def _undone_by(set_id: int, logs: list[DecodedLog], history: History) -> DecodedLog | None:
    """The log of the undo that stands; an undo that was itself dropped undid nothing."""
    undos = [
        log for log in logs if log.event == "ParameterSetUndone" and log.args["setId"] == set_id
    ]
    drops = ("ParameterSetVetoed", "ParameterSetWithdrawn")
    for log in reversed(undos):
        if not history.logs(*drops, key=str(log.args["bySetId"])):
            return log
    return None


def _last(logs: list[DecodedLog], event: str) -> DecodedLog | None:
    return next((log for log in reversed(logs) if log.event == event), None)


def _changes_write(row: ParameterSet, logs: list[DecodedLog]) -> None:
    changed = [log for log in logs if log.event == "ParameterChanged"]
    kinds = dict(
        Parameter.objects.filter(key__in=[log.args["key"] for log in changed]).values_list(
            "key", "kind"
        )
    )
    row.changes.all().delete()
    ParameterChange.objects.bulk_create(
        ParameterChange(
            position=log_position(log),
            parameter_id=log.args["key"],
            set=row,
            version=log.args["version"],
            old=value_text(kinds[log.args["key"]], log.args["oldValue"]),
            new=value_text(kinds[log.args["key"]], log.args["newValue"]),
            scheduled_at=time_of(log.block_timestamp),
            effective_at=time_of(log.args["effectiveAt"]),
            block_number=log.block_number,
            transaction_hash=log.transaction_hash,
        )
        for log in changed
    )
