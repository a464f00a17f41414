"""What a governor does without saying so, or says twice; what voters write; what time does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from chain.addresses import to_checksum
from chain.client import rpc_client
from chain.contracts import deployment as our_deployment
from chain.hashing import keccak
from chain.indexer.loop import index_until_head
from chain.models import WatchedContract
from governance.errors import Conflict, InputInvalid, NotFound
from governance.governors.kinds import GovernorReport
from governance.governors.probe import governor_probe
from governance.models import (
    GovernorAct,
    GovernorOperation,
    GovernorProposal,
    GovernorVote,
    IndexedGovernor,
)
from governance.services.governors import governor_add, governor_remove
from governance.state import ProposalState
from tests.governance.governors.conftest import GovernorFactory
from tests.governance.governors.deploy import COMPOUND_DELAY_S
from tests.governance.governors.indexing import (
    add,
    following,
    indexed,
    rebuilt_the_same,
    row_of,
)
from tests.governance.governors.local import ABSTAIN, ANYONE, UNIT, LocalGovernor, LocalProposal

pytestmark = [pytest.mark.chain, pytest.mark.django_db]

#: Compound's Timelock: seconds after its eta that a queued proposal can be executed.
GRACE_S = 14 * 86_400


@pytest.fixture
def followed(governor_factory: GovernorFactory, deployment: Any) -> Any:
    """``followed(kind)``: a local governor that is indexed from its first block."""

    def make(kind: str) -> LocalGovernor:
        local = governor_factory(kind)
        index_until_head()
        add(local)
        index_until_head()
        return local

    return make


@pytest.mark.parametrize("kind", ["oz5_timelock", "oz4_timelock"])
def test_an_execution_at_the_timelock_itself(kind: str, followed: Any) -> None:
    local = followed(kind)
    proposal = local.queued()
    assert indexed(local, proposal).chain_state == ProposalState.QUEUED
    local.wait_eta(proposal)
    receipt = local.timelock_execute(proposal)
    row = indexed(local, proposal)
    assert row.chain_state == ProposalState.EXECUTED
    assert row.state == ProposalState.EXECUTED
    assert row.timelock_direct
    assert f"0x{bytes(row.executed_tx or b'').hex()}" == receipt["transactionHash"]
    rebuilt_the_same()


@pytest.mark.parametrize("kind", ["oz5_timelock", "oz4_timelock"])
def test_a_cancelling_at_the_timelock_itself(kind: str, followed: Any) -> None:
    local = followed(kind)
    proposal = local.queued()
    indexed(local, proposal)
    local.timelock_cancel(proposal)
    row = indexed(local, proposal)
    assert (row.chain_state, row.state) == (ProposalState.CANCELED, ProposalState.CANCELED)
    assert row.timelock_direct
    assert row.canceled_at is not None
    rebuilt_the_same()


def test_a_proposal_canceled_again_and_again(followed: Any) -> None:
    local = followed("bravo")
    proposal = local.propose()
    first = local.cancel(proposal)
    assert indexed(local, proposal).canceled_count == 1
    local.cancel(proposal)
    local.cancel(proposal)
    row = indexed(local, proposal)
    assert (row.chain_state, row.state) == (ProposalState.CANCELED, ProposalState.CANCELED)
    assert row.canceled_count == 3
    assert f"0x{bytes(row.canceled_tx or b'').hex()}" == first["transactionHash"]
    rebuilt_the_same()


@pytest.mark.parametrize("kind", ["oz5_timelock", "oz4_timelock", "compound_governor"])
def test_a_deadline_that_a_late_quorum_extends(kind: str, followed: Any) -> None:
    local = followed(kind)
    proposal = local.propose()
    before = indexed(local, proposal).deadline_clock
    local.travel_to(before - 2)
    local.vote(proposal)
    row = indexed(local, proposal)
    assert row.deadline_clock > before
    assert row.extended_count == 1
    local.travel_to(before + 1)
    assert indexed(local, proposal).chain_state == ProposalState.ACTIVE
    local.close_vote(proposal)
    assert indexed(local, proposal).chain_state == ProposalState.SUCCEEDED
    rebuilt_the_same()


def test_a_quorum_that_revives_a_defeated_proposal(followed: Any) -> None:
    local = followed("oz5_settable_quorum")
    proposal = local.propose()
    local.open_vote(proposal)
    local.vote(proposal, who=3)
    local.close_vote(proposal)
    row = indexed(local, proposal)
    assert (row.chain_state, row.state) == (ProposalState.DEFEATED, ProposalState.DEFEATED)
    assert (row.due_block, row.due_time_s) == (None, None)
    quorum_set(local, 100_000 * UNIT)
    row = indexed(local, proposal)
    assert (row.chain_state, row.state) == (ProposalState.SUCCEEDED, ProposalState.SUCCEEDED)
    assert row.quorum_votes == 100_000 * UNIT
    quorum_set(local, 900_000 * UNIT)
    assert indexed(local, proposal).chain_state == ProposalState.DEFEATED
    rebuilt_the_same()


def quorum_set(local: LocalGovernor, votes: int) -> None:
    data = keccak(b"setQuorum(uint256)")[:4] + votes.to_bytes(32, "big")
    local.chain.done(ANYONE, local.address, data)


@pytest.mark.parametrize("kind", ["bravo", "oz5_compound_timelock", "oz4_bravo_compatible"])
def test_a_queued_proposal_that_time_ends(kind: str, followed: Any) -> None:
    local = followed(kind)
    proposal = local.queued()
    assert indexed(local, proposal).chain_state == ProposalState.QUEUED
    assert GovernorOperation.objects.filter(governor=local.address).count() == 1
    local.chain.travel(COMPOUND_DELAY_S + GRACE_S + 10)
    row = indexed(local, proposal)
    assert (row.chain_state, row.state) == (ProposalState.EXPIRED, ProposalState.EXPIRED)
    rebuilt_the_same()


def test_reasons_that_are_no_text(followed: Any) -> None:
    """Anybody may vote with nothing, and write what they like."""
    local = followed("oz5_timelock")
    proposal = local.propose()
    local.open_vote(proposal)
    raw = b"\xff\xfe\x00broken\xed\xa0\x80\x00"
    vote_raw(local, proposal, raw)
    indexed(local, proposal)
    vote = GovernorVote.objects.get()
    assert (vote.weight, vote.support) == (0, ABSTAIN)
    assert bytes(vote.reason_raw or b"") == raw
    assert "\0" not in vote.reason
    assert "broken" in vote.reason
    rebuilt_the_same()


def vote_raw(local: LocalGovernor, proposal: LocalProposal, reason: bytes) -> None:
    """A vote of account 5, which has no tokens; the reason may be any bytes."""
    data = local.encode("castVoteWithReason", proposal.id, ABSTAIN, "\0" * len(reason))
    place = data.rindex(len(reason).to_bytes(32, "big")) + 32
    data = data[:place] + reason + data[place + len(reason) :]
    local.chain.done(ANYONE, local.address, data)


def test_a_description_that_is_no_text_keeps_its_bytes_and_its_id(followed: Any) -> None:
    local = followed("oz5_timelock")
    proposal = local.propose(description=b"# Odd \xff\x00\xfe title\n\nbody")
    row = indexed(local, proposal)
    assert row.id_matches
    assert row.recomputed_id == proposal.id
    assert "\0" not in row.description
    assert row.description_raw is not None


def test_signatures_of_bravo_are_kept(followed: Any) -> None:
    local = followed("bravo")
    proposal = local.propose(calls=[local.call_store(7, signed=True)])
    row = indexed(local, proposal)
    assert row.calls[0]["signature"] == "store(uint256)"
    assert row.calls[0]["calldata"] == f"0x{proposal.calls[0].data.hex()}"
    assert row.id_matches is None


def test_a_reorganisation_takes_votes_and_states_back(followed: Any, rpc: Any) -> None:
    local = followed("oz5_timelock")
    proposal = local.propose()
    local.open_vote(proposal)
    indexed(local, proposal)
    snapshot = rpc("evm_snapshot")
    local.vote(proposal)
    local.vote(proposal, who=2)
    indexed(local, proposal)
    assert GovernorVote.objects.count() == 2
    rpc("evm_revert", snapshot)
    local.vote(proposal, who=3, support=0)
    local.chain.mine(4)
    index_until_head()
    row = indexed(local, proposal)
    assert row.against_votes == 200_000 * UNIT
    assert row.for_votes == 0
    assert GovernorVote.objects.get().support == 0
    rebuilt_the_same()


# --- adding and removing ----------------------------------------------------------------


def probed(local: LocalGovernor, chain_id: int) -> GovernorReport:
    return governor_probe(client=rpc_client(), address=local.address, chain_id=chain_id)


def test_removed_it_stays_to_be_read_and_comes_back_whole(followed: Any) -> None:
    local = followed("oz5_timelock")
    proposal = local.queued()
    indexed(local, proposal)
    governor_remove(address=local.address, actor="ann")
    local.wait_eta(proposal)
    local.timelock_execute(proposal)
    second = local.propose(description="# Meanwhile")
    index_until_head()
    assert row_of(local, proposal).chain_state == ProposalState.QUEUED
    assert not GovernorProposal.objects.filter(proposal_id=second.id).exists()
    assert not WatchedContract.objects.filter(joined=True).exists()
    add(local)
    assert indexed(local, proposal).chain_state == ProposalState.EXECUTED
    indexed(local, second)
    assert following(local)
    assert list(GovernorAct.objects.order_by("pk").values_list("act", "actor")) == [
        ("add", "test"),
        ("remove", "ann"),
        ("restore", "test"),
    ]
    rebuilt_the_same()


def test_added_again_it_takes_the_new_report_and_judges_by_it(followed: Any) -> None:
    local = followed("oz5_timelock")
    proposal = local.propose()
    indexed(local, proposal)
    # What an older probe believed of it, and what followed from that.
    IndexedGovernor.objects.update(sequential_ids=True)
    GovernorProposal.objects.update(id_matches=None, recomputed_id=None)
    add(local, "Another name")
    assert IndexedGovernor.objects.get().name == "Another name"
    assert GovernorAct.objects.first().act == "update"
    row = indexed(local, proposal)
    assert row.id_matches
    assert row.recomputed_id == proposal.id
    assert following(local)
    rebuilt_the_same()


def test_a_governor_that_is_not_there_cannot_be_removed(db: None) -> None:
    with pytest.raises(NotFound) as refused:
        governor_remove(address=b"\x01" * 20, actor="test")
    assert refused.value.code == "governor_unknown"
    with pytest.raises(CommandError, match="governor_unknown"):
        call_command("governor_remove", to_checksum(b"\x01" * 20))


def test_the_command_removes_one(followed: Any, capsys: Any) -> None:
    local = followed("oz5_settable_quorum")
    call_command("governor_remove", to_checksum(local.address), actor="ann")
    assert "no longer followed" in capsys.readouterr().out
    assert IndexedGovernor.objects.get().removed_by == "ann"


def test_a_timelock_stays_while_another_governor_acts_through_it(
    governor_factory: GovernorFactory, deployment: Any, settings: Any
) -> None:
    one, two = governor_factory("oz5_timelock"), governor_factory("oz5_settable_quorum")
    add(one)
    report = probed(two, settings.CHAIN_ID)
    shared = probed(one, settings.CHAIN_ID).timelock
    governor_add(report=replace(report, timelock=shared), name="Two", actor="test")
    assert WatchedContract.objects.count() == 3
    governor_remove(address=one.address, actor="test")
    left = WatchedContract.objects.filter(removed_at=None)
    assert {bytes(row.address) for row in left} == {two.address, one.timelock}
    governor_remove(address=two.address, actor="test")
    assert not left.all().exists()


def test_our_own_timelock_is_not_watched_twice(
    governor_factory: GovernorFactory, deployment: Any, settings: Any
) -> None:
    local = governor_factory("oz5_timelock")
    report = probed(local, settings.CHAIN_ID)
    ours = replace(report.timelock, address=our_deployment().address("TimelockController"))
    governor_add(report=replace(report, timelock=ours), name="", actor="test")
    assert [bytes(row.address) for row in WatchedContract.objects.all()] == [local.address]
    governor_remove(address=local.address, actor="test")


def test_what_cannot_be_added(
    governor_factory: GovernorFactory, deployment: Any, settings: Any
) -> None:
    local = governor_factory("oz5_settable_quorum")
    report = probed(local, settings.CHAIN_ID)
    ours = our_deployment().address("AlthingGovernor")
    refusals: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"chain_id": 1}, InputInvalid, "governor_chain"),
        ({"address": ours}, Conflict, "governor_ours"),
        ({"address": b"\x77" * 20}, InputInvalid, "watch_no_code"),
        ({"creation_block": 10**9}, InputInvalid, "watch_future"),
    ]
    for changes, kind, code in refusals:
        with pytest.raises(kind) as refused:
            governor_add(report=replace(report, **changes), name="", actor="test")
        assert getattr(refused.value, "code", "") == code
    assert not IndexedGovernor.objects.exists()
    assert not WatchedContract.objects.exists()
    assert not GovernorAct.objects.exists()
