"""The sender while the chain and its nodes misbehave: evictions, spikes, lag, lies, thefts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest

from chain import clock
from chain.contracts import contract
from chain.models import Signer, TxAttempt, TxIntent
from chain.outbox import Go, Reject, Wait, intent_submit
from chain.rpc.client import RpcClient
from chain.rpc.errors import Inconsistent, Transient
from chain.sender.alarms import alarms
from chain.sender.loop import Sender
from chain.sender.transitions import intent_move
from tests.chain.conftest import FaultyTransport, Wallet, lose_reply
from tests.chain.sending import (
    age_attempts,
    by_hand,
    delegatee,
    delegation,
    forget_sends,
    key,
    mine,
    read,
    states,
    submit,
)

__all__ = ["delegation", "key"]

State = TxIntent.State
pytestmark = [pytest.mark.chain, pytest.mark.django_db]

ONE, TWO = b"\x11" * 20, b"\x22" * 20


def answers(changed: dict[str, Any]) -> Any:
    """Put these results in the place of a node's, by method; a callable gets the result."""

    def spoil(methods: list[str], answer: Any) -> Any:
        replies = answer if isinstance(answer, list) else [answer]
        for reply in replies:
            method = methods[reply["id"]] if len(methods) > 1 else methods[0]
            if method in changed and "result" in reply:
                change = changed[method]
                reply["result"] = change(reply["result"]) if callable(change) else change
        return answer

    return spoil


def test_what_the_pool_forgets_goes_out_again(
    delegation: Any, client: RpcClient, key: Any, rpc: Any
) -> None:
    sender = Sender(client=client, key=key)
    with by_hand(rpc):
        intent = submit(ONE)
        sender.tick()
        attempt = intent.attempts.get()
        rpc("anvil_dropTransaction", f"0x{attempt.hash.hex()}")
        mine(rpc, 3)
        forget_sends()
        sender.tick()
        mine(rpc)
        sender.tick()
    assert read(intent).state in (State.MINED, State.FINALIZED_OK)
    assert intent.attempts.get().sends == 2
    assert states(intent).count("broadcast") == 1


def test_a_base_fee_forty_times_as_high_with_evictions_and_lost_replies(
    delegation: Any, faulty: FaultyTransport, client: RpcClient, key: Any, rpc: Any
) -> None:
    intents = [submit(bytes([n + 1]) * 20, idem_key=f"delegate:{n}") for n in range(3)]
    sender = Sender(client=RpcClient(faulty, retries=0), key=key)
    start = client.nonce(key.address)
    with by_hand(rpc):
        faulty.spoil = lose_reply
        sender.tick()
        faulty.spoil = lambda methods, answer: answer
        first = intents[0].attempts.get()
        rpc("anvil_setNextBlockBaseFeePerGas", hex(first.max_fee_wei * 40))
        rpc("anvil_dropAllTransactions")
        mine(rpc)
        for _ in range(4):
            age_attempts()
            forget_sends()
            sender.tick()
            mine(rpc)
        mine(rpc, 2)
        sender.tick()
    for intent in intents:
        assert read(intent).state == State.FINALIZED_OK
        assert intent.mined_attempt.kind == TxAttempt.Kind.BUMP
        receipts = client.receipts([attempt.hash for attempt in intent.attempts.all()])
        assert sum(receipt is not None for receipt in receipts) == 1
    assert client.nonce(key.address) == start + 3


def test_a_tip_that_others_outbid_is_raised_in_time(
    delegation: Any, faulty: FaultyTransport, key: Any, rpc: Any
) -> None:
    sender = Sender(client=RpcClient(faulty, retries=0), key=key)
    with by_hand(rpc):
        intent = submit(ONE)
        sender.tick()
        old = intent.attempts.get()
        dearer = hex(old.max_priority_fee_wei * 2)
        faulty.spoil = answers({"eth_feeHistory": {"reward": [[dearer]]}})
        sender.tick()
        assert intent.attempts.count() == 1  # not before it is old
        age_attempts()
        sender.tick()
        assert intent.attempts.last().max_priority_fee_wei == old.max_priority_fee_wei * 2
        mine(rpc)


