"""What the index says of a DAO equals what the chain says, at every step of its life."""

from __future__ import annotations

from typing import Any

import pytest

from chain.client import chain_call
from chain.contracts import contract, deployment
from chain.indexer.rebuild import projections_rebuild
from governance.actions.build import build_custom_call, build_transfer
from governance.models import (
    Delegate,
    GovernorSettingChange,
    Holder,
    Proposal,
    TimelockOperation,
    Vote,
)
from governance.selectors import chain_time, guardian_current, routine_list
from governance.state import ProposalState, proposal_state
from tests.governance.conftest import ABSTAIN, AGAINST, ALT, FOR, GOVERNOR, TOKEN, Dao, Proposed

pytestmark = [pytest.mark.chain, pytest.mark.django_db]


def check(dao: Dao, proposed: Proposed, expected: ProposalState) -> Proposal:
    """The chain, our derivation and our reconciliation agree."""
    proposal = dao.indexed(proposed)
    assert dao.state(proposed) is expected
    assert proposal_state(proposal, chain_time()) is expected
    assert proposal.chain_state == expected
    assert proposal.state_mismatch is False
    return proposal


def test_every_state_to_executed(dao: Dao) -> None:
    proposed = dao.propose(description="# Lower the TTL\n\nBecause.")
    proposal = check(dao, proposed, ProposalState.PENDING)
    assert (proposal.number, proposal.title, proposal.kind) == (1, "Lower the TTL", "parameter")
    assert proposal.quorum_wei is None
    dao.open_vote()
    proposal = check(dao, proposed, ProposalState.ACTIVE)
    assert proposal.quorum_wei == chain_call(
        GOVERNOR, "quorum", (int(proposal.snapshot_at.timestamp()),)
    )
    dao.vote(0, proposed, reason="yes")
    proposal = check(dao, proposed, ProposalState.ACTIVE)
    assert proposal.for_wei == 100_000 * ALT
    dao.close_vote()
    check(dao, proposed, ProposalState.SUCCEEDED)
    queued_tx = dao.queue(proposed)
    proposal = check(dao, proposed, ProposalState.QUEUED)
    assert proposal.queued_tx == queued_tx
    assert proposal.executable_at == proposal.eta_at
    operation = TimelockOperation.objects.get(operation_id=proposal.timelock_operation_id)
    assert (operation.proposal_id, operation.state) == (proposal.proposal_id, "scheduled")
    assert operation.ready_at == proposal.eta_at
    dao.mine(11)
    check(dao, proposed, ProposalState.QUEUED)
    executed_tx = dao.execute(proposed)
    proposal = check(dao, proposed, ProposalState.EXECUTED)
    assert proposal.executed_tx == executed_tx
    operation.refresh_from_db()
    assert operation.state == "done"


def test_defeated_by_votes_and_by_quorum(dao: Dao) -> None:
    dao.delegate(9)
    outvoted = dao.propose(description="# outvoted")
    no_quorum = dao.propose(description="# no quorum")
    dao.open_vote()
    dao.vote(0, outvoted, AGAINST)
    dao.vote(9, no_quorum, FOR)
    dao.close_vote()
    assert check(dao, outvoted, ProposalState.DEFEATED).against_wei == 100_000 * ALT
    proposal = check(dao, no_quorum, ProposalState.DEFEATED)
    assert proposal.for_wei > proposal.against_wei
    assert proposal.for_wei < (proposal.quorum_wei or 0)


def test_abstain_counts_for_the_quorum_only(dao: Dao) -> None:
    dao.delegate(9)
    proposed = dao.propose(description="# abstain")
    dao.open_vote()
    dao.vote(9, proposed, FOR)
    dao.vote(0, proposed, ABSTAIN)
    dao.close_vote()
    check(dao, proposed, ProposalState.SUCCEEDED)


def test_canceled_by_its_proposer_and_by_the_guardian(dao: Dao) -> None:
    mine = dao.propose(description="# mine")
    theirs = dao.propose(description="# theirs")
    dao.send(0, GOVERNOR, "cancel(uint256)", (mine.proposal_id,))
    check(dao, mine, ProposalState.CANCELED)
    dao.pass_vote(theirs)
    dao.queue(theirs)
    dao.send(1, GOVERNOR, "cancel(uint256)", (theirs.proposal_id,))
    proposal = check(dao, theirs, ProposalState.CANCELED)
    assert TimelockOperation.objects.get(proposal=proposal).state == "canceled"


def test_expired_after_its_window(dao: Dao) -> None:
    proposed = dao.propose()
    dao.pass_vote(proposed)
    dao.queue(proposed)
    proposal = check(dao, proposed, ProposalState.QUEUED)
    assert proposal.expires_at is not None
    assert proposal.eta_at is not None
    assert (proposal.expires_at - proposal.eta_at).total_seconds() == 20 + 14 * 86_400
    last = int(proposal.expires_at.timestamp())
    dao.mine_at(last)
    check(dao, proposed, ProposalState.QUEUED)
    dao.mine_at(last + 1)
    check(dao, proposed, ProposalState.EXPIRED)


