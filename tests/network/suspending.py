"""What the tests of suspensions share: the attestor's sender, a network with enough stake."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from chain import clock
from chain.client import chain_call, rpc_client
from chain.contracts import contract
from chain.models import AccountNote, TxIntent
from chain.sender.keys import key_from_private
from chain.sender.loop import Sender
from network.attestation.emulator.gpu import Behaviour
from network.models import Incident
from network.services.suspension_preflight import register_intent_kinds
from network.services.suspensions import suspensions_tick
from tests.network.conftest import ALT, ATTESTOR, World
from tests.network.nodes import TestNode

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
