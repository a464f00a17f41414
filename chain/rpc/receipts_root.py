"""A block's receipts against the root in its header: nothing missing, nothing added or changed.

The root commits to every receipt in order: status, gas, bloom and logs (address, topics, data).
So a node cannot hide, forge or move a log of a block whose header is proven, however many other
logs it delivers. Known are types 0 to 4 (EIP-2718, 2930, 1559, 4844, 7702) and OP Stack deposits;
a block with another type, or of a chain that makes its header otherwise, cannot be proven.

Checked with anvil 1.7: its header hashes and receipt roots are those of Ethereum.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chain.rpc.errors import Inconsistent
from chain.rpc.log_page import logs_parse
from chain.rpc.rlp_trie import ordered_root, rlp_bytes, rlp_int, rlp_list
from chain.rpc.types import BlockHeader, RawLog, hex_bytes, hex_int

#: EIP-2718 types whose receipt is [status, cumulative gas, bloom, logs].
_PLAIN_TYPES = frozenset(range(5))
#: OP Stack deposit; from Canyon on with its nonce and version.
_DEPOSIT_TYPE = 0x7E


@dataclass(frozen=True, slots=True)
class BlockReceipts:
    """What the receipts of one block say. ``proven``: by the header's receipts root; else
    ``reason`` says why they cannot be, and they are only one node's word. ``succeeded``: whether
    each transaction did (EIP-658), by hash."""

    logs: tuple[RawLog, ...]
    succeeded: Mapping[bytes, bool]
    proven: bool
    reason: str = ""


def receipts_check(header: BlockHeader, source: Any) -> BlockReceipts:
    """Check the result of ``eth_getBlockReceipts`` (raw JSON) against the block's header.

    Raises:
        Inconsistent: they are not the receipts of that block.
    """
    if not isinstance(source, list) or not all(isinstance(item, Mapping) for item in source):
        raise Inconsistent(f"The node has no list of receipts for block {header.number}.")
    receipts = sorted(source, key=lambda item: hex_int(item.get("transactionIndex")))
    parts = _places_check(header, receipts)
    logs = tuple(log for part in parts for log in part)
    succeeded = {
        hex_bytes(receipt["transactionHash"], 32): receipt.get("status") == "0x1"
        for receipt in receipts
    }
    reason = _unprovable(header, receipts)
    if reason:
        return BlockReceipts(logs, succeeded, proven=False, reason=reason)
    root = ordered_root(list(map(receipt_encode, receipts, parts)))
    if root != header.receipts_root:
        raise Inconsistent(
            f"The receipts of block {header.number} are not those its header commits to.",
            evidence={"root of the answer": root.hex(), "header": header},
        )
    for index, log in enumerate(logs):
        if log.log_index != index:
            raise Inconsistent(f"Log {index} of block {header.number} is given as {log.log_index}.")
    return BlockReceipts(logs, succeeded, proven=True)


def _unprovable(header: BlockHeader, receipts: Sequence[Mapping[str, Any]]) -> str:
    if header.receipts_root is None or not header.hash_verified:
        return "The header's hash cannot be recomputed."
    for receipt in receipts:
        kind = _type(receipt)
        if kind not in _PLAIN_TYPES and kind != _DEPOSIT_TYPE:
            return f"Receipts of type {kind:#x} are unknown."
    return ""


def _places_check(header: BlockHeader, receipts: Sequence[Mapping[str, Any]]) -> list[list[RawLog]]:
    """Check that receipts and logs are of this block and in one order; each receipt's logs."""
    hashes = header.transactions
    if hashes is not None and len(hashes) != len(receipts):
        raise Inconsistent(
            f"{len(receipts)} receipts for {len(hashes)} transactions of block {header.number}."
        )
    parts: list[list[RawLog]] = []
    last = -1
    for index, receipt in enumerate(receipts):
        transaction_hash = hex_bytes(receipt.get("transactionHash"), 32)
        if (
            hex_int(receipt.get("transactionIndex")) != index
            or hex_bytes(receipt.get("blockHash"), 32) != header.hash
            or hex_int(receipt.get("blockNumber")) != header.number
            or (hashes is not None and hex_bytes(hashes[index], 32) != transaction_hash)
        ):
            raise Inconsistent(f"Receipt {index} is not of block {header.number}'s transaction.")
        parts.append(logs_parse(receipt.get("logs")))
        for log in parts[-1]:
            place = (log.block_hash, log.block_number, log.transaction_hash, log.transaction_index)
            if place != (header.hash, header.number, transaction_hash, index):
                raise Inconsistent(f"A log in receipt {index} of block {header.number} is not its.")
            if log.log_index <= last:
                raise Inconsistent(f"Log indexes of block {header.number} are not in order.")
            last = log.log_index
    return parts


def _type(receipt: Mapping[str, Any]) -> int:
    kind = receipt.get("type")
    return 0 if kind is None else hex_int(kind)


def receipt_encode(receipt: Mapping[str, Any], logs: Sequence[RawLog]) -> bytes:
    """A receipt, whose logs are parsed, as the trie holds it.

    Raises:
        Inconsistent: a field is malformed.
    """
    state = receipt.get("status")
    fields = [
        # Before Byzantium (EIP-658) the state's root stood here.
        rlp_bytes(hex_bytes(receipt.get("root"), 32)) if state is None else rlp_int(hex_int(state)),
        rlp_int(hex_int(receipt.get("cumulativeGasUsed"))),
        rlp_bytes(hex_bytes(receipt.get("logsBloom"), 256)),
        rlp_list(map(_log_encode, logs)),
    ]
    kind = _type(receipt)
    if kind == _DEPOSIT_TYPE and receipt.get("depositReceiptVersion") is not None:
        fields.append(rlp_int(hex_int(receipt.get("depositNonce"))))
        fields.append(rlp_int(hex_int(receipt["depositReceiptVersion"])))
    encoded = rlp_list(fields)
    return bytes((kind,)) + encoded if kind else encoded


def _log_encode(log: RawLog) -> bytes:
    topics = rlp_list([b"\xa0" + topic for topic in log.topics])  # 32 bytes each
    return rlp_list((b"\x94" + log.address, topics, rlp_bytes(log.data)))
