"""What the keeper says when things go wrong: overdue steps, reverts, rehearsals, limits."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from chain.client import rpc_client
from chain.contracts import contract
from chain.models import Cursor, Signer, TxAttempt, TxIntent
from chain.sender.keys import key_from_private
from chain.sender.loop import Sender
from chain.sender.transitions import intent_move
from governance.actions.build import build_custom_call, build_parameter_set, build_transfer
from governance.keeper import alarms, keeper_rehearse, keeper_tick
from governance.keeper.steps import calldata_id, step_calldata
from governance.models import KeeperNote, Proposal
from governance.state import ProposalState
from tests.governance.conftest import GOVERNOR, TIMELOCK, Dao
from tests.governance.test_keeper import KEEPER, intents, note, send, tick

__all__ = ["send"]

State, Wait = TxIntent.State, TxIntent.Wait
pytestmark = [pytest.mark.chain, pytest.mark.django_db]


@pytest.fixture
def key(dao: Dao, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The keeper's key as the service's own."""
    found = key_from_private(dao.accounts[KEEPER].private_key)
    for module in ("accounts", "rehearsal"):
        monkeypatch.setattr(f"chain.sender.{module}.key_from_settings", {"keeper": found}.get)
    return found


# --- overdue ------------------------------------------------------------------------------


def test_what_nobody_did_in_time_is_an_alarm_everywhere(
    dao: Dao, send: Callable[[], None], settings: Any, client: Client
) -> None:
    settings.KEEPER_OVERDUE_S = 100
    proposed = dao.propose()
    dao.pass_vote(proposed)
    indexed = dao.indexed(proposed)
    dao.mine_at(int(indexed.deadline_at.timestamp()) + 100)
    dao.index()
    assert alarms() == []
    dao.mine_at(int(indexed.deadline_at.timestamp()) + 101)
    dao.index()
    (alarm,) = alarms()
    # No keeper ever ran: this must be seen when it is dead.
    assert (alarm.code, alarm.since) == ("queue_overdue", indexed.deadline_at)
    assert "never looked" in alarm.sentence
    page = client.get(indexed.get_absolute_url()).content.decode()
    assert "Nobody has queued it in the" in page
    dao.queue(proposed)
    dao.mine(12)
    dao.index()
    keeper_tick()
    assert note(proposed).overdue_since is None
    assert [one for one in alarms() if one.code.endswith("_overdue")] == []
    dao.mine(101)
    dao.index()
    keeper_tick()
    indexed = dao.indexed(proposed)
    assert note(proposed).overdue_since == indexed.executable_at
    (alarm,) = [one for one in alarms() if one.code == "execute_overdue"]
    assert alarm.subject == f"proposal {indexed.number}"
    assert alarm.sentence.startswith(f"Proposal {indexed.number}: Nobody has executed it in the")
    send()
    dao.mine()
    dao.index()
    assert alarms() == []
    keeper_tick()
    assert note(proposed).overdue_since is None


# --- queue, then execute --------------------------------------------------------------------


def test_execute_depends_on_our_own_queue(dao: Dao, send: Callable[[], None]) -> None:
    proposed = dao.propose()
    dao.pass_vote(proposed)
    tick(dao, send)
    dao.mine(12)
    tick(dao, send)
    (queued,), (executed,) = intents("queue"), intents("execute")
    assert executed.depends_on == queued
    assert not executed.depends_on_final
    assert executed.deadline == dao.indexed(proposed).expires_at


def test_execute_depends_on_nobody_s_queue_but_ours(dao: Dao, send: Callable[[], None]) -> None:
    proposed = dao.propose()
    dao.pass_vote(proposed)
    dao.queue(proposed)
    dao.mine(12)
    tick(dao, send)
    (executed,) = intents("execute")
    assert executed.depends_on is None
    assert dao.state(proposed) is ProposalState.EXECUTED


def test_a_queue_that_a_reorg_takes_back_takes_the_execution_back(
    dao: Dao, send: Callable[[], None], rpc: Any
) -> None:
    proposed = dao.propose()
    dao.pass_vote(proposed)
    tick(dao, send)
    assert intents("queue")[0].state == State.MINED
    dao.mine(12)
    dao.index()
    keeper_tick()
    assert [row.state for row in intents("execute")] == [State.PLANNED]
    rpc("anvil_reorg", 4, [])
    send()
    assert intents("queue")[0].state == State.BROADCAST
    (planned,) = intents("execute")
    # Not sent on the strength of a queue that is gone.
    assert (planned.state, planned.wait_code) == (State.PLANNED, Wait.DEPENDENCY)
    assert planned.attempts.count() == 0
    dao.close_vote()
    for _ in range(3):
        TxAttempt.objects.update(last_sent_at=None)
        tick(dao, send)
        dao.mine(12)
    assert dao.state(proposed) is ProposalState.EXECUTED
    assert (len(intents("queue")), len(intents("execute"))) == (1, 1)
    assert TxAttempt.objects.count() == 2


