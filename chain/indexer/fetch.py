"""From the node to a batch: everything is fetched before the transaction opens, so that a slow
node never holds a lock and a lying one never reaches the database."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter

from chain import conf
from chain.finality import finality, logs_agree
from chain.indexer.batch import (
    Batch,
    Logs,
    StoredRead,
    Touched,
    logs_collect,
    touched_collect,
    touched_union,
)
from chain.indexer.dispatch import Dispatch
from chain.indexer.history import logs_by_key
from chain.indexer.planner import Observation, Position
from chain.indexer.reads import ReadRequest, read_request, requests_of
from chain.projections import DecodedLog, Projector, registered_projectors
from chain.rpc.client import Call, RpcClient
from chain.rpc.errors import Inconsistent, Permanent, RpcError, StateUnavailable
from chain.rpc.multicall import multicall
from chain.rpc.proof import blocks_logs_proven
from chain.rpc.receipts import parse_receipt
from chain.rpc.types import BlockHeader, RawLog
from chain.rpc.validation import bloom_may_hold_any, check_block_logs
from chain.watch import watch_current


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


def batch_of_blocks(
    client: RpcClient,
    *,
    base: Position,
    blocks: Sequence[BlockHeader],
    seen: Observation,
    pending: Mapping[str, Sequence[str]] | None = None,
    ancestor: BlockHeader | None = None,
) -> Batch:
    """Fetch blocks of the hot lane, each by its hash and each the child of the one before.

    ``pending`` are keys that wait to be recomputed. With an ``ancestor`` the blocks follow it,
    and those above it up to ``base`` are left; there may be none yet on the new branch.

    Raises:
        RpcError: BlockUnknown when the node left a block meanwhile.
    """
    watched = watch_current()
    contracts = watched.contracts
    raw_logs = blocks_logs(client, blocks, list(contracts))
    times = {block.number: block.timestamp for block in blocks}
    end = blocks[-1] if blocks else ancestor
    if end is None:
        raise ValueError("A batch needs a block to end at.")
    batch = Batch(
        base=base,
        end=end,
        head=seen.head,
        finalized_number=seen.finalized_number,
        complaint=seen.complaint,
        blocks=blocks,
        logs=logs_collect(raw_logs, times, Dispatch(contracts)),
        ancestor=ancestor,
        watch_digest=watched.digest,
    )
    batch_settle(client, batch, pending=pending or {}, finalized_number=seen.finalized_number)
    return batch


def batch_settle(
    client: RpcClient,
    batch: Batch,
    *,
    pending: Mapping[str, Sequence[str]],
    finalized_number: int,
) -> None:
    """Choose the keys to recompute at the batch's end, and read what they need there.

    Raises:
        RpcError
    """
    touched = touched_union(pending, batch.logs.places)
    batch.touched = touched_collect(touched, batch.end)
    kept = [*_logs_pending(pending), *batch.logs.kept]
    batch.reads = reads_make(
        client,
        requests=reads_wanted(batch.touched, batch.end, kept=kept),
        at=batch.end,
        finalized_number=finalized_number,
    )
    batch.settled = True


def _logs_pending(pending: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, DecodedLog]]:
    """Logs of earlier batches that may ask for reads, and whose keys are recomputed only now."""
    for projector in registered_projectors():
        keys = pending.get(projector.name)
        if keys and type(projector).reads_of is not Projector.reads_of:
            for logs in logs_by_key(projector=projector.name, keys=keys).values():
                yield from ((projector.name, log) for log in logs)


def batch_of_window(
    *,
    base: Position,
    blocks: Sequence[BlockHeader],
    logs: Logs,
    seen: Observation,
    window_blocks: int,
    watch_digest: bytes,
) -> Batch:
    """A batch of final blocks whose keys are recomputed later; see ``chain.indexer.backfill``."""
    return Batch(
        base=base,
        end=blocks[-1],
        head=seen.head,
        finalized_number=seen.finalized_number,
        complaint=seen.complaint,
        blocks=blocks,
        logs=logs,
        touched=touched_union(logs.places),
        window_blocks=window_blocks,
        settled=False,
        watch_digest=watch_digest,
    )


def blocks_logs(
    client: RpcClient, blocks: Sequence[BlockHeader], addresses: Sequence[bytes]
) -> list[RawLog]:
    """The logs of ``addresses`` in blocks, by their hashes, checked against their headers and,
    unless that is switched off, proven complete by their receipts.

    Raises:
        RpcError
    """
    if conf.verify_receipts():
        parts = blocks_logs_proven(client, blocks, addresses)
    else:
        parts = [block_logs(client, block, addresses) for block in blocks]
    return [log for part in parts for log in part]


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
    """The logs of ``addresses`` in final blocks ``start``..``end``, and the headers of these two
    and of all with logs, each checked against the other.

    Where there is a second node, it must give the same logs.

    Raises:
        RpcError: RangeTooLarge asks for fewer blocks; NodesDisagree: nothing may be stored.
    """
    # One node for all: that it has block ``end`` says something about its own logs only.
    blocks, logs = client.checked(
        lambda: _window_logs(client, start, end, addresses), together=True
    )
    logs_agree(start=start, end=end, addresses=addresses, logs=logs)
    return blocks, logs


def _window_logs(
    client: RpcClient, start: int, end: int, addresses: Sequence[bytes]
) -> tuple[list[BlockHeader], list[RawLog]]:
    logs = client.logs_of_range(start, end, addresses)
    by_block = {number: list(part) for number, part in groupby(logs, attrgetter("block_number"))}
    numbers = sorted(by_block.keys() | {start, end})
    blocks: list[BlockHeader] = []
    for number, header in zip(numbers, client.headers(numbers), strict=True):
        if header is None:
            raise Inconsistent(f"The node has logs of block {number} but not the block.")
        check_block_logs(header, by_block.get(number, []))
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


def reads_wanted(
    touched: Touched, end: BlockHeader, kept: Sequence[tuple[str, DecodedLog]] = ()
) -> list[ReadRequest]:
    """What the projectors want read for their touched keys and new logs, each read once."""
    wanted: dict[ReadRequest, None] = {}
    projectors = {projector.name: projector for projector in registered_projectors()}
    for name, projector in projectors.items():
        wanted.update(dict.fromkeys(requests_of(projector, touched.get(name, []), end)))
    for name, log in kept:
        for read in projectors[name].reads_of(log=log, block=end):
            wanted[read_request(read)] = None
    return list(wanted)


def reads_make(
    client: RpcClient,
    *,
    requests: Sequence[ReadRequest],
    at: BlockHeader,
    finalized_number: int,
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
        if finalized_number <= at.number:
            raise
        return _reads_at(client, requests, client.header(finalized_number))


def _reads_at(
    client: RpcClient, requests: Sequence[ReadRequest], at: BlockHeader
) -> list[StoredRead]:
    calls = [
        (request.address, None if request.codec is None else request.calldata)
        for request in requests
    ]
    return [
        StoredRead(
            request.address,
            request.calldata,
            request.calldata_hash,
            at.number,
            at.hash,
            ok,
            value,
        )
        for request, (ok, value) in zip(requests, multicall(client, calls, at.hash), strict=True)
    ]
