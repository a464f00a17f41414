"""Logs, from JSON to ``RawLog``: the one answer that comes by the hundred megabytes.

msgspec parses it straight into structs, so that no dictionary is made per log; the rest is hex to
bytes. Imports no Django.
"""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from chain.rpc.errors import Inconsistent, Transient
from chain.rpc.types import RawLog

_TOPICS_MAX = 4
_WORD = frozenset({32})


class _LogJson(msgspec.Struct, rename="camel", gc=False):
    """A log as EIP-1474 writes it; fields not named here are skipped."""

    address: str
    topics: list[str]
    data: str
    block_hash: str
    block_number: str
    transaction_hash: str
    transaction_index: str
    log_index: str
    removed: bool = False


class _Answer(msgspec.Struct):
    """A JSON-RPC 2.0 response with logs."""

    id: Any = None
    result: list[_LogJson] | None = None
    error: Any = None


_decoder = msgspec.json.Decoder(_Answer)


def logs_read(body: bytes, number: int) -> list[RawLog] | None:
    """Read the response to the ``eth_getLogs`` of that id, in the order it came; None where it is
    an error or has no result, which the client's own reading tells apart.

    Raises:
        Inconsistent: it is no list of mined logs. null is not []: a node that does not know must
            not read as "no logs".
        Transient: it is not JSON.
    """
    try:
        answer = _decoder.decode(body)
        if answer.result is not None and answer.id != number:
            raise ValueError("it answers another request")
        return None if answer.result is None else _raw_logs(answer.result)
    except (msgspec.ValidationError, ValueError) as error:
        if isinstance(error, msgspec.DecodeError) and not isinstance(
            error, msgspec.ValidationError
        ):
            raise Transient(f"The node's answer is not JSON: {error}"[:500]) from error
        raise Inconsistent(f"eth_getLogs gave no list of mined logs: {error}"[:500]) from error


def logs_parse(source: Any) -> list[RawLog]:
    """Read logs that are parsed JSON already: those of a receipt.

    Raises:
        Inconsistent: it is no list of mined logs.
    """
    try:
        return _raw_logs(msgspec.convert(source, list[_LogJson]))
    except (msgspec.ValidationError, ValueError) as error:
        raise Inconsistent(f"It is no list of mined logs: {error}"[:500]) from error


def _raw_logs(items: Sequence[_LogJson]) -> list[RawLog]:
    """Hex to bytes. The hashes and the address of a log are mostly those of the log before, whose
    bytes are then taken as they are."""
    fromhex = bytes.fromhex
    logs: list[RawLog] = []
    block_text = number_text = transaction_text = address_text = ""
    block_hash = transaction_hash = address = b""
    number = 0
    for item in items:
        if item.block_hash != block_text or item.block_number != number_text:
            block_text, number_text = item.block_hash, item.block_number
            block_hash, number = _sized(block_text, 32), int(number_text, 16)
        if item.transaction_hash != transaction_text:
            transaction_text = item.transaction_hash
            transaction_hash = _sized(transaction_text, 32)
        if item.address != address_text:
            address_text = item.address
            address = _sized(address_text, 20)
        topics = tuple([fromhex(topic[2:]) for topic in item.topics])
        if len(topics) > _TOPICS_MAX or not _WORD.issuperset(map(len, topics)):
            raise ValueError(f"the topics of log {item.log_index} are not words")
        if item.removed:
            raise ValueError(f"log {item.log_index} is marked as removed by a reorganisation")
        transaction_index, log_index = int(item.transaction_index, 16), int(item.log_index, 16)
        if number < 0 or transaction_index < 0 or log_index < 0:
            raise ValueError(f"a negative place of log {item.log_index}")
        logs.append(
            RawLog(
                number,
                block_hash,
                transaction_hash,
                transaction_index,
                log_index,
                address,
                topics,
                fromhex(item.data[2:]),
            )
        )
    return logs


def _sized(text: str, length: int) -> bytes:
    value = bytes.fromhex(text[2:])
    if len(value) != length:
        raise ValueError(f"{len(value)} bytes where {length} belong")
    return value


def logs_check(logs: Sequence[RawLog], addresses: Collection[bytes]) -> None:
    """Check that logs are of these contracts, in chain order, and no place is taken twice; that
    each block has one hash and each transaction of a block one index.

    Raises:
        Inconsistent
    """
    number = index = -1
    block_hash = transaction_hash = b""
    transaction_index = -1
    for log in logs:
        if log.address not in addresses:
            raise Inconsistent(f"A log of 0x{log.address.hex()}, which was not asked for.")
        if log.block_number != number:
            if log.block_number < number:
                raise Inconsistent("The logs are not in the order of the chain.")
            number, block_hash = log.block_number, log.block_hash
            transaction_hash, transaction_index = log.transaction_hash, log.transaction_index
        else:
            if log.log_index <= index:
                raise Inconsistent(f"Log index {log.log_index} twice in block {number}.")
            if log.block_hash != block_hash:
                raise Inconsistent(f"Logs of block {number} name two hashes of it.")
            if (log.transaction_index == transaction_index) != (
                log.transaction_hash == transaction_hash
            ) or log.transaction_index < transaction_index:
                raise Inconsistent(f"Transaction indexes of block {number} contradict its hashes.")
            transaction_hash, transaction_index = log.transaction_hash, log.transaction_index
        index = log.log_index