def test_a_node_that_is_behind_takes_nothing_back(
    delegation: Any, faulty: FaultyTransport, key: Any, rpc: Any
) -> None:
    sender = Sender(client=RpcClient(faulty, retries=0), key=key)
    intent = submit(ONE)
    sender.tick()
    sender.tick()
    assert read(intent).state == State.MINED
    before = rpc("eth_getBlockByNumber", hex(intent.mined_number - 1), False)
    asked: list[str] = []

    def behind(header: Any) -> Any:
        """The head is the block before ours; asked for ours by its number, there is none."""
        asked.append(header["number"])
        return before if len(asked) <= 2 else None

    faulty.spoil = answers({"eth_getTransactionReceipt": None, "eth_getBlockByNumber": behind})
    sender.tick()
    assert len(asked) == 3
    assert read(intent).state == State.MINED
    assert states(intent).count("broadcast") == 1
    faulty.spoil = lambda methods, answer: answer
    mine(rpc, 2)
    sender.tick()
    assert read(intent).state == State.FINALIZED_OK


def test_receipts_of_a_node_that_is_behind_are_no_theft(
    delegation: Any, faulty: FaultyTransport, key: Any, rpc: Any
) -> None:
    """Nonces from a node at the head, receipts from one that lags: together they look like a
    stolen nonce. Asked again of one node, they do not."""
    sender = Sender(client=RpcClient(faulty, retries=0), key=key)
    with by_hand(rpc):
        intent = submit(ONE)
        sender.tick()
        mine(rpc, 4)

    def lagging(methods: list[str], answer: Any) -> Any:
        if "eth_getTransactionCount" in methods:
            return answer
        return answers({"eth_getTransactionReceipt": None})(methods, answer)

    faulty.spoil = lagging
    sender.tick()
    assert read(intent).state == State.BROADCAST
    assert Signer.objects.get().state == Signer.State.ACTIVE
    faulty.spoil = lambda methods, answer: answer
    sender.tick()
    assert read(intent).state == State.FINALIZED_OK


def test_another_chain_moves_nothing(delegation: Any, faulty: FaultyTransport, key: Any) -> None:
    intent = submit(ONE)
    faulty.spoil = answers({"eth_chainId": "0x1"})
    with pytest.raises(Inconsistent, match="serves chain 1, CHAIN_ID is 31337"):
        Sender(client=RpcClient(faulty, retries=0), key=key).tick()
    assert read(intent).state == State.PLANNED


def test_another_hash_than_ours_is_no_confirmation(
    delegation: Any, faulty: FaultyTransport, key: Any, rpc: Any
) -> None:
    with by_hand(rpc):
        intent = submit(ONE)
        faulty.spoil = answers({"eth_sendRawTransaction": f"0x{'ab' * 32}"})
        Sender(client=RpcClient(faulty, retries=0), key=key).tick()
        assert read(intent).state == State.SIGNED
        assert intent.wait_code == TxIntent.Wait.SEND_UNKNOWN
        mine(rpc)


def test_a_key_used_elsewhere_while_nothing_is_under_way(
    delegation: Any, client: RpcClient, key: Any, rpc: Any, web3_accounts: list[Any]
) -> None:
    sender = Sender(client=client, key=key)
    first = submit(ONE)
    sender.tick()
    mine(rpc, 3)
    sender.tick()
    assert read(first).state == State.FINALIZED_OK
    Wallet(client, key.address).send_raw(web3_accounts[3].address, value_wei=1)
    second = submit(TWO, idem_key="delegate:2")
    sender.tick()
    # Not final yet: it may still be taken back, so it waits and nobody is accused.
    assert (read(second).state, second.wait_code) == (State.PLANNED, TxIntent.Wait.STOLEN)
    assert Signer.objects.get().state == Signer.State.ACTIVE
    mine(rpc, 3)
    sender.tick()
    signer = Signer.objects.get()
    assert (signer.state, signer.paused) == (Signer.State.QUARANTINED, True)
    assert [alarm.code for alarm in alarms()] == ["nonce_stolen"]
    assert read(second).state == State.PLANNED


def test_a_new_key_with_a_past_begins_where_it_stands(
    delegation: Any, client: RpcClient, key: Any, rpc: Any, web3_accounts: list[Any]
) -> None:
    Wallet(client, key.address).send_raw(web3_accounts[3].address, value_wei=1)
    past = client.nonce(key.address)
    intent = submit(ONE)
    Sender(client=client, key=key).tick()
    assert read(intent).nonce == past


