"""The proof that a node's keys belong to its operator: hashes and EIP-712 typed data.

Knows no Django and no database. The operator signs ``RegisterNode`` with the wallet
that registered the node on chain; every key of the node signs the same 32-byte
digest. Source: EIP-712; FIPS 204; ``keysHash`` as in ``contracts/interfaces/INodeRegistry.sol``.
"""

from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey

from chain.addresses import to_checksum
from chain.hashing import keccak

DOMAIN_NAME: Final = "Althing Node"
DOMAIN_VERSION: Final = "1"
#: FIPS 204, table 2: bytes of an ML-DSA-65 public key and of a signature.
ML_DSA_65_KEY_BYTES: Final = 1952
ML_DSA_65_SIGNATURE_BYTES: Final = 3309
#: The context (FIPS 204, 5.2) of a registration: no signature that an ML-DSA key makes for another
#: purpose can be shown as this proof, nor this one for another.
ML_DSA_REGISTER_CONTEXT: Final = b"althing-register-v1"
_DOMAIN_TYPE: Final = (
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
_PRIMARY_TYPE: Final = (
    "RegisterNode(address operator,bytes32 nodeId,bytes32 keysHash,uint256 nonce,uint256 deadline)"
)


@dataclass(frozen=True, slots=True)
class RegisterNode:
    """What the operator vouches for. ``nonce`` is the service's challenge, ``deadline_s`` its end
    in Unix seconds; ``registry`` and ``chain_id`` bind it to one deployment."""

    operator: bytes
    node_id: bytes
    keys_hash: bytes
    nonce: bytes
    deadline_s: int
    chain_id: int
    registry: bytes

    def digest(self) -> bytes:
        """The 32 bytes that all keys sign."""
        domain = keccak(
            keccak(_DOMAIN_TYPE.encode("ascii"))
            + keccak(DOMAIN_NAME.encode("ascii"))
            + keccak(DOMAIN_VERSION.encode("ascii"))
            + self.chain_id.to_bytes(32, "big")
            + self.registry.rjust(32, b"\x00")
        )
        message = keccak(
            keccak(_PRIMARY_TYPE.encode("ascii"))
            + self.operator.rjust(32, b"\x00")
            + self.node_id
            + self.keys_hash
            + self.nonce
            + self.deadline_s.to_bytes(32, "big")
        )
        return keccak(b"\x19\x01" + domain + message)

    def typed_data(self) -> dict[str, Any]:
        """The same as wallets take it (``eth_signTypedData_v4``)."""
        return {
            "domain": {
                "name": DOMAIN_NAME,
                "version": DOMAIN_VERSION,
                "chainId": self.chain_id,
                "verifyingContract": to_checksum(self.registry),
            },
            "primaryType": "RegisterNode",
            "types": {
                "EIP712Domain": _type_fields(_DOMAIN_TYPE),
                "RegisterNode": _type_fields(_PRIMARY_TYPE),
            },
            "message": {
                "operator": to_checksum(self.operator),
                "nodeId": f"0x{self.node_id.hex()}",
                "keysHash": f"0x{self.keys_hash.hex()}",
                "nonce": str(int.from_bytes(self.nonce, "big")),
                "deadline": str(self.deadline_s),
            },
        }


def keys_hash(*, operator: bytes, ed25519: bytes, ml_dsa_65: bytes = b"") -> bytes:
    """keccak256(abi.encode(operator, ed25519, keccak256(mlDsa) or zero)), as the registry holds."""
    ml_dsa_hash = keccak(ml_dsa_65) if ml_dsa_65 else bytes(32)
    return keccak(operator.rjust(32, b"\x00") + ed25519 + ml_dsa_hash)


def ed25519_verify(*, public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a raw 32-byte Ed25519 key signed the message (RFC 8032)."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def ml_dsa_65_verify(*, public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a raw ML-DSA-65 key signed the message for a registration (FIPS 204, the pure
    variant, with :data:`ML_DSA_REGISTER_CONTEXT`)."""
    try:
        MLDSA65PublicKey.from_public_bytes(public_key).verify(
            signature, message, ML_DSA_REGISTER_CONTEXT
        )
    except (InvalidSignature, ValueError):
        return False
    return True


def _type_fields(signature: str) -> list[dict[str, str]]:
    inner = signature[signature.index("(") + 1 : -1]
    pairs = (field.split(" ") for field in inner.split(","))
    return [{"name": name, "type": kind} for kind, name in pairs]
