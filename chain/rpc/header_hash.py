"""Is a block's hash the hash of its header? Recomputed from the fields, for every known fork.

``keccak(rlp(fields))`` (Yellow Paper 4.4.3); later forks append fields: EIP-1559, EIP-4895,
EIP-4844, EIP-4788, EIP-7685. A chain whose headers are made otherwise (some rollups) cannot be
checked so: ``HeaderTrust`` decides by what was seen of that chain before.
"""

from collections.abc import Mapping
from typing import Any

from chain.hashing import keccak
from chain.rpc.errors import Inconsistent
from chain.rpc.rlp_trie import rlp_bytes, rlp_list
from chain.rpc.types import hex_bytes

#: Name in JSON-RPC and length in bytes; 0 is a number, None is bytes of any length.
_FIELDS: tuple[tuple[str, int | None], ...] = (
    ("parentHash", 32),
    ("sha3Uncles", 32),
    ("miner", 20),
    ("stateRoot", 32),
    ("transactionsRoot", 32),
    ("receiptsRoot", 32),
    ("logsBloom", 256),
    ("difficulty", 0),
    ("number", 0),
    ("gasLimit", 0),
    ("gasUsed", 0),
    ("timestamp", 0),
    ("extraData", None),
    ("mixHash", 32),
    ("nonce", 8),
)
#: Appended by forks, in this order; a header has a beginning of this list.
_LATER: tuple[tuple[str, int | None], ...] = (
    ("baseFeePerGas", 0),  # London
    ("withdrawalsRoot", 32),  # Shanghai
    ("blobGasUsed", 0),  # Cancun
    ("excessBlobGas", 0),
    ("parentBeaconBlockRoot", 32),
    ("requestsHash", 32),  # Prague, Osaka
)
#: What stands beside the header in an answer and is no part of what is hashed.
_BESIDE = frozenset(
    "hash transactions uncles withdrawals size totalDifficulty author l1BlockNumber sendCount "
    "sendRoot blockTimestamp milliTimestamp".split()
)
_KNOWN = frozenset(name for name, _ in (*_FIELDS, *_LATER)) | _BESIDE


def header_hash(source: Mapping[str, Any]) -> bytes | None:
    """Hash of a header as JSON-RPC gives it, by the fields known here; None where one is missing.

    Raises:
        Inconsistent: a field is malformed.
    """
    present = [source.get(name) is not None for name, _ in _LATER]
    if sorted(present, reverse=True) != present:
        return None
    if any(source.get(name) is None for name, _ in _FIELDS):
        return None
    fields = [*_FIELDS, *_LATER[: sum(present)]]
    return keccak(rlp_list(rlp_bytes(_bytes(source[name], length)) for name, length in fields))


def fields_unknown(source: Mapping[str, Any]) -> list[str]:
    """Names in a header that no fork known here has."""
    return [name for name, value in source.items() if name not in _KNOWN and value is not None]


def _bytes(value: Any, length: int | None) -> bytes:
    if length != 0:
        return hex_bytes(value, length)
    if not isinstance(value, str) or not value.startswith("0x"):
        raise Inconsistent(f"Expected a number, got {str(value)[:40]!r}.")
    digits = value[2:].lstrip("0")
    try:
        return bytes.fromhex(digits.rjust(len(digits) + len(digits) % 2, "0"))
    except ValueError as error:
        raise Inconsistent(f"Expected a number, got {value[:40]!r}.") from error


class HeaderTrust:
    """What a header that does not give its own hash means on this chain.

    ``strict``: a lie. ``learn``: a lie, once any header of this chain gave its hash, unless it has
    fields that no known fork has; before that the chain makes hashes otherwise, and nothing is
    proven. ``off``: nothing is recomputed.
    """

    def __init__(self, mode: str = "learn") -> None:
        if mode not in ("strict", "learn", "off"):
            raise ValueError(f"CHAIN_VERIFY_HEADERS is none of its values: {mode!r}.")
        self.strict = mode == "strict"
        self._off = mode == "off"
        self._works = self.strict

    def check(self, hash_said: bytes, source: Mapping[str, Any]) -> bool:
        """Whether ``hash_said`` is proven by the fields.

        Raises:
            Inconsistent: it is not, and on this chain it must be.
        """
        if self._off:
            return False
        found = header_hash(source)
        if found == hash_said:
            self._works = True
            return True
        if not self._works or (not self.strict and fields_unknown(source)):
            return False
        raise Inconsistent(
            f"The fields of block 0x{hash_said.hex()[:16]} do not give its hash. If this chain "
            "makes its hashes otherwise, set CHAIN_VERIFY_HEADERS=off.",
            evidence={"recomputed": found.hex() if found else "", "answered": dict(source)},
        )
