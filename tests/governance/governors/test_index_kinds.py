"""Every kind of governor, indexed: its rows say what the chain says, live, joined late, rebuilt."""

from __future__ import annotations

from typing import Any

import pytest

from chain.indexer.loop import index_until_head
from governance.models import GovernorProposal, GovernorVote, IndexedGovernor
from governance.state import ProposalState
from tests.governance.governors.conftest import GovernorFactory
from tests.governance.governors.deploy import KINDS
from tests.governance.governors.indexing import add, following, indexed, rebuilt_the_same
from tests.governance.governors.local import ABSTAIN, AGAINST, FOR

pytestmark = [pytest.mark.chain, pytest.mark.django_db]


@pytest.mark.parametrize("kind", KINDS)
def test_a_life_followed_from_the_start(
    kind: str, governor_factory: GovernorFactory, deployment: Any
) -> None:
    local = governor_factory(kind)
    index_until_head()
    governor = add(local)
    proposal = local.propose()
    assert indexed(local, proposal).chain_state == ProposalState.PENDING
    assert following(local)
    local.open_vote(proposal)
    assert indexed(local, proposal).chain_state == ProposalState.ACTIVE
    local.vote(proposal, who=2, support=AGAINST, reason="no")
    local.vote(proposal, who=3, support=ABSTAIN)
    local.vote(proposal)
    row = indexed(local, proposal)
    votes = GovernorVote.objects.filter(governor=local.address, proposal_id=proposal.id)
    assert sorted(votes.values_list("support", flat=True)) == [AGAINST, FOR, ABSTAIN]
    local.close_vote(proposal)
    assert indexed(local, proposal).chain_state == ProposalState.SUCCEEDED
    if local.timelock is not None:
        local.queue(proposal)
        row = indexed(local, proposal)
        assert row.chain_state == ProposalState.QUEUED
        assert row.queued_at is not None
        local.wait_eta(proposal)
    local.execute(proposal)
    row = indexed(local, proposal)
    assert (row.chain_state, row.state) == (ProposalState.EXECUTED, ProposalState.EXECUTED)
    assert row.executed_tx is not None
    assert (row.due_block, row.due_time_s) == (None, None)
    assert bytes(governor.address) == local.address
    rebuilt_the_same()


@pytest.mark.parametrize("kind", KINDS)
def test_added_late_it_is_the_same(
    kind: str, governor_factory: GovernorFactory, deployment: Any
) -> None:
    local = governor_factory(kind)
    first = local.propose(description="# The first")
    local.pass_vote(first)
    if local.timelock is not None:
        local.queue(first)
    second = local.propose(description="# The second, which nobody votes on")
    local.close_vote(second)
    third = local.propose(description="# The third, open")
    local.open_vote(third)
    local.vote(third, who=2, support=AGAINST)
    index_until_head()
    assert not GovernorProposal.objects.exists()
    add(local)
    for proposal in (first, second, third):
        row = indexed(local, proposal)
        # A rule that is not known is not guessed; where it is known, it agrees.
        assert row.state is not None or kind in UNJUDGED
    assert following(local)
    assert GovernorVote.objects.count() == 2
    rebuilt_the_same()
    local.vote(third)
    local.close_vote(third)
    indexed(local, third)
    rebuilt_the_same()


#: Kinds of which only the chain judges an open or finished vote, and why: a custom clock; a super
#: quorum, which may end a vote early.
UNJUDGED = ("oz5_rounds", "oz5_super_quorum")


def test_two_governors_on_one_chain_do_not_meet(
    governor_factory: GovernorFactory, deployment: Any
) -> None:
    one, two = governor_factory(KINDS[0]), governor_factory("bravo")
    add(one, "One")
    add(two, "Two")
    first, second = one.propose(), two.propose()
    indexed(one, first)
    indexed(two, second)
    assert list(IndexedGovernor.objects.values_list("name", flat=True)) == ["One", "Two"]
    assert GovernorProposal.objects.count() == 2
    rebuilt_the_same()
