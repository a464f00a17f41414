"""A contract that was added late is caught up in a lane of its own, and joins the main one.

Three stretches. Blocks that are final and deep come by number windows, each committed with the
contract's own row as lock, fence and checkpoint. The rest, up to the main cursor, comes by hash
and commits under the cursor's lock together with ``joined``, so that from this block on, and not
one sooner or later, the main lane has the contract's logs. Then the keys that the older logs touch
are recomputed, some at a time. Each commit stands alone: killed anywhere, the next step goes on.
"""

import logging
from collections.abc import Callable, Sequence

from django.db import transaction

from chain import conf
from chain.indexer import fetch, writer
from chain.indexer.backfill import window_fetch
from chain.indexer.batch import Batch, Touched, logs_collect, touched_union
from chain.indexer.commit import CursorMoved, batch_commit, cursor_lock
from chain.indexer.dispatch import Dispatch
from chain.indexer.planner import Position, window_next
from chain.models import Block, Cursor, Log, LogKey, WatchedContract
from chain.projections import registered_projectors
from chain.rpc.client import RpcClient
from chain.rpc.errors import BlockUnknown, Inconsistent, RpcError
from chain.rpc.types import BlockHeader, RawLog
from chain.watch import cursor_name_watched

logger = logging.getLogger(__name__)

#: Keys recomputed in one commit after joining; the main lane waits for it.
SETTLE_KEYS = 200

Reached = Callable[[str], None]


def join_step(client: RpcClient, *, reached: Reached = lambda name: None) -> bool:
    """Bring one contract one step further; whether anything was done.

    A contract whose logs the node does not give keeps its error in its row and holds up no other.
    """
    rows = list(
        WatchedContract.objects.filter(
            chain_id=conf.chain_id(), removed_at=None, settled=False
        ).order_by("pk")
    )
    if not rows:
        return False
    cursor = Cursor.objects.filter(chain_id=conf.chain_id()).first()
    if cursor is None or cursor.state != Cursor.State.RUNNING:
        return False
    for row in rows:
        try:
            if _row_step(client, cursor=cursor, row=row, reached=reached):
                return True
        except CursorMoved:
            return True  # somebody else committed first; look again
        except RpcError as error:
            _error_note(row, f"The node: {error.detail} ({error.code})")
    return False


def _row_step(client: RpcClient, *, cursor: Cursor, row: WatchedContract, reached: Reached) -> bool:
    if row.joined:
        return _settle(client, cursor=cursor, row=row, reached=reached)
    deep = min(cursor.finalized_number, cursor.head_number - conf.reorg_window())
    target = min(deep, cursor.number)
    if row.indexed_to < target:
        return _window(client, row=row, target=target, reached=reached)
    if deep > cursor.number:
        # The main lane is still among final blocks. Joined now, every key would be read at a
        # block whose state the node may have dropped; later there is one read of each.
        return False
    return _join(client, cursor=cursor, row=row, reached=reached)


# --- final blocks, by number ----------------------------------------------------


def _window(client: RpcClient, *, row: WatchedContract, target: int, reached: Reached) -> bool:
    start, end = row.indexed_to + 1, min(row.indexed_to + row.window_blocks, target)
    fetched = window_fetch(client, start, end, [bytes(row.address)])
    first, last = fetched.headers[0], fetched.headers[-1]
    if row.indexed_hash is not None and first.parent_hash != bytes(row.indexed_hash):
        raise Inconsistent(f"Final block {start} does not follow the one before it.")
    reached("join.fetched")
    with transaction.atomic():
        held = _row_lock(row)
        stored = _logs_store(held, blocks=fetched.headers, raw_logs=fetched.raw_logs)
        held.indexed_to, held.indexed_hash, held.error = last.number, last.hash, ""
        held.window_blocks = window_next(row.window_blocks, part=fetched.part, logs_count=stored)
        held.save(update_fields=["indexed_to", "indexed_hash", "window_blocks", "error"])
    reached("join.committed")
    return True


def _row_lock(row: WatchedContract) -> WatchedContract:
    """Lock a contract's row, provided it still stands where this fetch began.

    Raises:
        CursorMoved
    """
    held = WatchedContract.objects.select_for_update().get(pk=row.pk)
    if _place(held) != _place(row):
        raise CursorMoved(f"The progress of 0x{row.address.hex()} changed meanwhile.")
    return held


def _place(row: WatchedContract) -> tuple[object, ...]:
    known = None if row.indexed_hash is None else bytes(row.indexed_hash)
    return (row.indexed_to, known, row.generation, row.joined, row.settled, row.removed_at)


def _logs_store(
    row: WatchedContract, *, blocks: Sequence[BlockHeader], raw_logs: Sequence[RawLog]
) -> int:
    """Store logs with their blocks, and that they touched their keys; return how many came.

    Raises:
        Inconsistent: the node's block is not the one we have at its number.
    """
    times = {block.number: block.timestamp for block in blocks}
    numbers = {log.block_number for log in raw_logs}
    needed = [block for block in blocks if block.number in numbers]
    _blocks_compare(row, needed)
    writer.blocks_write(needed)
    fresh = _not_stored(row, raw_logs)
    if fresh:
        logs = logs_collect(fresh, times, Dispatch({bytes(row.address): row.abi}))
        writer.logs_write(logs)
        # As of the last block with a log: only of such blocks the headers are kept.
        writer.touches_write(
            touched_union(logs.places),
            logs.places,
            from_number=needed[0].number,
            block=needed[-1],
        )
    return len(raw_logs)


