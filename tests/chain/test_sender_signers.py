"""Keys that are paused, drained, quarantined, replaced, away; and a rehearsal without any."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User

from chain.models import Signer, SignerAlarm, TxAttempt, TxIntent
from chain.outbox import (
    SignerQuarantined,
    intent_obsolete,
    signer_drain,
    signer_pause,
    signer_resume,
)
from chain.outbox import Wait as NotYet
from chain.rpc.client import RpcClient
from chain.sender.alarms import alarms, signer_acknowledge
from chain.sender.keys import KeyUnavailable, key_from_private
from chain.sender.loop import Sender, outbox_run_once, signer_ensure
from chain.sender.rehearsal import intent_rehearse
from chain.sender.transitions import signer_quarantine
from tests.chain.sending import (
    age_attempts,
    by_hand,
    delegatee,
    delegation,
    forget_sends,
    key,
    mine,
    read,
    submit,
)
from tests.chain.test_admin import request_of

__all__ = ["delegation", "key"]

State, Wait = TxIntent.State, TxIntent.Wait
pytestmark = [pytest.mark.chain, pytest.mark.django_db]

ONE, TWO = b"\x11" * 20, b"\x22" * 20


def spike(rpc: Any, intent: TxIntent) -> None:
    """Price an intent's newest attempt out, and let it be old enough to be replaced."""
    age_attempts()
    forget_sends()
    rpc("anvil_setNextBlockBaseFeePerGas", hex(intent.attempts.last().max_fee_wei * 3))
    mine(rpc)


def test_what_a_paused_signer_has_signed_is_seen_through_with_higher_fees(
    delegation: Any, client: RpcClient, key: Any, rpc: Any
) -> None:
    sender = Sender(client=client, key=key)
    with by_hand(rpc):
        first = submit(ONE)
        sender.tick()
        assert signer_pause(signer=Signer.objects.get(), actor="ada", reason="Looking.")
        second = submit(TWO, idem_key="delegate:2")
        spike(rpc, first)
        sender.tick()
        assert [a.kind for a in first.attempts.all()] == ["normal", "bump"]
        assert (read(second).state, second.wait_code) == (State.PLANNED, Wait.PAUSED)
        mine(rpc, 4)
        sender.tick()
    assert read(first).state == State.FINALIZED_OK


def test_what_never_left_is_held_while_a_person_has_paused(
    delegation: Any, client: RpcClient, key: Any, rpc: Any
) -> None:
    """Signed, then a crash before it was sent, then a person who presses pause."""

    class Killed(Exception):
        pass

    def die(name: str) -> None:
        if name == "signed":
            raise Killed

    with by_hand(rpc):
        intent = submit(ONE)
        with pytest.raises(Killed):
            Sender(client=client, key=key, reached=die).tick()
        signer = Signer.objects.get()
        signer_pause(signer=signer, actor="ada", reason="Looking at something.")
        sender = Sender(client=client, key=key)
        sender.tick()
        assert (read(intent).state, intent.wait_code) == (State.SIGNED, Wait.PAUSED)
        assert intent.why_waiting == "Looking at something."
        assert intent.attempts.get().sends == 0
        signer_resume(signer=signer, actor="ada", reason="All is well.")
        delegation(lambda intent: NotYet("Paused by ada: Stop", Wait.PAUSED))
        sender.tick()
        assert (intent.attempts.get().sends, read(intent).why_waiting) == (0, "Paused by ada: Stop")
        delegation()
        sender.tick()
        assert read(intent).state == State.BROADCAST
        mine(rpc)


