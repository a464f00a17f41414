"""From three strikes to a suspension on the real registry, and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from django.test import Client

from chain import clock
from chain.models import TxIntent
from chain.sender.loop import Sender
from chain.signatures import keccak
from network.attestation.emulator.gpu import Behaviour
from network.models import Incident, IncidentEvent, Node
from network.services.incidents import incident_dismiss, incident_release
from network.services.suspensions import suspensions_tick
from tests.network.conftest import ATTESTOR, World
from tests.network.nodes import TestNode, later
from tests.network.suspending import (
    attestor,
    on_chain,
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
