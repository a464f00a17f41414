"""From the node to a batch: everything is fetched before the transaction opens, so that a slow
node never holds a lock and a lying one never reaches the database."""

from collections.abc import Sequence

from chain import conf
from chain.finality import finality
from chain.indexer.batch import Batch, StoredRead, Touched, log_index, touched_collect
from chain.indexer.planner import Observation, Position, Window, window_grow
from chain.indexer.reads import ReadRequest, read_request
from chain.projections import registered_projectors
from chain.rpc.client import Call, RpcClient
from chain.rpc.errors import (
    ContractReverted,
    Inconsistent,
    Permanent,
    RpcError,
    StateUnavailable,
)
from chain.rpc.types import BlockHeader, RawLog, hex_bytes, hex_int, parse_receipt
from chain.rpc.validation import bloom_may_hold_any, check_block_logs
from chain.watch import watched_contracts


def observe(client: RpcClient, *, position: Position, ahead: int) -> Observation:
    """Look at the node, in one exchange (two where finality is a depth and we are behind).

    Raises:
        RpcError
    """
    depth = conf.finality_depth()
    wanted: list[int | str] = [position.number, "latest"]
    wanted += [] if depth is not None else ["finalized"]
    wanted += range(position.number + 1, position.number + 1 + ahead)
    headers = client.headers(wanted)
    head = headers[1]
    if head is None:
        raise Inconsistent("The node has no latest block.")
    following = [header for header in headers[-ahead:] if header is not None]
    if depth is None:
        number = headers[2].number if headers[2] is not None else 0
    else:
        number = max(0, head.number - depth)
    final = finality(client, finalized_number=number)
    return Observation(headers[0], head, final.number, following, final.complaint)


def batch_of_block(
    client: RpcClient, *, base: Position, block: BlockHeader, seen: Observation
) -> Batch:
    """Fetch one block of the hot lane, by its hash.

    Raises:
        RpcError: BlockUnknown when the node left the block meanwhile.
    """
    logs = block_logs(client, block, list(watched_contracts()))
    return _batch(client, base=base, end=block, blocks=[block], raw_logs=logs, seen=seen)


def batch_of_window(
    client: RpcClient, *, base: Position, window: Window, window_blocks: int, seen: Observation
) -> Batch:
    """Fetch final blocks by number; only the headers of blocks with logs are kept.

    Raises:
        RpcError: RangeTooLarge asks for a smaller window.
    """
    addresses = list(watched_contracts())
    blocks, logs = window_logs(client, window.first.number, window.end, addresses)
    batch = _batch(client, base=base, end=blocks[-1], blocks=blocks, raw_logs=logs, seen=seen)
    batch.window_blocks = window_grow(window_blocks)
    return batch


def block_logs(client: RpcClient, block: BlockHeader, addresses: Sequence[bytes]) -> list[RawLog]:
    """The logs of ``addresses`` in one block, by its hash, checked against its header.

    Raises:
        RpcError
    """
    # The bloom spares most blocks their request: it never denies a log that is there.
    if not bloom_may_hold_any(block, addresses):
        return []
    logs = client.logs_of_block(block, addresses)
    if not logs:
        _check_really_empty(client, block, addresses)
    return logs


def window_logs(
    client: RpcClient, start: int, end: int, addresses: Sequence[bytes]
) -> tuple[list[BlockHeader], list[RawLog]]:
    """The logs of ``addresses`` in final blocks ``start``..``end``, and the headers of the blocks
    with logs and of ``end``, each checked against the other.

    Raises:
        RpcError: RangeTooLarge asks for fewer blocks.
    """
    logs = client.logs_of_range(start, end, addresses)
    numbers = sorted({log.block_number for log in logs} | {end})
    blocks: list[BlockHeader] = []
    for number, header in zip(numbers, client.headers(numbers), strict=True):
        if header is None:
            raise Inconsistent(f"The node has logs of block {number} but not the block.")
        check_block_logs(header, [log for log in logs if log.block_number == number])
        blocks.append(header)
    return blocks, logs


def _check_really_empty(client: RpcClient, block: BlockHeader, addresses: Sequence[bytes]) -> None:
    """The bloom says "perhaps", the node says "no logs": ask the receipts.

    A node that pruned its logs, or has not indexed them yet, answers [] without an error.
    """
    if block.logs_bloom is None:
        return
    result = client.batch([Call("eth_getBlockReceipts", (f"0x{block.hash.hex()}",))])[0]
    if isinstance(result, Permanent):
        return  # not every node offers it; the bloom alone proves nothing
    if isinstance(result, RpcError):
        raise result
    if not isinstance(result, list):
        raise Inconsistent(f"The node has no receipts for block {block.number}.")
    for receipt in map(parse_receipt, result):
        if any(log.address in addresses for log in receipt.logs):
            raise Inconsistent(f"The node hid logs of block {block.number}.")


def _batch(
    client: RpcClient,
    *,
    base: Position,
    end: BlockHeader,
    blocks: Sequence[BlockHeader],
    raw_logs: Sequence[RawLog],
    seen: Observation,
) -> Batch:
    times = {block.number: block.timestamp for block in blocks}
    logs = [log_index(raw, times[raw.block_number]) for raw in raw_logs]
    touched = touched_collect(logs, end)
    reads = reads_make(client, requests=reads_wanted(touched, end), at=end, seen=seen)
    return Batch(
        base=base,
        end=end,
        head=seen.head,
        finalized_number=seen.finalized_number,
        complaint=seen.complaint,
        blocks=blocks,
        logs=logs,
        touched=touched,
        reads=reads,
    )


def reads_wanted(touched: Touched, end: BlockHeader) -> list[ReadRequest]:
    """What the projectors want read for their touched keys, each read once."""
    wanted: dict[tuple[bytes, bytes], ReadRequest] = {}
    for projector in registered_projectors():
        keys = touched.get(projector.name)
        for read in projector.reads(keys=keys, block=end) if keys else ():
            request = read_request(read)
            wanted[(request.address, request.calldata)] = request
    return list(wanted.values())


def reads_make(
    client: RpcClient, *, requests: Sequence[ReadRequest], at: BlockHeader, seen: Observation
) -> list[StoredRead]:
    """Make reads at a block's hash.

    Where the node no longer has the state after that block (we are catching up with a node
    that prunes), they are made at the newest final block instead: the newest answer is what
    counts, and a final block cannot take it back.

    Raises:
        RpcError: a read failed otherwise than by reverting.
    """
    if not requests:
        return []
    try:
        return _reads_at(client, requests, at)
    except StateUnavailable:
        if seen.finalized_number <= at.number:
            raise
        return _reads_at(client, requests, client.header(seen.finalized_number))


def _reads_at(
    client: RpcClient, requests: Sequence[ReadRequest], at: BlockHeader
) -> list[StoredRead]:
    results = client.batch([request.call(at.hash) for request in requests])
    reads: list[StoredRead] = []
    for request, result in zip(requests, results, strict=True):
        if isinstance(result, ContractReverted):
            ok, value = False, result.data
        elif isinstance(result, RpcError):
            raise result
        elif request.codec is None:
            ok, value = True, hex_int(result).to_bytes(32, "big")
        else:
            ok, value = True, hex_bytes(result)
        reads.append(
            StoredRead(
                request.address,
                request.calldata,
                request.calldata_hash,
                at.number,
                at.hash,
                ok,
                value,
            )
        )
    return reads
