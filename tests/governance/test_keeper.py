"""The keeper with the real outbox: queues, executes, waits with a reason, yields to others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from chain.client import chain_call, rpc_client
from chain.models import Cursor, TxAttempt, TxIntent
from chain.sender.keys import key_from_private
from chain.sender.loop import Sender
from governance.actions.build import build_custom_call, build_parameter_set, build_transfer
from governance.keeper import idem_key, keeper_tick
from governance.models import KeeperNote, KeeperSwitch, Proposal, ProposalAction
from governance.services.keeper_switch import keeper_switch_turn
from governance.services.transactions import senders_fill
from governance.state import ProposalState
from tests.governance.conftest import GOVERNOR, Dao, Proposed

pytestmark = [pytest.mark.chain, pytest.mark.django_db]

#: anvil's account that keeps; it holds ETH and no role.
KEEPER = 15


@pytest.fixture
def send(dao: Dao) -> Callable[[], None]:
    """One outbox tick with the keeper's key."""
    key = key_from_private(dao.accounts[KEEPER].private_key)
    return Sender(client=rpc_client(), key=key).tick


def tick(dao: Dao, send: Callable[[], None]) -> None:
    """What the beats do: index, look, send, mine, look again."""
    dao.index()
    keeper_tick()
    send()
    dao.mine()
    send()
    dao.index()
    senders_fill()
    keeper_tick()


def note(proposed: Proposed) -> KeeperNote:
    return KeeperNote.objects.get(proposal_id=proposed.proposal_id)


def intents(step: str) -> list[TxIntent]:
    return list(TxIntent.objects.filter(kind=step).order_by("pk"))


def test_queues_waits_executes_and_says_so(dao: Dao, send: Callable[[], None]) -> None:
    proposed = dao.propose()
    dao.pass_vote(proposed)
    tick(dao, send)
    assert dao.state(proposed) is ProposalState.QUEUED
    waiting = note(proposed)
    assert waiting.code == "waiting_delay"
    assert waiting.sentence.startswith("Executes in ")
    assert waiting.wait_until == dao.indexed(proposed).executable_at
    assert intents("execute") == []
    dao.mine(12)
    tick(dao, send)
    assert dao.state(proposed) is ProposalState.EXECUTED
    assert int.from_bytes(chain_call("NetworkParameters", "get", (_key(),)), "big") == 3600
    done = note(proposed)
    assert done.code == "executed_here"
    assert dao.accounts[KEEPER].checksum in done.sentence
    assert dao.indexed(proposed).executed_by == dao.accounts[KEEPER].address
    assert (len(intents("queue")), len(intents("execute"))) == (1, 1)


def _key() -> bytes:
    from governance.actions.parameters import parameter_key

    return parameter_key("attest.ttl")


def test_ticks_again_and_again_are_one_effect(dao: Dao, send: Callable[[], None]) -> None:
    proposed = dao.propose()
    dao.pass_vote(proposed)
    dao.index()
    for _ in range(5):
        keeper_tick()
    assert len(intents("queue")) == 1
    send()
    for _ in range(3):
        keeper_tick()
        send()
    assert TxAttempt.objects.count() == 1
    dao.index()
    assert dao.state(proposed) is ProposalState.QUEUED


def test_a_stranger_executes_first(dao: Dao, send: Callable[[], None]) -> None:
    proposed = dao.propose()
    dao.pass_vote(proposed)
    dao.queue(proposed)
    dao.mine(12)
    dao.index()
    keeper_tick()
    (planned,) = intents("execute")
    assert planned.state == TxIntent.State.PLANNED
    dao.execute(proposed, who=5)
    send()
    planned.refresh_from_db()
    assert planned.state == TxIntent.State.SATISFIED_EXTERNALLY
    assert TxAttempt.objects.count() == 0
    dao.index()
    senders_fill()
    keeper_tick()
    done = note(proposed)
    assert done.code == "executed_elsewhere"
    assert done.sentence == f"Executed by {dao.accounts[5].checksum}, not this server."
    assert len(intents("execute")) == 1


def test_constitutional_waits_and_says_until_when(dao: Dao, send: Callable[[], None]) -> None:
    governor = chain_call("TimelockController", "getMinDelay", ())
    assert governor == 10
    from chain.contracts import deployment

    call = build_custom_call(
        target=deployment().address(GOVERNOR), function="setVotingDelay", args=["6"]
    )
    proposed = dao.propose(calls=[call])
    dao.pass_vote(proposed)
    tick(dao, send)
    dao.mine(11)
    dao.index()
    keeper_tick()
    waiting = note(proposed)
    assert waiting.code == "waiting_constitutional"
    assert waiting.sentence.startswith("Constitutional: waits until ")
    assert intents("execute") == []
    dao.mine(20)
    tick(dao, send)
    assert dao.state(proposed) is ProposalState.EXECUTED


