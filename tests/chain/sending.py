"""What the sender's tests share: a key, a kind of intent whose effect can be read back, a chain
that mines when told to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from chain import clock
from chain.contracts import contract
from chain.models import TxAttempt, TxIntent
from chain.outbox import Go, intent_kind_register, intent_submit
from chain.rpc.client import RpcClient
from chain.sender.keys import key_from_private

KEEPER = 8


@pytest.fixture
def key(web3_accounts: list[Any], rpc: Any) -> Iterator[Any]:
    """The key of anvil's ninth account, in this process.

    Afterwards neither pool nor price of the test is left: a snapshot holds neither.
    """
    yield key_from_private(web3_accounts[KEEPER].private_key)
    rpc("anvil_dropAllTransactions")
    rpc("anvil_setNextBlockBaseFeePerGas", hex(10**9))
    rpc("evm_mine")


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


def delegatee(client: RpcClient, address: bytes) -> bytes:
    """Whom an account delegates to now: the effect of ``submit``."""
    token = contract("AlthingToken")
    return client.eth_call(token.address, token.encode("delegates", (address,)))[12:]


def mine(rpc: Any, count: int = 1) -> None:
    rpc("anvil_mine", hex(count))


@contextmanager
def by_hand(rpc: Any) -> Iterator[None]:
    """Blocks only when told to."""
    rpc("evm_setAutomine", False)
    try:
        yield
    finally:
        rpc("evm_setAutomine", True)


def forget_sends() -> None:
    """Let every attempt be due to be sent again."""
    TxAttempt.objects.update(last_sent_at=clock.now() - timedelta(days=1))


def age_attempts() -> None:
    """Let every attempt be old enough for a dearer one."""
    TxAttempt.objects.update(created_at=clock.now() - timedelta(minutes=10))


def read(intent: TxIntent) -> TxIntent:
    intent.refresh_from_db()
    return intent


def states(intent: TxIntent) -> list[str]:
    return list(intent.history.values_list("to_state", flat=True))
