"""The sender against a real chain and a real database: once, and only once."""

from __future__ import annotations

from typing import Any

import pytest

from chain.addresses import to_checksum
from chain.contracts import contract
from chain.models import Signer, TxAttempt, TxIntent
from chain.outbox import (
    AlreadyDone,
    IntentConflict,
    Reject,
    Wait,
    intent_obsolete,
    intent_submit,
    signer_pause,
    signer_resume,
)
from chain.rpc.client import RpcClient
from chain.rpc.errors import Transient
from chain.sender.alarms import alarms
from chain.sender.loop import Sender, signer_ensure
from tests.chain.conftest import FaultyTransport, Wallet, lose_reply
from tests.chain.sending import delegation, key, mine, states, submit

__all__ = ["delegation", "key"]

State = TxIntent.State
pytestmark = [pytest.mark.chain, pytest.mark.django_db]


def test_planned_signed_broadcast_mined_final(
    delegation: Any, client: RpcClient, key: Any, rpc: Any
) -> None:
    intent = submit(b"\x11" * 20)
    sender = Sender(client=client, key=key)
    sender.tick()
    intent.refresh_from_db()
    assert intent.state == State.BROADCAST
    sender.tick()
    intent.refresh_from_db()
    assert (intent.state, intent.mined_ok) == (State.MINED, True)
    mine(rpc, 2)
    sender.tick()
    intent.refresh_from_db()
    assert intent.state == State.FINALIZED_OK
    assert states(intent) == ["planned", "signed", "broadcast", "mined", "finalized_ok"]
    assert client.nonce(key.address) == intent.nonce + 1
    assert intent.attempts.count() == 1


def test_the_same_key_is_one_intent(delegation: Any) -> None:
    first = submit(b"\x11" * 20)
    assert submit(b"\x11" * 20).pk == first.pk
    with pytest.raises(IntentConflict):
        submit(b"\x22" * 20)
    assert TxIntent.objects.count() == 1


def test_a_lost_reply_sends_the_same_bytes_again(
    delegation: Any, faulty: FaultyTransport, key: Any, rpc: Any
) -> None:
    client = RpcClient(faulty)
    rpc("evm_setAutomine", False)
    try:
        intent = submit(b"\x11" * 20)
        faulty.spoil = lose_reply
        sender = Sender(client=client, key=key)
        sender.tick()
        intent.refresh_from_db()
        attempt = intent.attempts.get()
        assert intent.state == State.SIGNED
        assert "unknown" in attempt.last_error
        assert intent.why_waiting
        faulty.spoil = lambda methods, answer: answer
        TxAttempt.objects.update(last_sent_at="2020-01-01T00:00:00Z")
        sender.tick()
        intent.refresh_from_db()
        assert intent.state == State.BROADCAST
        assert intent.attempts.get().hash == attempt.hash
        assert intent.attempts.get().sends == 2
        mine(rpc)
        sender.tick()
    finally:
        rpc("evm_setAutomine", True)
    intent.refresh_from_db()
    assert intent.state == State.MINED
    assert client.nonce(key.address) == intent.nonce + 1


def test_one_done_by_a_stranger_is_satisfied_without_gas(
    delegation: Any, client: RpcClient, key: Any
) -> None:
    delegation(lambda intent: AlreadyDone("0xabc executed it in block 7."))
    before = client.balance_wei(key.address)
    intent = submit(b"\x11" * 20)
    Sender(client=client, key=key).tick()
    intent.refresh_from_db()
    assert intent.state == State.SATISFIED_EXTERNALLY
    assert "executed it" in intent.history.last().detail
    assert client.balance_wei(key.address) == before
    assert not intent.attempts.exists()


def test_preflight_waits_then_rejects(delegation: Any, client: RpcClient, key: Any) -> None:
    answers: list[Any] = [Wait("Voting ends in 3 minutes."), Reject("It was cancelled.")]
    delegation(lambda intent: answers.pop(0))
    intent = submit(b"\x11" * 20)
    sender = Sender(client=client, key=key)
    sender.tick()
    intent.refresh_from_db()
    assert (intent.state, intent.why_waiting) == (State.PLANNED, "Voting ends in 3 minutes.")
    sender.tick()
    intent.refresh_from_db()
    assert intent.state == State.REJECTED