def _not_stored(row: WatchedContract, raw_logs: Sequence[RawLog]) -> list[RawLog]:
    """Those logs that are not canonical here already: a contract that is to begin earlier than
    before passes its own old logs once more."""
    if not raw_logs:
        return []
    rows = Log.objects.filter(
        chain_id=row.chain_id,
        canonical=True,
        address=row.address,
        block_number__gte=raw_logs[0].block_number,
        block_number__lte=raw_logs[-1].block_number,
    )
    known = {(bytes(place[0]), place[1]) for place in rows.values_list("block_hash", "log_index")}
    return [log for log in raw_logs if (log.block_hash, log.log_index) not in known]


def _blocks_compare(row: WatchedContract, blocks: Sequence[BlockHeader]) -> None:
    stored = Block.objects.filter(
        chain_id=row.chain_id, canonical=True, number__in=[block.number for block in blocks]
    )
    ours = {number: bytes(hash) for number, hash in stored.values_list("number", "hash")}
    for block in blocks:
        if ours.get(block.number, block.hash) != block.hash:
            raise Inconsistent(
                f"The node's block {block.number} is not the one that is indexed; either the "
                "chain was reorganised below what is final, or the node is of another chain."
            )


# --- up to the cursor, by hash --------------------------------------------------


def _join(client: RpcClient, *, cursor: Cursor, row: WatchedContract, reached: Reached) -> bool:
    blocks = _blocks_between(client, cursor=cursor, row=row)
    if blocks is None:
        return False  # the node left our branch; the main lane finds out and goes back
    try:
        raw_logs = fetch.blocks_logs(client, blocks, [bytes(row.address)])
    except BlockUnknown:
        return False
    reached("join.last.fetched")
    with transaction.atomic():
        held_cursor = cursor_lock(Position(cursor.number, bytes(cursor.hash)))
        held = _row_lock(row)
        _logs_store(held, blocks=blocks, raw_logs=raw_logs)
        held.joined, held.joined_number, held.error = True, cursor.number, ""
        held.settled_projector, held.settled_key = "", ""
        held.indexed_to, held.indexed_hash = cursor.number, bytes(cursor.hash)
        held.save()
        cursor_name_watched(held_cursor)
    reached("join.joined")
    logger.info("%s joined the index at block %d.", row, cursor.number)
    return True


def _blocks_between(
    client: RpcClient, *, cursor: Cursor, row: WatchedContract
) -> list[BlockHeader] | None:
    """Headers after the contract's last block up to the cursor's, each the parent of the next;
    None where the node's do not lead from the one to the other."""
    numbers = range(row.indexed_to + 1, cursor.number + 1)
    blocks: list[BlockHeader] = []
    parent = None if row.indexed_hash is None else bytes(row.indexed_hash)
    for header in client.headers(numbers) if numbers else ():
        if header is None or (parent is not None and header.parent_hash != parent):
            return None
        blocks.append(header)
        parent = header.hash
    # A contract younger than the cursor's block has nothing to fetch, and nothing to link.
    return blocks if not blocks or parent == bytes(cursor.hash) else None


# --- what the older logs touch --------------------------------------------------


def _settle(client: RpcClient, *, cursor: Cursor, row: WatchedContract, reached: Reached) -> bool:
    base = Position(cursor.number, bytes(cursor.hash))
    at = BlockHeader(base.number, base.hash, cursor.timestamp)
    keys = _keys_next(row)
    # A batch that ends where it began: no block, only what is known of these keys there.
    batch = Batch(
        base=base,
        end=at,
        head=BlockHeader(cursor.head_number, b"", cursor.head_timestamp),
        finalized_number=cursor.finalized_number,
        blocks=(),
        complaint=cursor.error,
        watch_digest=bytes(cursor.watch_digest),
    )
    fetch.batch_settle(
        client,
        batch,
        pending=touched_union(writer.keys_pending(cursor), keys),
        finalized_number=cursor.finalized_number,
    )
    reached("join.read")
    with transaction.atomic():
        batch_commit(batch)
        held = _row_lock(row)
        held.settled = not keys
        if keys:
            held.settled_projector, last = list(keys.items())[-1]
            held.settled_key = last[-1]
        held.save(update_fields=["settled", "settled_projector", "settled_key"])
    reached("join.settled")
    return True


def _keys_next(row: WatchedContract) -> Touched:
    """The next keys of the contract's logs, projector by projector and in their own order, after
    the last that was recomputed. Keys that come later come with the main lane's batches."""
    names = [projector.name for projector in registered_projectors()]
    begun = row.settled_projector in names
    first = names.index(row.settled_projector) if begun else 0
    touched: Touched = {}
    room = SETTLE_KEYS
    for name in names[first:]:
        keys = LogKey.objects.filter(
            chain_id=row.chain_id,
            projector=name,
            log__canonical=True,
            log__contract=row.abi,
            log__address=row.address,
        )
        if begun and name == row.settled_projector:
            keys = keys.filter(key__gt=row.settled_key)
        found = list(keys.order_by("key").values_list("key", flat=True).distinct()[:room])
        if found:
            touched[name] = found
            room -= len(found)
        if not room:
            break
    return touched


def _error_note(row: WatchedContract, text: str) -> None:
    logger.warning("%s: %s", row, text)
    WatchedContract.objects.filter(pk=row.pk).exclude(error=text).update(error=text)