# --- reverts --------------------------------------------------------------------------------


def timelock_calls(dao: Dao, call: Any) -> None:
    """A call of the timelock's own, dearer than anything else in the pool."""
    timelock = f"0x{contract(TIMELOCK).address.hex()}"
    dao.rpc("anvil_impersonateAccount", timelock)
    dao.rpc("anvil_setBalance", timelock, hex(10**20))
    dao.rpc(
        "eth_sendTransaction",
        {
            "from": timelock,
            "to": f"0x{call.target.hex()}",
            "data": f"0x{call.calldata.hex()}",
            "gas": hex(1_000_000),
            "maxFeePerGas": hex(10**12),
            "maxPriorityFeePerGas": hex(10**11),
        },
    )


def test_what_reverts_in_its_block_is_said_on_the_proposal(
    dao: Dao, send: Callable[[], None], rpc: Any, client: Client
) -> None:
    """The simulation passes; what is mined just before changes the value that it expects."""
    proposed = dao.propose()
    dao.pass_vote(proposed)
    dao.queue(proposed)
    dao.mine(12)
    dao.index()
    rpc("evm_setAutomine", False)
    try:
        keeper_tick()
        send()
        assert [row.state for row in intents("execute")] == [State.BROADCAST]
        timelock_calls(dao, build_parameter_set([("attest.ttl", 3000)]))
        rpc("evm_mine")
        send()
        (late,) = intents("execute")
        assert (late.state, late.mined_ok) == (State.MINED, False)
        assert "attest.ttl" in late.revert_reason
        dao.index()
        keeper_tick()
        said = note(proposed)
        assert said.code == "reverted"
        assert said.sentence.startswith("The transaction to execute it was mined and reverted: ")
        assert late.revert_reason in said.sentence
        page = client.get(dao.indexed(proposed).get_absolute_url()).content.decode()
        assert "was mined and reverted" in page
        # Final, and still due: the next try is only simulated, and says why the last failed.
        for _ in range(3):
            rpc("evm_mine")
        send()
        dao.index()
        keeper_tick()
        send()
        keeper_tick()
    finally:
        rpc("evm_setAutomine", True)
    assert [row.state for row in intents("execute")] == [State.FINALIZED_REVERTED, State.PLANNED]
    said = note(proposed)
    assert said.code == Wait.WOULD_REVERT
    assert "The last attempt was mined and reverted: " in said.sentence
    assert TxAttempt.objects.count() == 1


def test_canceled_after_it_was_sent_ends_without_a_loop(
    dao: Dao, send: Callable[[], None], rpc: Any
) -> None:
    proposed = dao.propose()
    dao.pass_vote(proposed)
    dao.index()
    keeper_tick()
    governor = contract(GOVERNOR)
    rpc("evm_setAutomine", False)
    try:
        send()
        # The proposer's guardian is dearer, so that it is mined first in the same block.
        rpc(
            "eth_sendTransaction",
            {
                "from": dao.accounts[1].checksum,
                "to": f"0x{governor.address.hex()}",
                "data": f"0x{governor.encode('cancel(uint256)', (proposed.proposal_id,)).hex()}",
                "gas": hex(1_000_000),
                "maxFeePerGas": hex(10**12),
                "maxPriorityFeePerGas": hex(10**11),
            },
        )
        rpc("evm_mine")
        for _ in range(3):
            send()
            dao.index()
            keeper_tick()
            rpc("evm_mine")
    finally:
        rpc("evm_setAutomine", True)
    send()
    (queued,) = intents("queue")
    assert queued.state == State.FINALIZED_REVERTED
    assert "is cancelled" in queued.revert_reason
    assert TxAttempt.objects.count() == 1
    assert note(proposed).code == "nothing_to_do"


