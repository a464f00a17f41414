"""A batch: everything one commit stores, fetched and decoded before its transaction opens."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from chain import conf
from chain.contracts import codec_load
from chain.decoding import AbiError
from chain.indexer.planner import Position
from chain.projections import DecodedLog, registered_projectors
from chain.rpc.types import BlockHeader, RawLog
from chain.watch import watch_current, watched_contracts

#: Keys by projector name, in the order their logs came.
Touched = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class IndexedLog:
    """A raw log with what it was decoded to; ``decoded`` is None where it could not be."""

    raw: RawLog
    block_timestamp: int
    contract: str
    decoded: DecodedLog | None
    undecoded_reason: str = ""


@dataclass(frozen=True, slots=True)
class StoredRead:
    """The answer to a read; ``value`` holds the revert data where ``ok`` is false."""

    address: bytes
    calldata: bytes
    calldata_hash: bytes
    block_number: int
    block_hash: bytes
    ok: bool
    value: bytes


@dataclass(slots=True)
class Batch:
    """What one commit stores. It builds on ``base`` and ends at ``end``."""

    base: Position
    end: BlockHeader
    head: BlockHeader
    finalized_number: int
    blocks: Sequence[BlockHeader]
    logs: Sequence[IndexedLog] = ()
    touched: Touched = field(default_factory=dict)
    reads: Sequence[StoredRead] = ()
    window_blocks: int | None = None
    complaint: str = ""
    #: Which added contracts its logs were fetched for (``WatchList.digest``).
    watch_digest: bytes = field(default_factory=lambda: watch_current().digest)


def log_index(raw: RawLog, timestamp: int) -> IndexedLog:
    """Decode one raw log of a contract that batches follow."""
    return log_read(raw, timestamp, watched_contracts()[raw.address])


def log_read(raw: RawLog, timestamp: int, name: str) -> IndexedLog:
    """Decode one raw log by an ABI's name. What cannot be decoded is kept, with the reason."""
    try:
        event, args = codec_load(name).event_decode(raw.topics, raw.data)
    except AbiError as error:
        return IndexedLog(raw, timestamp, name, None, f"{error.code}: {error.detail}")
    decoded = DecodedLog(
        chain_id=conf.chain_id(),
        block_number=raw.block_number,
        block_hash=raw.block_hash,
        block_timestamp=timestamp,
        transaction_hash=raw.transaction_hash,
        log_index=raw.log_index,
        address=raw.address,
        contract=name,
        event=event,
        args=args,
    )
    return IndexedLog(raw, timestamp, name, decoded)


def touched_collect(logs: Iterable[IndexedLog], end: BlockHeader) -> Touched:
    """All keys to recompute at ``end``: those of the logs and those linked to them, then those
    due by time."""
    decoded = [log.decoded for log in logs if log.decoded is not None]
    touched: Touched = {}
    for projector in registered_projectors():
        keys = [key for log in decoded for key in projector.keys_of(log)]
        keys += projector.keys_linked(keys=list(dict.fromkeys(keys)), block=end)
        keys += projector.due_keys(block=end)
        if keys:
            touched[projector.name] = list(dict.fromkeys(keys))
    return touched