def test_late_quorum_moves_the_deadline(dao: Dao) -> None:
    proposed = dao.propose()
    dao.open_vote()
    before = dao.indexed(proposed).deadline_at
    dao.mine(int(before.timestamp()) - chain_time() - 5)
    dao.vote(0, proposed)
    proposal = check(dao, proposed, ProposalState.ACTIVE)
    assert proposal.deadline_at > before
    assert int(proposal.deadline_at.timestamp()) == chain_call(
        GOVERNOR, "proposalDeadline", (proposed.proposal_id,)
    )


def test_constitutional_waits_longer_and_says_which_calls(dao: Dao) -> None:
    governor = deployment().address(GOVERNOR)
    calls = [
        build_custom_call(target=governor, function="setVotingDelay", args=["7"]),
        build_transfer(asset="ETH", recipient=dao.accounts[7].address, amount_wei=5),
    ]
    proposed = dao.propose(calls=calls)
    dao.pass_vote(proposed)
    dao.queue(proposed)
    proposal = check(dao, proposed, ProposalState.QUEUED)
    assert proposal.is_constitutional
    assert proposal.kind == "constitutional"
    assert proposal.executable_at is not None
    assert proposal.eta_at is not None
    assert (proposal.executable_at - proposal.eta_at).total_seconds() == 20
    assert int(proposal.executable_at.timestamp()) == chain_call(
        GOVERNOR, "proposalExecutableAt", (proposed.proposal_id,)
    )
    first, second = proposal.actions.all()
    assert (first.kind, first.is_routine) == ("governance_setting", False)
    assert first.summary.startswith("Set the delay before voting to 7")
    assert (second.kind, second.recipient) == ("transfer_eth", dao.accounts[7].address)


def test_settings_and_their_changes(dao: Dao) -> None:
    dao.index()
    numbers = {row.name: row.new_value for row in GovernorSettingChange.objects.all()}
    assert numbers["voting_delay_s"] == 5
    assert numbers["voting_period_s"] == 60
    assert numbers["proposal_threshold_wei"] == ALT
    assert numbers["quorum_numerator"] == 4
    assert numbers["late_quorum_extension_s"] == 15
    assert numbers["timelock_delay_s"] == 10
    guardian = guardian_current()
    assert guardian is not None
    assert guardian.guardian == dao.accounts[1].address
    calls = {(bytes(row.target), bytes(row.selector)) for row in routine_list()}
    assert calls
    for target, selector in calls:
        assert chain_call(GOVERNOR, "routine", (target, selector)) is True


def test_fractional_votes_of_one_voter_are_kept_apart_and_add_up(dao: Dao) -> None:
    proposed = dao.propose()
    dao.open_vote()
    for against, in_favour, abstain in ((1, 2, 3), (10, 20, 30)):
        params = b"".join(
            n.to_bytes(16, "big") for n in (against * ALT, in_favour * ALT, abstain * ALT)
        )
        sent = dao.send(
            0,
            GOVERNOR,
            "castVoteWithReasonAndParams",
            (proposed.proposal_id, 255, "split", params),
        )
        assert dao.ok(sent)
    proposal = dao.indexed(proposed)
    votes = list(Vote.objects.filter(proposal=proposal))
    assert [vote.weight_wei for vote in votes] == [6 * ALT, 60 * ALT]
    sums = tuple(
        sum(getattr(vote, name) for vote in votes)
        for name in ("against_wei", "for_wei", "abstain_wei")
    )
    assert sums == tuple(chain_call(GOVERNOR, "proposalVotes", (proposed.proposal_id,)))
    assert (proposal.against_wei, proposal.for_wei, proposal.abstain_wei) == sums


def test_power_and_balances_are_the_chains(dao: Dao) -> None:
    dao.delegate(3, 0)
    dao.delegate(4)
    dao.delegate(4, 4)  # again: no change, and no negative power
    dao.delegate(4, 0)
    dao.send(0, TOKEN, "transfer", (dao.accounts[12].address, 7 * ALT))
    dao.delegate(12, 3)
    dao.index()
    for delegate in Delegate.objects.all():
        assert delegate.power_wei == chain_call(TOKEN, "getVotes", (bytes(delegate.address),))
    for holder in Holder.objects.all():
        address = bytes(holder.address)
        assert holder.balance_wei == chain_call(TOKEN, "balanceOf", (address,))
        on_chain = chain_call(TOKEN, "delegates", (address,))
        assert (holder.delegate or bytes(20)) == on_chain
    assert Delegate.objects.get(address=dao.accounts[0].address).delegators_count == 3
    assert Delegate.objects.get(address=dao.accounts[4].address).delegators_count == 0


