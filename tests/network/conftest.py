"""The network's world for tests: the real contracts on anvil, indexed for real."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core.cache import cache

from chain import clock, projections
from chain.client import chain_call, rpc_client
from chain.contracts import contract
from chain.indexer.loop import index_until_head
from chain.signatures import keccak
from network import projectors
from network.attestation.emulator import EmulatedGpu, EmulatorAuthority, emulator_prepare
from network.models import Node, Parameter
from network.registration import keys_hash
from network.selectors.policy import policy_cache_clear
from network.services.collateral_certificates import certificates_forget
from network.services.collateral_directories import manifests_import
from network.services.collateral_lists import lists_forget
from network.services.collateral_store import collateral_forget
from tests.network.nodes import TestNode

ALT = 10**18
GUARDIAN, ATTESTOR, OPERATOR = 1, 2, 3


@dataclass(slots=True)
class World:
    """The chain as its actors use it. Votes are out of scope here: the timelock itself sends."""

    rpc: Callable[..., Any]
    accounts: list[Any]

    def send(self, sender: bytes, name: str, function: str, args: tuple[Any, ...] = ()) -> bytes:
        """Send a transaction and mine it; fails the test when it reverts."""
        target = contract(name)
        tx = {
            "from": f"0x{sender.hex()}",
            "to": f"0x{target.address.hex()}",
            "data": f"0x{target.encode(function, args).hex()}",
            "gas": hex(5_000_000),
        }
        hash_ = self.rpc("eth_sendTransaction", tx)
        # anvil answers before it has mined.
        deadline = time.monotonic() + 10
        while (receipt := self.rpc("eth_getTransactionReceipt", hash_)) is None:
            assert time.monotonic() < deadline, f"{name}.{function} was not mined"
            time.sleep(0.01)
        assert receipt["status"] == "0x1", f"{name}.{function} reverted"
        return bytes.fromhex(hash_[2:])

    def timelock(self, name: str, function: str, args: tuple[Any, ...] = ()) -> bytes:
        """Send as the timelock, as an executed proposal would."""
        address = contract("TimelockController").address
        text = f"0x{address.hex()}"
        self.rpc("anvil_setBalance", text, hex(10**20))
        self.rpc("anvil_impersonateAccount", text)
        try:
            return self.send(address, name, function, args)
        finally:
            self.rpc("anvil_stopImpersonatingAccount", text)

    def parameters_set(self, **values: int) -> bytes:
        """Set parameters by name, with ``__`` for the dot: ``attest__ttl=600``."""
        wanted = {keccak(n.replace("__", ".", 1).encode()): v for n, v in values.items()}
        keys = tuple(sorted(wanted))
        expected = tuple(chain_call("NetworkParameters", "getVoted", (key,)) for key in keys)
        new = tuple(wanted[key].to_bytes(32, "big") for key in keys)
        return self.timelock("NetworkParameters", "set", (keys, expected, new))

    def pass_time(self, seconds: int, blocks: int = 3) -> None:
        """Move the chain's clock and mine, so that what was sent is final (depth 2)."""
        self.rpc("evm_increaseTime", seconds)
        self.rpc("anvil_mine", hex(blocks))

    def index(self) -> None:
        index_until_head()

    def settle(self) -> None:
        """Make everything sent so far final, and index it."""
        self.rpc("anvil_mine", hex(3))
        self.index()

    def register_node(
        self,
        ed25519: bytes,
        *,
        ml_dsa_65: bytes = b"",
        gpu_class: str = "h100_80g",
        gpu_count: int = 2,
        operator: int = 3,
    ) -> bytes:
        """Register a node on chain and return its id."""
        account = self.accounts[operator].address
        class_ = gpu_class.encode().ljust(32, b"\0")
        hash_ = keys_hash(operator=account, ed25519=ed25519, ml_dsa_65=ml_dsa_65)
        stake = chain_call("NodeRegistry", "requiredStake", (class_, gpu_count))
        registry = contract("NodeRegistry").address
        self.send(account, "AlthingToken", "approve", (registry, stake))
        region = b"eu-north".ljust(32, b"\0")
        args = (hash_, class_, gpu_count, region, "https://node.example/meta")
        self.send(account, "NodeRegistry", "register", args)
        return bytes(chain_call("NodeRegistry", "nodeIdOf", (account, hash_)))


@pytest.fixture
def network_projectors(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Only the network's projectors run."""
    registry: dict[str, Any] = {}
    monkeypatch.setattr(projections, "_registry", registry)
    for projector in (
        projectors.ParametersProjector(),
        projectors.ParameterSetsProjector(),
        projectors.NodesProjector(),
        projectors.CasesProjector(),
        projectors.LedgerProjector(),
    ):
        projections.register_projector(projector)
    return registry


@pytest.fixture
def world(
    rpc: Callable[..., Any],
    deployment: dict[str, Any],
    web3_accounts: list[Any],
    network_projectors: dict[str, Any],
    db: None,
) -> World:
    """The deployed contracts, not indexed yet."""
    cache.clear()
    policy_cache_clear()
    certificates_forget()
    collateral_forget()
    lists_forget()
    rpc_client()
    return World(rpc, web3_accounts)


@pytest.fixture
def indexed(world: World) -> World:
    """The same, with everything since the deployment indexed and final."""
    world.settle()
    return world


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, EmulatorAuthority]:
    """An emulator installation of this run."""
    folder = tmp_path_factory.mktemp("emulator")
    return folder, emulator_prepare(folder)


@pytest.fixture(scope="session")
def ear_key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A P-256 key as the deployment would hold it."""
    path = tmp_path_factory.mktemp("ear") / "ear.pem"
    key = ec.generate_private_key(ec.SECP256R1())
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


@pytest.fixture
def service(
    indexed: World,
    settings: Any,
    emulator: tuple[Path, EmulatorAuthority],
    ear_key_file: Path,
) -> World:
    """The indexed world with a service that trusts this run's emulator and signs its verdicts."""
    settings.EMULATOR_ROOT_DIR = emulator[0]
    settings.EAR_KEY_PATH = ear_key_file
    manifests_import(at=clock.now())
    return indexed


@pytest.fixture
def make_node(service: World, emulator: tuple[Path, EmulatorAuthority]) -> Callable[..., TestNode]:
    """Register a node on chain, with its cards; its keys are proven unless told otherwise."""

    def make(
        *,
        proven: bool = True,
        gpu_count: int = 2,
        ml_dsa: MLDSA65PrivateKey | None = None,
        **options: Any,
    ) -> TestNode:
        key = Ed25519PrivateKey.generate()
        node_id = service.register_node(
            key.public_key().public_bytes_raw(),
            ml_dsa_65=b"" if ml_dsa is None else ml_dsa.public_key().public_bytes_raw(),
            gpu_count=gpu_count,
            **options,
        )
        service.settle()
        label = node_id.hex()[:8]
        gpus = [EmulatedGpu(emulator[1], f"{label}-{index}") for index in range(gpu_count)]
        operator_key = service.accounts[options.get("operator", OPERATOR)].private_key
        made = TestNode(node_id, operator_key, gpus, key, ml_dsa=ml_dsa)
        if proven:
            answer = made.prove_keys()
            assert answer.status_code == 201, answer.content
        return made

    return make


def parameter(name: str) -> Parameter:
    return Parameter.objects.get(name=name)


def node(node_id: bytes) -> Node:
    return Node.objects.get(node_id=node_id)
