"""The demo's nodes: a dozen emulated machines, registered on chain, attesting as real ones do.

They run the node agent's own code; only the GPUs are emulated, and every page says so.
"""

import logging
import threading
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from chain.addresses import parse_address
from config.embedded import rpc_call
from demo.chain import LocalChain
from demo.settings import DemoFolder
from network.agent.client import ServiceClient
from network.agent.compute import challenger_start
from network.agent.emulated_meter import MeterFault
from network.agent.errors import AgentError
from network.agent.home import Config, Home
from network.agent.loop import report_interval_s
from network.agent.registration import proof_open, proof_send
from network.agent.rounds import Node
from network.agent.sources import EmulatedSource
from network.attestation.emulator import Behaviour, emulator_prepare

LOGGER = logging.getLogger(__name__)
#: The first operator among anvil's accounts; the holders come before.
FIRST_OPERATOR = 43
HEALTHY = Behaviour()
#: Classes whose nodes have no post-quantum key in the demo: the network asks for none by default.
ED25519_ALONE = {"edge_iot"}


@dataclass(frozen=True)
class NodeSpec:
    """One node of the fleet. A quiet node reports once and never again."""

    gpu_class: str
    gpus: int
    region: str
    name: str
    behaviour: Behaviour = HEALTHY
    meter_fault: MeterFault = MeterFault.NONE
    quiet: bool = False


FLEET = (
    NodeSpec("h100_80g", 8, "eu-north-1", "luleaa-1"),
    NodeSpec("h100_80g", 4, "eu-north-1", "luleaa-2"),
    NodeSpec("h100_80g", 8, "us-west-2", "quincy-1"),
    NodeSpec("h200_141g", 8, "eu-west-1", "dublin-1"),
    NodeSpec("h200_141g", 4, "us-east-1", "ashburn-1", quiet=True),
    NodeSpec("b200_192g", 8, "ap-northeast-3", "osaka-1"),
    NodeSpec(
        "h100_80g", 2, "ap-south", "pune-1", Behaviour(changed_measurements=frozenset({9}))
    ),
    NodeSpec("consumer_24g", 2, "de", "leipzig-1"),
    NodeSpec("cloud", 4, "us-east-1", "rented-1", meter_fault=MeterFault.IMPOSSIBLE),
    NodeSpec("edge_iot", 1, "it", "turin-edge"),
    NodeSpec("cloud", 2, "ap-southeast", "leaving-1"),
    NodeSpec("edge_iot", 1, "sa-east", "santiago-edge"),
)  # fmt: skip
LEAVING = 10
#: Reports that a faulty node sends at its first round: the limit of strikes (slash.strikes), so
#: that its suspension by the service can be seen at once.
INSISTS = 3


def padded(text: str) -> bytes:
    """A short name as the registry holds it: ASCII, zero bytes behind."""
    return text.encode("ascii").ljust(32, b"\0")


def fleet_register(chain: LocalChain, folder: DemoFolder, *, patron: str) -> None:
    """Make the nodes' keys and register them; `patron` gives the operators their stake."""
    emulator_prepare(folder.emulator)
    registry = chain.address("NodeRegistry")
    for position, spec in enumerate(FLEET):
        operator = chain.accounts[FIRST_OPERATOR + position]
        home = Home(folder.nodes / spec.name)
        home.key_create()
        if spec.gpu_class not in ED25519_ALONE:
            home.pq_key_create()
        hash_ = home.keys_load().hash(parse_address(operator))
        stake_wei = chain.call("NodeRegistry", "requiredStake", padded(spec.gpu_class), spec.gpus)
        chain.send("AlthingToken", "transfer", operator, stake_wei, sender=patron)
        chain.send("AlthingToken", "approve", registry, stake_wei, sender=operator)
        chain.send(
            "NodeRegistry",
            "register",
            hash_,
            padded(spec.gpu_class),
            spec.gpus,
            padded(spec.region),
            f"https://nodes.example/{spec.name}.json",
            sender=operator,
        )
        node_id = bytes(chain.call("NodeRegistry", "nodeIdOf", operator, hash_))
        home.config_save(Config(node_id=f"0x{node_id.hex()}", operator=operator))


