"""The one place that writes indexed rows. Every insert is an upsert on the row's place in the
chain: a block left by one reorganisation and taken back by the next keeps its rows."""

from collections.abc import Iterable, Sequence

from django.db.models import Exists, OuterRef

from chain import conf
from chain.indexer.batch import IndexedLog, StoredRead, Touched
from chain.models import Block, ChainRead, KeyTouch, Log, LogKey
from chain.projections import registered_projectors
from chain.rpc.types import BlockHeader

#: Rows per statement.
CHUNK = 2000


def blocks_write(blocks: Iterable[BlockHeader]) -> None:
    """Store headers as canonical."""
    chain_id = conf.chain_id()
    Block.objects.bulk_create(
        [
            Block(
                chain_id=chain_id,
                number=block.number,
                hash=block.hash,
                parent_hash=block.parent_hash,
                timestamp=block.timestamp,
            )
            for block in blocks
        ],
        batch_size=CHUNK,
        update_conflicts=True,
        unique_fields=["chain_id", "hash"],
        update_fields=["canonical"],
    )


def logs_write(logs: Sequence[IndexedLog]) -> None:
    """Store raw logs as canonical, with the projection keys they touch."""
    if not logs:
        return
    rows = Log.objects.bulk_create(
        [_log_row(log) for log in logs],
        batch_size=CHUNK,
        update_conflicts=True,
        unique_fields=["chain_id", "block_hash", "log_index"],
        update_fields=["canonical"],
    )
    chain_id = conf.chain_id()
    LogKey.objects.bulk_create(
        [
            LogKey(chain_id=chain_id, projector=projector.name, key=key, log=row)
            for row, log in zip(rows, logs, strict=True)
            if log.decoded is not None
            for projector in registered_projectors()
            for key in projector.keys_of(log.decoded)
        ],
        batch_size=CHUNK,
        ignore_conflicts=True,
    )


def _log_row(log: IndexedLog) -> Log:
    raw = log.raw
    return Log(
        chain_id=conf.chain_id(),
        block_number=raw.block_number,
        block_hash=raw.block_hash,
        block_timestamp=log.block_timestamp,
        transaction_hash=raw.transaction_hash,
        transaction_index=raw.transaction_index,
        log_index=raw.log_index,
        address=raw.address,
        topics=b"".join(raw.topics),
        data=raw.data,
        contract=log.contract,
        event=log.decoded.event if log.decoded else "",
        undecoded_reason=log.undecoded_reason,
    )


def touches_write(touched: Touched, block: BlockHeader) -> None:
    """Store that these keys were recomputed at ``block``."""
    chain_id = conf.chain_id()
    rows = [
        KeyTouch(
            chain_id=chain_id,
            projector=projector,
            key=key,
            block_number=block.number,
            block_hash=block.hash,
        )
        for projector, keys in touched.items()
        for key in keys
    ]
    if rows:
        KeyTouch.objects.bulk_create(
            rows,
            batch_size=CHUNK,
            update_conflicts=True,
            unique_fields=["chain_id", "projector", "key", "block_hash"],
            update_fields=["canonical"],
        )


def reads_write(reads: Sequence[StoredRead]) -> None:
    """Store reads as canonical. The same read at the same block has the same answer."""
    if not reads:
        return
    chain_id = conf.chain_id()
    ChainRead.objects.bulk_create(
        [
            ChainRead(
                chain_id=chain_id,
                address=read.address,
                calldata=read.calldata,
                calldata_hash=read.calldata_hash,
                block_number=read.block_number,
                block_hash=read.block_hash,
                ok=read.ok,
                value=read.value,
            )
            for read in reads
        ],
        batch_size=CHUNK,
        update_conflicts=True,
        unique_fields=["chain_id", "address", "calldata_hash", "block_hash"],
        update_fields=["canonical"],
    )


def rows_orphan(*, above: int) -> Touched:
    """Mark everything above a block number as non-canonical; return the keys it touched."""
    chain_id = conf.chain_id()
    touches = KeyTouch.objects.filter(chain_id=chain_id, canonical=True, block_number__gt=above)
    touched: Touched = {}
    for projector, key in (
        touches.order_by("block_number", "pk").values_list("projector", "key").iterator()
    ):
        touched.setdefault(projector, []).append(key)
    touches.update(canonical=False)
    for model, column in ((Log, "block_number"), (ChainRead, "block_number"), (Block, "number")):
        model.objects.filter(chain_id=chain_id, canonical=True, **{f"{column}__gt": above}).update(
            canonical=False
        )
    return {projector: list(dict.fromkeys(keys)) for projector, keys in touched.items()}


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
