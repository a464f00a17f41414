"""When the chain takes blocks back: find the common ancestor, mark what was left, recompute.

Nothing is deleted. A reorganisation deeper than the stored headers, or below what the node had
called final, halts the index until a person runs ``resolve_reorg``.
"""

from django.db import transaction

from chain import clock, conf
from chain.indexer import writer
from chain.indexer.commit import cursor_lock, cursor_move
from chain.indexer.planner import Position
from chain.indexer.project import keys_recompute
from chain.models import Block, Cursor, ReorgEvent
from chain.rpc.client import RpcClient
from chain.rpc.types import BlockHeader
from chain.watch import watch_roll_back

#: Headers compared in one exchange while walking back.
_STEP = 32


def ancestor_find(client: RpcClient, *, below: int, lowest: int) -> BlockHeader | None:
    """The newest stored canonical block, of those in ``lowest``..``below``, that the node has
    at the same number.

    Raises:
        RpcError
    """
    rows = list(
        Block.objects.filter(
            chain_id=conf.chain_id(), canonical=True, number__lte=below, number__gte=lowest
        ).order_by("-number")
    )
    for start in range(0, len(rows), _STEP):
        part = rows[start : start + _STEP]
        headers = client.headers([row.number for row in part])
        for row, header in zip(part, headers, strict=True):
            if header is not None and header.hash == row.hash:
                return header
    return None


def lowest_allowed(cursor: Cursor) -> int:
    """The lowest ancestor that is repaired without a person."""
    lowest = cursor.number - conf.reorg_window()
    # By tag, final is the chain's promise; by depth it is our guess, which the window corrects.
    return lowest if conf.finality_depth() is not None else max(lowest, cursor.finalized_number)


def reorg_handle(client: RpcClient, *, cursor: Cursor) -> ReorgEvent:
    """Go back to the common ancestor, or halt where there is none in reach.

    Raises:
        CursorMoved, RpcError: nothing was changed.
    """
    base = Position(cursor.number, cursor.hash)
    ancestor = ancestor_find(client, below=cursor.number, lowest=lowest_allowed(cursor))
    if ancestor is None:
        return reorg_halt(base)
    return reorg_roll_back(client, base=base, ancestor=ancestor)


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


def reorg_roll_back(
    client: RpcClient, *, base: Position, ancestor: BlockHeader, resolved_by: str = ""
) -> ReorgEvent:
    """Leave every block above ``ancestor`` and recompute what they had touched."""
    head = client.header("latest")
    with transaction.atomic():
        cursor = cursor_lock(base)
        watch_roll_back(number=ancestor.number, hash=ancestor.hash)
        touched = writer.rows_orphan(above=ancestor.number)
        count = keys_recompute(touched)
        cursor_move(cursor, to=ancestor, head=head, finalized_number=0)
        return ReorgEvent.objects.create(
            chain_id=cursor.chain_id,
            detected_at=clock.now(),
            old_number=base.number,
            old_hash=base.hash,
            ancestor_number=ancestor.number,
            depth=base.number - ancestor.number,
            keys_recomputed=count,
            crossed_finality=ancestor.number < cursor.finalized_number,
            resolved_by=resolved_by,
        )


def reorg_resolve(client: RpcClient, *, actor: str, first_block: int) -> ReorgEvent:
    """Go back to the newest common block however deep, and run again.

    Where none of the stored headers is on the node's chain, the index starts over below
    ``first_block``. Raw logs of the chain that was left stay stored, as non-canonical.

    Raises:
        ValueError: the index is not halted.
    """
    with transaction.atomic():
        cursor = Cursor.objects.select_for_update().get(chain_id=conf.chain_id())
        if cursor.state == Cursor.State.RUNNING:
            raise ValueError("The index is not halted; there is nothing to resolve.")
        ancestor = ancestor_find(client, below=cursor.number, lowest=0)
        ancestor = ancestor or client.header(max(0, first_block - 1))
        cursor.state = Cursor.State.RUNNING
        cursor.finalized_number = min(cursor.finalized_number, ancestor.number)
        cursor.save(update_fields=["state", "finalized_number"])
        event = reorg_roll_back(
            client,
            base=Position(cursor.number, cursor.hash),
            ancestor=ancestor,
            resolved_by=actor,
        )
        # A start on another chain has no header stored yet; one on ours has.
        Block.objects.filter(
            chain_id=cursor.chain_id, number=ancestor.number, canonical=True
        ).exclude(hash=ancestor.hash).update(canonical=False)
        writer.blocks_write([ancestor])
        return event
