"""When the chain takes blocks back: find the common ancestor, mark what was left, recompute.

Nothing is deleted. A reorganisation deeper than the stored headers, or below what the node had
called final, halts the index until a person runs ``resolve_reorg``.
"""

from collections.abc import Sequence

from django.db import transaction
from django.db.models import Min

from chain import clock, conf
from chain.indexer import writer
from chain.indexer.batch import (
    Batch,
    Logs,
    Places,
    Touched,
    log_route,
    touched_collect,
    touched_union,
)
from chain.indexer.commit import batch_commit, cursor_lock
from chain.indexer.dispatch import Dispatch
from chain.indexer.fetch import batch_of_blocks
from chain.indexer.history import logs_between
from chain.indexer.planner import HOT_BATCH_MAX, Observation, Position, chained
from chain.models import Block, Cursor, KeyTouch, ReorgEvent
from chain.rpc.client import RpcClient
from chain.rpc.errors import StateUnavailable
from chain.rpc.types import BlockHeader
from chain.watch import watch_first_block, watch_refresh

#: Headers compared in the first exchange while walking back, how much more in each further one,
#: and at most: most reorganisations take one block.
_STEP, _STEP_GROWTH, _STEP_MAX = 2, 8, 128


def ancestor_find(client: RpcClient, *, below: int, lowest: int) -> BlockHeader | None:
    """The newest stored canonical block, of those in ``lowest``..``below``, that the node has
    at the same number.

    Raises:
        RpcError
    """
    stored = Block.objects.filter(chain_id=conf.chain_id(), canonical=True, number__gte=lowest)
    step = _STEP
    while rows := list(stored.filter(number__lte=below).order_by("-number")[:step]):
        headers = client.headers([row.number for row in rows])
        for row, header in zip(rows, headers, strict=True):
            if header is not None and header.hash == row.hash:
                return header
        below, step = rows[-1].number - 1, min(step * _STEP_GROWTH, _STEP_MAX)
    return None


def lowest_allowed(cursor: Cursor) -> int:
    """The lowest ancestor that is repaired without a person."""
    lowest = cursor.number - conf.reorg_window()
    # By tag, final is the chain's promise; by depth it is our guess, which the window corrects.
    return lowest if conf.finality_depth() is not None else max(lowest, cursor.finalized_number)


def reorg_handle(client: RpcClient, *, cursor: Cursor, seen: Observation) -> ReorgEvent:
    """Change over to the node's branch in one commit, or halt where no common block is in reach.

    Raises:
        CursorMoved, RpcError: nothing was changed.
    """
    base = Position(cursor.number, bytes(cursor.hash))
    ancestor = ancestor_find(client, below=cursor.number, lowest=lowest_allowed(cursor))
    if ancestor is None:
        return reorg_halt(base)
    blocks = _branch(client, ancestor, head_number=seen.head.number)
    batch = branch_batch(client, cursor=cursor, ancestor=ancestor, blocks=blocks, seen=seen)
    return branch_commit(batch, finalized_number=cursor.finalized_number)


def _branch(client: RpcClient, ancestor: BlockHeader, *, head_number: int) -> list[BlockHeader]:
    """The first blocks of the node's branch, each the child of the one before."""
    ahead = max(0, min(HOT_BATCH_MAX, head_number - ancestor.number))
    headers = client.headers(range(ancestor.number + 1, ancestor.number + 1 + ahead))
    return chained(ancestor.hash, [header for header in headers if header is not None])


def branch_batch(
    client: RpcClient,
    *,
    cursor: Cursor,
    ancestor: BlockHeader,
    blocks: Sequence[BlockHeader],
    seen: Observation,
) -> Batch:
    """A batch that leaves what lies above ``ancestor`` and goes on with ``blocks``.

    Every key is recomputed that was touched, or last read, above the ancestor.

    Raises:
        RpcError
    """
    kept_from, kept = kept_places(ancestor.number)
    batch = batch_of_blocks(
        client,
        base=Position(cursor.number, bytes(cursor.hash)),
        blocks=blocks,
        seen=seen,
        pending=_keys_left(cursor, ancestor, kept),
        ancestor=ancestor,
    )
    batch.kept, batch.kept_from = kept, kept_from
    return batch


def _keys_left(cursor: Cursor, ancestor: BlockHeader, kept: Places) -> Touched:
    """Keys that were touched, or last read, above the ancestor."""
    left = writer.keys_touched(above=min(ancestor.number, cursor.projected_number))
    return touched_union(left, kept)


