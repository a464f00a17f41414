"""Registering a node: the transactions on chain, and the proof of its keys to the service."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any, Final

from chain.addresses import AddressInvalid, parse_address, to_checksum
from chain.decoding import AbiError, ContractCodec
from chain.rpc.client import RpcClient
from chain.rpc.errors import ContractReverted, RpcError
from chain.wallet import Wallet
from network.agent.client import ServiceClient
from network.agent.errors import ChainFault, ServiceRefused, ServiceUnreachable
from network.agent.home import NodeKeys
from network.registration import ML_DSA_REGISTER_CONTEXT, RegisterNode

#: Seconds to wait for a transaction, and for the service to index it.
RECEIPT_WAIT_S: Final = 300
INDEX_WAIT_S: Final = 300
POLL_S: Final = 2.0
#: Gas beyond the estimate, in percent: state may change before the transaction is mined.
GAS_MARGIN_PERCENT: Final = 25


@dataclass(frozen=True, slots=True)
class Application:
    """What is registered. ``gpu_class`` is the suffix of ``stake.per_gpu_*``."""

    operator: bytes
    keys_hash: bytes
    gpu_class: str
    gpu_count: int
    region: str
    metadata_uri: str

    def arguments(self) -> tuple[bytes, bytes, int, bytes, str]:
        """As ``NodeRegistry.register`` takes them."""
        return (
            self.keys_hash,
            _bytes32(self.gpu_class, "class"),
            self.gpu_count,
            _bytes32(self.region, "region"),
            self.metadata_uri,
        )


@dataclass(frozen=True, slots=True)
class Contracts:
    """One deployment's addresses, from its deployment file."""

    chain_id: int
    registry: bytes
    token: bytes

    @classmethod
    def read(cls, path: Path) -> Contracts:
        """Read the deployment file. Raises ChainFault ``deployment_malformed``."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            contracts = content["contracts"]
            return cls(
                chain_id=int(content["chain_id"]),
                registry=parse_address(contracts["NodeRegistry"]["address"]),
                token=parse_address(contracts["AlthingToken"]["address"]),
            )
        except (OSError, ValueError, KeyError, TypeError, AddressInvalid) as error:
            raise ChainFault(
                "deployment_malformed", f"{path} is not a deployment file: {error}"
            ) from error


def codec(name: str) -> ContractCodec:
    """One of our contracts' ABI, as shipped with the package."""
    text = (resources.files("chain") / "abi" / f"{name}.json").read_text(encoding="utf-8")
    return ContractCodec(json.loads(text)["abi"])


def register_calldata(application: Application) -> bytes:
    """Calldata of ``NodeRegistry.register``, for any wallet to send."""
    return codec("NodeRegistry").function("register").encode(application.arguments())


def approve_calldata(registry: bytes, stake_wei: int) -> bytes:
    """Calldata of the token's ``approve``, which has to be mined first."""
    return codec("AlthingToken").function("approve").encode((to_checksum(registry), stake_wei))