def test_reorg_of_an_execution_brings_the_queued_state_back(dao: Dao, rpc: Any) -> None:
    proposed = dao.propose()
    dao.pass_vote(proposed)
    dao.queue(proposed)
    dao.mine(11)
    dao.index()
    snapshot = rpc("evm_snapshot")
    dao.execute(proposed)
    check(dao, proposed, ProposalState.EXECUTED)
    rpc("evm_revert", snapshot)
    dao.mine(3, blocks=3)
    proposal = check(dao, proposed, ProposalState.QUEUED)
    assert proposal.executed_tx is None
    assert TimelockOperation.objects.get(proposal=proposal).state == "scheduled"
    dao.execute(proposed)
    check(dao, proposed, ProposalState.EXECUTED)


def test_reorg_renumbers_what_remains(dao: Dao, rpc: Any) -> None:
    dao.index()
    snapshot = rpc("evm_snapshot")
    lost = dao.propose(description="# lost")
    dao.index()
    assert Proposal.objects.get().number == 1
    rpc("evm_revert", snapshot)
    dao.mine(2)
    second = dao.propose(description="# stays")
    dao.index()
    assert not Proposal.objects.filter(proposal_id=lost.proposal_id).exists()
    assert Proposal.objects.get(proposal_id=second.proposal_id).number == 1
    third = dao.propose(description="# third")
    assert dao.indexed(third).number == 2


def test_hostile_description_is_kept_exactly(dao: Dao) -> None:
    raw = b"# \xff\xfe<script>alert(1)</script>\0\xe2\x80\xae" + b"A" * 100_000
    proposed = dao.propose(description=raw)
    proposal = check(dao, proposed, ProposalState.PENDING)
    assert proposal.description_bytes == raw
    assert "\0" not in proposal.description
    assert "\u202e" not in proposal.title


def test_rebuild_gives_the_same_rows(dao: Dao) -> None:
    first = dao.propose(description="# one")
    dao.propose(description="# two")
    dao.pass_vote(first)
    dao.queue(first)
    dao.mine(11)
    dao.execute(first)
    dao.index()

    def rows() -> dict[str, list[Any]]:
        models = (Proposal, Vote, Delegate, Holder, TimelockOperation, GovernorSettingChange)
        return {
            model.__name__: sorted(
                (
                    {k: v for k, v in row.items() if k != "id" or model is TimelockOperation}
                    for row in model.objects.values()
                ),
                key=str,
            )
            for model in models
        }

    before = rows()
    projections_rebuild()
    assert rows() == before


def test_a_cold_index_of_a_whole_life_says_the_same(dao: Dao) -> None:
    proposed = dao.propose()
    dao.pass_vote(proposed)
    dao.queue(proposed)
    dao.mine(11)
    dao.execute(proposed)
    open_still = dao.propose(description="# open")
    dao.open_vote()
    dao.mine(1, blocks=12)
    proposal = check(dao, proposed, ProposalState.EXECUTED)
    assert proposal.for_wei == 100_000 * ALT
    assert proposal.quorum_wei == chain_call(
        GOVERNOR, "quorum", (int(proposal.snapshot_at.timestamp()),)
    )
    assert check(dao, open_still, ProposalState.ACTIVE).quorum_wei is not None


def test_one_that_lived_within_one_batch_has_its_quorum_at_once(
    dao: Dao, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chain.indexer import planner
    from chain.indexer.loop import Indexer

    monkeypatch.setattr(planner, "hot_ahead", lambda **kw: 1000)
    proposed = dao.propose()
    dao.pass_vote(proposed)
    assert Indexer().step().blocks > 3
    proposal = Proposal.objects.get(proposal_id=proposed.proposal_id)
    assert proposal.quorum_wei is not None
    assert not proposal.state_mismatch


def test_hostile_reasons_are_kept_and_shown_inert(dao: Dao) -> None:
    proposed = dao.propose()
    dao.open_vote()
    data = contract(GOVERNOR).encode("castVoteWithReason", (proposed.proposal_id, 1, "A" * 64))
    hostile = b"\xff\0<script>=cmd|' /C calc'!A0</script>".ljust(64, b"\xf0")
    sent = dao.send_raw(0, contract(GOVERNOR).address, data.replace(b"A" * 64, hostile))
    assert dao.ok(sent)
    dao.index()
    reason = Vote.objects.get().reason
    assert "\0" not in reason
    assert "<script>" in reason


def test_indexing_again_changes_nothing(dao: Dao) -> None:
    proposed = dao.propose()
    dao.open_vote()
    dao.vote(0, proposed)
    dao.index()
    before = list(Proposal.objects.values()), list(Vote.objects.values())
    dao.index()
    assert (list(Proposal.objects.values()), list(Vote.objects.values())) == before
