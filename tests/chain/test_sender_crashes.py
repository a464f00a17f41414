"""A sender killed while it replaces a transaction: one effect, and no third signature."""

from __future__ import annotations

from typing import Any

import pytest

from chain.models import TxIntent
from chain.outbox import Go, intent_kind_register
from chain.rpc.client import RpcClient
from chain.sender.keys import key_from_private
from chain.sender.loop import Sender
from tests.chain.sending import age_attempts, by_hand
from tests.chain.test_crashes import KILLED, environment, finish, keeper, submit, worker

__all__ = ["environment", "keeper"]

State = TxIntent.State
pytestmark = [pytest.mark.chain, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("point", ["replaced", "sent", "recorded"])
def test_a_sender_killed_while_it_replaces_leaves_one_effect(
    environment: dict[str, str],
    client: RpcClient,
    keeper: Any,
    rpc: Any,
    intent_kinds: dict[str, Any],
    point: str,
) -> None:
    intent_kind_register(
        name="test.credit", preflight=lambda intent: Go(), calls=(("AlthingToken", "delegate"),)
    )
    start = client.nonce(keeper.address)
    submit(1)
    with by_hand(rpc):
        Sender(client=client, key=key_from_private(keeper.private_key)).tick()
        intent = TxIntent.objects.get()
        first = intent.attempts.get()
        age_attempts()
        rpc("anvil_setNextBlockBaseFeePerGas", hex(first.max_fee_wei * 40))
        rpc("evm_mine")
        assert finish(worker(environment, "send", point, "1")) == KILLED
        assert [attempt.kind for attempt in intent.attempts.all()] == ["normal", "bump"]
        rpc("evm_setIntervalMining", 1)
        assert finish(worker(environment, "send", "none", "0")) == 0
        rpc("evm_setIntervalMining", 0)
    intent.refresh_from_db()
    assert intent.state in (State.MINED, State.FINALIZED_OK)
    assert intent.mined_ok
    assert intent.mined_attempt.seq == 1
    assert client.nonce(keeper.address) == start + 1
    assert intent.history.filter(to_state=State.MINED).count() == 1
    rpc("anvil_setNextBlockBaseFeePerGas", hex(10**9))
    rpc("evm_mine")