def test_what_the_chain_refuses_in_its_block_is_said_in_words(
    delegation: Any, client: RpcClient, key: Any, rpc: Any
) -> None:
    """The trial run passes; what is mined just before it makes it fail."""
    token = contract("AlthingToken")
    with by_hand(rpc):
        intent = intent_submit(
            idem_key="approve",
            kind="test.delegate",
            to=token.address,
            data=token.encode("approve", (ONE, 1)),
        )
        sender = Sender(client=client, key=key)
        sender.tick()
        assert read(intent).state == State.BROADCAST
        # The very state that it meets in its block: a contract that now refuses everything.
        code = rpc("eth_getCode", f"0x{token.address.hex()}", "latest")
        reason = b"closed for today".hex().ljust(64, "0")
        error = "08c379a0" + f"{32:064x}" + f"{16:064x}" + reason
        words = [error[i : i + 64] for i in range(0, len(error), 64)]
        store = "".join(
            f"7f{word.ljust(64, '0')}60{32 * place:02x}52" for place, word in enumerate(words)
        )
        rpc("anvil_setCode", f"0x{token.address.hex()}", f"0x{store}60{100:02x}6000fd")
        mine(rpc)
        sender.tick()
        assert (read(intent).state, intent.mined_ok) == (State.MINED, False)
        assert intent.revert_reason == "The contract refused: closed for today."
        assert "closed for today" in intent.history.last().detail
        rpc("anvil_setCode", f"0x{token.address.hex()}", code)
        mine(rpc, 2)
        sender.tick()
    assert read(intent).state == State.FINALIZED_REVERTED


def test_what_was_signed_before_a_crash_is_asked_about_before_it_is_sent(
    delegation: Any, client: RpcClient, key: Any, rpc: Any
) -> None:
    """Signed and committed, killed before the first send; meanwhile the effect lost its point."""

    class Killed(Exception):
        pass

    def die(name: str) -> None:
        if name == "signed":
            raise Killed

    with by_hand(rpc):
        intent = submit(ONE)
        with pytest.raises(Killed):
            Sender(client=client, key=key, reached=die).tick()
        assert read(intent).state == State.SIGNED
        delegation(lambda intent: Reject("The proposal is Canceled."))
        sender = Sender(client=client, key=key)
        sender.tick()
        assert intent.attempts.first().sends == 0
        assert [attempt.kind for attempt in intent.attempts.all()] == ["normal", "cancel"]
        mine(rpc, 4)
        sender.tick()
    assert read(intent).state == State.FINALIZED_CANCELED
    assert delegatee(client, key.address) != ONE


def test_many_that_wait_for_weeks_do_not_keep_one_from_its_turn(
    delegation: Any, client: RpcClient, key: Any
) -> None:
    waiting = {submit(ONE, idem_key=f"waits:{n}").pk for n in range(40)}
    due = submit(TWO, idem_key="due")
    delegation(lambda intent: Wait("Not yet.") if intent.pk in waiting else Go())
    sender = Sender(client=client, key=key)
    sender.tick()
    sender.tick()
    assert read(due).state in (State.BROADCAST, State.MINED)


def test_one_about_which_the_node_gives_no_answer_stops_no_other(
    delegation: Any, client: RpcClient, key: Any, rpc: Any
) -> None:
    odd = {submit(ONE, idem_key=f"odd:{n}").pk for n in range(2)}
    due = submit(TWO, idem_key="due")

    def preflight(intent: TxIntent) -> Any:
        if intent.pk in odd:
            raise Transient("The node's answer took too long.")
        return Go()

    delegation(preflight)
    sender = Sender(client=client, key=key)
    with pytest.raises(Transient):
        sender.tick()
    assert read(due).state == State.BROADCAST
    waiting = TxIntent.objects.filter(pk__in=odd)
    assert {row.state for row in waiting} == {State.PLANNED}
    assert all("did not answer about it" in row.why_waiting for row in waiting)
    # What is out already goes on, whether or not the node can say that it still should.
    odd.add(due.pk)
    with by_hand(rpc):
        rpc("anvil_dropAllTransactions")
        forget_sends()
        with pytest.raises(Transient):
            sender.tick()
    assert read(due).attempts.get().sends == 2 or due.mined_ok


def test_a_clock_that_is_set_back_stops_nothing(
    delegation: Any, client: RpcClient, key: Any, rpc: Any
) -> None:
    """Another machine of ours, an hour ahead, sent last; or ours was set back since."""
    sender = Sender(client=client, key=key)
    with by_hand(rpc):
        intent = submit(ONE)
        sender.tick()
        first = intent.attempts.get()
        ahead = clock.now() + timedelta(hours=1)
        TxAttempt.objects.update(last_sent_at=ahead, created_at=ahead)
        rpc("anvil_dropAllTransactions")
        rpc("anvil_setNextBlockBaseFeePerGas", hex(first.max_fee_wei * 3))
        mine(rpc)
        sender.tick()
        assert [attempt.kind for attempt in intent.attempts.all()] == ["normal", "bump"]
        mine(rpc)
        sender.tick()
    assert read(intent).state == State.MINED


