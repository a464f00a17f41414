"""Parameters for pages and API: values, what is pending, and the whole history."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from network.models import (
    Parameter,
    ParameterChange,
    ParameterSet,
    ParameterTightening,
    SetStatus,
)
from network.parameters import allowed_range
from network.selectors.policy import changes_in_force, value_tightened


@dataclass(frozen=True, slots=True)
class ParameterState:
    """A parameter as it stands at a time. Values are text in the parameter's own unit."""

    parameter: Parameter
    value: str
    voted_value: str
    in_force: ParameterChange | None
    pending: ParameterChange | None
    tightening: ParameterTightening | None

    @property
    def version(self) -> int:
        """The set whose change is in force; 0 for the value it was defined with."""
        return self.in_force.set_id if self.in_force else 0

    @property
    def changed_at(self) -> datetime:
        return self.in_force.effective_at if self.in_force else self.parameter.defined_at

    @property
    def changed_tx(self) -> bytes:
        """The transaction to join the proposal by."""
        return self.in_force.transaction_hash if self.in_force else self.parameter.defined_tx

    @property
    def allowed(self) -> tuple[int, int] | None:
        """The least and the greatest value one change may set now; None for Merkle roots."""
        p = self.parameter
        if not p.is_numeric:
            return None
        return allowed_range(
            current=int(self.voted_value),
            low=p.min,
            high=p.max,
            max_abs=p.max_abs,
            max_rel_bps=p.max_rel_bps,
            step=p.step,
        )

    @property
    def allowed_at_s(self) -> int:
        """Unix seconds from which the key may change again; 0 when it never changed."""
        if self.in_force is None:
            return 0
        return int(self.in_force.effective_at.timestamp()) + self.parameter.min_interval_s


def parameter_states(parameters: Iterable[Parameter], *, at: datetime) -> list[ParameterState]:
    """Say how parameters stand at a time. 2 queries, however many there are."""
    rows = list(parameters)
    keys = [row.key for row in rows]
    newest = _newest_by_key(
        ParameterChange.objects.filter(changes_in_force(at), parameter_id__in=keys)
        .select_related("set")
        .order_by("effective_at", "set_id")
    )
    pending = _newest_by_key(
        ParameterChange.objects.filter(
            parameter_id__in=keys,
            effective_at__gt=at,
            set__vetoed_at=None,
            set__withdrawn_at=None,
        )
        .select_related("set")
        .order_by("-effective_at")
    )
    tightenings = {
        row.parameter_id: row
        for row in ParameterTightening.objects.filter(
            parameter_id__in=keys, tightened_at__lte=at, lapses_at__gt=at
        ).order_by("tightened_at")
    }
    return [
        _state(row, newest.get(row.key), pending.get(row.key), tightenings.get(row.key))
        for row in rows
    ]


def parameter_state(parameter: Parameter, *, at: datetime) -> ParameterState:
    """Say how one parameter stands at a time."""
    return parameter_states([parameter], at=at)[0]


def parameter_value(name: str, *, at: datetime) -> str:
    """Return a parameter's value at a time.

    Raises:
        Parameter.DoesNotExist: nothing of that name is defined.
    """
    return parameter_state(Parameter.objects.get(name=name), at=at).value


def _newest_by_key(rows: QuerySet[ParameterChange]) -> dict[bytes, ParameterChange]:
    return {row.parameter_id: row for row in rows}


def _state(
    parameter: Parameter,
    in_force: ParameterChange | None,
    pending: ParameterChange | None,
    tightening: ParameterTightening | None,
) -> ParameterState:
    voted = in_force.new if in_force else parameter.defined_value
    value = voted
    if tightening is not None:
        value = value_tightened(parameter, voted=voted, tightened=tightening.to_value)
    return ParameterState(parameter, value, voted, in_force, pending, tightening)


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One line of a parameter's history, newest first.

    ``kind`` is ``defined``, ``redefined``, ``set`` or ``tightened``; ``status`` is a
    :class:`SetStatus` word for sets, ``effective`` otherwise (``scheduled`` never).
    ``ends_at`` is when a tightening lapses.
    """

    kind: str
    status: str
    old: str
    new: str
    decided_at: datetime
    effective_at: datetime
    transaction_hash: bytes
    block_number: int | None
    set_id: int | None = None
    ends_at: datetime | None = None
    undone_by: int | None = None


def parameter_history(parameter: Parameter, *, at: datetime) -> list[HistoryEntry]:
    """Return everything that ever happened to a parameter. 2 queries."""
    entries = [_change_entry(row, at) for row in changes_of(parameter)]
    entries += [_tightening_entry(row, at) for row in parameter.tightenings.all()]
    entries.append(
        HistoryEntry(
            kind="defined",
            status=SetStatus.EFFECTIVE,
            old="",
            new=parameter.defined_value,
            decided_at=parameter.defined_at,
            effective_at=parameter.defined_at,
            transaction_hash=parameter.defined_tx,
            block_number=parameter.defined_block,
        )
    )
    if parameter.redefined_at is not None and parameter.redefined_tx is not None:
        entries.append(
            HistoryEntry(
                kind="redefined",
                status=SetStatus.EFFECTIVE,
                old="",
                new="",
                decided_at=parameter.redefined_at,
                effective_at=parameter.redefined_at,
                transaction_hash=parameter.redefined_tx,
                block_number=None,
            )
        )
    return sorted(entries, key=lambda entry: (entry.decided_at, entry.set_id or 0), reverse=True)


def changes_of(parameter: Parameter) -> QuerySet[ParameterChange]:
    """A parameter's changes by vote with their sets, newest first."""
    return parameter.changes.select_related("set").order_by("-position")


def sets_pending(*, at: datetime) -> QuerySet[ParameterSet]:
    """Sets accepted and not yet in force, the next first."""
    return ParameterSet.objects.filter(
        effective_at__gt=at, vetoed_at=None, withdrawn_at=None
    ).order_by("effective_at")


def _change_entry(row: ParameterChange, at: datetime) -> HistoryEntry:
    return HistoryEntry(
        kind="set",
        status=row.set.status_at(at),
        old=row.old,
        new=row.new,
        decided_at=row.scheduled_at,
        effective_at=row.effective_at,
        transaction_hash=row.transaction_hash,
        block_number=row.block_number,
        set_id=row.set_id,
        undone_by=row.set.undone_by,
    )


def _tightening_entry(row: ParameterTightening, at: datetime) -> HistoryEntry:
    return HistoryEntry(
        kind="tightened",
        status=SetStatus.EFFECTIVE if row.in_force_at(at) else "lapsed",
        old=row.from_value,
        new=row.to_value,
        decided_at=row.tightened_at,
        effective_at=row.tightened_at,
        transaction_hash=row.transaction_hash,
        block_number=row.block_number,
        ends_at=row.lapses_at,
    )
