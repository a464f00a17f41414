"""ERC-6492: may an account that is not deployed yet have signed this? No Django.

A wrapped signature names a factory and the call that deploys the account. The node runs, in one
``eth_call`` that leaves nothing behind, a creation whose code makes that call, asks the account's
``isValidSignature`` (EIP-1271) and returns one byte. The code is written out below: it is short,
straight-line, and differs per signature only in its constants.
"""

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

#: What a wrapped signature ends with.
MAGIC_6492 = bytes.fromhex("6492" * 16)
#: What ``isValidSignature(bytes32,bytes)`` is called by, and answers when it agrees.
MAGIC_1271 = bytes.fromhex("1626ba7e")
#: Gas of each of the two calls: a hostile contract must not spin.
CALL_GAS = 3_000_000

_CODECOPY, _CALL, _STATICCALL, _RETURN = b"\x39", b"\xf1", b"\xfa", b"\xf3"
_POP, _MLOAD, _MSTORE8, _RETURNDATASIZE = b"\x50", b"\x51", b"\x53", b"\x3d"
_EQ, _AND, _SHR = b"\x14", b"\x16", b"\x1c"


def calldata_1271(digest: bytes, signature: bytes) -> bytes:
    """``isValidSignature(digest, signature)``."""
    size = len(signature)
    padded = signature + bytes(-size % 32)
    return MAGIC_1271 + digest + (64).to_bytes(32, "big") + size.to_bytes(32, "big") + padded


def validator_code(account: bytes, digest: bytes, wrapped: bytes) -> bytes | None:
    """The creation code that answers 0x01 if ``account`` (20 bytes) accepts the signature.

    None where ``wrapped`` is no ERC-6492 signature.
    """
    try:
        factory, deploy, signature = decode(
            ["address", "bytes", "bytes"], wrapped.removesuffix(MAGIC_6492)
        )
    except (DecodingError, OverflowError):
        return None
    ask = calldata_1271(digest, signature)
    # The code's length does not depend on the two places, which are pushed at a fixed width.
    size = len(_code(account, bytes.fromhex(factory[2:]), (0, deploy), (0, ask)))
    places = (size, size + len(deploy))
    code = _code(account, bytes.fromhex(factory[2:]), (places[0], deploy), (places[1], ask))
    return code + deploy + ask


def _push(value: int | bytes, size: int = 4) -> bytes:
    raw = value if isinstance(value, bytes) else value.to_bytes(size, "big")
    return bytes([0x5F + len(raw)]) + raw


def _code(
    account: bytes, factory: bytes, deploy: tuple[int, bytes], ask: tuple[int, bytes]
) -> bytes:
    zero = _push(0, 1)
    return b"".join(
        (
            # Deploy; that it fails says nothing, the account may stand already.
            _load(deploy),
            zero + zero + _push(len(deploy[1])) + zero + zero,
            _push(factory) + _push(CALL_GAS) + _CALL + _POP,
            # Ask; 32 bytes of the answer go to memory 0.
            _load(ask),
            _push(32, 1) + zero + _push(len(ask[1])) + zero,
            _push(account) + _push(CALL_GAS) + _STATICCALL,
            # did not fail, and answered one word, and the word begins with the magic
            _RETURNDATASIZE + _push(32, 1) + _EQ + _AND,
            zero + _MLOAD + _push(224, 1) + _SHR + _push(MAGIC_1271) + _EQ + _AND,
            zero + _MSTORE8 + _push(1, 1) + zero + _RETURN,
        )
    )


def _load(part: tuple[int, bytes]) -> bytes:
    """Copy one of the byte strings behind the code to memory 0."""
    place, data = part
    return _push(len(data)) + _push(place) + _push(0, 1) + _CODECOPY