def test_a_node_without_old_states_is_asked_as_deep_as_it_keeps_them(
    delegation: Any, faulty: FaultyTransport, key: Any, rpc: Any, settings: Any
) -> None:
    settings.CHAIN_FINALITY = "150"
    mine(rpc, 200)
    head = int(rpc("eth_blockNumber"), 16)
    asked: list[str] = []
    inner = faulty.inner.send

    def pruned(body: bytes, *, timeout_s: float | None = None) -> bytes:
        call = orjson.loads(body)
        if isinstance(call, dict) and call["method"] == "eth_getTransactionCount":
            block = call["params"][1]
            asked.append(block)
            if block == hex(head - 150):
                error = {"code": -32000, "message": "missing trie node 12ab (path )"}
                return orjson.dumps({"jsonrpc": "2.0", "id": call["id"], "error": error})
        return inner(body, timeout_s=timeout_s)

    faulty.inner.send = pruned  # type: ignore[method-assign]
    intent = submit(ONE)
    Sender(client=RpcClient(faulty, retries=0), key=key).tick()
    assert read(intent).state == State.BROADCAST
    assert asked[:3] == [hex(head - 150), hex(head - 100), "latest"]


def forged(rpc: Any, intent: TxIntent, **changed: Any) -> Any:
    """A receipt for an attempt of ours, in the newest block, that no block holds."""
    head = rpc("eth_getBlockByNumber", "latest", False)
    return {
        "transactionHash": f"0x{intent.attempts.get().hash.hex()}",
        "transactionIndex": "0x0",
        "blockNumber": head["number"],
        "blockHash": head["hash"],
        "status": "0x1",
        "type": "0x2",
        "gasUsed": "0x5208",
        "cumulativeGasUsed": "0x5208",
        "effectiveGasPrice": "0x1",
        "logsBloom": f"0x{bytes(256).hex()}",
        "logs": [],
        **changed,
    }


def test_a_forged_receipt_of_what_no_block_holds_is_not_believed(
    delegation: Any, faulty: FaultyTransport, client: RpcClient, key: Any, rpc: Any
) -> None:
    sender = Sender(client=RpcClient(faulty, retries=0), key=key)
    with by_hand(rpc):
        intent = submit(ONE)
        sender.tick()
        rpc("anvil_dropAllTransactions")
        mine(rpc)
        faulty.spoil = answers({"eth_getTransactionReceipt": forged(rpc, intent)})
        with pytest.raises(Inconsistent, match="is not the one that block"):
            sender.tick()
        assert read(intent).state == State.BROADCAST
        faulty.spoil = lambda methods, answer: answer
        forget_sends()
        sender.tick()
        mine(rpc, 3)
        sender.tick()
    assert read(intent).state == State.FINALIZED_OK
    assert delegatee(client, key.address) == ONE


@pytest.mark.parametrize("status", ["0x0", "0x1"])
def test_a_receipt_with_the_other_outcome_is_not_believed(
    delegation: Any, faulty: FaultyTransport, key: Any, rpc: Any, status: str
) -> None:
    sender = Sender(client=RpcClient(faulty, retries=0), key=key)
    with by_hand(rpc):
        intent = submit(ONE)
        sender.tick()
        if status == "0x1":  # it really fails: the contract is gone
            token = f"0x{contract('AlthingToken').address.hex()}"
            code = rpc("eth_getCode", token, "latest")
            rpc("anvil_setCode", token, "0x60006000fd")
        mine(rpc)
        faulty.spoil = answers(
            {"eth_getTransactionReceipt": lambda got: got and got | {"status": status}}
        )
        with pytest.raises(Inconsistent):
            sender.tick()
        assert read(intent).state == State.BROADCAST
        faulty.spoil = lambda methods, answer: answer
        sender.tick()
        assert read(intent).mined_ok is (status == "0x0")
        if status == "0x1":
            rpc("anvil_setCode", token, code)


def test_what_a_block_never_held_goes_back_where_nothing_could_be_proven(
    delegation: Any, client: RpcClient, key: Any, rpc: Any
) -> None:
    """As if a chain whose receipts prove nothing had been believed once."""
    sender = Sender(client=client, key=key)
    with by_hand(rpc):
        intent = submit(ONE)
        sender.tick()
        rpc("anvil_dropAllTransactions")
        mine(rpc)
        head = client.header("latest")
        assert intent_move(
            read(intent),
            to=State.MINED,
            mined_number=head.number,
            mined_hash=head.hash,
            mined_ok=True,
            mined_attempt=intent.attempts.get(),
        )
        mine(rpc, 4)
        forget_sends()
        sender.tick()
        assert read(intent).state == State.BROADCAST
        assert "does not hold it after all" in intent.history.last().detail
        mine(rpc, 3)
        sender.tick()
    assert read(intent).state == State.FINALIZED_OK