def test_a_quarantined_signer_signs_nothing_and_sends_what_it_signed(
    delegation: Any, client: RpcClient, key: Any, rpc: Any
) -> None:
    sender = Sender(client=client, key=key)
    with by_hand(rpc):
        first, second = submit(ONE), submit(TWO, idem_key="delegate:2")
        sender.tick()
        signer_quarantine(Signer.objects.get(), detail="Nonce 7 was spent elsewhere.")
        rpc("anvil_dropAllTransactions")
        spike(rpc, first)
        sender.tick()
        # No replacement, though one is due; the same bytes again.
        assert TxAttempt.objects.count() == 2
        assert read(first).wait_code == Wait.QUARANTINED
        assert first.attempts.get().sends == 2
        # What is not wanted any more is neither cancelled nor sent.
        intent_obsolete(intent=second, reason="The proposal was cancelled.")
        sends = second.attempts.get().sends
        forget_sends()
        sender.tick()
        assert second.attempts.get().sends == sends
        rpc("anvil_setNextBlockBaseFeePerGas", hex(10**9))
        forget_sends()
        sender.tick()
        mine(rpc, 4)
        sender.tick()
    assert read(first).state == State.FINALIZED_OK
    third = submit(b"\x33" * 20, idem_key="delegate:3")
    sender.tick()
    assert (read(third).state, third.wait_code) == (State.PLANNED, Wait.QUARANTINED)


def test_a_quarantined_signer_is_never_resumed(delegation: Any, key: Any) -> None:
    signer = signer_ensure(key)
    signer_quarantine(signer, detail="Nonce 7 was spent elsewhere.")
    signer_quarantine(signer, detail="Nonce 7 was spent elsewhere.")
    with pytest.raises(SignerQuarantined) as caught:
        signer_resume(signer=signer, actor="ada", reason="Go on.")
    assert caught.value.code == "signer_quarantined"
    signer.refresh_from_db()
    assert signer.paused
    assert [event.action for event in signer.events.all()] == ["quarantine", "limits"]
    assert [alarm.code for alarm in alarms()] == ["nonce_stolen"]
    assert signer_acknowledge(signer=signer, actor="ada", reason="The key is replaced.")
    assert not signer_acknowledge(signer=signer, actor="ada", reason="Again.")
    assert alarms() == []


def test_the_console_offers_only_what_can_be_done(delegation: Any, key: Any) -> None:
    registered = admin.site._registry[Signer]
    request = request_of(User.objects.create_superuser("ada", password="-"))
    ours = {"pause", "resume", "drain", "acknowledge"}
    assert not ours & set(registered.get_actions(request))
    signer = signer_ensure(key)
    assert ours & set(registered.get_actions(request)) == {"pause", "drain"}
    registered.pause(request, Signer.objects.all())
    assert ours & set(registered.get_actions(request)) == {"resume", "drain"}
    registered.resume(request, Signer.objects.all())
    signer_quarantine(signer, detail="Nonce 7 was spent elsewhere.")
    assert ours & set(registered.get_actions(request)) == {"acknowledge"}
    registered.resume(request, Signer.objects.all())
    signer.refresh_from_db()
    assert signer.paused
    page = registered.changelist_view(request).render()
    assert b"Nonce 7 was spent elsewhere" in page.content
    assert registered.changeform_view(request, str(signer.pk)).render().status_code == 200
    registered.acknowledge(request, Signer.objects.all())
    assert not ours & set(registered.get_actions(request))


def test_a_drained_signer_finishes_and_takes_nothing_new(
    delegation: Any, client: RpcClient, key: Any, rpc: Any
) -> None:
    sender = Sender(client=client, key=key)
    with by_hand(rpc):
        first = submit(ONE)
        sender.tick()
        assert signer_drain(signer=Signer.objects.get(), actor="ada", reason="A new key comes.")
        assert not signer_drain(signer=Signer.objects.get(), actor="ada", reason="Again.")
        second = submit(TWO, idem_key="delegate:2")
        mine(rpc, 4)
        sender.tick()
    assert read(first).state == State.FINALIZED_OK
    assert (read(second).state, second.wait_code) == (State.PLANNED, Wait.DRAINING)