def test_calls_off_the_list_are_rejected(
    delegation: Any, client: RpcClient, key: Any, deployment: dict[str, Any]
) -> None:
    token = contract("AlthingToken")
    forbidden = {
        "selector": (token.address, token.encode("transfer", (b"\x11" * 20, 1))),
        "target": (b"\x11" * 20, token.encode("delegate", (b"\x11" * 20,))),
        "no-data": (token.address, b""),
    }
    for name, (to, data) in forbidden.items():
        intent_submit(idem_key=name, kind="test.delegate", to=to, data=data)
    intent_submit(
        idem_key="kind", kind="nobody.knows", to=token.address, data=token.encode("symbol")
    )
    Sender(client=client, key=key).tick()
    assert set(TxIntent.objects.values_list("state", flat=True)) == {State.REJECTED}
    assert not TxAttempt.objects.exists()


def test_a_failing_trial_run_waits_with_the_sentence(
    delegation: Any, client: RpcClient, key: Any
) -> None:
    token = contract("AlthingToken")
    intent = intent_submit(
        idem_key="bad",
        kind="test.delegate",
        to=token.address,
        data=token.encode("approve", (bytes(20), 1)),
    )
    Sender(client=client, key=key).tick()
    intent.refresh_from_db()
    assert intent.state == State.PLANNED
    assert "cannot be allowed to spend" in intent.why_waiting


def test_paused_poor_and_early_wait(
    delegation: Any, client: RpcClient, key: Any, rpc: Any, settings: Any
) -> None:
    from datetime import UTC, datetime, timedelta

    intent = submit(b"\x11" * 20)
    signer = signer_ensure(key)
    signer_pause(signer=signer, actor="ada", reason="Looking at something.")
    sender = Sender(client=client, key=key)
    sender.tick()
    intent.refresh_from_db()
    assert intent.why_waiting == "The keeper is paused: Looking at something."
    signer_resume(signer=signer, actor="ada", reason="All is well.")
    assert list(signer.events.values_list("action", "actor")) == [
        ("resume", "ada"),
        ("pause", "ada"),
        ("limits", "settings"),
    ]
    settings.KEEPER_MIN_BALANCE_WEI = 10**30
    sender.tick()
    intent.refresh_from_db()
    assert "below its minimum" in intent.why_waiting
    (alarm,) = alarms()
    assert (alarm.code, alarm.subject) == ("low_balance", to_checksum(key.address))
    assert "Fund it" in alarm.sentence
    settings.KEEPER_MIN_BALANCE_WEI = 0
    head = client.header("latest")
    intent.not_before = datetime.fromtimestamp(head.timestamp, UTC) + timedelta(hours=1)
    intent.save()
    sender.tick()
    intent.refresh_from_db()
    assert intent.why_waiting.startswith("Not before ")
    assert intent.state == State.PLANNED
    rpc("evm_increaseTime", 3700)
    mine(rpc)
    sender.tick()
    intent.refresh_from_db()
    assert intent.state == State.BROADCAST


def test_a_missed_deadline_is_rejected_by_chain_time(
    delegation: Any, client: RpcClient, key: Any
) -> None:
    from datetime import UTC, datetime, timedelta

    head = client.header("latest")
    past = datetime.fromtimestamp(head.timestamp, UTC) - timedelta(seconds=1)
    intent = submit(b"\x11" * 20, deadline=past)
    Sender(client=client, key=key).tick()
    intent.refresh_from_db()
    assert intent.state == State.REJECTED


def test_a_reorganised_transaction_goes_out_again(
    delegation: Any, client: RpcClient, key: Any, rpc: Any
) -> None:
    sender = Sender(client=client, key=key)
    intent = submit(b"\x11" * 20)
    sender.tick()
    sender.tick()
    intent.refresh_from_db()
    first = intent.mined_hash
    assert intent.state == State.MINED
    rpc("anvil_reorg", 1, [])
    sender.tick()
    intent.refresh_from_db()
    assert intent.state == State.BROADCAST
    assert intent.mined_hash is None
    TxAttempt.objects.update(last_sent_at="2020-01-01T00:00:00Z")
    for _ in range(3):
        sender.tick()
        mine(rpc)
    intent.refresh_from_db()
    assert intent.state in (State.MINED, State.FINALIZED_OK)
    assert intent.mined_hash != first
    assert intent.attempts.count() == 1
    assert client.nonce(key.address) == intent.nonce + 1


