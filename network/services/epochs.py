"""Cut epochs: fix which verdicts an epoch holds, once it is over, and compute what is anchored."""

import logging
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from django.db import transaction
from django.db.models import Max

from chain import clock
from chain.client import chain_call
from chain.contracts import contract_at_name
from network.epochs.digest import digest
from network.epochs.merkle import LedgerEpoch, leaf_hash
from network.epochs.pieces import PiecesBuilder
from network.errors import Conflict, NotFound
from network.models import Epoch, EpochLeaf, EpochLedger
from network.selectors.epochs import LEDGER, epoch_find, epoch_record, ledger_place
from network.selectors.final import FinalBlock, final_block
from network.services.epochs_leaves import PlacedLeaf, epoch_members, leaves_of

logger = logging.getLogger(__name__)

#: Seconds after an epoch's end before it is cut: reports of its last minute are judged by then.
MARGIN_S = 600
#: Epochs cut in one tick; after a long pause the next ticks go on.
CUT_MAX = 50
_ROWS_AT_ONCE = 1000
DESCRIPTION_FORMAT = "althing-epoch/1"
REASON_CHARACTERS = 200


def ledger_ensure() -> EpochLedger | None:
    """The row of the deployment's ledger, made from the contracts' own answers when it is new;
    None where the deployment has no ledger.

    Raises:
        RpcError: it is new, and the node could not be asked.
    """
    place = ledger_place()
    if place is None:
        return None
    known = EpochLedger.objects.filter(**place).first()
    if known is not None:
        return known
    registry = contract_at_name("NetworkParameters", chain_call(LEDGER, "parameters"))
    figures = {
        "first_epoch": int(chain_call(LEDGER, "firstEpoch")),
        "genesis_s": int(chain_call(registry, "genesisAt")),
    }
    return EpochLedger.objects.get_or_create(**place, defaults=figures)[0]


def epochs_cut(ledger: EpochLedger) -> list[Epoch]:
    """Cut every epoch that is over, in order and each in a transaction of its own.

    Chain time decides: an epoch is over when a final block's is `MARGIN_S` past its end. Any
    number may run at once, and die anywhere: an epoch is whole or not there.
    """
    cut: list[Epoch] = []
    final = final_block()
    while final is not None and len(cut) < CUT_MAX:
        with transaction.atomic():
            EpochLedger.objects.select_for_update().get(pk=ledger.pk)
            number = next_number(ledger)
            if final.timestamp < ledger.window(number)[1] + MARGIN_S:
                break
            cut.append(_cut(ledger, number, final))
    return cut


def next_number(ledger: EpochLedger) -> int:
    """The first epoch that is not cut yet."""
    newest = ledger.epochs.aggregate(newest=Max("number"))["newest"]
    return ledger.first_epoch if newest is None else int(newest) + 1


@transaction.atomic
def epoch_cut_again(*, ledger: EpochLedger, number: int, reason: str) -> Epoch:
    """Cut a voided epoch again, as its next revision, to be posted again.

    For a person who has found out why it was voided: cut again from the same rows it is the same.

    Raises:
        NotFound: ``epoch_unknown``, it was never cut here.
        Conflict: ``epoch_not_voided``; ``void_not_final``.
    """
    EpochLedger.objects.select_for_update().get(pk=ledger.pk)
    before, record = epoch_find(ledger, number), epoch_record(number)
    if before is None:
        raise NotFound("epoch_unknown", f"Epoch {number} has not been cut.")
    if record is None or record.voided_at is None or record.posted_count != before.revision:
        raise Conflict(
            "epoch_not_voided",
            f"Epoch {number} does not stand voided on chain in its newest revision.",
        )
    final = final_block()
    if final is None or record.voided_at.timestamp() > final.timestamp:
        raise Conflict("void_not_final", "The voiding is not final yet; try again shortly.")
    return _cut(ledger, number, final, revision=before.revision + 1, reason=reason)


def _cut(
    ledger: EpochLedger, number: int, final: FinalBlock, *, revision: int = 1, reason: str = ""
) -> Epoch:
    window = ledger.window(number)
    starts_at, ends_at = (datetime.fromtimestamp(second, tz=UTC) for second in window)
    previous = ledger.epochs.filter(number=number - 1, revision=1).first()
    epoch = Epoch.objects.create(
        ledger=ledger,
        number=number,
        revision=revision,
        reason=reason[:REASON_CHARACTERS],
        starts_at=starts_at,
        ends_at=ends_at,
        frozen_at=clock.now(),
        final_block=final.number,
        root=bytes(32),
        count=0,
        total_seconds=0,
        metadata_hash=bytes(32),
        description={},
    )
    members = epoch_members(ledger, number, cut_before=previous.frozen_at if previous else None)
    _leaves_write(epoch, leaves_of(members, window=window))
    epoch.description = epoch_description(epoch)
    epoch.metadata_hash = digest(epoch.description)
    epoch.save()
    logger.info("Cut %s: %s verdicts, %s seconds.", epoch, epoch.count, epoch.total_seconds)
    return epoch


def _leaves_write(epoch: Epoch, placed: Iterator[PlacedLeaf]) -> None:
    pieces = PiecesBuilder()
    made = leaf_rows(epoch, placed)
    while rows := list(islice(made, _ROWS_AT_ONCE)):
        EpochLeaf.objects.bulk_create(rows)
        for row in rows:
            pieces.add(row.leaf_hash)
            epoch.total_seconds += row.seconds_attested
    epoch.count = pieces.count
    epoch.piece_roots = pieces.piece_roots
    epoch.root = pieces.root


def leaf_rows(epoch: Epoch, placed: Iterable[PlacedLeaf]) -> Iterator[EpochLeaf]:
    """The rows of an epoch's leaves in their order, not saved."""
    ledger = epoch.ledger
    place = LedgerEpoch(chain_id=ledger.chain_id, ledger=ledger.address, epoch=epoch.number)
    for index, item in enumerate(placed):
        leaf = item.leaf
        yield EpochLeaf(
            epoch=epoch,
            index=index,
            verdict_id=item.verdict_id,
            node_id=leaf.node_id,
            verdict_hash=leaf.verdict_hash,
            tier=leaf.tier,
            status=leaf.status,
            seconds_attested=leaf.seconds_attested,
            leaf_hash=leaf_hash(leaf, place=place, index=index),
        )


def epoch_description(epoch: Epoch) -> dict[str, Any]:
    """What an epoch is, in the form whose hash is anchored with its root."""
    starts_s, ends_s = epoch.window
    return {
        "format": DESCRIPTION_FORMAT,
        "chain_id": epoch.ledger.chain_id,
        "ledger": f"0x{epoch.ledger.address.hex()}",
        "epoch": epoch.number,
        "revision": epoch.revision,
        "reason": epoch.reason,
        "starts_at": starts_s,
        "ends_at": ends_s,
        "root": f"0x{epoch.root.hex()}",
        "count": epoch.count,
        "total_seconds": epoch.total_seconds,
    }
