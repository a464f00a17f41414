"""The sender against a real chain and a real database: once, and only once."""

from __future__ import annotations

from typing import Any

import pytest

from chain.contracts import contract
from chain.models import Signer, TxAttempt, TxIntent
from chain.outbox import (
    AlreadyDone,
    Go,
    IntentConflict,
    Reject,
    Wait,
    intent_kind_register,
    intent_obsolete,
    intent_submit,
    signer_pause,
    signer_resume,
)
from chain.rpc.client import RpcClient
from chain.sender.keys import key_from_private
from chain.sender.loop import Sender, signer_ensure
from tests.chain.conftest import FaultyTransport, Wallet, lose_reply

State = TxIntent.State
pytestmark = [pytest.mark.chain, pytest.mark.django_db]

KEEPER = 8


@pytest.fixture
def key(web3_accounts: list[Any]) -> Any:
    return key_from_private(web3_accounts[KEEPER].private_key)


@pytest.fixture
def delegation(intent_kinds: dict[str, Any], deployment: dict[str, Any], client: RpcClient) -> Any:
    """An intent kind whose effect can be read back: the keeper delegates its votes."""

    def register(preflight: Any = lambda intent: Go()) -> None:
        intent_kind_register(
            name="test.delegate",
            preflight=preflight,
            calls=(("AlthingToken", "delegate"), ("AlthingToken", "approve")),
        )

    register()
    return register


def submit(to: bytes, *, idem_key: str = "delegate:1", **kw: Any) -> TxIntent:
    token = contract("AlthingToken")
    return intent_submit(
        idem_key=idem_key,
        kind="test.delegate",
        to=token.address,
        data=token.encode("delegate", (to,)),
        **kw,
    )


def mine(rpc: Any, count: int = 1) -> None:
    rpc("anvil_mine", hex(count))


def states(intent: TxIntent) -> list[str]:
    return list(intent.history.values_list("to_state", flat=True))


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
