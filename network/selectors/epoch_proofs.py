"""The proof that a verdict is in an anchored epoch, or when there will be one."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from network.epochs.merkle import MerkleInvalid
from network.epochs.pieces import piece_span, pieces_proof
from network.epochs.seconds import EPOCH_S
from network.errors import Conflict, NotFound
from network.models import Epoch, EpochLeaf, EpochLedger, EpochRecord, Verdict
from network.selectors.epochs import (
    EpochState,
    EpochWord,
    chain_moment,
    epoch_record,
    epoch_state,
    ledger_current,
    ledger_place,
)

#: Seconds from an epoch's end until its root is usually on chain: the margin and some blocks.
USUAL_S = 1200


@dataclass(frozen=True, slots=True)
class VerdictProof:
    """A verdict's leaf in an epoch on chain, and the siblings on its way to the root."""

    state: EpochState
    record: EpochRecord
    leaf: EpochLeaf
    siblings: tuple[bytes, ...]
    #: The epochs that hold the verdict, each with its own seconds.
    epochs: tuple[int, ...]


def verdict_proof(verdict: Verdict, *, number: int | None = None) -> VerdictProof:
    """The proof of a verdict in the epoch it was made in, or in epoch ``number``. 9 queries.

    Raises:
        NotFound: ``ledger_absent``; ``verdict_not_anchored``, it is in no epoch and never will be;
            ``leaf_unknown``, it is in another epoch.
        Conflict: ``epoch_not_over``, ``epoch_not_posted``, ``epoch_voided`` or ``epoch_differs``;
            ``data`` says which epoch, and when to ask again where that is known.
    """
    ledger, at = ledger_current(), chain_moment()
    if ledger is None or at is None:
        raise NotFound("ledger_absent", "This service anchors no verdicts (yet).")
    leaves = _leaves(verdict, ledger)
    if not leaves:
        raise _not_in_an_epoch(verdict, ledger)
    wanted = min(leaves) if number is None else number
    leaf = leaves.get(wanted)
    if leaf is None:
        raise NotFound(
            "leaf_unknown",
            f"Epoch {wanted} does not hold this verdict.",
            {"epochs": sorted(leaves)},
        )
    state = epoch_state(leaf.epoch, epoch_record(wanted), at)
    if state.record is None or state.word not in (EpochWord.POSTED, EpochWord.USABLE):
        raise _not_on_chain(state)
    siblings = tuple(leaf_siblings(leaf))
    return VerdictProof(state, state.record, leaf, siblings, tuple(sorted(leaves)))


def leaf_siblings(leaf: EpochLeaf) -> list[bytes]:
    """The proof of a stored leaf. 1 query.

    Raises:
        Conflict: ``epoch_damaged``, the stored leaves are not those that were anchored.
    """
    start, end = piece_span(leaf.index)
    rows = EpochLeaf.objects.filter(epoch=leaf.epoch_id, index__gte=start, index__lt=end)
    piece = [bytes(value) for value in rows.order_by("index").values_list("leaf_hash", flat=True)]
    try:
        return pieces_proof(
            piece_roots=bytes(leaf.epoch.piece_roots), piece=piece, index=leaf.index
        )
    except MerkleInvalid as error:
        raise Conflict(
            "epoch_damaged",
            "The stored leaves of this epoch are not those that were anchored. A person has to "
            "look.",
        ) from error


def with_epochs(verdicts: QuerySet[Verdict]) -> QuerySet[Verdict]:
    """Verdicts with ``anchored_in``: the number of the first epoch that holds each, or None."""
    place = ledger_place() or {"chain_id": 0, "address": bytes(20)}
    leaves = EpochLeaf.objects.filter(
        verdict=OuterRef("pk"),
        epoch__ledger__chain_id=place["chain_id"],
        epoch__ledger__address=place["address"],
    )
    first = leaves.order_by("epoch__number").values("epoch__number")[:1]
    return verdicts.annotate(anchored_in=Subquery(first))


def _leaves(verdict: Verdict, ledger: EpochLedger) -> dict[int, EpochLeaf]:
    """The verdict's leaves by epoch, of each epoch's newest revision."""
    rows = EpochLeaf.objects.filter(verdict=verdict, epoch__ledger=ledger).select_related("epoch")
    rows = rows.order_by("epoch__number", "epoch__revision")
    found = {leaf.epoch.number: leaf for leaf in rows.defer("epoch__description")}
    newest = dict(
        Epoch.objects.filter(ledger=ledger, number__in=found)
        .order_by("number", "revision")
        .values_list("number", "revision")
    )
    return {at: leaf for at, leaf in found.items() if leaf.epoch.revision == newest[at]}


def _not_in_an_epoch(verdict: Verdict, ledger: EpochLedger) -> NotFound | Conflict:
    first_s, _ = ledger.window(ledger.first_epoch)
    judged_s = int(verdict.judged_at.timestamp())
    if judged_s < first_s and int(verdict.fresh_until.timestamp()) <= first_s:
        return NotFound(
            "verdict_not_anchored", "This verdict is from before verdicts were anchored."
        )
    own = max((judged_s - ledger.genesis_s) // EPOCH_S, ledger.first_epoch)
    newest = ledger.epochs.order_by("-number").values_list("number", flat=True).first()
    # Written down after its own epoch was cut, it comes with the next.
    number = own if newest is None else max(own, newest + 1)
    ends_at = datetime.fromtimestamp(ledger.window(number)[1], tz=UTC)
    return Conflict(
        "epoch_not_over",
        f"This verdict comes with epoch {number}, which ends {ends_at:%Y-%m-%d %H:%M} UTC.",
        {"epoch": number, "ends_at": _text(ends_at), "expected_at": _text(_expected(ends_at))},
    )


def _not_on_chain(state: EpochState) -> Conflict:
    codes = {
        EpochWord.CUT: "epoch_not_posted",
        EpochWord.VOIDED: "epoch_voided",
        EpochWord.DIFFERS: "epoch_differs",
    }
    data: dict[str, Any] = {"epoch": state.epoch.number}
    if state.word is EpochWord.CUT:
        data["expected_at"] = _text(_expected(state.epoch.ends_at))
    return Conflict(
        codes[state.word], f"Epoch {state.epoch.number} holds it. {state.sentence}", data
    )


def _expected(ends_at: datetime) -> datetime:
    return ends_at + timedelta(seconds=USUAL_S)


def _text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
