"""What a node tells us, parsed: bytes and ints, never hex text beyond this module."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from chain.rpc.errors import Inconsistent


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """A block's header. ``timestamp`` in Unix seconds, ``base_fee_wei`` per gas."""

    number: int
    hash: bytes
    timestamp: int
    parent_hash: bytes = b""
    logs_bloom: bytes | None = None
    base_fee_wei: int = 0
    gas_limit: int = 0
    receipts_root: bytes | None = None
    #: The hash was recomputed from the fields: what they say is what the hash stands for.
    hash_verified: bool = field(default=False, compare=False)
    #: Hashes of the block's transactions, as hex: read only where a proof asks for them.
    transactions: Sequence[str] | None = field(default=None, compare=False, repr=False)


class RawLog(msgspec.Struct, frozen=True, gc=False):
    """One event log as the node gave it, not decoded. A struct, since they come by the hundred
    thousand."""

    block_number: int
    block_hash: bytes
    transaction_hash: bytes
    transaction_index: int
    log_index: int
    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """A transaction's receipt. ``ok`` is EIP-658's status, ``fee_wei`` what the sender paid:
    gas_used x effectiveGasPrice (EIP-1559), and the L1 data fee where a rollup charges one."""

    transaction_hash: bytes
    block_number: int
    block_hash: bytes
    ok: bool
    gas_used: int
    logs: tuple[RawLog, ...]
    fee_wei: int = 0


def hex_int(value: Any) -> int:
    """Read a QUANTITY.

    Raises:
        Inconsistent: it is no 0x-number of at most 256 bits.
    """
    if not isinstance(value, str) or not value.startswith("0x") or len(value) > 66:
        raise Inconsistent(f"Expected a number, got {str(value)[:40]!r}.")
    try:
        return int(value, 16)
    except ValueError as error:
        raise Inconsistent(f"Expected a number, got {value[:40]!r}.") from error


def hex_bytes(value: Any, length: int | None = None) -> bytes:
    """Read DATA, of ``length`` bytes where given.

    Raises:
        Inconsistent: it is no such bytes.
    """
    if not isinstance(value, str) or not value.startswith("0x"):
        raise Inconsistent(f"Expected bytes, got {str(value)[:40]!r}.")
    try:
        raw = bytes.fromhex(value[2:])
    except ValueError as error:
        raise Inconsistent(f"Expected bytes, got {value[:40]!r}.") from error
    if length is not None and len(raw) != length:
        raise Inconsistent(f"Expected {length} bytes, got {len(raw)}.")
    return raw


def field_of(source: Any, name: str) -> Any:
    if not isinstance(source, Mapping) or source.get(name) is None:
        raise Inconsistent(f"The node's answer lacks {name!r}.")
    return source[name]


def parse_header(source: Any) -> BlockHeader:
    """Read an ``eth_getBlockBy*`` result.

    Raises:
        Inconsistent: it is no header.
    """
    if not isinstance(source, Mapping):
        raise Inconsistent(f"Expected a header, got {str(source)[:40]!r}.")
    bloom, base_fee = source.get("logsBloom"), source.get("baseFeePerGas")
    root, transactions = source.get("receiptsRoot"), source.get("transactions")
    return BlockHeader(
        number=hex_int(field_of(source, "number")),
        hash=hex_bytes(field_of(source, "hash"), 32),
        timestamp=hex_int(field_of(source, "timestamp")),
        parent_hash=hex_bytes(field_of(source, "parentHash"), 32),
        logs_bloom=hex_bytes(bloom, 256) if bloom else None,
        base_fee_wei=hex_int(base_fee) if base_fee else 0,
        gas_limit=hex_int(field_of(source, "gasLimit")),
        receipts_root=hex_bytes(root, 32) if root else None,
        transactions=transactions if isinstance(transactions, list) else None,
    )
