"""From three strikes to a suspension on the real registry, and back; what holds it up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from chain import clock
from chain.client import chain_call, rpc_client
from chain.contracts import contract
from chain.models import AccountNote, TxIntent
from chain.sender.keys import key_from_private
from chain.sender.loop import Sender
from chain.signatures import keccak
from network.attestation.emulator.gpu import Behaviour
from network.models import Incident, IncidentEvent, Node, VerifierBuild
from network.selectors.suspensions import suspension_alarms, suspension_figures
from network.services.breakers import build_note
from network.services.incidents import incident_dismiss, incident_release
from network.services.suspension_preflight import register_intent_kinds
from network.services.suspensions import suspensions_tick
from tests.network.conftest import ALT, ATTESTOR, GUARDIAN, World
from tests.network.nodes import TestNode, later

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
MakeNode = Callable[..., TestNode]
State = TxIntent.State
DAY_S = 86_400


@pytest.fixture
def attestor(service: World) -> Any:
    """The sender of the attestor's account, noted as a sender's tick would."""
    register_intent_kinds()
    key = key_from_private(service.accounts[ATTESTOR].private_key)
    moment = clock.now()
    AccountNote.objects.create(
        chain_id=31337,
        account="attestor",
        state="ready",
        address=key.address,
        since=moment,
        checked_at=moment,
    )
    return Sender(client=rpc_client(), key=key, account="attestor")


@pytest.fixture
def whale(make_node: MakeNode, service: World) -> TestNode:
    """A node with most of the stake, so that the others' is a small part."""
    node = make_node(gpu_count=1, operator=9)
    raise_stake(service, node, 9, 80_000)
    return node


def raise_stake(world: World, node: TestNode, operator: int, alt: int) -> None:
    account, registry = world.accounts[operator].address, contract("NodeRegistry").address
    world.send(world.accounts[0].address, "AlthingToken", "transfer", (account, alt * ALT))
    world.send(account, "AlthingToken", "approve", (registry, alt * ALT))
    world.send(account, "NodeRegistry", "addStake", (node.node_id, alt * ALT))
    world.settle()


def strike_out(node: TestNode, times: int = 3) -> Incident:
    """Let the node send refused reports; its open incident."""
    good = node.gpus[0]
    node.gpus[0] = replace(good, behaviour=Behaviour(bad_signature=True))
    for _ in range(times):
        assert node.attest().status_code == 201
    node.gpus[0] = good
    return Incident.objects.get(node_id=node.node_id, state="open")


def turn(world: World, attestor: Sender) -> None:
    """Plan, send, mine, index, look again."""
    suspensions_tick()
    attestor.tick()
    world.settle()
    attestor.tick()
    suspensions_tick()


def read(incident: Incident) -> Incident:
    incident.refresh_from_db()
    return incident


def on_chain(node: TestNode) -> dict[str, Any]:
    return dict(chain_call("NodeRegistry", "node", (node.node_id,)))


def standing(node: TestNode) -> dict[str, Any]:
    return dict(Client().get(f"{node.path}/").json()["standing"])


def test_a_node_is_suspended_cured_and_resumed(
    make_node: MakeNode, whale: TestNode, attestor: Sender, service: World
) -> None:
    node = make_node(gpu_count=1)
    assert node.attest().status_code == 201
    incident = strike_out(node)
    turn(service, attestor)
    assert read(incident).action == "suspended", incident.action_sentence
    intent = incident.suspend_intent
    assert intent is not None
    assert (intent.kind, intent.state) == ("attest.suspend", State.FINALIZED_OK)
    row = Node.objects.get(node_id=node.node_id)
    assert (row.status, row.suspended_reason) == ("suspended", "sig.report")
    event = row.events.get(event="NodeSuspended")
    assert event.args["evidenceHash"] == f"0x{bytes(incident.evidence_hash).hex()}"
    assert standing(node)["standing"] == "suspended"
    # Nothing is planned a second time.
    turn(service, attestor)
    assert TxIntent.objects.count() == 1
    # The page and the API say why, what was seen, how it is cured and how to appeal.
    found = Client().get(f"{node.path}/incidents/").json()["results"]
    assert [item["action"] for item in found[0]["history"]] == ["opened", "sent", "suspended"]
    assert found[0]["verdict_id"] == incident.verdict_id
    assert found[0]["suspension_hash"].startswith("0x")
    assert "You may appeal" in found[0]["appeal"]
    page = Client().get(f"/nodes/0x{node.node_id.hex()}/").content.decode()
    for words in ("Incidents", "sig.report", "You may appeal", "relay-resistant, not relay-proof"):
        assert words in page
    # Ten accepted reports in a row end it.
    for _ in range(10):
        assert node.attest().status_code == 201
    assert read(incident).state == "cured"
    turn(service, attestor)
    assert read(incident).action == "resumed", incident.action_sentence
    assert on_chain(node)["suspendedUntil"] <= int(clock.now().timestamp()) + 60
    assert standing(node)["standing"] == "attested"
    suspensions_tick()
    assert TxIntent.objects.count() == 2
    actions = list(IncidentEvent.objects.values_list("action", flat=True))
    assert actions == ["opened", "sent", "suspended", "cured", "resuming", "resumed"]


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


