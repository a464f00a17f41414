"""Parameters: their rules, the value in force, the guardian's tightenings.

Keys: the parameter's key in hex. A pending value becomes current by time alone,
without any log: ``due_keys`` names the parameters whose time has come.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chain.projections import BlockHeader, DecodedLog, History, Projector, Read
from network.models import (
    ActivationKind,
    Parameter,
    ParameterClass,
    ParameterKind,
    ParameterTightening,
    TightenDirection,
)
from network.models.parameters import value_text
from network.parameters import stricter

CONTRACT = "NetworkParameters"
SETS = "network.parameter_sets"
_LOG_INDEX_BITS = 20

#: In the order of the contract's enums.
KINDS = list(ParameterKind)
CLASSES = list(ParameterClass)
ACTIVATIONS = list(ActivationKind)
DIRECTIONS = list(TightenDirection)


def log_position(log: DecodedLog) -> int:
    """The log's place in the chain as one number."""
    return (log.block_number << _LOG_INDEX_BITS) | log.log_index


def time_of(seconds: int) -> datetime:
    """Unix seconds as an aware time in UTC. A uint48 beyond year 9999 is cut to it."""
    return datetime.fromtimestamp(min(seconds, 253402300799), tz=UTC)


def parameter_key(args: dict[str, Any]) -> Iterable[str]:
    return [args["key"].hex()]


class ParametersProjector(Projector):
    """Writes Parameter and ParameterTightening."""

    name = "network.parameters"
    models = (Parameter, ParameterTightening)
    events: Mapping[tuple[str, str], Callable[[dict[str, Any]], Iterable[str]]] = {
        (CONTRACT, "ParameterDefined"): parameter_key,
        (CONTRACT, "ParameterRedefined"): parameter_key,
        (CONTRACT, "ParameterChanged"): parameter_key,
        (CONTRACT, "ParameterTightened"): parameter_key,
    }

    def due_keys(self, *, block: BlockHeader) -> Iterable[str]:
        due = Parameter.objects.filter(next_change_at__lte=time_of(block.timestamp))
        return [key.hex() for key in due.values_list("key", flat=True)]

    def reads(self, *, keys: list[str], block: BlockHeader) -> Iterable[Read]:
        """Ask the contract for the value in force: the check of our own arithmetic."""
        return [value_read(key) for key in keys]

    def recompute(self, *, key: str, history: History) -> None:
        logs = history.logs()
        defined = next((log for log in logs if log.event == "ParameterDefined"), None)
        if defined is None:
            Parameter.objects.filter(key=bytes.fromhex(key)).delete()
            return
        now_s = history.block.timestamp
        rules = _rules(defined, logs)
        parameter, _ = Parameter.objects.update_or_create(
            key=bytes.fromhex(key),
            defaults=_definition_fields(defined, logs)
            | rules
            | _value_fields(defined, logs, rules, history, now_s)
            | _chain_value_fields(key, rules["kind"], history),
        )
        _tightenings_write(parameter, logs)


def value_read(key: str) -> Read:
    return Read(CONTRACT, "get", (bytes.fromhex(key),))


def _definition_fields(defined: DecodedLog, logs: list[DecodedLog]) -> dict[str, Any]:
    redefined = [log for log in logs if log.event == "ParameterRedefined"]
    name = defined.args["name"]
    kind = KINDS[defined.args["spec"]["kind"]]
    last = redefined[-1] if redefined else None
    return {
        "name": name,
        "group": name.partition(".")[0],
        "defined_value": value_text(kind, defined.args["value"]),
        "defined_at": time_of(defined.block_timestamp),
        "defined_block": defined.block_number,
        "defined_tx": defined.transaction_hash,
        "redefined_at": time_of(last.block_timestamp) if last else None,
        "redefined_tx": last.transaction_hash if last else None,
    }


