"""One transaction per batch: blocks, logs, reads, projections and cursor, or nothing.

The cursor row is lock, fence and checkpoint at once: a batch builds on the (number, hash) it
was fetched for and is refused when the cursor stands anywhere else. So indexers may be many,
die anywhere and deliver twice.
"""

from weakref import WeakSet

from django.db import connection, transaction

from chain import clock, conf
from chain.indexer import writer
from chain.indexer.batch import Batch, touched_union
from chain.indexer.planner import Position
from chain.indexer.project import keys_recompute
from chain.models import Cursor
from chain.rpc.client import RpcClient
from chain.rpc.types import BlockHeader
from chain.watch import watch_roll_back


class CursorMoved(Exception):
    """Another indexer committed first, or the index was halted. Look again; nothing is lost."""

    code = "cursor_moved"


class ChainMismatch(Exception):
    """The node serves another chain than CHAIN_ID says."""

    code = "chain_mismatch"


def cursor_lock(base: Position, *, watch_digest: bytes | None = None) -> Cursor:
    """Lock the cursor, provided it still stands at ``base`` and, where ``watch_digest`` is given,
    names these added contracts: a batch fetched before one joined lacks its logs.

    Raises:
        CursorMoved
    """
    cursor = Cursor.objects.select_for_update().get(chain_id=conf.chain_id())
    if cursor.state != Cursor.State.RUNNING or (cursor.number, cursor.hash) != (
        base.number,
        base.hash,
    ):
        raise CursorMoved(f"The cursor stands at {cursor.number}, not {base.number}.")
    if watch_digest is not None and bytes(cursor.watch_digest) != watch_digest:
        raise CursorMoved("A contract joined or left the index since this was fetched.")
    return cursor


_checked: WeakSet[RpcClient] = WeakSet()


def chain_check(client: RpcClient) -> None:
    """Check, once per client, that the node serves the chain of the settings.

    Raises:
        ChainMismatch, RpcError
    """
    if client in _checked:
        return
    chain_id = client.chain_id()
    if chain_id != conf.chain_id():
        raise ChainMismatch(f"The node serves chain {chain_id}, CHAIN_ID is {conf.chain_id()}.")
    _checked.add(client)


def cursor_start(client: RpcClient, *, first_block: int) -> Cursor:
    """Create the cursor just below the deployment's first block.

    Raises:
        RpcError
    """
    start = client.header(max(0, first_block - 1))
    moment = clock.now()
    with transaction.atomic():
        cursor, created = Cursor.objects.get_or_create(
            chain_id=conf.chain_id(),
            defaults={
                "number": start.number,
                "hash": start.hash,
                "timestamp": start.timestamp,
                "indexed_at": moment,
                "seen_at": moment,
            },
        )
        if created:
            writer.blocks_write([start])
    return cursor


def batch_commit(batch: Batch) -> int:
    """Store a batch and move the cursor to its end; return the number of keys recomputed.

    Raises:
        CursorMoved: nothing was stored.
    """
    with transaction.atomic():
        _flush_later()
        cursor = cursor_lock(batch.base, watch_digest=batch.watch_digest)
        if batch.ancestor is not None:
            branch_leave(batch)
        start = (batch.ancestor or batch.base).number
        first_met = writer.first_met(batch)
        writer.blocks_write(batch.blocks)
        writer.logs_write(batch.logs, fresh=first_met.logs)
        known = writer.reads_write(batch.reads, fresh=first_met.reads)
        writer.touches_write(
            batch.touched,
            batch.logs.places,
            from_number=min(start + 1, batch.end.number),
            block=batch.end,
            fresh=first_met.touches,
        )
        count = 0
        if batch.settled:
            count = keys_recompute(
                batch.touched, block=batch.end, known=known, places=batch.logs.places
            )
        cursor_move(
            cursor,
            to=batch.end,
            head=batch.head,
            finalized_number=batch.finalized_number,
            projected_number=batch.projected_number,
            window_blocks=batch.window_blocks,
            error=batch.complaint,
        )
    return count


def _flush_later() -> None:
    """Let the commit not wait for the disk. A crash of PostgreSQL may then take back the last
    moments of the index, whole batches with the cursor's move, and they are indexed again; what
    other transactions built on them is never kept without them, since the log is flushed in order.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit TO off")


def branch_leave(batch: Batch) -> None:
    """Take back what lies above the batch's ancestor. The caller holds the cursor's lock."""
    ancestor = batch.ancestor
    if ancestor is None:
        raise ValueError("The batch leaves no branch.")
    watch_roll_back(number=ancestor.number, hash=ancestor.hash)
    writer.rows_orphan(above=ancestor.number)
    # Blocks of a batch that ends above the ancestor were touched as of its end, which is gone:
    # those up to the ancestor are said again, as of the ancestor.
    writer.blocks_write([ancestor])
    writer.touches_write(
        touched_union(batch.kept), batch.kept, from_number=batch.kept_from, block=ancestor
    )


def cursor_move(
    cursor: Cursor,
    *,
    to: BlockHeader,
    head: BlockHeader,
    finalized_number: int,
    projected_number: int | None = None,
    window_blocks: int | None = None,
    error: str = "",
) -> None:
    """Move the locked cursor by compare-and-swap.

    Raises:
        CursorMoved: the row changed under the lock, which only a second writer by hand can do.
    """
    moment = clock.now()
    moved = Cursor.objects.filter(
        pk=cursor.pk, number=cursor.number, hash=cursor.hash, state=Cursor.State.RUNNING
    ).update(
        number=to.number,
        hash=to.hash,
        timestamp=to.timestamp,
        head_number=max(head.number, to.number),
        head_timestamp=max(head.timestamp, to.timestamp),
        # What was final stays final, whatever a lagging node says.
        finalized_number=max(cursor.finalized_number, finalized_number),
        projected_number=(
            cursor.projected_number if projected_number is None else projected_number
        ),
        window_blocks=window_blocks or cursor.window_blocks,
        indexed_at=moment,
        seen_at=moment,
        error=error,
    )
    if not moved:
        raise CursorMoved("The cursor changed while it was locked.")
