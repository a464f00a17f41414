"""How many seconds of an epoch each verdict of one node covers. Pure.

A verdict that accepts counts from when it was judged until the first of these: it lapses; the node
has another verdict that accepts; the same report is judged again; the node is suspended, for as
long as that lasts. So no two verdicts of a node ever cover the same second, and one refused report
ends nothing by itself: the node's standing moves by strikes, and a suspension is on chain.
Times are whole Unix seconds, rounded down; intervals hold their first second and not their last.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: The length of an epoch of `AttestationLedger`.
EPOCH_S = 86_400

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class NodeVerdict:
    """What counts of a verdict. `counts` where it accepts the report; `replaces` is the id of the
    verdict that judged the same report before."""

    id: int
    judged_s: int
    fresh_until_s: int
    counts: bool
    replaces: int | None = None


def seconds_attested(
    verdicts: Sequence[NodeVerdict], *, window: Span, suspended: Sequence[Span] = ()
) -> dict[int, int]:
    """Seconds of `window` that each verdict of one node covers, by its id; 0 where it does not.

    `verdicts` are all that can end one another in the window, in any order.
    """
    ordered = sorted(verdicts, key=lambda verdict: (verdict.judged_s, verdict.id))
    ends = _ends(ordered)
    closed = spans_merged(suspended)
    return {
        verdict.id: _length((verdict.judged_s, ends[verdict.id]), window, closed)
        if verdict.counts
        else 0
        for verdict in ordered
    }


def spans_merged(spans: Iterable[Span]) -> list[Span]:
    """The same seconds as spans that neither touch nor overlap, in order; empty ones are left
    out."""
    merged: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def suspension_spans(events: Iterable[tuple[int, int | None]]) -> list[Span]:
    """When a node was suspended, from what the registry said: pairs of the time of an event, in
    the chain's order, and until when it suspends; None where it resumes."""
    spans: list[Span] = []
    for at_s, until_s in events:
        if until_s is None:
            spans = [(start, min(end, at_s)) for start, end in spans]
        else:
            spans.append((at_s, until_s))
    return spans_merged(spans)


def _ends(ordered: Sequence[NodeVerdict]) -> dict[int, int]:
    ends = {verdict.id: verdict.fresh_until_s for verdict in ordered}
    following: int | None = None
    for verdict in reversed(ordered):
        if verdict.replaces in ends:
            ends[verdict.replaces] = min(ends[verdict.replaces], verdict.judged_s)
        if following is not None:
            ends[verdict.id] = min(ends[verdict.id], following)
        if verdict.counts:
            following = verdict.judged_s
    return ends


def _length(span: Span, window: Span, closed: Sequence[Span]) -> int:
    start, end = max(span[0], window[0]), min(span[1], window[1])
    if start >= end:
        return 0
    return end - start - sum(max(0, min(end, until) - max(start, at)) for at, until in closed)
