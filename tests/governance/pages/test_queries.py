"""States in SQL against ``proposal_state``: two forms of one rule must never disagree."""

from datetime import timedelta

import pytest
from django.db.models import Q
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from governance.models import Proposal
from governance.state import ProposalState, proposal_state
from governance.views.queries import TABS, in_states, state_condition, tab_counts
from tests.governance.pages.conftest import NOW, STATES, Factory

AT = int(NOW.timestamp())
moments = st.integers(min_value=-3, max_value=3).map(lambda s: NOW + timedelta(seconds=s))
amounts = st.integers(min_value=0, max_value=4)

facts = st.fixed_dictionaries(
    {
        "snapshot_at": moments,
        "deadline_at": moments,
        "eta_at": st.none() | moments,
        "expires_at": st.none() | moments,
        "executed_at": st.none() | moments,
        "canceled_at": st.none() | moments,
        "for_wei": amounts,
        "against_wei": amounts,
        "abstain_wei": amounts,
        "quorum_wei": st.none() | amounts,
    }
)


class StateAgreement(TestCase):
    """Every mixture of facts, even impossible ones, is in exactly one state, and it is the same."""

    @settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
    @given(rows=st.lists(facts, min_size=1, max_size=12))
    def test_sql_and_python_agree(self, rows):
        make = Factory()
        made = [make.proposal("active", **row) for row in rows]
        for state in ProposalState:
            found = set(Proposal.objects.filter(state_condition(state, AT)).values_list("pk"))
            expected = {(p.pk,) for p in made if proposal_state(p, AT) is state}
            assert found == expected, state
        counts = tab_counts(Proposal.objects.all(), AT)
        assert counts["all"] == sum(counts[tab] for tab in TABS if tab != "all") == len(made)


@pytest.mark.parametrize("state", STATES)
def test_factory_makes_the_state_it_says(make, state):
    proposal = make.proposal(state)
    assert proposal_state(proposal, AT).slug == state


def test_in_states_of_none_is_nothing(make):
    make.proposal("active")
    assert not in_states(Proposal.objects.all(), [], AT).exists()
    assert in_states(Proposal.objects.filter(Q()), list(ProposalState), AT).count() == 1
