"""The vote bar's layout: it never lies, whatever the totals are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.views.figures import BAR_UNITS, vote_bar

votes = st.integers(min_value=0, max_value=2**200)


@given(for_wei=votes, against_wei=votes, abstain_wei=votes, quorum_wei=st.none() | votes)
def test_segments_stay_inside_the_bar_and_touch(for_wei, against_wei, abstain_wei, quorum_wei):
    bar = vote_bar(
        for_wei=for_wei, against_wei=against_wei, abstain_wei=abstain_wei, quorum_wei=quorum_wei
    )
    end = 0
    for segment in bar.segments:
        assert segment.start == end
        assert segment.length >= 0
        end += segment.length
    assert end <= BAR_UNITS
    if bar.cast_wei and bar.cast_wei >= (quorum_wei or 0):
        assert end == BAR_UNITS


@given(for_wei=votes, against_wei=votes, abstain_wei=votes, quorum_wei=votes)
def test_reached_exactly_when_for_and_abstain_pass_the_tick(
    for_wei, against_wei, abstain_wei, quorum_wei
):
    bar = vote_bar(
        for_wei=for_wei, against_wei=against_wei, abstain_wei=abstain_wei, quorum_wei=quorum_wei
    )
    assert bar.quorum_reached == (for_wei + abstain_wei >= quorum_wei)
    counted_end = bar.against.start
    if bar.quorum_reached and bar.quorum_tick is not None:
        assert counted_end >= bar.quorum_tick


@pytest.mark.parametrize(
    ("votes_for", "against", "abstain", "quorum", "reached", "passing"),
    [
        (100, 50, 0, 100, True, True),
        (60, 50, 40, 100, True, True),  # Abstain counts to the quorum ...
        (40, 50, 60, 100, True, False),  # ... but not to the majority
        (50, 50, 0, 50, True, False),  # a tie fails
        (99, 0, 0, 100, False, False),
        (10, 500, 0, 100, False, False),  # Against does not count to the quorum
        (10, 0, 0, None, False, False),  # no quorum before the snapshot
    ],
)
def test_rule(votes_for, against, abstain, quorum, reached, passing):
    bar = vote_bar(for_wei=votes_for, against_wei=against, abstain_wei=abstain, quorum_wei=quorum)
    assert (bar.quorum_reached, bar.passing) == (reached, passing)


def test_an_empty_vote_has_an_empty_bar():
    bar = vote_bar(for_wei=0, against_wei=0, abstain_wei=0, quorum_wei=400)
    assert [segment.length for segment in bar.segments] == [0, 0, 0]
    assert (bar.quorum_tick, bar.quorum_bp) == (BAR_UNITS, 0)
