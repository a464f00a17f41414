"""Vote totals judged by the governor's rule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.views.figures import VoteTotals

votes = st.integers(min_value=0, max_value=2**200)


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
    totals = VoteTotals(votes_for, against, abstain, quorum)
    assert (totals.quorum_reached, totals.passing) == (reached, passing)


@given(for_wei=votes, against_wei=votes, abstain_wei=votes, quorum_wei=votes)
def test_missing_is_what_the_quorum_lacks(for_wei, against_wei, abstain_wei, quorum_wei):
    totals = VoteTotals(for_wei, against_wei, abstain_wei, quorum_wei)
    assert (totals.missing_wei == 0) == totals.quorum_reached
    filled = VoteTotals(for_wei, against_wei, abstain_wei + totals.missing_wei, quorum_wei)
    assert filled.quorum_reached
    assert sum(wei for _, wei in totals.sides) == totals.cast_wei


def test_shares_of_nothing_are_not_numbers():
    assert VoteTotals(0, 0, 0, None).quorum_bp is None
    assert VoteTotals(0, 0, 0, 0).quorum_bp is None
    assert VoteTotals(62, 0, 0, 100).quorum_bp == 6200
