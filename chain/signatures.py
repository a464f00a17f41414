"""Who signed this text? Plain accounts by recovery, smart accounts by asking their contract.

Sources: EIP-191 (personal messages), EIP-2098 (64-byte form), EIP-1271 (contract signatures),
ERC-6492 (signatures of accounts not deployed yet; verified by one eth_call, never deployed).
"""

from eth_keys.datatypes import Signature
from eth_keys.exceptions import BadSignature
from eth_utils.crypto import keccak as _keccak
from eth_utils.exceptions import ValidationError as EthKeysValidationError

from chain.client import rpc_client
from chain.erc6492 import CALL_GAS, MAGIC_1271, MAGIC_6492, calldata_1271, validator_code
from chain.rpc.client import Call
from chain.rpc.errors import ContractReverted, RpcError
from chain.rpc.types import hex_bytes

#: Half of secp256k1's order: a larger s is the malleable twin (EIP-2).
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
#: Bytes: a hostile signature must not flood us.
SIGNATURE_MAX_BYTES = 8192


class SignatureInvalid(ValueError):
    """Bytes that are no signature of a plain account."""

    code = "signature_invalid"


def keccak(data: bytes) -> bytes:
    """keccak-256, 32 bytes."""
    return bytes(_keccak(data))


def message_hash(text: str) -> bytes:
    """The 32 bytes a wallet signs for ``personal_sign`` (EIP-191, version E)."""
    raw = text.encode("utf-8")
    return keccak(b"\x19Ethereum Signed Message:\n" + str(len(raw)).encode("ascii") + raw)


def recover_message(text: str, signature: bytes) -> bytes:
    """The address (20 bytes) whose key signed ``text``; see :func:`recover_digest`.

    Raises:
        SignatureInvalid: another length, a high s, or no point on the curve.
    """
    return recover_digest(message_hash(text), signature)


def recover_digest(digest: bytes, signature: bytes) -> bytes:
    """The address (20 bytes) whose key signed these 32 bytes (EIP-191 or EIP-712 hash).

    Takes 65 bytes (r, s, v of 0/1/27/28) or the 64 of EIP-2098.

    Raises:
        SignatureInvalid: another length, a high s, or no point on the curve.
    """
    if len(signature) == 64:
        vs = int.from_bytes(signature[32:], "big")
        s = vs & ((1 << 255) - 1)
        signature = signature[:32] + s.to_bytes(32, "big") + bytes([27 + (vs >> 255)])
    if len(signature) != 65:
        raise SignatureInvalid("A signature has 65 bytes.")
    if int.from_bytes(signature[32:64], "big") > _HALF_ORDER:
        raise SignatureInvalid("The signature's s is in the upper half (EIP-2).")
    v = signature[64]
    if v not in (0, 1, 27, 28):
        raise SignatureInvalid("The signature's v is neither 27 nor 28.")
    try:
        found = Signature(signature[:64] + bytes([v % 27]))
        return bytes(found.recover_public_key_from_msg_hash(digest).to_canonical_address())
    except (BadSignature, EthKeysValidationError) as error:
        raise SignatureInvalid("The signature fits no key.") from error


def verify_message(address: bytes, text: str, signature: bytes) -> bool:
    """Whether the account at ``address`` signed ``text``; see :func:`verify_digest`.

    Raises:
        RpcError: the signature is not a plain one and the node could not be asked.
    """
    return verify_digest(address, message_hash(text), signature)


def verify_digest(address: bytes, digest: bytes, signature: bytes) -> bool:
    """Whether the account at ``address`` signed these 32 bytes: by its key, or by its contract.

    Raises:
        RpcError: the signature is not a plain one and the node could not be asked.
    """
    if len(signature) > SIGNATURE_MAX_BYTES:
        return False
    if len(signature) in (64, 65):
        try:
            if recover_digest(digest, signature) == address:
                return True
        except SignatureInvalid:
            pass  # a contract may still accept these bytes by rules of its own
    if signature.endswith(MAGIC_6492):
        return _verify_6492(address, digest, signature)
    return _verify_1271(address, digest, signature)


def _verify_1271(address: bytes, digest: bytes, signature: bytes) -> bool:
    client = rpc_client()
    if not client.code(address):
        return False
    try:
        answer = client.eth_call(address, calldata_1271(digest, signature), gas=CALL_GAS)
    except ContractReverted:
        return False
    return answer[:4] == MAGIC_1271 and len(answer) == 32


def _verify_6492(address: bytes, digest: bytes, signature: bytes) -> bool:
    code = validator_code(address, digest, signature)
    if code is None:
        return False
    request = {"data": f"0x{code.hex()}", "gas": hex(3 * CALL_GAS)}
    result = rpc_client().batch([Call("eth_call", (request, "latest"))])[0]
    if isinstance(result, ContractReverted):
        return False
    if isinstance(result, RpcError):
        raise result
    return hex_bytes(result) == b"\x01"
