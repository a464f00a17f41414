"""Recompute an epoch from the stored rows, and say where it first differs."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Exists, OuterRef

from network.epochs.digest import digest
from network.epochs.pieces import PiecesBuilder
from network.models import Epoch, EpochLeaf, Verdict
from network.services.epochs import epoch_description, leaf_rows
from network.services.epochs_hash import verdict_published
from network.services.epochs_leaves import SLOWEST, epoch_members, leaves_of

_FETCH = 500
#: Of a leaf, what is compared, and what people call it.
_LEAF_WORDS = {
    "node_id": "the node",
    "verdict_hash": "the verdict's hash",
    "tier": "the tier",
    "status": "the status",
    "seconds_attested": "the seconds",
    "leaf_hash": "the leaf's hash",
}


@dataclass(frozen=True, slots=True)
class EpochCheck:
    """What was found. ``difference`` is a sentence, empty where everything agrees."""

    verdicts: int
    root: bytes
    difference: str


@transaction.atomic
def epoch_check(epoch: Epoch) -> EpochCheck:
    """Recompute an epoch's leaves, totals and root from the verdicts' rows, and compare.

    Every verdict's hash is computed anew from its row, its report's and the one it replaced. Which
    verdicts the epoch holds is checked too: each judged in it must have a leaf in it, or in a
    later one if it was written down too late.
    """
    difference = _hashes_differ(epoch) or _leaves_differ(epoch) or _left_out(epoch)
    pieces = PiecesBuilder()
    seconds = 0
    for leaf_hash, attested in (
        epoch.leaves.order_by("index").values_list("leaf_hash", "seconds_attested").iterator()
    ):
        pieces.add(bytes(leaf_hash))
        seconds += attested
    difference = difference or _totals_differ(epoch, pieces, seconds)
    return EpochCheck(pieces.count, pieces.root, difference)


def leaf_verdicts(epoch: Epoch) -> Iterator[Verdict]:
    """The epoch's verdicts in the order of its leaves, each with its report."""
    verdicts = Verdict.objects.filter(leaves__epoch=epoch).order_by("leaves__index")
    verdicts = verdicts.select_related("attestation", "rejudge_of")
    return verdicts.iterator(chunk_size=_FETCH)


def verdict_words(verdict: Verdict) -> str:
    """A verdict as a sentence names it."""
    return f"verdict {verdict.pk} of node 0x{verdict.node_id.hex()}"


def _hashes_differ(epoch: Epoch) -> str:
    for verdict in leaf_verdicts(epoch):
        if verdict_published(verdict).hash != verdict.verdict_hash:
            return (
                f"The row of {verdict_words(verdict)} is not what was hashed when it was judged: "
                f"it was changed since."
            )
    return ""


def _leaves_differ(epoch: Epoch) -> str:
    """Compare leaf by leaf with what the rows of the same verdicts give today."""
    verdicts = Verdict.objects.filter(leaves__epoch=epoch)
    made = leaf_rows(epoch, leaves_of(verdicts, window=epoch.window))
    count = 0
    for stored in epoch.leaves.order_by("index").iterator(chunk_size=_FETCH):
        computed = next(made, None)
        if computed is None:
            return f"Verdict {stored.verdict_id} has a leaf ({stored.index}) and no row any more."
        if stored.index != count:
            return f"Leaf {count} is missing."
        if stored.verdict_id != computed.verdict_id:
            return f"Leaf {count} is of verdict {stored.verdict_id}, whose row is gone or moved."
        for name, words in _LEAF_WORDS.items():
            if getattr(stored, name) != getattr(computed, name):
                return (
                    f"At leaf {count}, verdict {computed.verdict_id} of node "
                    f"0x{computed.node_id.hex()}: {words} would be "
                    f"{_shown(getattr(computed, name))}, anchored is "
                    f"{_shown(getattr(stored, name))}."
                )
        count += 1
    return ""


def _left_out(epoch: Epoch) -> str:
    """A verdict that belongs into the epoch and has a leaf neither in it nor in a later one."""
    here_or_later = EpochLeaf.objects.filter(
        verdict_id=OuterRef("pk"),
        epoch__ledger=epoch.ledger_id,
        epoch__number__gte=epoch.number,
    )
    members = epoch_members(epoch.ledger, epoch.number, cut_before=None)
    missing = members.filter(~Exists(here_or_later))
    if not epoch.ledger.epochs.filter(number__gt=epoch.number).exists():
        # What was written down after the cut waits for the next epoch.
        missing = missing.filter(judged_at__lt=epoch.frozen_at - SLOWEST)
    first = missing.order_by("pk").first()
    return f"{verdict_words(first).capitalize()} belongs into it and is left out." if first else ""


def _totals_differ(epoch: Epoch, pieces: PiecesBuilder, seconds: int) -> str:
    if pieces.count != epoch.count:
        return f"It has {pieces.count} leaves and says {epoch.count}."
    if seconds != epoch.total_seconds:
        return f"Its leaves cover {seconds} seconds and it says {epoch.total_seconds}."
    if pieces.root != epoch.root:
        return f"Its root would be 0x{pieces.root.hex()}, stored is 0x{epoch.root.hex()}."
    if digest(epoch_description(epoch)) != epoch.metadata_hash:
        return "Its description is not what was hashed."
    return ""


def _shown(value: object) -> str:
    return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)