def test_bytes_that_are_not_the_proposal_s_are_never_signed(
    dao: Dao, send: Callable[[], None]
) -> None:
    """The outbox's own row is wrong, with a matching hash: as if somebody wrote into the table."""
    from chain.signatures import keccak

    mine = dao.propose(
        calls=[build_transfer(asset="ALT", recipient=dao.accounts[7].address, amount_wei=5)]
    )
    dao.pass_vote(mine)
    dao.index()
    keeper_tick()
    (planned,) = intents("queue")
    proposal = dao.indexed(mine)
    assert calldata_id(bytes(planned.data)) == proposal.proposal_id
    assert calldata_id(step_calldata(proposal, "execute")) == proposal.proposal_id
    other = bytes(planned.data)[:-1] + b"\x01"
    TxIntent.objects.update(data=other)
    send()
    planned.refresh_from_db()
    assert planned.state == State.REJECTED
    assert "not those that were submitted" in planned.history.last().detail
    keeper_tick()
    second = intents("queue")[1]
    TxIntent.objects.filter(pk=second.pk).update(data=other, data_hash=keccak(other))
    send()
    second.refresh_from_db()
    assert second.state == State.REJECTED
    assert "not those of the proposal" in second.history.last().detail
    assert not TxAttempt.objects.exists()


def test_an_execution_that_lapses_in_the_outbox_is_rejected(
    dao: Dao, send: Callable[[], None]
) -> None:
    proposed = dao.propose()
    dao.pass_vote(proposed)
    dao.queue(proposed)
    dao.mine(12)
    dao.index()
    keeper_tick()
    (planned,) = intents("execute")
    expires = dao.indexed(proposed).expires_at
    assert planned.deadline == expires
    dao.mine_at(int(expires.timestamp()) + 1)
    send()
    planned.refresh_from_db()
    assert planned.state == State.REJECTED
    assert planned.history.last().detail == "Its deadline has passed."
    dao.index()
    keeper_tick()
    assert note(proposed).code == "nothing_to_do"
    assert not TxAttempt.objects.exists()


def test_the_constitutional_delay_holds_also_where_the_index_is_wrong(
    dao: Dao, send: Callable[[], None]
) -> None:
    """The row says executable; the chain says not before the constitutional delay."""
    call = build_custom_call(
        target=contract(GOVERNOR).address, function="setVotingDelay", args=["6"]
    )
    proposed = dao.propose(calls=[call])
    dao.pass_vote(proposed)
    dao.queue(proposed)
    indexed = dao.indexed(proposed)
    # Neither timelock nor constitution has let it through.
    Proposal.objects.update(executable_at=indexed.queued_at)
    keeper_tick()
    send()
    (planned,) = intents("execute")
    assert planned.why_waiting == "The timelock does not let it through yet."
    dao.mine(11)
    send()
    planned.refresh_from_db()
    # The timelock has; the constitution has not.
    assert (planned.state, planned.wait_code) == (State.PLANNED, Wait.WOULD_REVERT)
    assert not TxAttempt.objects.exists()
    dao.mine(20)
    send()
    dao.index()
    assert dao.state(proposed) is ProposalState.EXECUTED


def test_a_success_without_its_effect_is_tried_again(dao: Dao, send: Callable[[], None]) -> None:
    """The outbox says done, and the index has passed that block and does not see it: as after a
    node that lied about a receipt which nothing proves."""
    proposed = dao.propose()
    dao.pass_vote(proposed)
    dao.index()
    keeper_tick()
    (planned,) = intents("queue")
    number = rpc_client().header("latest").number
    TxIntent.objects.filter(pk=planned.pk).update(state=State.SIGNED)
    TxIntent.objects.filter(pk=planned.pk).update(state=State.MINED, mined_number=number + 1)
    TxIntent.objects.filter(pk=planned.pk).update(state=State.FINALIZED_OK, mined_ok=True)
    keeper_tick()
    assert len(intents("queue")) == 1  # the index may not have seen that block yet
    assert note(proposed).code == "mined"
    dao.mine(1, blocks=4)
    tick(dao, send)
    assert len(intents("queue")) == 2
    assert dao.state(proposed) is ProposalState.QUEUED


# --- rehearsals -----------------------------------------------------------------------------


def command(*args: str) -> str:
    output = io.StringIO()
    call_command("keeper", *args, stdout=output, stderr=output)
    return output.getvalue()


