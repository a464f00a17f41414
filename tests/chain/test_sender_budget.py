"""What limits spending: a day's budget, the fee cap, the balance; and the alarms they raise."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chain import clock
from chain.contracts import contract
from chain.models import Signer, TxAttempt, TxIntent
from chain.outbox import intent_submit
from chain.rpc.client import RpcClient
from chain.sender.alarms import SILENT_S, alarms
from chain.sender.budget import budget_of
from chain.sender.fees import gas_limit_of
from chain.sender.loop import Sender, signer_ensure
from tests.chain.sending import age_attempts, by_hand, delegation, key, mine, read, submit

__all__ = ["delegation", "key"]

State, Wait = TxIntent.State, TxIntent.Wait
pytestmark = [pytest.mark.chain, pytest.mark.django_db]

DAY_S = 86_400


def approve(spender: bytes) -> TxIntent:
    """Costs the same gas whoever is approved."""
    token = contract("AlthingToken")
    return intent_submit(
        idem_key=f"approve:{spender.hex()}",
        kind="test.delegate",
        to=token.address,
        data=token.encode("approve", (spender, 1)),
    )


def priced_mine(rpc: Any) -> None:
    """A block at one gwei, whatever the pool's price was."""
    rpc("anvil_setNextBlockBaseFeePerGas", hex(10**9))
    mine(rpc)


def codes() -> list[str]:
    return [alarm.code for alarm in alarms()]


def test_receipts_and_what_is_in_flight_use_the_day_up(
    delegation: Any, client: RpcClient, key: Any, rpc: Any, settings: Any
) -> None:
    settings.KEEPER_DAILY_GAS_WEI = 10**18
    sender = Sender(client=client, key=key)
    with by_hand(rpc):
        priced_mine(rpc)
        first = approve(b"\x11" * 20)
        before = client.balance_wei(key.address)
        sender.tick()
        attempt = first.attempts.get()
        at_most = read(first).gas_limit * attempt.max_fee_wei
        signer = Signer.objects.get()
        assert (signer.spent_wei, signer.in_flight_wei) == (0, at_most)
        # Less room than for two that may cost their most; enough for one of them and the
        # other's true cost, two thirds of its most (the headroom) at the utmost.
        settings.KEEPER_DAILY_GAS_WEI = at_most * 185 // 100
        second = approve(b"\x22" * 20)
        sender.tick()
        assert (read(second).state, second.wait_code) == (State.PLANNED, Wait.BUDGET)
        assert "It goes on at 00:00 UTC." in second.why_waiting
        assert codes() == ["budget_exhausted"]
        priced_mine(rpc)
        sender.tick()
        paid = before - client.balance_wei(key.address)
        assert read(first).spent_wei == paid < at_most
        signer.refresh_from_db()
        assert signer.spent_wei == paid
        # What is mined counts with what it cost: the second has room now.
        sender.tick()
        assert read(second).state == State.BROADCAST
        assert codes() == []
        mine(rpc)
    sender.tick()


def test_a_new_day_of_the_chain_is_a_new_budget(
    delegation: Any, client: RpcClient, key: Any, rpc: Any, settings: Any
) -> None:
    settings.KEEPER_DAILY_GAS_WEI = 1
    sender = Sender(client=client, key=key)
    intent = submit(b"\x11" * 20)
    sender.tick()
    assert read(intent).wait_code == Wait.BUDGET
    settings.KEEPER_DAILY_GAS_WEI = 10**18
    sender.tick()
    sender.tick()
    spent = read(intent).spent_wei
    signer = Signer.objects.get()
    head = client.header("latest")
    assert budget_of(signer, at=head.timestamp).spent_wei == spent
    rpc("evm_increaseTime", DAY_S)
    mine(rpc)
    assert budget_of(signer, at=client.header("latest").timestamp).spent_wei == 0


def test_a_dearer_offer_waits_for_the_budget_too(
    delegation: Any, client: RpcClient, key: Any, rpc: Any, settings: Any
) -> None:
    sender = Sender(client=client, key=key)
    with by_hand(rpc):
        intent = submit(b"\x11" * 20)
        sender.tick()
        first = intent.attempts.get()
        settings.KEEPER_DAILY_GAS_WEI = read(intent).gas_limit * first.max_fee_wei
        age_attempts()
        rpc("anvil_setNextBlockBaseFeePerGas", hex(first.max_fee_wei * 3))
        mine(rpc)
        sender.tick()
        assert (read(intent).state, intent.wait_code) == (State.FEE_CAPPED, Wait.BUDGET)
        assert intent.attempts.count() == 1
        assert set(codes()) == {"budget_exhausted", "fee_capped"}
        settings.KEEPER_DAILY_GAS_WEI = 10**18
        sender.tick()
        assert intent.attempts.count() == 2
        assert codes() == []
        mine(rpc)
    sender.tick()
    assert read(intent).state == State.MINED