@dataclass(frozen=True)
class Registrar:
    """Sends the registration from a keystore. ``sleep`` waits seconds; tests replace it."""

    rpc: RpcClient
    contracts: Contracts
    wallet: Wallet
    sleep: Callable[[float], object] = time.sleep
    say: Callable[[str], None] = lambda _: None

    def register(self, application: Application) -> bytes:
        """Approve the stake and register; return the node id. Safe to run again.

        Raises:
            ChainFault: wrong chain, too few tokens, or a refusal by the contract.
        """
        try:
            return self._register(application)
        except ContractReverted as error:
            raise ChainFault(
                "registration_reverted",
                f"The contract refuses: {_revert_name(error)}.",
                {"error": error.code},
            ) from error
        except (RpcError, AbiError) as error:
            raise ChainFault("rpc_failed", f"The chain could not be used: {error}") from error

    def _register(self, application: Application) -> bytes:
        chain_id = self.rpc.chain_id()
        if chain_id != self.contracts.chain_id:
            raise ChainFault(
                "chain_mismatch",
                f"The RPC is chain {chain_id}, the deployment chain {self.contracts.chain_id}.",
            )
        owner = application.operator
        node_id = bytes(
            self._view("NodeRegistry", "nodeIdOf", to_checksum(owner), application.keys_hash)
        )
        if self._registered(node_id):
            self.say("This operator and key are registered already.")
            return node_id
        arguments = application.arguments()
        stake_wei = int(self._view("NodeRegistry", "requiredStake", arguments[1], arguments[2]))
        balance_wei = int(self._view("AlthingToken", "balanceOf", to_checksum(owner)))
        if balance_wei < stake_wei:
            raise ChainFault(
                "stake_insufficient",
                f"{to_checksum(owner)} has {balance_wei} wei of the token; the stake is "
                f"{stake_wei} wei.",
                {"balance_wei": str(balance_wei), "stake_wei": str(stake_wei)},
            )
        registry = to_checksum(self.contracts.registry)
        allowed = int(self._view("AlthingToken", "allowance", to_checksum(owner), registry))
        if allowed < stake_wei:
            self.say(f"Approving the stake of {stake_wei} wei.")
            calldata = approve_calldata(self.contracts.registry, stake_wei)
            self._send(self.contracts.token, calldata)
        self.say("Registering the node.")
        self._send(self.contracts.registry, register_calldata(application))
        return node_id

    def _registered(self, node_id: bytes) -> bool:
        try:
            self._view("NodeRegistry", "node", node_id)
        except ContractReverted:
            return False
        return True

    def _view(self, name: str, function: str, *arguments: Any) -> Any:
        address = {
            "NodeRegistry": self.contracts.registry,
            "AlthingToken": self.contracts.token,
        }[name]
        found = codec(name).function(function)
        return found.decode_output(self.rpc.eth_call(address, found.encode(arguments)))

    def _send(self, to: bytes, data: bytes) -> None:
        """Sign, send and wait until it is mined."""
        sender = self.wallet.address
        gas = self.rpc.estimate_gas(sender=sender, to=to, data=data)
        tip_wei = max(self.rpc.priority_fee_wei(), 1)
        raw = self.wallet.sign_transaction(
            {
                "type": 2,
                "chainId": self.contracts.chain_id,
                "nonce": self.rpc.nonce(sender, "pending"),
                "to": to_checksum(to),
                "value": 0,
                "data": f"0x{data.hex()}",
                "gas": gas * (100 + GAS_MARGIN_PERCENT) // 100,
                "maxPriorityFeePerGas": tip_wei,
                "maxFeePerGas": 2 * self.rpc.header("latest").base_fee_wei + tip_wei,
            }
        )
        transaction = self.rpc.send_raw(raw)
        self.say(f"Sent 0x{transaction.hex()}.")
        for _ in range(int(RECEIPT_WAIT_S / POLL_S)):
            receipt = self.rpc.receipts([transaction])[0]
            if receipt is not None:
                if not receipt.ok:
                    raise ChainFault(
                        "transaction_reverted", f"Transaction 0x{transaction.hex()} reverted."
                    )
                return
            self.sleep(POLL_S)
        raise ChainFault(
            "transaction_pending",
            f"Transaction 0x{transaction.hex()} was not mined in {RECEIPT_WAIT_S} s; run this "
            "again later.",
        )


@dataclass(frozen=True, slots=True)
class Proof:
    """An open challenge for the proof of keys. ``digest`` is what all keys sign."""

    nonce: str
    digest: bytes
    expires_at: str
    typed_data: dict[str, Any]


