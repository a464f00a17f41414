"""Many reads at one block in few requests: one eth_call for hundreds, without a contract.

Each read gets its own answer and its own failure, as if it had been asked alone; what cannot be
answered beside others (out of its part of the gas, too large) is asked alone. A target sees the
reader as ``msg.sender`` and cannot write. No Django.
"""

from collections.abc import Iterator, Sequence

from chain.rpc.client import BlockRef, Call, RpcClient, block_param, eth_call_request
from chain.rpc.errors import (
    ContractReverted,
    Inconsistent,
    Permanent,
    RangeTooLarge,
    RpcError,
    Transient,
)
from chain.rpc.read_many import (
    BALANCE,
    ENTRIES_MAX,
    INITCODE,
    INITCODE_MAX,
    RETURNED,
    REVERTED,
    STARVED,
    UNFIT,
)
from chain.rpc.types import hex_bytes, hex_int

#: A target of 20 bytes and calldata; None reads the target's balance.
Read = tuple[bytes, bytes | None]
#: Whether it returned, and the bytes returned, or the revert's; a balance is 32 bytes, wei.
Answer = tuple[bool, bytes]

#: eth_calls of many reads in one exchange: each may take a node tens of milliseconds.
_CALLS_PER_EXCHANGE = 8
#: Bytes of initcode left for entries, and of one entry beside its calldata.
_ROOM = INITCODE_MAX - len(INITCODE) - 2
_ENTRY = 23


def multicall(
    client: RpcClient, calls: Sequence[Read], block: BlockRef, *, sender: bytes | None = None
) -> list[Answer]:
    """Make reads at ``block``; give a hash where all must be of one state.

    With ``sender`` (20 bytes) every read is an ``eth_call`` of its own: only so its target sees
    that account as ``msg.sender``. The same where the node takes no call without ``to``, which
    ``client.deployless`` remembers.

    Raises:
        StateUnavailable: the node no longer keeps the state after that block.
        BlockUnknown: it does not have the block.
        RpcError: a read failed otherwise than by its contract's doing.
    """
    if sender is not None or not client.deployless or len(calls) < 2:
        return _each(client, calls, block, sender)
    answers: dict[int, Answer] = {}
    waiting, alone = list(range(len(calls))), list[int]()
    entries_max = ENTRIES_MAX
    while waiting:
        chunks = list(_chunks(calls, waiting, alone, entries_max))
        found = _ask(client, calls, chunks, block)
        waiting, entries_max = [], 1
        for chunk, statuses in zip(chunks, found, strict=True):
            fits = sum(status != UNFIT for status, _ in statuses)
            entries_max = max(entries_max, fits)
            for index, (status, value) in zip(chunk, statuses, strict=True):
                if status in (REVERTED, RETURNED):
                    answers[index] = (status == RETURNED, value)
                elif status == STARVED or not fits:
                    alone.append(index)
                else:
                    waiting.append(index)
    rest = _each(client, [calls[index] for index in alone], block, None)
    answers |= dict(zip(alone, rest, strict=True))
    return [answers[index] for index in range(len(calls))]


def _chunks(
    calls: Sequence[Read], indexes: Sequence[int], alone: list[int], entries_max: int
) -> Iterator[list[int]]:
    """Cut into parts that one initcode holds; what none can hold goes to ``alone``."""
    chunk: list[int] = []
    size = 0
    for index in indexes:
        need = _ENTRY + len(calls[index][1] or b"")
        if need > _ROOM:
            alone.append(index)
            continue
        if size + need > _ROOM or len(chunk) == entries_max:
            yield chunk
            chunk, size = [], 0
        chunk.append(index)
        size += need
    if chunk:
        yield chunk


def _ask(
    client: RpcClient, calls: Sequence[Read], chunks: Sequence[list[int]], block: BlockRef
) -> list[list[tuple[int, bytes]]]:
    """Status and answer of every entry of every chunk."""
    found: list[list[tuple[int, bytes]]] = []
    for start in range(0, len(chunks), _CALLS_PER_EXCHANGE):
        part = chunks[start : start + _CALLS_PER_EXCHANGE]
        requests = [request_pack([calls[i] for i in chunk], block) for chunk in part]
        results = client.batch(requests) if client.deployless else [None] * len(part)
        for chunk, result in zip(part, results, strict=True):
            statuses = _read(client, result, len(chunk))
            if statuses is None:
                each = _each(client, [calls[index] for index in chunk], block, None)
                statuses = [(RETURNED if ok else REVERTED, value) for ok, value in each]
            found.append(statuses)
    return found


def request_pack(calls: Sequence[Read], block: BlockRef) -> Call:
    """The ``eth_call`` that makes all of ``calls``."""
    parts = [INITCODE, len(calls).to_bytes(2, "big")]
    for target, data in calls:
        length = BALANCE if data is None else len(data)
        parts += [target, length.to_bytes(3, "big"), data or b""]
    return Call("eth_call", ({"data": f"0x{b''.join(parts).hex()}"}, block_param(block)))


def _read(client: RpcClient, result: object, count: int) -> list[tuple[int, bytes]] | None:
    """Unpack an answer; None where the node refuses such calls.

    Raises:
        RpcError: one that is not about the kind of call.
    """
    if isinstance(result, Transient):
        return None  # perhaps words of a refusal nobody knows: the reads alone will tell
    if isinstance(result, ContractReverted | Permanent | RangeTooLarge):
        client.deployless = False
        return None
    if isinstance(result, RpcError):
        raise result
    try:
        return None if result is None else answer_unpack(hex_bytes(result), count)
    except Inconsistent:
        client.deployless = False
        return None


def answer_unpack(raw: bytes, count: int) -> list[tuple[int, bytes]]:
    """Status and bytes of ``count`` entries.

    Raises:
        Inconsistent: the bytes are not our code's output.
    """
    entries: list[tuple[int, bytes]] = []
    at = 0
    for _ in range(count):
        status, length = raw[at : at + 1], int.from_bytes(raw[at + 1 : at + 4], "big")
        at += 4 + length
        if not status or status[0] > UNFIT or at > len(raw):
            raise Inconsistent("The answer is not that of the reading code.")
        entries.append((status[0], raw[at - length : at]))
    if at != len(raw):
        raise Inconsistent("The answer is not that of the reading code.")
    return entries


def _each(
    client: RpcClient, calls: Sequence[Read], block: BlockRef, sender: bytes | None
) -> list[Answer]:
    """Every read as a request of its own."""
    results = client.batch([_single(call, block, sender) for call in calls])
    answers: list[Answer] = []
    for (_, data), result in zip(calls, results, strict=True):
        if isinstance(result, ContractReverted):
            answers.append((False, result.data))
        elif isinstance(result, RpcError):
            raise result
        elif data is None:
            answers.append((True, hex_int(result).to_bytes(32, "big")))
        else:
            answers.append((True, hex_bytes(result)))
    return answers


def _single(call: Read, block: BlockRef, sender: bytes | None) -> Call:
    target, data = call
    if data is None:
        return Call("eth_getBalance", (f"0x{target.hex()}", block_param(block)))
    return eth_call_request(target, data, block, sender=sender)
