"""Two of everything at once: each transition is made once, whoever is first."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from chain import clock
from chain.models import Signer, TxAttempt, TxEvent, TxIntent
from chain.models.outbox import TRANSITIONS
from chain.outbox import Go, intent_obsolete, signer_pause
from chain.rpc.client import RpcClient
from chain.sender.allocate import Prepared, intent_judge
from chain.sender.budget import in_flight_wei
from chain.sender.fees import Fees
from chain.sender.keys import SignedTransaction
from chain.sender.loop import Sender, signer_ensure
from chain.sender.push import _replace
from chain.sender.transitions import attempt_newest, intent_move
from chain.sender.view import chain_view
from tests.chain.sending import age_attempts, by_hand, delegation, key, mine, read, states, submit

__all__ = ["delegation", "key"]

State = TxIntent.State
pytestmark = [pytest.mark.chain, pytest.mark.django_db(transaction=True)]

AT_ONCE = 6


def at_once(act: Callable[[int], Any], count: int = AT_ONCE) -> list[Any]:
    """Run ``act`` in as many threads, each with its own connection, all released together."""
    gate, results = threading.Barrier(count), [None] * count

    def run(number: int) -> None:
        try:
            connection.ensure_connection()
            gate.wait(timeout=30)
            results[number] = act(number)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    return results


def test_many_at_once_make_a_transition_once(delegation: Any) -> None:
    intent = submit(b"\x11" * 20)
    copies = [TxIntent.objects.get(pk=intent.pk) for _ in range(AT_ONCE)]
    moved = at_once(lambda n: intent_move(copies[n], to=State.REJECTED, detail=f"by {n}"))
    assert sorted(moved) == [False] * (AT_ONCE - 1) + [True]
    assert states(intent) == ["planned", "rejected"]
    assert read(intent).revision == 1
    assert {copy.state for copy in copies} == {State.REJECTED}


def test_two_that_want_different_things_get_one(delegation: Any) -> None:
    intent = submit(b"\x11" * 20)
    copies = [TxIntent.objects.get(pk=intent.pk) for _ in range(AT_ONCE)]
    wanted = [State.REJECTED, State.SATISFIED_EXTERNALLY]
    moved = at_once(lambda n: intent_move(copies[n], to=wanted[n % 2]))
    assert moved.count(True) == 1
    assert intent.history.count() == 2
    assert read(intent).state == wanted[moved.index(True) % 2]


def test_a_state_left_and_entered_again_is_not_the_one_that_was_read(
    delegation: Any, client: RpcClient, key: Any, rpc: Any
) -> None:
    with by_hand(rpc):
        intent = submit(b"\x11" * 20)
        Sender(client=client, key=key).tick()
        late = TxIntent.objects.get(pk=intent.pk)
        again = read(intent)
        assert intent_move(again, to=State.FEE_CAPPED)
        assert intent_move(again, to=State.BROADCAST)
        assert (late.state, again.state) == (State.BROADCAST, State.BROADCAST)
        assert not intent_move(late, to=State.FEE_CAPPED)
        assert read(intent).state == State.BROADCAST
        mine(rpc)


def test_many_senders_at_once_sign_one_transaction_each(
    delegation: Any, client: RpcClient, key: Any, rpc: Any
) -> None:
    with by_hand(rpc):
        start = client.nonce(key.address)
        signer_ensure(key)
        for number in range(4):
            submit(bytes([number + 1]) * 20, idem_key=f"delegate:{number}")
        at_once(lambda n: Sender(client=client, key=key).tick())
        at_once(lambda n: Sender(client=client, key=key).tick())
        intents = TxIntent.objects.order_by("nonce")
        assert [row.nonce for row in intents] == list(range(start, start + 4))
        assert TxAttempt.objects.count() == 4
        assert TxEvent.objects.filter(to_state=State.SIGNED).count() == 4
        assert Signer.objects.get().next_nonce == start + 4
        mine(rpc)
    at_once(lambda n: Sender(client=client, key=key).tick(), count=3)
    assert set(TxIntent.objects.values_list("state", flat=True)) == {State.MINED}
    assert TxEvent.objects.filter(to_state=State.MINED).count() == 4


def test_many_senders_at_once_stay_within_the_budget_of_one(
    delegation: Any, client: RpcClient, key: Any, rpc: Any, settings: Any
) -> None:
    """Each finds room in the budget before it has the lock; only one may use it."""
    with by_hand(rpc):
        signer = signer_ensure(key)
        intents = [submit(bytes([n + 1]) * 20, idem_key=f"delegate:{n}") for n in range(3)]
        view = chain_view(client, address=key.address, intents=[])
        judged = intent_judge(client, signer=signer, intent=intents[0], view=view)
        assert isinstance(judged, Prepared)
        settings.KEEPER_DAILY_GAS_WEI = judged.cost_wei * 3 // 2
        signer_ensure(key)
        together = threading.Barrier(AT_ONCE)

        def preflight(intent: TxIntent) -> Go:
            with contextlib.suppress(threading.BrokenBarrierError):
                together.wait(timeout=2)  # all have judged the first before any signs
            return Go()

        delegation(preflight)
        at_once(lambda n: Sender(client=client, key=key).tick())
        assert TxAttempt.objects.count() == 1
        signed = TxIntent.objects.exclude(state=State.PLANNED)
        assert signed.count() == 1
        assert in_flight_wei(signer) <= settings.KEEPER_DAILY_GAS_WEI
        waiting = TxIntent.objects.filter(state=State.PLANNED)
        assert {row.wait_code for row in waiting} == {TxIntent.Wait.BUDGET}
        mine(rpc)


def test_two_replacements_at_once_are_one(
    delegation: Any, client: RpcClient, key: Any, rpc: Any
) -> None:
    with by_hand(rpc):
        intent = submit(b"\x11" * 20)
        Sender(client=client, key=key).tick()
        age_attempts()
        signer, old = Signer.objects.get(), attempt_newest(intent)
        copies = [TxIntent.objects.get(pk=intent.pk) for _ in range(AT_ONCE)]
        made = at_once(
            lambda n: _replace(
                signer,
                key,
                copies[n],
                old,
                Fees(old.max_fee_wei * 2, old.max_priority_fee_wei * 2),
                cancel=False,
                reached=lambda name: None,
            )
        )
        assert sum(attempt is not None for attempt in made) == 1
        assert [a.seq for a in intent.attempts.all()] == [0, 1]
        mine(rpc)


class _PausingKey:
    """Signs as the real one, but somebody does something between the judgement and the commit."""

    def __init__(self, inner: Any, meanwhile: Callable[[], Any]) -> None:
        self.inner, self.meanwhile = inner, meanwhile
        self.address = inner.address

    def sign(self, transaction_: Any) -> SignedTransaction:
        thread = threading.Thread(target=self._meanwhile)
        thread.start()
        thread.join(timeout=30)
        return self.inner.sign(transaction_)

    def _meanwhile(self) -> None:
        try:
            self.meanwhile()
        finally:
            connection.close()


def test_what_loses_its_point_while_it_is_signed_gives_its_nonce_back(
    delegation: Any, client: RpcClient, key: Any
) -> None:
    start = client.nonce(key.address)
    intent = submit(b"\x11" * 20)
    slow = _PausingKey(key, lambda: intent_obsolete(intent=intent, reason="It was cancelled."))
    Sender(client=client, key=slow).tick()
    assert read(intent).state == State.PLANNED
    assert not TxAttempt.objects.exists()
    Sender(client=client, key=key).tick()
    assert read(intent).state == State.REJECTED
    second = submit(b"\x22" * 20, idem_key="delegate:2")
    Sender(client=client, key=key).tick()
    assert read(second).nonce == start


def test_a_pause_between_judgement_and_signature_holds(
    delegation: Any, client: RpcClient, key: Any
) -> None:
    intent = submit(b"\x11" * 20)
    signer = signer_ensure(key)
    paused: list[bool] = []

    def preflight(intent: TxIntent) -> Any:
        paused.append(signer_pause(signer=signer, actor="ada", reason="Stop."))
        return Go()

    delegation(preflight)
    Sender(client=client, key=key).tick()
    assert paused == [True]
    assert (read(intent).state, intent.wait_code) == (State.PLANNED, TxIntent.Wait.PAUSED)
    assert Signer.objects.get().next_nonce == 0


@pytest.mark.parametrize("old", list(TRANSITIONS))
def test_the_database_refuses_every_other_transition(delegation: Any, old: str) -> None:
    moment = clock.now()
    for new in set(TRANSITIONS) - {old}:
        row = TxIntent.objects.create(
            idem_key=f"{old}:{new}",
            kind="k",
            chain_id=1,
            state=old,
            to=b"\x11" * 20,
            data=b"",
            data_hash=bytes(32),
            created_at=moment,
            updated_at=moment,
        )
        if new in TRANSITIONS[old]:
            TxIntent.objects.filter(pk=row.pk).update(state=new)
            continue
        with pytest.raises(ValueError, match="never goes"):
            intent_move(row, to=new)
        with pytest.raises(DatabaseError, match="Invalid transition"), transaction.atomic():
            TxIntent.objects.filter(pk=row.pk).update(state=new)
    with pytest.raises(DatabaseError), transaction.atomic():
        TxIntent.objects.all().delete()