def proof_open(
    client: ServiceClient,
    *,
    node_id: bytes,
    keys: NodeKeys,
    operator: bytes,
    sleep: Callable[[float], object] = time.sleep,
) -> Proof:
    """Ask for the challenge, waiting until the service has indexed the registration.

    The digest is computed here from its parts and compared, so that no key ever signs
    anything but ``RegisterNode`` for this node.
    """
    path = f"nodes/0x{node_id.hex()}/key-challenges/"
    content = _public_keys(keys)
    for _ in range(int(INDEX_WAIT_S / POLL_S)):
        try:
            answer = client.post_open(path, content)
            break
        except ServiceRefused as error:
            if error.code != "node_unknown":
                raise
            sleep(POLL_S)
    else:
        raise ServiceUnreachable(
            "node_not_indexed",
            f"The service did not see the registration in {INDEX_WAIT_S} s; run: "
            "althing-node prove",
        )
    return _proof_check(answer, node_id=node_id, operator=operator, keys_hash=keys.hash(operator))


def _proof_check(
    answer: dict[str, Any], *, node_id: bytes, operator: bytes, keys_hash: bytes
) -> Proof:
    try:
        domain = answer["typed_data"]["domain"]
        statement = RegisterNode(
            operator=operator,
            node_id=node_id,
            keys_hash=keys_hash,
            nonce=bytes.fromhex(answer["nonce"].removeprefix("0x")),
            deadline_s=int(datetime.fromisoformat(answer["expires_at"]).timestamp()),
            chain_id=int(domain["chainId"]),
            registry=parse_address(domain["verifyingContract"]),
        )
        given = bytes.fromhex(answer["digest"].removeprefix("0x"))
    except (KeyError, TypeError, ValueError, AttributeError, AddressInvalid) as error:
        raise ServiceUnreachable(
            "challenge_malformed", "The service's challenge makes no sense."
        ) from error
    if statement.digest() != given:
        raise ServiceUnreachable(
            "digest_mismatch",
            "The service asks to sign something else than this node's registration. Nothing was "
            "signed.",
        )
    return Proof(
        nonce=answer["nonce"],
        digest=given,
        expires_at=answer["expires_at"],
        typed_data=statement.typed_data(),
    )


def proof_send(
    client: ServiceClient,
    *,
    node_id: bytes,
    proof: Proof,
    keys: NodeKeys,
    operator_signature: bytes,
) -> dict[str, Any]:
    """Send every key's signature; return the accepted key."""
    content = _public_keys(keys) | {
        "nonce": proof.nonce,
        "operator_signature": f"0x{operator_signature.hex()}",
        "node_signature": f"0x{keys.ed25519.sign(proof.digest).hex()}",
    }
    if keys.ml_dsa_65 is not None:
        signature = keys.ml_dsa_65.sign(proof.digest, ML_DSA_REGISTER_CONTEXT)
        content["ml_dsa_signature"] = f"0x{signature.hex()}"
    return client.post_open(f"nodes/0x{node_id.hex()}/keys/", content)


def _public_keys(keys: NodeKeys) -> dict[str, str]:
    """As the API takes them."""
    content = {"ed25519": f"0x{keys.public.hex()}"}
    if keys.pq_public:
        content["ml_dsa_65"] = f"0x{keys.pq_public.hex()}"
    return content


def _bytes32(text: str, name: str) -> bytes:
    """A short name as the registry holds it: ASCII, zero bytes behind."""
    try:
        raw = text.encode("ascii")
    except UnicodeEncodeError:
        raw = b""
    if not 1 <= len(raw) <= 32:
        raise ChainFault("name_invalid", f"The {name} must have 1 to 32 ASCII characters.")
    return raw.ljust(32, b"\0")


def _revert_name(error: ContractReverted) -> str:
    """The custom error's name, looked up in our contracts' ABIs."""
    data = error.data if isinstance(error.data, bytes) else b""
    for name in ("NodeRegistry", "AlthingToken"):
        try:
            found, arguments = codec(name).error_decode(data)
        except AbiError:
            continue
        listed = ", ".join(f"{key} {value}" for key, value in arguments.items())
        return f"{found} ({listed})" if listed else found
    return error.code