def fleet_trouble(chain: LocalChain, folder: DemoFolder) -> None:
    """What happens in any fleet: one node leaves. Which is suspended the service decides."""
    leaving = bytes.fromhex((_config(folder, LEAVING).node_id or "")[2:])
    operator = chain.accounts[FIRST_OPERATOR + LEAVING]
    chain.send("NodeRegistry", "requestExit", leaving, sender=operator)


def _config(folder: DemoFolder, position: int) -> Config:
    return Home(folder.nodes / FLEET[position].name).config_load()


@dataclass
class Fleet:
    """All nodes of one demo, each with its own key and agent state."""

    folder: DemoFolder
    url: str
    rpc_url: str
    _reported: set[str] = field(default_factory=set)

    @cached_property
    def nodes(self) -> list[tuple[NodeSpec, Node]]:
        return [(spec, self._node(spec)) for spec in FLEET]

    def _node(self, spec: NodeSpec) -> Node:
        home = Home(self.folder.nodes / spec.name)
        node_id = home.config_load().node_id or ""
        source = EmulatedSource.open(
            self.folder.emulator,
            label=node_id,
            gpu_class=spec.gpu_class,
            gpu_count=spec.gpus,
            behaviours={0: spec.behaviour},
            meter_fault=spec.meter_fault,
        )
        return Node(ServiceClient(self.url), home, source, home.keys_load(), node_id)

    def prove_all(self) -> None:
        """Prove every node's key to the service, once.

        Raises:
            AgentError: the service refused, or never saw the registration.
        """
        for _spec, node in self.nodes:
            self._prove(node)

    def _prove(self, node: Node) -> None:
        proven = node.home.path("proven")
        if proven.exists():
            return
        config = node.home.config_load()
        operator = parse_address(config.operator or "")
        node_id = bytes.fromhex(node.node_id[2:])
        proof = proof_open(node.client, node_id=node_id, keys=node.keys, operator=operator)
        signature = rpc_call(
            self.rpc_url, "eth_signTypedData_v4", config.operator, proof.typed_data
        )
        proof_send(
            node.client,
            node_id=node_id,
            proof=proof,
            keys=node.keys,
            operator_signature=bytes.fromhex(signature[2:]),
        )
        proven.touch()

    def attest_once(self) -> dict[str, Any]:
        """Prove the key of the first, healthy node and report from it; return its verdict."""
        _spec, node = self.nodes[0]
        self._prove(node)
        return {**node.attest().verdict, "node_id": node.node_id}

    def attest_all(self, ended: threading.Event) -> None:
        """One round of every node that is not quiet. A node's trouble is its own."""
        for spec, node in self.nodes:
            if ended.is_set() or (spec.quiet and spec.name in self._reported):
                continue
            is_faulty = spec.behaviour != HEALTHY and spec.name not in self._reported
            try:
                for _ in range(INSISTS if is_faulty else 1):
                    node.attest()
                self._reported.add(spec.name)
            except AgentError as error:
                LOGGER.warning("%s: %s", spec.name, error)

    def rounds_answer(self, ended: threading.Event) -> list[threading.Thread]:
        """Let every node that is not quiet answer compute rounds in a thread of its own."""
        started = (
            challenger_start(node, "auto", wait=ended.wait)
            for spec, node in self.nodes
            if not spec.quiet
        )
        return [thread for thread in started if thread is not None]

    def run(self, ended: threading.Event) -> None:
        """Report on the interval the DAO voted for and answer compute rounds, until ended."""
        self.rounds_answer(ended)
        while not ended.is_set():
            try:
                self.prove_all()
                self.attest_all(ended)
                pause_s: float = report_interval_s(self.nodes[0][1].client) / 2
            except AgentError as error:
                LOGGER.warning("The fleet waits: %s", error)
                pause_s = 5.0
            ended.wait(pause_s)
