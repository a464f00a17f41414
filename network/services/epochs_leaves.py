"""Which verdicts an epoch holds, in which order, and what their leaves say."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby

from django.db.models import Exists, OuterRef, Q, QuerySet

from network.epochs.merkle import VerdictLeaf
from network.epochs.seconds import NodeVerdict, Span, seconds_attested, suspension_spans
from network.models import EpochLeaf, EpochLedger, NodeEvent, Verdict, VerdictStatus

#: AR4SI's numbers for the statuses, as the ledger's leaves hold them.
STATUS_NUMBERS = {
    VerdictStatus.NONE.value: 0,
    VerdictStatus.AFFIRMING.value: 2,
    VerdictStatus.WARNING.value: 32,
    VerdictStatus.CONTRAINDICATED.value: 96,
}
#: Verdicts that let a node count.
COUNTING = (VerdictStatus.AFFIRMING.value, VerdictStatus.WARNING.value)
#: A verdict may be written down this long after its time: by a slow transaction.
SLOWEST = timedelta(hours=1)
_FETCH = 2048
_SUSPENSIONS = ("NodeSuspended", "NodeResumed")


@dataclass(frozen=True, slots=True)
class PlacedLeaf:
    """A verdict's leaf; its index is its place in the sequence."""

    verdict_id: int
    leaf: VerdictLeaf


@dataclass(frozen=True, slots=True)
class _Row:
    id: int
    node_id: bytes
    verdict_hash: bytes
    tier: int
    status: str
    judged_at: datetime
    fresh_until: datetime
    rejudge_of_id: int | None

    def counted(self) -> NodeVerdict:
        return NodeVerdict(
            id=self.id,
            judged_s=int(self.judged_at.timestamp()),
            fresh_until_s=int(self.fresh_until.timestamp()),
            counts=self.status in COUNTING,
            replaces=self.rejudge_of_id,
        )


def epoch_members(
    ledger: EpochLedger, number: int, *, cut_before: datetime | None
) -> QuerySet[Verdict]:
    """The verdicts of an epoch: those judged in it, those that still count from before it, and
    those that came too late for the epochs before.

    ``cut_before`` is when the epoch before was cut; None for the ledger's first.
    """
    window = ledger.window(number)
    starts_at, ends_at = (datetime.fromtimestamp(second, tz=UTC) for second in window)
    wanted = Q(judged_at__gte=starts_at, judged_at__lt=ends_at)
    extra = _still_counting(starts_at, window)
    if cut_before is not None:
        extra |= _late(ledger, number, starts_at, min(starts_at, cut_before - SLOWEST))
    if extra:
        wanted |= Q(pk__in=extra)
    return Verdict.objects.filter(wanted)


def leaves_of(verdicts: QuerySet[Verdict], *, window: Span) -> Iterator[PlacedLeaf]:
    """The verdicts' leaves in an epoch's order: by node, then by the verdict's number.

    Streams: an epoch of a large network is not held in memory. Call it in a transaction.
    """
    fields = list(_Row.__dataclass_fields__)
    rows = (
        _Row(*values)
        for values in verdicts.order_by("node_id", "pk")
        .values_list(*fields)
        .iterator(chunk_size=_FETCH)
    )
    suspended = _suspensions(window)
    for node_id, found in groupby(rows, key=lambda row: row.node_id):
        of_node = list(found)
        seconds = seconds_attested(
            [row.counted() for row in of_node],
            window=window,
            suspended=suspended.get(node_id, ()),
        )
        for row in of_node:
            yield PlacedLeaf(row.id, _leaf(row, seconds[row.id]))


def _leaf(row: _Row, seconds: int) -> VerdictLeaf:
    return VerdictLeaf(
        node_id=row.node_id,
        verdict_hash=row.verdict_hash,
        tier=row.tier,
        status=STATUS_NUMBERS[row.status],
        seconds_attested=seconds,
    )


def _still_counting(starts_at: datetime, window: Span) -> set[int]:
    """Verdicts from before an epoch that count into it: each node's last that accepts, unless its
    report was judged again before."""
    newest = (
        Verdict.objects.filter(judged_at__lt=starts_at, fresh_until__gt=starts_at)
        .filter(status__in=COUNTING)
        .order_by("node_id", "-judged_at", "-pk")
        .distinct("node_id")
    )
    replaced = Verdict.objects.filter(
        rejudge_of__in=[verdict.pk for verdict in newest], judged_at__lt=starts_at
    )
    gone = set(replaced.values_list("rejudge_of_id", flat=True))
    suspended = _suspensions(window)
    found = set()
    for row in newest.values_list("pk", "node_id", "judged_at", "fresh_until"):
        pk, node_id, judged_at, fresh_until = row
        alone = NodeVerdict(pk, int(judged_at.timestamp()), int(fresh_until.timestamp()), True)
        spans = suspended.get(bytes(node_id), ())
        if pk not in gone and seconds_attested([alone], window=window, suspended=spans)[pk]:
            found.add(pk)
    return found


def _late(ledger: EpochLedger, number: int, starts_at: datetime, since: datetime) -> set[int]:
    """Verdicts judged before an epoch that were written down after theirs had been cut."""
    anchored = EpochLeaf.objects.filter(
        verdict_id=OuterRef("pk"), epoch__ledger=ledger, epoch__number__lt=number
    )
    first_s, _ = ledger.window(ledger.first_epoch)
    since = max(since, datetime.fromtimestamp(first_s, tz=UTC))
    verdicts = Verdict.objects.filter(~Exists(anchored), judged_at__gte=since)
    return set(verdicts.filter(judged_at__lt=starts_at).values_list("pk", flat=True))


def _suspensions(window: Span) -> dict[bytes, list[Span]]:
    """When which nodes were suspended, as the registry's events before the window's end say."""
    ends_at = datetime.fromtimestamp(window[1], tz=UTC)
    events = (
        NodeEvent.objects.filter(
            event__in=("NodeSuspended", "NodeResumed"), occurred_at__lt=ends_at
        )
        .order_by("node_id", "position")
        .values_list("node_id", "event", "occurred_at", "args")
    )
    return {
        bytes(node_id): suspension_spans(_told(found))
        for node_id, found in groupby(events, key=lambda event: event[0])
    }


def _told(
    events: Iterable[tuple[bytes, str, datetime, dict[str, str]]],
) -> Iterator[tuple[int, int | None]]:
    for _, event, occurred_at, args in events:
        until_s = int(args["until"]) if event == "NodeSuspended" else None
        yield int(occurred_at.timestamp()), until_s
