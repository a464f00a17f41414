"""Which rows one run compares, in parts small enough to be read at one position of the cursor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db.models import Model, QuerySet

from governance.models import Delegate, Holder, Proposal, ReconcileFinding, TimelockOperation
from governance.models.timelock import OperationState
from governance.reconcile.claims import (
    Claim,
    delegate_claims,
    holder_claims,
    operation_claims,
    power_claim,
    proposal_claims,
    setting_claims,
    supply_claim,
    vote_claims,
    voters_after,
)
from governance.reconcile.findings import findings_open
from governance.reconcile.governors import governors_again, governors_parts
from governance.reconcile.lens import (
    PART,
    PROPOSALS,
    TICK_CLOSED,
    TICK_VOTERS,
    Lens,
    Part,
    vote_parts,
)
from governance.selectors import OPEN_STATES, proposals_in

#: Findings looked at again by one run; more than that is one fault, not many.
AGAIN_MAX = 500


@dataclass(frozen=True, slots=True)
class Scope:
    """What to compare: ``all``, one ``proposal`` by its number, or ``open`` (what may still
    change, and the next part of the rest). ``block``: only what has not changed since."""

    name: str = "open"
    proposal: int | None = None
    block: int | None = None


def scope_parts(scope: Scope, resume: dict[str, Any]) -> Iterator[Part]:
    """The parts of one run. ``resume`` is where the last partial run stopped; it is moved on."""
    if scope.name == "proposal":
        rows = Proposal.objects.filter(number=scope.proposal or 0)
        yield from _proposal_parts(list(rows.values_list("pk", flat=True)))
        return
    yield _settings
    yield _again
    if scope.name == "all":
        yield from _proposal_parts(list(Proposal.objects.values_list("pk", flat=True)))
        yield from governors_parts(None)
        yield _supply
        yield from _table_all(_operations)
        yield from _table_all(_holders)
        yield from _table_all(_delegates)
        return
    yield from _proposal_parts(list(proposals_in(OPEN_STATES).values_list("pk", flat=True)))
    scheduled = TimelockOperation.objects.filter(state=OperationState.SCHEDULED)
    yield lambda lens: list(operation_claims(_kept(lens, "governance.timelock", scheduled[:PART])))
    yield from _closed_next(resume)
    yield from governors_parts(resume)
    for name, table in (("operation", _operations), ("holder", _holders), ("delegate", _delegates)):
        yield _table_next(name, table, resume)


def _supply(lens: Lens) -> list[Claim]:
    return [] if any(lens.touched.values()) else [supply_claim()]


def _settings(lens: Lens) -> list[Claim]:
    return [] if lens.touched.get("governance.settings") else list(setting_claims())


# --- proposals ------------------------------------------------------------------------


def _proposal_parts(keys: list[int], *, voters_max: int | None = None) -> Iterator[Part]:
    """The proposals' own facts, and then everybody's votes on each."""
    for start in range(0, len(keys), PROPOSALS):
        yield partial(_proposals, keys=keys[start : start + PROPOSALS])
    for key in keys:
        yield from vote_parts(partial(_votes, key=key), size=PART, voters_max=voters_max)


def _proposals(lens: Lens, keys: Iterable[int]) -> list[Claim]:
    rows = Proposal.objects.filter(pk__in=keys).prefetch_related("actions")
    kept = [row for row in _kept(lens, "governance.proposals", rows) if _exists(lens, row)]
    claims = list(proposal_claims(kept, at=lens.block.timestamp))
    operations = TimelockOperation.objects.filter(proposal__in=kept)
    return claims + list(operation_claims(_kept(lens, "governance.timelock", operations)))


def _exists(lens: Lens, proposal: Proposal) -> bool:
    return proposal.created_block <= lens.block.number


def _votes(lens: Lens, after: bytes, *, key: int) -> tuple[list[bytes], list[Claim]]:
    proposal = Proposal.objects.filter(pk=key).first()
    if proposal is None or not lens.unchanged("governance.proposals", str(key)):
        return [], []
    voters = voters_after(proposal, after=after, limit=PART)
    return voters, list(vote_claims(proposal, voters))


def _closed_next(resume: dict[str, Any]) -> Iterator[Part]:
    """The next few proposals of all, in turn; those that are open are compared twice."""
    rows = Proposal.objects.filter(number__gt=int(resume.get("proposal", 0))).order_by("number")
    found = list(rows.values_list("pk", "number")[:TICK_CLOSED])
    resume["proposal"] = found[-1][1] if len(found) == TICK_CLOSED else 0
    yield from _proposal_parts([key for key, _ in found], voters_max=TICK_VOTERS)


# --- tables by key ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Table:
    model: type[Model]
    key: str
    projector: str
    claims: Callable[[Iterable[Any]], Iterator[Claim]]

    def rows(self, after: bytes) -> QuerySet[Any]:
        rows = self.model._default_manager.filter(**{f"{self.key}__gt": after})
        return rows.order_by(self.key)[:PART]


_holders = _Table(Holder, "address", "governance.holders", holder_claims)
_delegates = _Table(Delegate, "address", "governance.delegates", delegate_claims)
_operations = _Table(TimelockOperation, "operation_id", "governance.timelock", operation_claims)


def _table_all(table: _Table) -> Iterator[Part]:
    resume: dict[str, Any] = {}
    while True:
        yield _table_next("all", table, resume)
        if not resume.get("all"):
            return


def _table_next(name: str, table: _Table, resume: dict[str, Any]) -> Part:
    """The next rows by key; after the last of them the first again."""
    after = _least(table) if not resume.get(name) else bytes.fromhex(resume[name])

    def collect(lens: Lens) -> list[Claim]:
        rows = list(table.rows(after))
        last = getattr(rows[-1], table.key).hex() if len(rows) == PART else ""
        resume[name] = last
        return list(table.claims(_kept(lens, table.projector, rows)))

    return collect


def _least(table: _Table) -> bytes:
    # Below every key: the zero address holds no tokens and no operation has the id 0.
    return bytes(table.model._meta.get_field(table.key).length)  # type: ignore[union-attr]


def _kept(lens: Lens, projector: str, rows: Iterable[Any]) -> list[Any]:
    return [row for row in rows if lens.unchanged(projector, _key(row))]


def _key(row: Any) -> str:
    return row.pk.hex() if isinstance(row.pk, bytes) else str(row.pk)


# --- what was found before ----------------------------------------------------------------


def _again(lens: Lens) -> list[Claim]:
    """What is open now: a finding is closed by a look, never by waiting."""
    found: dict[str, set[str]] = {}
    claims = governors_again(lens, list(findings_open().order_by("seen_at")[:AGAIN_MAX]))
    for row in findings_open().order_by("seen_at")[:AGAIN_MAX]:
        found.setdefault(row.kind, set()).add(row.subject)
    kind = ReconcileFinding.Kind
    claims += _proposals(lens, [int(item) for item in found.get(kind.PROPOSAL, ())])
    for subject in found.get(kind.VOTE, ()):
        key, _, voter = subject.partition(":")
        for proposal in Proposal.objects.filter(pk=int(key)):
            claims += vote_claims(proposal, [bytes.fromhex(voter)])
    addresses = found.get(kind.HOLDER, set()) - {"all"}
    if "all" in found.get(kind.HOLDER, ()):
        claims.append(supply_claim())
    for table, subjects in (
        (_holders, addresses),
        (_delegates, found.get(kind.DELEGATE, set())),
        (_operations, found.get(kind.OPERATION, set())),
    ):
        keys = [bytes.fromhex(subject) for subject in subjects]
        rows = list(table.model._default_manager.filter(pk__in=keys))
        claims += table.claims(_kept(lens, table.projector, rows))
        if table is _delegates:
            claims += [power_claim(key, 0) for key in set(keys) - {row.pk for row in rows}]
    return claims