def test_what_an_old_key_signed_is_seen_through_without_it(
    delegation: Any,
    client: RpcClient,
    key: Any,
    rpc: Any,
    web3_accounts: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    new = key_from_private(web3_accounts[7].private_key)
    monkeypatch.setattr("chain.sender.accounts.key_from_settings", {"keeper": new}.get)
    with by_hand(rpc):
        old_one = submit(ONE)
        Sender(client=client, key=key).tick()
        rpc("anvil_dropAllTransactions")
        forget_sends()
        new_one = submit(TWO, idem_key="delegate:2")
        outbox_run_once()
        mine(rpc, 4)
        outbox_run_once()
    assert (read(old_one).state, read(new_one).state) == (State.FINALIZED_OK, State.FINALIZED_OK)
    assert old_one.attempts.get().sends == 2
    assert bytes(old_one.signer.address) == key.address
    assert bytes(new_one.signer.address) == new.address
    assert (delegatee(client, key.address), delegatee(client, new.address)) == (ONE, TWO)


class _AwayKey:
    """A key whose keeper does not answer."""

    def __init__(self, inner: Any) -> None:
        self.address, self.inner, self.away = inner.address, inner, True

    def sign(self, transaction: Any) -> Any:
        if self.away:
            raise KeyUnavailable("It does not answer.", code="signer_unreachable")
        return self.inner.sign(transaction)


def test_a_key_that_is_away_costs_no_nonce_and_stops_no_other(
    delegation: Any, client: RpcClient, key: Any, rpc: Any
) -> None:
    away = _AwayKey(key)
    away.away = False
    sender = Sender(client=client, key=away)
    with by_hand(rpc):
        first = submit(ONE)
        sender.tick()
        nonce = Signer.objects.get().next_nonce
        away.away = True
        second = submit(TWO, idem_key="delegate:2")
        spike(rpc, first)
        sender.tick()
        # The replacement is not signed; the old bytes still go out.
        assert first.attempts.get().sends == 2
        assert (read(second).state, second.wait_code) == (State.PLANNED, Wait.KEY_UNAVAILABLE)
        assert Signer.objects.get().next_nonce == nonce
        assert "key_unavailable" in [alarm.code for alarm in alarms()]
        away.away = False
        sender.tick()
        mine(rpc, 4)
        sender.tick()
    assert (read(first).state, read(second).state) == (State.FINALIZED_OK, State.FINALIZED_OK)
    assert alarms() == []


def test_a_key_that_does_not_open_is_an_alarm_of_the_service(
    delegation: Any, client: RpcClient, settings: Any, tmp_path: Any
) -> None:
    settings.KEEPER_KEYSTORE = str(tmp_path / "nowhere")
    settings.KEEPER_PASSPHRASE_FILE = str(tmp_path / "nothing")
    intent = submit(ONE)
    outbox_run_once()
    outbox_run_once()
    (alarm,) = alarms()
    assert (alarm.code, alarm.subject) == ("keystore_unreadable", "keeper")
    assert (read(intent).state, intent.wait_code) == (State.PLANNED, Wait.KEY_UNAVAILABLE)
    settings.KEEPER_KEYSTORE = ""
    outbox_run_once()
    assert not SignerAlarm.objects.exists()
    assert read(intent).wait_code == Wait.NO_KEY


def test_a_dry_run_does_all_but_sign_and_send(
    delegation: Any, client: RpcClient, key: Any, rpc: Any, settings: Any
) -> None:
    settings.KEEPER_DRY_RUN = True
    sender = Sender(client=client, key=key)
    intent = submit(ONE)
    sender.tick()
    assert (read(intent).state, intent.wait_code) == (State.PLANNED, Wait.DRY_RUN)
    assert "would be sent now" in intent.why_waiting
    assert "Nothing is signed or sent." in intent.why_waiting
    assert not TxAttempt.objects.exists()
    settings.KEEPER_DRY_RUN = False
    sender.tick()
    assert read(intent).state == State.BROADCAST
    settings.KEEPER_DRY_RUN = True
    with by_hand(rpc):
        second = submit(TWO, idem_key="delegate:2")
        forget_sends()
        sends = intent.attempts.get().sends
        sender.tick()
        # It follows what was sent before, and sends nothing.
        assert read(intent).state == State.MINED
        assert intent.attempts.get().sends == sends
        assert read(second).state == State.PLANNED


def test_a_rehearsal_writes_nothing(
    delegation: Any, client: RpcClient, key: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    intent = submit(ONE)
    assert intent_rehearse(intent)[0] == Wait.NO_KEY
    monkeypatch.setattr("chain.sender.rehearsal.key_from_settings", {"keeper": key}.get)
    code, sentence = intent_rehearse(intent)
    assert code == Wait.DRY_RUN
    assert f"from 0x{key.address.hex()}" in sentence
    assert read(intent).why_waiting == ""
    assert not Signer.objects.exists()