def test_a_nonce_used_elsewhere_quarantines_the_signer(
    delegation: Any, client: RpcClient, key: Any, rpc: Any, web3_accounts: list[Any]
) -> None:
    rpc("evm_setAutomine", False)
    try:
        intent = submit(b"\x11" * 20)
        sender = Sender(client=client, key=key)
        sender.tick()
        intent.refresh_from_db()
        rpc("anvil_dropTransaction", f"0x{intent.attempts.get().hash.hex()}")
        Wallet(client, key.address).send_raw(web3_accounts[3].address, value_wei=1)
        mine(rpc, 4)
    finally:
        rpc("evm_setAutomine", True)
    sender.tick()
    intent.refresh_from_db()
    signer = Signer.objects.get()
    assert intent.state == State.NONCE_STOLEN
    assert (signer.state, signer.paused) == (Signer.State.QUARANTINED, True)
    assert signer.events.first().action == "quarantine"
    second = submit(b"\x22" * 20, idem_key="delegate:2")
    sender.tick()
    second.refresh_from_db()
    assert second.state == State.PLANNED
    assert "paused" in second.why_waiting


def test_a_fee_spike_bumps_up_to_the_cap(
    delegation: Any, client: RpcClient, key: Any, rpc: Any, settings: Any
) -> None:
    settings.KEEPER_BUMP_AFTER_S = 0
    rpc("evm_setAutomine", False)
    try:
        intent = submit(b"\x11" * 20)
        sender = Sender(client=client, key=key)
        sender.tick()
        first = intent.attempts.get()
        rpc("anvil_setNextBlockBaseFeePerGas", hex(first.max_fee_wei * 3))
        mine(rpc)
        sender.tick()
        attempts = list(intent.attempts.all())
        assert [a.kind for a in attempts] == ["normal", "bump"]
        bump = attempts[1]
        assert bump.max_fee_wei * 8 >= first.max_fee_wei * 9
        assert bump.max_priority_fee_wei * 8 >= first.max_priority_fee_wei * 9
        settings.KEEPER_MAX_FEE_PER_GAS_WEI = bump.max_fee_wei
        rpc("anvil_setNextBlockBaseFeePerGas", hex(bump.max_fee_wei * 3))
        mine(rpc)
        sender.tick()
        intent.refresh_from_db()
        assert intent.state == State.FEE_CAPPED
        assert "the keeper pays at most" in intent.why_waiting
        assert intent.attempts.count() == 2
        rpc("anvil_setNextBlockBaseFeePerGas", hex(10**9))
        mine(rpc)
        # A pool may have dropped what was priced out: the sender keeps sending it.
        TxAttempt.objects.update(last_sent_at="2020-01-01T00:00:00Z")
        sender.tick()
        mine(rpc)
        sender.tick()
    finally:
        rpc("evm_setAutomine", True)
    intent.refresh_from_db()
    assert intent.state in (State.MINED, State.FINALIZED_OK)
    assert intent.mined_ok
    assert intent.mined_attempt.seq == 1
    assert client.nonce(key.address) == intent.nonce + 1


def test_an_obsolete_transaction_is_cancelled_at_its_nonce(
    delegation: Any, client: RpcClient, key: Any, rpc: Any
) -> None:
    rpc("evm_setAutomine", False)
    try:
        intent = submit(b"\x11" * 20)
        sender = Sender(client=client, key=key)
        sender.tick()
        intent_obsolete(intent=intent, reason="The proposal was cancelled.")
        sender.tick()
        cancel = intent.attempts.last()
        assert cancel.kind == TxAttempt.Kind.CANCEL
        mine(rpc, 4)
        sender.tick()
    finally:
        rpc("evm_setAutomine", True)
    intent.refresh_from_db()
    assert intent.state == State.FINALIZED_CANCELED
    assert intent.mined_attempt == cancel
    token = contract("AlthingToken")
    delegatee = client.eth_call(token.address, token.encode("delegates", (key.address,)))
    assert delegatee[12:] != b"\x11" * 20


