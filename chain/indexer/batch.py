"""A batch: everything one commit stores, fetched and decoded before its transaction opens."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chain import conf
from chain.decoding import AbiError
from chain.indexer.dispatch import Dispatch, Route
from chain.indexer.planner import Position
from chain.indexer.reads import ReadKey
from chain.projections import DecodedLog, LogPlace, registered_projectors
from chain.rpc.types import BlockHeader, RawLog
from chain.watch import watch_current

#: Keys by projector name, in the order their logs came.
Touched = dict[str, list[str]]
#: By projector name: keys in the order their logs came, each with its newest log.
Places = dict[str, dict[str, LogPlace]]


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

    @property
    def read_key(self) -> ReadKey:
        """What names the read."""
        return self.address, self.calldata_hash


@dataclass(slots=True)
class Logs:
    """Logs made ready for their tables.

    ``rows`` are rows of ``chain.models.Log``; ``keys`` are (projector, key, block number, log
    index, block hash) of logs in a key's history, ``kept`` those logs with the projector they are
    kept for; ``projected`` holds the rows that row projectors make of logs.
    """

    rows: list[tuple[Any, ...]] = field(default_factory=list)
    keys: list[tuple[str, str, int, int, bytes]] = field(default_factory=list)
    kept: list[tuple[str, DecodedLog]] = field(default_factory=list)
    places: Places = field(default_factory=dict)
    projected: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)


@dataclass(slots=True)
class Batch:
    """What one commit stores. It builds on ``base`` and ends at ``end``.

    With an ``ancestor`` the blocks between it and ``base`` are left first: they are no longer the
    chain. ``settled`` says that every touched key is recomputed at ``end``; while far behind, the
    last batch of a catch-up does that for all before it.
    """

    base: Position
    end: BlockHeader
    head: BlockHeader
    finalized_number: int
    blocks: Sequence[BlockHeader]
    logs: Logs = field(default_factory=Logs)
    touched: Touched = field(default_factory=dict)
    #: All of them made at one block.
    reads: Sequence[StoredRead] = ()
    window_blocks: int | None = None
    complaint: str = ""
    settled: bool = True
    ancestor: BlockHeader | None = None
    #: Keys touched in the blocks from ``kept_from`` to the ancestor, which stay.
    kept: Places = field(default_factory=dict)
    kept_from: int = 0
    #: The reads could not be made at ``end``: the next batch makes them.
    read_later: bool = False
    #: Which added contracts its logs were fetched for (``WatchList.digest``).
    watch_digest: bytes = field(default_factory=lambda: watch_current().digest)

    @property
    def projected_number(self) -> int | None:
        """Up to where keys are as the chain has them; None where that does not change."""
        moves = self.ancestor is not None or self.end.number != self.base.number
        if not (self.settled and moves):
            return None
        return self.end.number - 1 if self.read_later else self.end.number


def logs_collect(raw_logs: Iterable[RawLog], times: Mapping[int, int], dispatch: Dispatch) -> Logs:
    """Decode logs and make them ready. ``times`` are the timestamps of blocks by number.

    What cannot be decoded is kept, with the reason.
    """
    chain_id = conf.chain_id()
    found = Logs()
    write = found.rows.append
    for raw in raw_logs:
        timestamp = times[raw.block_number]
        event = reason = ""
        try:
            route = dispatch.route(raw.address, raw.topics)
            args = route.codec.decode(raw.topics, raw.data)
        except AbiError as error:
            contract, reason = dispatch.contract(raw.address), f"{error.code}: {error.detail}"
        else:
            contract, event = route.contract, route.codec.name
            log = DecodedLog(
                chain_id,
                raw.block_number,
                raw.block_hash,
                timestamp,
                raw.transaction_hash,
                raw.log_index,
                raw.address,
                contract,
                event,
                args,
            )
            log_route(found, route, log)
        write(
            (
                chain_id,
                raw.block_number,
                raw.block_hash,
                timestamp,
                raw.transaction_hash,
                raw.transaction_index,
                raw.log_index,
                raw.address,
                b"".join(raw.topics),
                raw.data,
                contract,
                event,
                reason,
                True,
            )
        )
    return found


def log_route(found: Logs, route: Route, log: DecodedLog) -> None:
    """Note what one decoded log touches and makes."""
    for projector, rows_of in route.rows:
        found.projected.setdefault(projector, []).extend(rows_of(log))
    place = LogPlace(log.block_number, log.log_index, log.block_timestamp)
    for projector, keys_of, kept in route.touches:
        places = found.places.get(projector)
        if places is None:
            places = found.places[projector] = {}
        keys = keys_of(log)
        if kept and (keys := list(dict.fromkeys(keys))):
            found.kept.append((projector, log))
            found.keys += [(projector, key, place[0], place[1], log.block_hash) for key in keys]
        for key in keys:
            places[key] = place


def touched_collect(touched: Touched, end: BlockHeader) -> Touched:
    """All keys to recompute at ``end``: those that logs touched, those linked to them, and those
    due by time."""
    collected: Touched = {}
    for projector in registered_projectors():
        keys = list(touched.get(projector.name, ()))
        keys += projector.keys_linked(keys=keys, block=end)
        keys += projector.due_keys(block=end)
        if keys:
            collected[projector.name] = list(dict.fromkeys(keys))
    return collected


def touched_union(*parts: Mapping[str, Iterable[str]]) -> Touched:
    """Keys by projector, each once, in the order of the parts."""
    union: dict[str, dict[str, None]] = {}
    for part in parts:
        for projector, keys in part.items():
            union.setdefault(projector, {}).update(dict.fromkeys(keys))
    return {projector: list(keys) for projector, keys in union.items()}