def test_what_the_account_cannot_pay_is_not_signed(
    delegation: Any, client: RpcClient, key: Any, rpc: Any, settings: Any
) -> None:
    settings.KEEPER_MIN_BALANCE_WEI = 0
    rpc("anvil_setBalance", f"0x{key.address.hex()}", hex(10**12))
    intent = submit(b"\x11" * 20)
    Sender(client=client, key=key).tick()
    assert (read(intent).state, intent.wait_code) == (State.PLANNED, Wait.LOW_BALANCE)
    assert "too little" in intent.why_waiting
    assert not TxAttempt.objects.exists()


def test_a_price_above_the_cap_waits_with_both_figures(
    delegation: Any, client: RpcClient, key: Any, rpc: Any, settings: Any
) -> None:
    settings.KEEPER_MAX_FEE_PER_GAS_WEI = 10**9
    rpc("anvil_setNextBlockBaseFeePerGas", hex(40 * 10**9))
    mine(rpc)
    intent = submit(b"\x11" * 20)
    Sender(client=client, key=key).tick()
    assert read(intent).wait_code == Wait.FEE_CAP
    assert "at most 1 gwei" in intent.why_waiting
    (alarm,) = alarms()
    assert (alarm.code, alarm.subject) == ("fee_capped", intent.idem_key)
    # The sentence follows the price; since when it waits does not.
    rpc("anvil_setNextBlockBaseFeePerGas", hex(50 * 10**9))
    mine(rpc)
    Sender(client=client, key=key).tick()
    assert "Gas costs 51 gwei now" in read(intent).why_waiting
    assert [one.since for one in alarms()] == [alarm.since]


def test_the_limits_are_the_settings_at_every_tick(
    delegation: Any, client: RpcClient, key: Any, settings: Any
) -> None:
    signer = signer_ensure(key)
    assert signer.events.count() == 1
    signer_ensure(key)
    assert signer.events.count() == 1
    settings.KEEPER_DAILY_GAS_WEI = 7 * 10**18
    assert signer_ensure(key).daily_gas_wei == 7 * 10**18
    assert "7 ETH a day" in signer.events.first().reason


def test_silence_is_an_alarm_only_while_something_waits(
    delegation: Any, client: RpcClient, key: Any
) -> None:
    long_ago = clock.now() - timedelta(seconds=SILENT_S + 60)
    Sender(client=client, key=key).tick()
    Signer.objects.update(ticked_at=long_ago)
    assert codes() == []
    intent = submit(b"\x11" * 20)
    assert codes() == []
    TxIntent.objects.filter(pk=intent.pk).update(created_at=long_ago)
    (alarm,) = alarms()
    assert (alarm.code, alarm.since) == ("sender_silent", long_ago)
    Sender(client=client, key=key).tick()
    assert codes() == []


def test_what_no_block_takes_for_long_is_an_alarm(
    delegation: Any, client: RpcClient, key: Any, rpc: Any, settings: Any
) -> None:
    settings.KEEPER_OVERDUE_S = 600
    sender = Sender(client=client, key=key)
    with by_hand(rpc):
        intent = submit(b"\x11" * 20)
        sender.tick()
        assert codes() == []
        signed_at = clock.now() - timedelta(seconds=601)
        TxAttempt.objects.update(created_at=signed_at)
        (alarm,) = alarms()
        assert (alarm.code, alarm.since) == ("unmined_long", signed_at)
        assert alarm.subject == intent.idem_key
        mine(rpc)
    sender.tick()
    assert codes() == []


@pytest.mark.parametrize(
    ("estimate", "block_limit", "limit"),
    [
        (100_000, 30_000_000, 150_000),
        (100_000, 0, 150_000),
        (100_000, 120_000, 120_000),
        (12_000_000, 60_000_000, 2**24),
        (20_000_000, 60_000_000, 20_000_000),  # where a chain has no such limit
    ],
)
def test_gas_has_headroom_within_what_is_allowed(
    estimate: int, block_limit: int, limit: int
) -> None:
    assert gas_limit_of(estimate, block_limit=block_limit) == limit
