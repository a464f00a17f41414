"""Writes what a batch holds. Raw rows are added and marked, never changed, never deleted."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from django.db import connection
from django.db.models import Exists, OuterRef

from chain import conf
from chain.indexer.batch import Batch, Logs, Places, StoredRead, Touched
from chain.indexer.history import Answers, reads_newest
from chain.models import Block, ChainRead, Cursor, KeyTouch, Log
from chain.projections import RowProjector, registered_projectors
from chain.rpc.types import BlockHeader
from chain.tables import rows_insert, rows_select

_KEYS_INSERT = """
INSERT INTO chain_logkey (chain_id, projector, key, log_id)
SELECT log.chain_id, item.projector, item.key, log.id
FROM unnest(%s::varchar[], %s::varchar[], %s::bigint[], %s::integer[], %s::bytea[])
    AS item (projector, key, block_number, log_index, block_hash)
JOIN chain_log AS log ON log.chain_id = %s AND log.block_number = item.block_number
    AND log.log_index = item.log_index AND log.block_hash = item.block_hash
ON CONFLICT DO NOTHING
"""
_FIRST_MET = """
SELECT
    NOT EXISTS (SELECT FROM chain_log WHERE chain_id = %s
        AND block_number BETWEEN %s AND %s AND block_hash = ANY(%s)),
    NOT EXISTS (SELECT FROM chain_keytouch
        WHERE chain_id = %s AND block_number = %s AND block_hash = %s),
    NOT EXISTS (SELECT FROM chain_chainread
        WHERE chain_id = %s AND block_number = %s AND block_hash = %s)
"""


def blocks_write(blocks: Iterable[BlockHeader]) -> None:
    """Store headers as canonical."""
    chain_id = conf.chain_id()
    rows = [
        (chain_id, block.number, block.hash, block.parent_hash, block.timestamp, True)
        for block in blocks
    ]
    rows_insert(Block, rows, unique=("chain_id", "hash"), update=("canonical",))


class FirstMet(NamedTuple):
    """Of which kinds nothing is stored of a batch's blocks yet, so that rows need no merging."""

    logs: bool
    touches: bool
    reads: bool


def first_met(batch: Batch) -> FirstMet:
    """What is new of a batch's blocks. A block that was left and is met again has its rows
    already, marked as no longer canonical."""
    blocks = batch.blocks or (batch.end,)
    read = batch.reads[0] if batch.reads else None
    return FirstMet(
        *rows_select(
            _FIRST_MET,
            [
                *(conf.chain_id(), blocks[0].number, batch.end.number),
                [block.hash for block in blocks],
                *(conf.chain_id(), batch.end.number, batch.end.hash),
                *(conf.chain_id(), read and read.block_number, read and read.block_hash),
            ],
        )[0]
    )


def logs_write(logs: Logs, *, fresh: bool = False) -> None:
    """Store raw logs as canonical, the keys whose history they belong to, and the rows that row
    projectors make of them. ``fresh`` as in ``rows_insert``, here and below."""
    if not logs.rows:
        return
    rows_insert(
        Log,
        logs.rows,
        unique=("chain_id", "block_number", "log_index", "block_hash"),
        update=("canonical",),
        fresh=fresh,
    )
    if logs.keys:
        with connection.cursor() as cursor:
            columns = [list(column) for column in zip(*logs.keys, strict=True)]
            cursor.execute(_KEYS_INSERT, [*columns, conf.chain_id()])
    rows_project(logs.projected)


def rows_project(projected: Mapping[str, Sequence[tuple[object, ...]]]) -> None:
    """Write the rows that row projectors made, which are new with their logs."""
    for projector in registered_projectors():
        if isinstance(projector, RowProjector):
            rows_insert(projector.model, projected.get(projector.name, ()), fresh=True)


def touches_write(
    touched: Mapping[str, Iterable[str]],
    places: Places,
    *,
    from_number: int,
    block: BlockHeader,
    fresh: bool = False,
) -> None:
    """Store that these keys were touched in ``from_number``..``block``, and by which newest log."""
    chain_id = conf.chain_id()
    nowhere = (None, None, None)
    rows = [
        (
            *(chain_id, projector, key, from_number, block.number, block.hash),
            *places.get(projector, {}).get(key, nowhere),
            True,
        )
        for projector, keys in touched.items()
        for key in keys
    ]
    rows_insert(
        KeyTouch,
        rows,
        unique=("chain_id", "projector", "key", "block_number", "block_hash"),
        update=("canonical",),
        fresh=fresh,
    )


def reads_write(reads: Sequence[StoredRead], *, fresh: bool = False) -> Answers:
    """Store reads as canonical, and return their answers as they are stored: where a read was made
    at the same block before, that one stays."""
    chain_id = conf.chain_id()
    rows = [
        (
            chain_id,
            read.address,
            read.calldata,
            read.calldata_hash,
            read.block_number,
            read.block_hash,
            read.ok,
            read.value,
            True,
        )
        for read in reads
    ]
    rows_insert(
        ChainRead,
        rows,
        unique=("chain_id", "address", "calldata_hash", "block_hash"),
        update=("canonical",),
        fresh=fresh,
    )
    if fresh:
        return {read.read_key: (read.ok, read.value, read.block_number) for read in reads}
    return reads_newest(read.read_key for read in reads)


def rows_orphan(*, above: int) -> None:
    """Mark everything above a block number as no longer canonical, and delete the rows that row
    projectors made of it."""
    chain_id = conf.chain_id()
    for projector in registered_projectors():
        if isinstance(projector, RowProjector):
            rows = projector.model._default_manager.filter(
                **{f"{projector.number_column}__gt": above}
            )
            rows._raw_delete(rows.db)
    for model in (KeyTouch, Log, ChainRead):
        model.objects.filter(chain_id=chain_id, canonical=True, block_number__gt=above).update(
            canonical=False
        )
    Block.objects.filter(chain_id=chain_id, canonical=True, number__gt=above).update(
        canonical=False
    )


def keys_touched(*, above: int) -> Touched:
    """Keys with a canonical touch above a block, in the order they were touched."""
    rows = (
        KeyTouch.objects.filter(chain_id=conf.chain_id(), canonical=True, block_number__gt=above)
        .order_by("block_number", "pk")
        .values_list("projector", "key")
    )
    touched: dict[str, dict[str, None]] = {}
    for projector, key in rows.iterator():
        touched.setdefault(projector, {})[key] = None
    return {projector: list(keys) for projector, keys in touched.items()}


def keys_pending(cursor: Cursor) -> Touched:
    """Keys that were touched but not recomputed yet: a catch-up was cut short."""
    if cursor.projected_number >= cursor.number:
        return {}
    return keys_touched(above=cursor.projected_number)


def headers_prune(*, below: int) -> int:
    """Delete headers below a number that nothing refers to; return how many.

    Only headers: logs, reads and touches are history and stay.
    """
    same_block = {"chain_id": OuterRef("chain_id"), "block_number": OuterRef("number")}
    rows = Block.objects.filter(
        ~Exists(Log.objects.filter(**same_block)),
        ~Exists(KeyTouch.objects.filter(**same_block)),
        chain_id=conf.chain_id(),
        number__lt=below,
    )
    return int(rows._raw_delete(rows.db))