def test_an_unsigned_obsolete_intent_is_rejected(
    delegation: Any, client: RpcClient, key: Any
) -> None:
    intent = submit(b"\x11" * 20)
    intent_obsolete(intent=intent, reason="The proposal was cancelled.")
    Sender(client=client, key=key).tick()
    intent.refresh_from_db()
    assert intent.state == State.REJECTED
    assert not intent.attempts.exists()


def test_at_most_eight_are_in_flight(
    delegation: Any, client: RpcClient, key: Any, rpc: Any
) -> None:
    rpc("evm_setAutomine", False)
    try:
        for number in range(10):
            submit(bytes([number + 1]) * 20, idem_key=f"delegate:{number}")
        Sender(client=client, key=key).tick()
        open_rows = TxIntent.objects.filter(state=State.BROADCAST).order_by("nonce")
        nonces = list(open_rows.values_list("nonce", flat=True))
        assert nonces == list(range(nonces[0], nonces[0] + 8))
        waiting = TxIntent.objects.filter(state=State.PLANNED)
        assert {row.why_waiting for row in waiting} == {
            "The keeper's earlier transactions have to be mined first."
        }
        mine(rpc)
        Sender(client=client, key=key).tick()
        assert not TxIntent.objects.filter(state=State.PLANNED).exists()
        mine(rpc)
    finally:
        rpc("evm_setAutomine", True)
    Sender(client=client, key=key).tick()
    assert TxIntent.objects.filter(state__in=[State.MINED, State.FINALIZED_OK]).count() == 10


def test_one_final_by_depth_is_opened_again_by_a_deeper_reorganisation(
    delegation: Any, client: RpcClient, key: Any, rpc: Any
) -> None:
    sender = Sender(client=client, key=key)
    intent = submit(b"\x11" * 20)
    sender.tick()
    mine(rpc, 2)
    sender.tick()
    intent.refresh_from_db()
    assert intent.state == State.FINALIZED_OK
    rpc("anvil_reorg", 3, [])
    sender.tick()
    intent.refresh_from_db()
    assert intent.state == State.BROADCAST
    assert "reorganised away" in intent.history.last().detail
    mine(rpc, 3)
    TxAttempt.objects.update(last_sent_at="2020-01-01T00:00:00Z")
    sender.tick()
    mine(rpc, 3)
    sender.tick()
    intent.refresh_from_db()
    assert intent.state == State.FINALIZED_OK
    assert intent.attempts.count() == 1


def test_one_overtaken_by_a_stranger_while_it_waits_is_cancelled(
    delegation: Any, client: RpcClient, key: Any, rpc: Any
) -> None:
    rpc("evm_setAutomine", False)
    try:
        intent = submit(b"\x11" * 20)
        sender = Sender(client=client, key=key)
        sender.tick()
        delegation(lambda intent: AlreadyDone("Somebody executed it."))
        TxAttempt.objects.update(last_sent_at="2020-01-01T00:00:00Z")
        sender.tick()
        intent.refresh_from_db()
        assert intent.obsolete_reason == "Somebody executed it."
        sender.tick()
        assert [a.kind for a in intent.attempts.all()] == ["normal", "cancel"]
        mine(rpc, 4)
        sender.tick()
    finally:
        rpc("evm_setAutomine", True)
    intent.refresh_from_db()
    assert intent.state == State.FINALIZED_CANCELED


def test_a_node_that_is_away_moves_nothing(
    delegation: Any, faulty: FaultyTransport, key: Any
) -> None:
    intent = submit(b"\x11" * 20)

    def away(methods: list[str]) -> None:
        raise Transient("no answer")

    faulty.fault = away
    with pytest.raises(Transient):
        Sender(client=RpcClient(faulty, retries=0), key=key).tick()
    intent.refresh_from_db()
    assert intent.state == State.PLANNED


def test_history_is_append_only_in_the_database(
    delegation: Any, client: RpcClient, key: Any
) -> None:
    from django.db import DatabaseError, transaction

    intent = submit(b"\x11" * 20)
    Sender(client=client, key=key).tick()
    event, attempt = intent.history.last(), intent.attempts.get()
    assert event is not None
    for act in (
        event.delete,
        lambda: event.save(),
        attempt.delete,
        lambda: TxAttempt.objects.filter(pk=attempt.pk).update(raw=b"\0"),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            act()
