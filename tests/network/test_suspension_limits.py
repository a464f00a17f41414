"""What holds a suspension up: no key, circuit breakers, the registry's caps, a lost role."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from chain import clock
from chain.client import chain_call
from chain.models import AccountNote, TxIntent
from chain.sender.loop import Sender
from chain.signatures import keccak
from network.models import VerifierBuild
from network.selectors.suspensions import suspension_alarms, suspension_figures
from network.services.breakers import build_note
from network.services.suspensions import suspensions_tick
from tests.network.conftest import ALT, ATTESTOR, GUARDIAN, World
from tests.network.nodes import TestNode, later
from tests.network.suspending import (
    attestor,
    on_chain,
    raise_stake,
    read,
    standing,
    strike_out,
    turn,
    whale,
)

__all__ = ["attestor", "whale"]

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
MakeNode = Callable[..., TestNode]
State = TxIntent.State
DAY_S = 86_400


def test_without_the_attestors_key_nothing_is_planned_and_it_is_said(
    make_node: MakeNode, whale: TestNode, service: World
) -> None:
    node = make_node(gpu_count=1)
    incident = strike_out(node)
    suspensions_tick()
    assert (read(incident).action, TxIntent.objects.count()) == ("held", 0)
    moment = clock.now()
    AccountNote.objects.create(
        chain_id=31337,
        account="attestor",
        state="no_key",
        sentence="This service has no attestor key.",
        since=moment,
        checked_at=moment,
    )
    suspensions_tick()
    assert read(incident).action_sentence == "This service has no attestor key."
    body = Client().get("/healthz").json()
    assert body["suspensions"]["state"] == "held"
    assert body["suspensions"]["sentence"] == "This service has no attestor key."
    assert body["accounts"]["attestor"]["state"] == "no_key"
    assert "This service has no attestor key." in Client().get("/nodes/").content.decode()
    # It does not count all the same.
    assert standing(node)["counts"] is False


def test_too_much_stake_at_once_stops_all(
    make_node: MakeNode, attestor: Sender, service: World
) -> None:
    one, two = make_node(gpu_count=1, operator=3), make_node(gpu_count=1, operator=4)
    incidents = [strike_out(one), strike_out(two)]
    suspensions_tick()
    assert {read(incident).action for incident in incidents} == {"held"}
    assert "more than 5 %" in incidents[0].action_sentence
    figures = suspension_figures(clock.now())
    assert (figures.state, figures.open_incidents, figures.pending) == ("stopped", 2, 2)
    (alarm,) = suspension_alarms(clock.now())
    assert alarm.code == "suspensions_stopped"
    body = Client().get("/healthz").json()
    assert "suspensions_stopped" in body["alarms"]
    assert (body["status"], body["suspensions"]["state"]) == ("degraded", "stopped")
    assert "Suspensions have stopped" in Client().get("/nodes/").content.decode()
    assert TxIntent.objects.count() == 0
    # With more stake in the network the same two are a small part.
    whale = make_node(gpu_count=1, operator=9)
    raise_stake(service, whale, 9, 80_000)
    suspensions_tick()
    assert {read(incident).action for incident in incidents} == {"sent"}


def test_a_breaker_after_planning_holds_what_is_not_sent(
    make_node: MakeNode, whale: TestNode, attestor: Sender, service: World
) -> None:
    node = make_node(gpu_count=1)
    incident = strike_out(node)
    suspensions_tick()
    build_note(at=clock.now(), digest="ab" * 32)
    attestor.tick()
    intent = read(incident).suspend_intent
    assert intent is not None
    intent.refresh_from_db()
    assert (intent.state, intent.wait_code) == (State.PLANNED, TxIntent.Wait.PAUSED)
    assert "The verifier changed at" in intent.why_waiting
    suspensions_tick()
    assert "The verifier changed at" in read(incident).action_sentence
    with later(3601):
        attestor.tick()
    intent.refresh_from_db()
    assert intent.state == State.BROADCAST


def test_nobody_is_suspended_in_the_hour_after_the_verifier_changed(
    make_node: MakeNode, whale: TestNode, attestor: Sender, service: World
) -> None:
    now = clock.now()
    build_note(at=now - timedelta(days=1), digest="aa" * 32)
    assert suspension_figures(now).state == "on"  # a first installation is no change
    node = make_node(gpu_count=1)
    incident = strike_out(node)
    suspensions_tick()  # notes this process's own digest: a change
    assert VerifierBuild.objects.count() == 2
    assert (read(incident).action, TxIntent.objects.count()) == ("held", 0)
    assert "Nobody is suspended for 1" in incident.action_sentence
    # Back to the release before is a change as well; so is a clock that was set back.
    build_note(at=now + timedelta(hours=2), digest="aa" * 32)
    assert suspension_figures(now + timedelta(hours=2, minutes=59)).state == "held"
    assert suspension_figures(now - timedelta(hours=5)).state == "held"
    assert suspension_figures(now + timedelta(hours=3, minutes=1)).state == "on"


def test_the_registrys_caps_end_the_try_with_a_reason(
    make_node: MakeNode, whale: TestNode, attestor: Sender, service: World
) -> None:
    node = make_node(gpu_count=1)
    account = service.accounts[ATTESTOR].address
    # Seven days of suspension in thirty: two of 72 hours and one of 24.
    for number in range(3):
        by_hand = (node.node_id, b"by hand".ljust(32, b"\0"), keccak(bytes([number])))
        service.send(account, "NodeRegistry", "suspend", by_hand)
        service.pass_time(3 * DAY_S + 60)
    service.settle()
    incident = strike_out(node)
    with later(10 * DAY_S):
        suspensions_tick()
        attestor.tick()
        suspensions_tick()
    assert read(incident).action == "cap_reached", incident.action_sentence
    assert "at most 7 days in 30" in incident.action_sentence
    assert incident.suspend_intent is not None
    assert incident.suspend_intent.state == State.REJECTED


def test_the_epochs_share_ends_the_try_with_a_reason(
    make_node: MakeNode, whale: TestNode, attestor: Sender, service: World
) -> None:
    node, other = make_node(gpu_count=1, operator=3), make_node(gpu_count=1, operator=4)
    room = int(chain_call("NodeRegistry", "suspendableStake"))
    mine, theirs = (int(on_chain(item)["stake"]) for item in (node, other))
    # So much that the two together are above a tenth of all stake, and the other alone is not.
    raise_stake(service, other, 4, (room - theirs) * 10 // 9 // ALT - 100)
    incident = strike_out(node)
    suspensions_tick()
    by_hand = (other.node_id, b"by hand".ljust(32, b"\0"), keccak(b"evidence"))
    service.send(service.accounts[ATTESTOR].address, "NodeRegistry", "suspend", by_hand)
    assert int(chain_call("NodeRegistry", "suspendableStake")) < mine
    attestor.tick()
    suspensions_tick()
    assert read(incident).action == "cap_reached", incident.action_sentence
    assert "at most 10 % of all stake" in incident.action_sentence
    # A later epoch has room again; the try is repeated by itself.
    with later(3700):
        service.settle()
        suspensions_tick()
    assert read(incident).action == "held"
    assert "more than 5 %" in incident.action_sentence


def test_an_attestor_without_its_role_waits_and_says_so(
    make_node: MakeNode, whale: TestNode, attestor: Sender, service: World
) -> None:
    node = make_node(gpu_count=1)
    incident = strike_out(node)
    account = service.accounts[ATTESTOR].address
    guardian = service.accounts[GUARDIAN].address
    service.send(guardian, "NodeRegistry", "revokeAttestor", (account,))
    turn(service, attestor)
    assert read(incident).action == "sent"
    assert "does not hold the registry's attestor role" in incident.action_sentence
    intent = incident.suspend_intent
    assert intent is not None
    intent.refresh_from_db()
    assert intent.state == State.PLANNED