def kept_places(number: int) -> tuple[int, Places]:
    """Which keys were touched by blocks up to ``number`` in batches that end above it, and from
    which block on."""
    straddling = KeyTouch.objects.filter(
        chain_id=conf.chain_id(), canonical=True, block_number__gt=number, from_number__lte=number
    )
    start = straddling.aggregate(start=Min("from_number"))["start"]
    if start is None:
        return number, {}
    found, dispatch = Logs(), Dispatch()
    for topic0, log in logs_between(start, number):
        log_route(found, dispatch.route_stored(log.contract, [topic0]), log)
    return int(start), found.places


def branch_commit(batch: Batch, *, finalized_number: int, resolved_by: str = "") -> ReorgEvent:
    """Commit a batch with an ancestor, and the record of the reorganisation with it.

    Raises:
        CursorMoved
    """
    ancestor = batch.ancestor
    if ancestor is None:
        raise ValueError("The batch leaves no branch.")
    with transaction.atomic():
        count = batch_commit(batch)
        return ReorgEvent.objects.create(
            chain_id=conf.chain_id(),
            detected_at=clock.now(),
            old_number=batch.base.number,
            old_hash=batch.base.hash,
            ancestor_number=ancestor.number,
            depth=batch.base.number - ancestor.number,
            keys_recomputed=count,
            crossed_finality=ancestor.number < finalized_number,
            resolved_by=resolved_by,
        )


def reorg_halt(base: Position) -> ReorgEvent:
    """Stop the index, visibly."""
    with transaction.atomic():
        cursor = cursor_lock(base)
        cursor.state = Cursor.State.HALTED_DEEP_REORG
        cursor.error = (
            f"No common block with the node within {conf.reorg_window()} blocks below "
            f"{base.number}. Check the node, then run resolve_reorg."
        )
        cursor.save(update_fields=["state", "error"])
        return ReorgEvent.objects.create(
            chain_id=cursor.chain_id,
            detected_at=clock.now(),
            old_number=base.number,
            old_hash=base.hash,
            ancestor_number=None,
            depth=-1,
            halted=True,
        )


def reorg_resolve(client: RpcClient, *, actor: str, first_block: int) -> ReorgEvent:
    """Go back to the newest common block however deep, and run again.

    Where none of the stored headers is on the node's chain, the index starts over below
    ``first_block``. Raw logs of the chain that was left stay stored, as non-canonical.

    Raises:
        ValueError: the index is not halted.
        RpcError
    """
    with transaction.atomic():
        cursor = Cursor.objects.select_for_update().get(chain_id=conf.chain_id())
        if cursor.state == Cursor.State.RUNNING:
            raise ValueError("The index is not halted; there is nothing to resolve.")
        watch_refresh(bytes(cursor.watch_digest))
        ancestor = ancestor_find(client, below=cursor.number, lowest=0)
        # On another chain nothing stored may stand, an added contract's older logs included.
        ancestor = ancestor or client.header(max(0, watch_first_block(first_block) - 1))
        # A start on another chain has no header stored yet; one on ours has.
        Block.objects.filter(
            chain_id=cursor.chain_id, number=ancestor.number, canonical=True
        ).exclude(hash=ancestor.hash).update(canonical=False)
        finalized_number = cursor.finalized_number
        cursor.state = Cursor.State.RUNNING
        cursor.finalized_number = min(finalized_number, ancestor.number)
        cursor.save(update_fields=["state", "finalized_number"])
        batch = _batch_back(client, cursor=cursor, ancestor=ancestor)
        return branch_commit(batch, finalized_number=finalized_number, resolved_by=actor)


def _batch_back(client: RpcClient, *, cursor: Cursor, ancestor: BlockHeader) -> Batch:
    """A batch that ends at the ancestor itself. Where the node has forgotten the state there, the
    keys are recomputed from what is stored, and read again with the next block."""
    seen = Observation(ancestor, client.header("latest"), 0, ())
    try:
        return branch_batch(client, cursor=cursor, ancestor=ancestor, blocks=(), seen=seen)
    except StateUnavailable:
        kept_from, kept = kept_places(ancestor.number)
        return Batch(
            base=Position(cursor.number, bytes(cursor.hash)),
            end=ancestor,
            head=seen.head,
            finalized_number=0,
            blocks=(),
            touched=touched_collect(_keys_left(cursor, ancestor, kept), ancestor),
            ancestor=ancestor,
            kept=kept,
            kept_from=kept_from,
            read_later=True,
        )