def test_a_node_that_leaves_or_is_suspended_already_is_not_suspended(
    make_node: MakeNode, whale: TestNode, attestor: Sender, service: World
) -> None:
    leaving, suspended = make_node(gpu_count=1, operator=3), make_node(gpu_count=1, operator=4)
    incidents = [strike_out(leaving), strike_out(suspended)]
    suspensions_tick()
    # What the preflight finds, although the index has not seen it yet.
    operator = service.accounts[3].address
    service.send(operator, "NodeRegistry", "requestExit", (leaving.node_id,))
    by_hand = (suspended.node_id, b"by hand".ljust(32, b"\0"), keccak(b"evidence"))
    service.send(service.accounts[ATTESTOR].address, "NodeRegistry", "suspend", by_hand)
    attestor.tick()
    intents = [read(incident).suspend_intent for incident in incidents]
    assert [intent.state for intent in intents if intent] == [State.SATISFIED_EXTERNALLY] * 2
    suspensions_tick()
    assert read(incidents[0]).action == "not_needed"
    assert "Not needed: the node is leaving" in incidents[0].action_sentence
    service.settle()
    suspensions_tick()
    assert (read(incidents[0]).action, read(incidents[1]).action) == ("not_needed", "suspended")
    # What was suspended by hand is not ours to resume.
    incident_dismiss(incident_id=incidents[1].pk, actor="staff ada", reason="Ours.", at=clock.now())
    suspensions_tick()
    assert read(incidents[1]).action == "not_needed"
    assert TxIntent.objects.filter(kind="attest.resume").count() == 0


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


def test_a_suspension_follows_the_chains_events_alone(
    make_node: MakeNode, whale: TestNode, attestor: Sender, service: World
) -> None:
    """A reorganisation takes the suspension back here as there; the outbox sends it again."""
    node = make_node(gpu_count=1)
    incident = strike_out(node)
    service.settle()
    suspensions_tick()
    attestor.tick()
    service.rpc("evm_mine")
    service.index()
    attestor.tick()
    suspensions_tick()
    assert read(incident).action == "suspended"
    assert Node.objects.get(node_id=node.node_id).status == "suspended"
    service.rpc("anvil_reorg", 2, [])
    service.rpc("evm_mine")
    service.index()
    suspensions_tick()
    assert Node.objects.get(node_id=node.node_id).status == "registered"
    assert read(incident).action == "sent"
    with later(60):
        turn(service, attestor)
    assert read(incident).action == "suspended"
    assert TxIntent.objects.count() == 1


def test_closed_before_it_is_sent(
    make_node: MakeNode, whale: TestNode, attestor: Sender, service: World
) -> None:
    node = make_node(gpu_count=1)
    incident = strike_out(node)
    suspensions_tick()
    incident_dismiss(
        incident_id=incident.pk, actor="staff ada", reason="Our manifest was wrong.", at=clock.now()
    )
    turn(service, attestor)
    assert read(incident).action == "not_needed"
    assert incident.suspend_intent is not None
    assert incident.suspend_intent.state == State.REJECTED
    assert on_chain(node)["suspendedUntil"] == 0
    assert standing(node)["strikes"] == 0


def test_released_on_probation_and_resumed(
    make_node: MakeNode, whale: TestNode, attestor: Sender, service: World
) -> None:
    node = make_node(gpu_count=1)
    assert node.attest().status_code == 201
    incident = strike_out(node)
    turn(service, attestor)
    incident_release(incident_id=incident.pk, actor="staff ada", reason="A cable.", at=clock.now())
    turn(service, attestor)
    assert (read(incident).state, incident.action) == ("released", "resumed")
    now = standing(node)
    assert (now["standing"], now["strikes"]) == ("probation", 2)
    # One strike more is an incident again.
    strike_out(node, times=1)
    assert Incident.objects.filter(node_id=node.node_id).count() == 2


def test_a_vote_on_the_limit_opens_and_closes_incidents(
    make_node: MakeNode, whale: TestNode, attestor: Sender, service: World
) -> None:
    node = make_node(gpu_count=1)
    assert node.attest().status_code == 201
    good = node.gpus[0]
    node.gpus[0] = replace(good, behaviour=Behaviour(bad_signature=True))
    for _ in range(2):
        assert node.attest().status_code == 201
    service.parameters_set(slash__strikes=2)
    service.pass_time(11 * DAY_S)
    service.settle()
    suspensions_tick()
    incident = Incident.objects.get()
    assert (incident.code, incident.strikes) == ("sig.report", 2)
    service.pass_time(31 * DAY_S)
    service.parameters_set(slash__strikes=3)
    service.pass_time(11 * DAY_S)
    service.settle()
    suspensions_tick()
    assert read(incident).state == "cured"
    assert "below 3 strikes" in incident.events.get(action="cured").reason
