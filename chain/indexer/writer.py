"""Writes what a batch holds. Raw rows are added and marked, never changed, never deleted."""

from collections.abc import Iterable, Mapping, Sequence

from django.db import connection
from django.db.models import Exists, OuterRef

from chain import conf
from chain.indexer.batch import Logs, Places, StoredRead, Touched
from chain.models import Block, ChainRead, Cursor, KeyTouch, Log
from chain.projections import RowProjector, registered_projectors
from chain.rpc.types import BlockHeader
from chain.tables import COPY_FROM, rows_insert

_KEYS_INSERT = """
INSERT INTO chain_logkey (chain_id, projector, key, log_id)
SELECT log.chain_id, item.projector, item.key, log.id
FROM unnest(%s::varchar[], %s::varchar[], %s::bigint[], %s::integer[], %s::bytea[])
    AS item (projector, key, block_number, log_index, block_hash)
JOIN chain_log AS log ON log.chain_id = %s AND log.block_number = item.block_number
    AND log.log_index = item.log_index AND log.block_hash = item.block_hash
ON CONFLICT DO NOTHING
"""


def blocks_write(blocks: Iterable[BlockHeader]) -> None:
    """Store headers as canonical."""
    chain_id = conf.chain_id()
    rows = [
        (chain_id, block.number, block.hash, block.parent_hash, block.timestamp, True)
        for block in blocks
    ]
    rows_insert(Block, rows, unique=("chain_id", "hash"), update=("canonical",))


def logs_write(logs: Logs) -> None:
    """Store raw logs as canonical, the keys whose history they belong to, and the rows that row
    projectors make of them."""
    if not logs.rows:
        return
    chain_id = conf.chain_id()
    numbers = [row[1] for row in (logs.rows[0], logs.rows[-1])]
    # A block left and met again has its logs already, marked as no longer canonical.
    known = Log.objects.filter(
        chain_id=chain_id, block_number__gte=numbers[0], block_number__lte=numbers[1]
    )
    rows_insert(
        Log,
        logs.rows,
        unique=("chain_id", "block_number", "log_index", "block_hash"),
        update=("canonical",),
        fresh=len(logs.rows) > COPY_FROM and not known.exists(),
    )
    if logs.keys:
        with connection.cursor() as cursor:
            columns = [list(column) for column in zip(*logs.keys, strict=True)]
            cursor.execute(_KEYS_INSERT, [*columns, chain_id])
    rows_project(logs.projected)


def rows_project(projected: Mapping[str, Sequence[tuple[object, ...]]]) -> None:
    """Write the rows that row projectors made, which are new with their logs."""
    for projector in registered_projectors():
        if isinstance(projector, RowProjector):
            rows_insert(projector.model, projected.get(projector.name, ()), fresh=True)


def touches_write(
    touched: Mapping[str, Iterable[str]], places: Places, *, from_number: int, block: BlockHeader
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
    known = KeyTouch.objects.filter(chain_id=chain_id, block_number=block.number)
    rows_insert(
        KeyTouch,
        rows,
        unique=("chain_id", "projector", "key", "block_number", "block_hash"),
        update=("canonical",),
        fresh=len(rows) > COPY_FROM and not known.exists(),
    )


def reads_write(reads: Sequence[StoredRead]) -> None:
    """Store reads as canonical. The same read at the same block has the same answer."""
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
    )


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