def _rules(defined: DecodedLog, logs: list[DecodedLog]) -> dict[str, Any]:
    spec = defined.args["spec"]
    for log in logs:
        if log.event == "ParameterRedefined":
            spec = log.args["spec"]
    return {
        "kind": KINDS[spec["kind"]],
        "risk_class": CLASSES[spec["changeClass"]],
        "activation": ACTIVATIONS[spec["activation"]],
        "tighten": DIRECTIONS[spec["tighten"]],
        "min": spec["min"],
        "max": spec["max"],
        "step": spec["step"],
        "max_abs": spec["maxAbs"],
        "max_rel_bps": spec["maxRelBps"],
        "min_interval_s": spec["minIntervalS"],
    }


@dataclass(frozen=True, slots=True)
class _Step:
    """A value by vote and when it takes effect (Unix seconds)."""

    value: bytes
    effective_at: int
    set_id: int
    transaction_hash: bytes


def _steps(defined: DecodedLog, logs: list[DecodedLog], history: History) -> list[_Step]:
    """The values by vote in the order of their effect, without those that were dropped."""
    first = _Step(defined.args["value"], defined.block_timestamp, 0, defined.transaction_hash)
    changed = [
        _Step(
            log.args["newValue"], log.args["effectiveAt"], log.args["setId"], log.transaction_hash
        )
        for log in logs
        if log.event == "ParameterChanged"
        and not (
            log.args["effectiveAt"] > log.block_timestamp
            and set_is_dropped(log.args["setId"], history)
        )
    ]
    return [first, *sorted(changed, key=lambda step: (step.effective_at, step.set_id))]


def set_is_dropped(set_id: int, history: History) -> bool:
    """Whether a set was vetoed or withdrawn, read from the logs of the set itself."""
    drops = ("ParameterSetVetoed", "ParameterSetWithdrawn")
    return bool(history.logs(*drops, key=str(set_id), projector=SETS))


def _value_fields(
    defined: DecodedLog,
    logs: list[DecodedLog],
    rules: dict[str, Any],
    history: History,
    now_s: int,
) -> dict[str, Any]:
    steps = _steps(defined, logs, history)
    voted = [step for step in steps if step.effective_at <= now_s][-1]
    tightened = [log for log in logs if log.event == "ParameterTightened"]
    times = [step.effective_at for step in steps]
    value, changed_at, changed_tx = voted.value, voted.effective_at, voted.transaction_hash
    for log in tightened:
        lapses_at = log.args["lapsesAt"]
        times.append(lapses_at)
        if log.block_timestamp <= now_s < lapses_at:
            value = stricter(rules["tighten"], voted.value, log.args["toValue"])
            if value != voted.value:
                changed_at, changed_tx = log.block_timestamp, log.transaction_hash
        elif lapses_at <= now_s and lapses_at > changed_at:
            changed_at = lapses_at
    later = [at for at in times if at > now_s]
    kind = rules["kind"]
    return {
        "value": value_text(kind, value),
        "voted_value": value_text(kind, voted.value),
        "valued_at": time_of(now_s),
        "version": voted.set_id,
        "last_changed_at": time_of(changed_at),
        "last_changed_tx": changed_tx,
        "next_change_at": time_of(min(later)) if later else None,
    }


def _chain_value_fields(key: str, kind: str, history: History) -> dict[str, Any]:
    found = history.read_at(value_read(key))
    if found is None:
        return {"chain_value": "", "chain_value_block": None}
    value, block_number = found
    return {"chain_value": value_text(kind, value), "chain_value_block": block_number}


def _tightenings_write(parameter: Parameter, logs: list[DecodedLog]) -> None:
    kind = parameter.kind
    rows = [
        ParameterTightening(
            position=log_position(log),
            parameter=parameter,
            from_value=value_text(kind, log.args["fromValue"]),
            to_value=value_text(kind, log.args["toValue"]),
            tightened_at=time_of(log.block_timestamp),
            lapses_at=time_of(log.args["lapsesAt"]),
            block_number=log.block_number,
            transaction_hash=log.transaction_hash,
        )
        for log in logs
        if log.event == "ParameterTightened"
    ]
    parameter.tightenings.all().delete()
    ParameterTightening.objects.bulk_create(rows)
