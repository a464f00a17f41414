"""How many seconds a verdict covers: the rule case by case, and that no second counts twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from network.epochs.seconds import (
    EPOCH_S,
    NodeVerdict,
    Span,
    seconds_attested,
    spans_merged,
    suspension_spans,
)

WINDOW = (1000, 2000)


def good(id: int, judged_s: int, fresh_s: int = 300, replaces: int | None = None) -> NodeVerdict:
    return NodeVerdict(id, judged_s, judged_s + fresh_s, counts=True, replaces=replaces)


def bad(id: int, judged_s: int, replaces: int | None = None) -> NodeVerdict:
    return NodeVerdict(id, judged_s, judged_s + 300, counts=False, replaces=replaces)


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        pytest.param([], {}, id="none"),
        pytest.param([good(1, 1100)], {1: 300}, id="until it lapses"),
        pytest.param([good(1, 1100), good(2, 1250)], {1: 150, 2: 300}, id="until the next"),
        pytest.param([good(2, 1250), good(1, 1100)], {1: 150, 2: 300}, id="in any order"),
        pytest.param([good(1, 1100), bad(2, 1250)], {1: 300, 2: 0}, id="a refusal ends nothing"),
        pytest.param(
            [good(1, 1100), bad(2, 1250, replaces=1)], {1: 150, 2: 0}, id="judged again, refused"
        ),
        pytest.param(
            [good(1, 1100), good(2, 1200, 200, replaces=1)], {1: 100, 2: 200}, id="judged again"
        ),
        pytest.param(
            [bad(1, 1100), good(2, 1200, 100, replaces=1)], {1: 0, 2: 100}, id="now accepted"
        ),
        pytest.param([good(1, 900)], {1: 200}, id="from before the epoch"),
        pytest.param([good(1, 1900)], {1: 100}, id="beyond its end"),
        pytest.param([good(1, 500)], {1: 0}, id="lapsed before"),
        pytest.param([good(1, 1100, 0)], {1: 0}, id="stale when judged"),
        pytest.param([good(1, 1100, -50)], {1: 0}, id="judged after it had lapsed"),
        pytest.param([good(1, 1100), good(2, 1100)], {1: 0, 2: 300}, id="in one second"),
        pytest.param([good(1, 0, 10_000)], {1: 1000}, id="never more than the epoch"),
    ],
)
def test_the_rule(verdicts: list[NodeVerdict], expected: dict[int, int]) -> None:
    assert seconds_attested(verdicts, window=WINDOW) == expected


@pytest.mark.parametrize(
    ("suspended", "expected"),
    [
        ([(1100, 1200)], 200),
        ([(0, 5000)], 0),
        ([(1050, 1150), (1120, 1200)], 200),
        ([(1350, 1500)], 250),
        ([(1600, 1700)], 300),
        ([(1200, 1100)], 300),
    ],
)
def test_a_suspension_withholds_the_seconds(suspended: list[Span], expected: int) -> None:
    found = seconds_attested([good(1, 1100)], window=WINDOW, suspended=suspended)
    assert found == {1: expected}


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], []),
        ([(10, 50)], [(10, 50)]),
        ([(10, 50), (30, None)], [(10, 30)]),
        ([(10, 50), (30, 80)], [(10, 80)]),
        ([(10, 50), (30, None), (40, 60)], [(10, 30), (40, 60)]),
        ([(10, 50), (60, None)], [(10, 50)]),
        ([(30, None)], []),
    ],
)
def test_what_the_registry_said_of_suspensions(
    events: list[tuple[int, int | None]], expected: list[Span]
) -> None:
    assert suspension_spans(events) == expected


VERDICTS = st.lists(
    st.tuples(st.integers(-500, EPOCH_S + 500), st.integers(-10, 9000), st.booleans()), max_size=30
).map(
    lambda rows: [
        NodeVerdict(id, judged, judged + fresh, counts)
        for id, (judged, fresh, counts) in enumerate(rows)
    ]
)
SPANS = st.lists(st.tuples(st.integers(-100, EPOCH_S), st.integers(-100, EPOCH_S)), max_size=5)


@given(VERDICTS, SPANS)
def test_no_second_counts_twice_and_none_that_no_verdict_covers(
    verdicts: list[NodeVerdict], suspended: list[Span]
) -> None:
    window = (0, EPOCH_S)
    found = seconds_attested(verdicts, window=window, suspended=suspended)
    covered = spans_merged(
        (max(0, v.judged_s), min(EPOCH_S, v.fresh_until_s)) for v in verdicts if v.counts
    )
    closed = spans_merged(suspended)
    outside = sum(
        max(0, min(end, until) - max(start, at)) for start, end in covered for at, until in closed
    )
    longest = sum(end - start for start, end in covered) - outside
    assert all(seconds >= 0 for seconds in found.values())
    assert sum(found.values()) <= longest <= EPOCH_S
    assert all(found[verdict.id] == 0 for verdict in verdicts if not verdict.counts)


@given(VERDICTS)
def test_two_epochs_share_no_second(verdicts: list[NodeVerdict]) -> None:
    half = EPOCH_S // 2
    whole = seconds_attested(verdicts, window=(0, EPOCH_S))
    first = seconds_attested(verdicts, window=(0, half))
    second = seconds_attested(verdicts, window=(half, EPOCH_S))
    assert {id: first[id] + second[id] for id in whole} == whole
