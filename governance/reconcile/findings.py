"""Keeping what a comparison found: open, seen again, closed; never changed, never deleted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet

from chain import clock, conf
from chain.rpc.types import BlockHeader
from governance.models import ReconcileFinding
from governance.reconcile.claims import Claim

#: What makes two findings the same one: contract, kind, subject, field.
_Place = tuple[bytes, str, str, str]


@dataclass(frozen=True, slots=True)
class Judged:
    """A claim, who was asked (20 bytes), and what the chain answered."""

    claim: Claim
    contract: bytes
    chain: str

    @property
    def differs(self) -> bool:
        return not self.claim.agrees(self.chain)

    @property
    def place(self) -> _Place:
        return (self.contract, self.claim.kind, self.claim.subject, self.claim.field)


def findings_open() -> QuerySet[ReconcileFinding]:
    """What differs now, as far as the last looks saw. A partial index holds exactly these."""
    return ReconcileFinding.objects.filter(chain_id=conf.chain_id(), closed_at=None)


def findings_store(judged: Sequence[Judged], block: BlockHeader) -> tuple[int, int]:
    """Keep what was judged at one block; return how many findings were (opened, closed)."""
    with transaction.atomic():
        known = {_place(row): row for row in findings_open().order_by("pk").select_for_update()}
        over: list[int] = []
        seen: list[int] = []
        new: list[Judged] = []
        for item in judged:
            row = known.get(item.place)
            if row is None:
                new += [item] if item.differs else []
            elif item.differs and (row.indexed, row.chain) == (item.claim.indexed, item.chain):
                seen.append(row.pk)
            else:
                over.append(row.pk)
                # Other values than were found are another finding.
                new += [item] if item.differs else []
        findings_close(over, number=block.number)
        _rows(seen).update(seen_number=block.number, seen_at=clock.now())
        # Two runs at once find the same: the constraint keeps one.
        created = [_finding(item, block) for item in new]
        ReconcileFinding.objects.bulk_create(created, ignore_conflicts=True)
    return len(new), len(over)


def findings_close(keys: Iterable[int], *, number: int) -> int:
    """Close findings that were not seen again at block ``number``."""
    return _rows(keys).update(closed_number=number, closed_at=clock.now())


def _rows(keys: Iterable[int]) -> QuerySet[ReconcileFinding]:
    return ReconcileFinding.objects.filter(pk__in=list(keys), closed_at=None)


def _place(row: ReconcileFinding) -> _Place:
    return (bytes(row.contract), row.kind, row.subject, row.field)


def _finding(item: Judged, block: BlockHeader) -> ReconcileFinding:
    moment = clock.now()
    return ReconcileFinding(
        chain_id=conf.chain_id(),
        contract=item.contract,
        kind=item.claim.kind,
        subject=item.claim.subject,
        field=item.claim.field,
        function=item.claim.read.function,
        proposal_id=item.claim.proposal_id,
        indexed=item.claim.indexed,
        chain=item.chain,
        block_number=block.number,
        block_hash=block.hash,
        found_at=moment,
        seen_number=block.number,
        seen_at=moment,
    )