def test_the_command_rehearses_without_a_trace(dao: Dao, key: Any) -> None:
    proposed = dao.propose()
    dao.pass_vote(proposed)
    dao.index()
    said = command("--dry-run", "--once")
    assert said.startswith("1 queue [dry_run] Dry run: would be sent now from 0x")
    assert key.address.hex() in said
    for model in (TxIntent, Signer, KeeperNote):
        assert not model.objects.exists()
    dao.queue(proposed)
    dao.index()
    assert "1 execute [waiting_delay] Executes in" in command("--dry-run", "--once")
    dao.mine(12)
    dao.index()
    (found,) = keeper_rehearse()
    assert (found[1].step, found[1].code) == ("execute", Wait.DRY_RUN)
    dao.execute(proposed)
    assert "1 execute [satisfied_externally]" in command("--dry-run", "--once")
    dao.index()
    assert "No proposal waits" in command("--dry-run", "--once")


def test_the_command_does_what_the_workers_do(dao: Dao, key: Any) -> None:
    proposed = dao.propose()
    dao.pass_vote(proposed)
    dao.index()
    assert "1 submitted" in command("--once")
    command("--once")
    dao.index()
    assert dao.state(proposed) is ProposalState.QUEUED
    dao.mine(12)
    dao.index()
    command("--once")
    dao.index()
    assert dao.state(proposed) is ProposalState.EXECUTED


def test_a_service_in_dry_run_says_on_the_proposal_what_it_would_do(
    dao: Dao, key: Any, settings: Any, client: Client
) -> None:
    settings.KEEPER_DRY_RUN = True
    proposed = dao.propose()
    dao.pass_vote(proposed)
    dao.index()
    for _ in range(3):
        command("--once")
    said = note(proposed)
    assert (said.step, said.code) == ("queue", Wait.DRY_RUN)
    assert "Nothing is signed or sent." in said.sentence
    page = client.get(dao.indexed(proposed).get_absolute_url()).content.decode()
    assert "Dry run: would be sent now" in page
    assert not TxAttempt.objects.exists()
    assert dao.state(proposed) is ProposalState.SUCCEEDED
    settings.KEEPER_DRY_RUN = False
    command("--once")
    assert dao.state(proposed) is ProposalState.QUEUED


def test_a_rehearsal_of_a_halted_or_lapsed_index_says_so(dao: Dao, key: Any) -> None:
    proposed = dao.propose()
    dao.pass_vote(proposed)
    dao.index()
    Cursor.objects.update(state=Cursor.State.HALTED_DEEP_REORG)
    assert "1 queue [paused]" in command("--dry-run", "--once")


def test_a_node_that_is_away_is_a_sentence_and_no_traceback(
    dao: Dao, key: Any, settings: Any
) -> None:
    proposed = dao.propose()
    dao.pass_vote(proposed)
    dao.index()
    settings.RPC_URL = "http://127.0.0.1:1"
    with pytest.raises(CommandError, match="Check RPC_URL; nothing is lost"):
        command("--dry-run", "--once")


# --- limits on the proposal --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "value", "code", "words"),
    [
        ("KEEPER_MIN_BALANCE_WEI", 10**30, Wait.LOW_BALANCE, "below its minimum balance of"),
        ("KEEPER_DAILY_GAS_WEI", 10**9, Wait.BUDGET, "goes on at 00:00 UTC"),
        ("KEEPER_MAX_FEE_PER_GAS_WEI", 10**6, Wait.FEE_CAP, "the keeper pays at most"),
    ],
)
def test_each_limit_is_said_with_its_figure(
    dao: Dao, key: Any, settings: Any, setting: str, value: int, code: str, words: str
) -> None:
    proposed = dao.propose()
    dao.pass_vote(proposed)
    dao.index()
    setattr(settings, setting, value)
    assert words in command("--dry-run", "--once")
    command("--once")
    command("--once")
    assert (note(proposed).code, words in note(proposed).sentence) == (code, True)
    assert alarms()
    assert not TxAttempt.objects.exists()


def test_an_intent_that_ended_badly_is_explained(dao: Dao, send: Callable[[], None]) -> None:
    proposed = dao.propose()
    dao.pass_vote(proposed)
    dao.index()
    for _ in range(6):
        keeper_tick()
        row = intents("queue")[-1]
        assert intent_move(row, to=State.REJECTED, detail="Somebody said so.")
    keeper_tick()
    assert len(intents("queue")) == 6
    said = note(proposed)
    assert said.code == "gave_up"
    assert "Somebody said so. Anyone may do it from a wallet." in said.sentence
    assert Sender(client=rpc_client(), key=key_from_private(b"\x01" * 32))
