"""What depends on another intent: waits for it, goes back with it, ends with it."""

from __future__ import annotations

from typing import Any

import pytest

from chain.models import TxAttempt, TxIntent
from chain.outbox import AlreadyDone, Go, Reject, intent_obsolete
from chain.rpc.client import RpcClient
from chain.sender.loop import Sender
from chain.sender.transitions import intent_move
from tests.chain.sending import (
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

State, Wait = TxIntent.State, TxIntent.Wait
pytestmark = [pytest.mark.chain, pytest.mark.django_db]

ONE, TWO = b"\x11" * 20, b"\x22" * 20


def pair(**kw: Any) -> tuple[TxIntent, TxIntent]:
    first = submit(ONE, idem_key="first")
    return first, submit(TWO, idem_key="second", depends_on=first, **kw)


def test_waits_until_the_other_is_in_a_block(
    delegation: Any, client: RpcClient, key: Any, rpc: Any
) -> None:
    sender = Sender(client=client, key=key)
    with by_hand(rpc):
        first, second = pair()
        sender.tick()
        sender.tick()
        assert read(first).state == State.BROADCAST
        assert (read(second).state, second.wait_code) == (State.PLANNED, Wait.DEPENDENCY)
        assert "in a block" in second.why_waiting
        mine(rpc)
        sender.tick()
        assert (read(first).state, read(second).state) == (State.MINED, State.BROADCAST)
        mine(rpc, 3)
        sender.tick()
    assert read(second).state == State.FINALIZED_OK
    assert second.nonce == first.nonce + 1
    assert delegatee(client, key.address) == TWO


def test_waits_until_the_other_is_final_where_it_says_so(
    delegation: Any, client: RpcClient, key: Any, rpc: Any
) -> None:
    sender = Sender(client=client, key=key)
    first, second = pair(depends_on_final=True)
    sender.tick()
    sender.tick()
    assert read(first).state == State.MINED
    assert "final" in read(second).why_waiting
    assert second.state == State.PLANNED
    mine(rpc, 2)
    sender.tick()
    sender.tick()
    assert read(second).state in (State.BROADCAST, State.MINED)


def test_goes_back_with_the_other_and_comes_again_with_the_same_bytes(
    delegation: Any, client: RpcClient, key: Any, rpc: Any
) -> None:
    sender = Sender(client=client, key=key)
    with by_hand(rpc):
        first, second = pair()
        sender.tick()
        mine(rpc)
        sender.tick()
        mine(rpc)
        sender.tick()
        assert (read(first).state, read(second).state) == (State.MINED, State.MINED)
        hashes = set(TxAttempt.objects.values_list("hash", flat=True))
        rpc("anvil_reorg", 2, [])
        sender.tick()
        assert (read(first).state, read(second).state) == (State.BROADCAST, State.BROADCAST)
        assert "with what this depends on" in second.history.last().detail
        forget_sends()
        mined_again = TxAttempt.objects.get(intent=second)
        sends = mined_again.sends
        sender.tick()
        # It stays here until the other is in a block again.
        mined_again.refresh_from_db()
        assert mined_again.sends == sends
        assert read(second).wait_code == Wait.DEPENDENCY
        mine(rpc)
        forget_sends()
        sender.tick()
        assert read(first).state == State.MINED
        sender.tick()
        mine(rpc, 3)
        sender.tick()
    assert (read(first).state, read(second).state) == (State.FINALIZED_OK, State.FINALIZED_OK)
    assert set(TxAttempt.objects.values_list("hash", flat=True)) == hashes
    assert delegatee(client, key.address) == TWO
    assert states(second).count("broadcast") == 2


def test_ends_when_the_other_ends_without_its_effect(
    delegation: Any, client: RpcClient, key: Any
) -> None:
    delegation(lambda intent: Reject("No.") if intent.idem_key == "first" else Go())
    first, second = pair()
    sender = Sender(client=client, key=key)
    sender.tick()
    sender.tick()
    assert (read(first).state, read(second).state) == (State.REJECTED, State.REJECTED)
    assert "depends on" in second.history.last().detail
    assert not TxAttempt.objects.exists()


def test_goes_on_when_somebody_else_did_the_other(
    delegation: Any, client: RpcClient, key: Any
) -> None:
    delegation(lambda intent: AlreadyDone("Done.") if intent.idem_key == "first" else Go())
    first, second = pair()
    sender = Sender(client=client, key=key)
    sender.tick()
    sender.tick()
    assert read(first).state == State.SATISFIED_EXTERNALLY
    assert read(second).state in (State.BROADCAST, State.MINED)


def test_signed_it_is_cancelled_when_the_other_is(
    delegation: Any, client: RpcClient, key: Any, rpc: Any
) -> None:
    """The other was mined, the second signed; a reorganisation takes the first, which is then
    cancelled: the second's nonce is spent on nothing."""
    sender = Sender(client=client, key=key)
    with by_hand(rpc):
        first, second = pair()
        sender.tick()
        mine(rpc)
        sender.tick()
        assert read(second).state == State.BROADCAST
        rpc("anvil_dropAllTransactions")
        rpc("anvil_reorg", 1, [])
        sender.tick()
        assert intent_obsolete(intent=first, reason="Not wanted any more.")
        for _ in range(4):
            forget_sends()
            sender.tick()
            mine(rpc, 3)
        sender.tick()
    assert read(first).state == State.FINALIZED_CANCELED
    assert read(second).state == State.FINALIZED_CANCELED
    assert "depends on" in second.obsolete_reason
    assert client.nonce(key.address) == second.nonce + 1
    assert delegatee(client, key.address) not in (ONE, TWO)


def test_a_revert_in_a_block_is_no_effect(delegation: Any, client: RpcClient, key: Any) -> None:
    first, second = pair()
    Sender(client=client, key=key).tick()
    assert intent_move(read(first), to=State.MINED, mined_ok=False)
    from chain.sender.dependencies import dependency_state

    assert dependency_state(second).waits
    assert intent_move(first, to=State.FINALIZED_REVERTED)
    assert dependency_state(second).broken