def test_paused_by_a_person_with_a_reason(dao: Dao, send: Callable[[], None]) -> None:
    staff = get_user_model().objects.create_user("ada", is_staff=True)
    proposed = dao.propose()
    dao.pass_vote(proposed)
    keeper_switch_turn(staff=staff, paused=True, reason="Checking an alarm")
    tick(dao, send)
    assert dao.state(proposed) is ProposalState.SUCCEEDED
    assert (note(proposed).code, note(proposed).sentence) == (
        "paused",
        "Paused by ada: Checking an alarm",
    )
    keeper_switch_turn(staff=staff, paused=False, reason="False alarm")
    tick(dao, send)
    assert dao.state(proposed) is ProposalState.QUEUED
    assert KeeperSwitch.objects.count() == 2


def test_a_pause_stops_what_was_planned_before(dao: Dao, send: Callable[[], None]) -> None:
    staff = get_user_model().objects.create_user("ada", is_staff=True)
    proposed = dao.propose()
    dao.pass_vote(proposed)
    dao.index()
    keeper_tick()
    keeper_switch_turn(staff=staff, paused=True, reason="Stop")
    send()
    (planned,) = intents("queue")
    assert planned.state == TxIntent.State.PLANNED
    assert planned.why_waiting == "Paused by ada: Stop"
    assert dao.state(proposed) is ProposalState.SUCCEEDED


def test_a_simulation_that_reverts_is_shown_and_sends_nothing(
    dao: Dao, send: Callable[[], None]
) -> None:
    first = dao.propose(calls=[build_parameter_set([("attest.ttl", 3600)])], description="# a")
    second = dao.propose(calls=[build_parameter_set([("attest.ttl", 3000)])], description="# b")
    dao.open_vote()
    dao.vote(0, first)
    dao.vote(0, second)
    dao.close_vote()
    tick(dao, send)
    dao.mine(12)
    dao.execute(first)
    tick(dao, send)
    waiting = note(second)
    assert waiting.code == "would_revert"
    assert "would revert" in waiting.sentence
    assert dao.state(second) is ProposalState.QUEUED
    kept = TxIntent.objects.get(idem_key=idem_key(dao.indexed(second), "execute"))
    assert kept.state == TxIntent.State.PLANNED


def test_tampered_rows_are_never_sent(dao: Dao, send: Callable[[], None]) -> None:
    proposed = dao.propose(
        calls=[build_transfer(asset="ALT", recipient=dao.accounts[7].address, amount_wei=5)]
    )
    dao.pass_vote(proposed)
    dao.index()
    action = ProposalAction.objects.get()
    data = bytes(action.calldata)
    ProposalAction.objects.update(calldata=data[:-1] + b"\xff")
    keeper_tick()
    assert note(proposed).code == "id_mismatch"
    assert intents("queue") == []


def test_a_state_that_differs_is_never_acted_on(dao: Dao) -> None:
    proposed = dao.propose()
    dao.pass_vote(proposed)
    dao.index()
    Proposal.objects.update(state_mismatch=True)
    keeper_tick()
    assert note(proposed).code == "state_differs"
    assert intents("queue") == []


def test_canceled_between_planning_and_sending(dao: Dao, send: Callable[[], None]) -> None:
    proposed = dao.propose()
    dao.pass_vote(proposed)
    dao.index()
    keeper_tick()
    dao.send(1, GOVERNOR, "cancel(uint256)", (proposed.proposal_id,))
    send()
    (rejected,) = intents("queue")
    assert rejected.state == TxIntent.State.REJECTED
    dao.index()
    keeper_tick()
    assert note(proposed).code == "nothing_to_do"


def test_an_execution_taken_back_by_a_reorg_is_done_again(
    dao: Dao, send: Callable[[], None], rpc: Any
) -> None:
    proposed = dao.propose()
    dao.pass_vote(proposed)
    dao.queue(proposed)
    dao.mine(12)
    dao.index()
    snapshot = rpc("evm_snapshot")
    keeper_tick()
    dao.execute(proposed, who=5)
    send()
    assert intents("execute")[0].state == TxIntent.State.SATISFIED_EXTERNALLY
    dao.index()
    rpc("evm_revert", snapshot)
    dao.mine(1, blocks=4)
    tick(dao, send)
    assert dao.state(proposed) is ProposalState.EXECUTED
    assert intents("execute")[0].state == TxIntent.State.SATISFIED_EXTERNALLY
    assert len(intents("execute")) == 2
    assert note(proposed).code == "executed_here"


def test_a_halted_index_stops_the_keeper(dao: Dao, send: Callable[[], None]) -> None:
    proposed = dao.propose()
    dao.pass_vote(proposed)
    dao.index()
    keeper_tick()
    Cursor.objects.update(state=Cursor.State.HALTED_DEEP_REORG)
    send()
    assert dao.state(proposed) is ProposalState.SUCCEEDED
    (planned,) = intents("queue")
    assert "reorganised deeper" in planned.why_waiting


def test_a_lagging_index_makes_no_second_intent(dao: Dao, send: Callable[[], None]) -> None:
    proposed = dao.propose()
    dao.pass_vote(proposed)
    dao.index()
    keeper_tick()
    dao.queue(proposed)
    send()
    for _ in range(3):
        keeper_tick()
        send()
    assert len(intents("queue")) == 1
    assert note(proposed).code == "elsewhere"
    dao.index()
    keeper_tick()
    assert note(proposed).code == "waiting_delay"
