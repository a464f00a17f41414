"""What a projector may know of a key: its canonical logs and reads."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, LiteralString

from chain import conf
from chain.contracts import codec_load
from chain.decoding import AbiInvalid
from chain.indexer.reads import ReadKey, ReadRequest, read_request
from chain.models import Block, ChainRead, KeyTouch
from chain.projections import DecodedLog, LogPlace, Read
from chain.rpc.types import BlockHeader
from chain.tables import rows_select

#: (did not revert, returned bytes, block number).
Answer = tuple[bool, bytes, int]
#: The newest canonical answer to each read; None where it was never made.
Answers = dict[ReadKey, Answer | None]


_LOG_COLUMNS: LiteralString = """
log.chain_id, log.block_number, log.block_hash, log.block_timestamp, log.transaction_hash,
log.log_index, log.address, log.contract, log.topics, log.data
"""
_BY_KEY = f"""
SELECT item.key, log.id, {_LOG_COLUMNS}
FROM chain_logkey AS item JOIN chain_log AS log ON log.id = item.log_id
WHERE item.chain_id = %s AND item.projector = %s AND item.key = ANY(%s)
    AND log.canonical AND log.event <> ''
ORDER BY log.block_number, log.log_index
"""  # noqa: S608 - our own columns
_BETWEEN = f"""
SELECT {_LOG_COLUMNS} FROM chain_log AS log
WHERE log.chain_id = %s AND log.block_number BETWEEN %s AND %s
    AND log.canonical AND log.event <> ''
ORDER BY log.block_number, log.log_index
"""  # noqa: S608 - our own columns
_PLACES = """
SELECT item.key, newest.* FROM unnest(%s::varchar[]) AS item (key), LATERAL (
    SELECT log_number, log_index, log_timestamp FROM chain_keytouch
    WHERE chain_id = %s AND projector = %s AND key = item.key
        AND canonical AND log_number IS NOT NULL
    ORDER BY block_number DESC LIMIT 1
) AS newest
"""


def _log_decode(columns: Sequence[Any]) -> DecodedLog:
    *place, address, contract, topics, data = columns
    words = [topics[i : i + 32] for i in range(0, len(topics), 32)]
    event, args = codec_load(contract).event_decode(words, data)
    chain_id, number, block_hash, timestamp, tx, index = place
    return DecodedLog(
        chain_id, number, block_hash, timestamp, tx, index, address, contract, event, args
    )


class History:
    """The canonical history of one projector's key.

    ``batch_logs`` are logs by key and ``known_reads`` newest answers, each loaded once for
    all keys of a batch.
    """

    def __init__(
        self,
        *,
        projector: str,
        key: str,
        batch_logs: Mapping[str, list[DecodedLog]] | None = None,
        known_reads: Answers | None = None,
        last_log: LogPlace | None = None,
        block: BlockHeader | None = None,
    ) -> None:
        self._chain_id = conf.chain_id()
        self._projector = projector
        self._key = key
        self._logs: dict[tuple[str, str], list[DecodedLog]] = {}
        if batch_logs is not None:
            self._logs[(projector, key)] = batch_logs.get(key, [])
        self._reads = {} if known_reads is None else known_reads
        self._block = block
        #: Where the newest canonical log stands that touched the key, those outside its history
        #: included; None where there is none: the key is to be deleted.
        self.last_log = last_log

    def logs(
        self, *events: str, key: str | None = None, projector: str | None = None
    ) -> list[DecodedLog]:
        """Canonical logs of this key in chain order, of the named events or of all.

        ``key`` and ``projector`` look at another key's logs instead.
        """
        place = (projector or self._projector, self._key if key is None else key)
        if place not in self._logs:
            self._logs[place] = logs_by_key(projector=place[0], keys=[place[1]]).get(place[1], [])
        found = self._logs[place]
        return [log for log in found if log.event in events] if events else list(found)

    def read(self, read: Read) -> Any | None:
        """The newest canonical answer to ``read``; None where it was never made or reverted."""
        found = self.read_at(read)
        return None if found is None else found[0]

    def read_at(self, read: Read) -> tuple[Any, int] | None:
        """The newest canonical answer and the number of the block it was read at."""
        request = read_request(read)
        answer = self._answer(request)
        if answer is None or not answer[0]:
            return None
        try:
            return request.decode(answer[1]), answer[2]
        except AbiInvalid:
            # Nothing lived at that address yet: a call to no code answers with no bytes.
            return None

    def was_read(self, read: Read) -> bool:
        """Whether ``read`` was ever made, answered or reverted."""
        return self._answer(read_request(read)) is not None

    def _answer(self, request: ReadRequest) -> Answer | None:
        place = request.read_key
        if place not in self._reads:
            self._reads.update(reads_newest([place]))
        return self._reads[place]

    @property
    def block(self) -> BlockHeader:
        """The newest canonical block that touched this key: the block being indexed while it
        runs live, and the same one in a rebuild."""
        if self._block is None:
            self._block = self._newest_block()
        return self._block

    def _newest_block(self) -> BlockHeader:
        found = touches_newest(projector=self._projector, keys=[self._key])
        if self._key in found:
            return found[self._key]
        logs = self.logs()
        if logs:
            last = logs[-1]
            return BlockHeader(last.block_number, last.block_hash, last.block_timestamp)
        # A key without history is recomputed only to be deleted; the newest block will do.
        blocks = Block.objects.filter(chain_id=self._chain_id, canonical=True)
        row = blocks.order_by("-number").first()
        if row is None:
            raise LookupError("No block is indexed yet.")
        return BlockHeader(row.number, row.hash, row.timestamp, row.parent_hash)


def logs_by_key(*, projector: str, keys: Iterable[str]) -> dict[str, list[DecodedLog]]:
    """Canonical logs of many keys in one query, each list in chain order."""
    found: dict[str, list[DecodedLog]] = {}
    decoded: dict[int, DecodedLog] = {}
    for key, pk, *columns in rows_select(_BY_KEY, [conf.chain_id(), projector, list(keys)]):
        log = decoded.get(pk) or decoded.setdefault(pk, _log_decode(columns))
        found.setdefault(key, []).append(log)
    return found


def logs_between(first: int, last: int) -> Iterator[tuple[bytes, DecodedLog]]:
    """Canonical logs of some blocks in chain order, each with its first topic."""
    for columns in rows_select(_BETWEEN, [conf.chain_id(), first, last]):
        yield columns[8][:32], _log_decode(columns)


def places_newest(*, projector: str, keys: Sequence[str]) -> dict[str, LogPlace]:
    """Where the newest canonical log stands that touched each key; absent where none did."""
    rows = rows_select(_PLACES, [list(keys), conf.chain_id(), projector])
    return {key: LogPlace(*place) for key, *place in rows}


def touches_newest(*, projector: str, keys: Sequence[str]) -> dict[str, BlockHeader]:
    """The newest canonical block as of which each key was recomputed."""
    touches = (
        KeyTouch.objects.filter(
            chain_id=conf.chain_id(), projector=projector, key__in=keys, canonical=True
        )
        .order_by("key", "-block_number")
        .distinct("key")
    )
    numbers = dict(touches.values_list("key", "block_number"))
    blocks = {
        row.number: BlockHeader(row.number, row.hash, row.timestamp, row.parent_hash)
        for row in Block.objects.filter(
            chain_id=conf.chain_id(), canonical=True, number__in=set(numbers.values())
        )
    }
    return {key: blocks[number] for key, number in numbers.items() if number in blocks}


def reads_newest(reads: Iterable[ReadKey]) -> Answers:
    """The newest canonical answer to each read, in one query."""
    found: Answers = dict.fromkeys(reads)
    if not found:
        return found
    rows = (
        ChainRead.objects.filter(
            chain_id=conf.chain_id(),
            canonical=True,
            address__in={address for address, _ in found},
            calldata_hash__in={calldata_hash for _, calldata_hash in found},
        )
        .order_by("address", "calldata_hash", "-block_number")
        .distinct("address", "calldata_hash")
    )
    for row in rows:
        if (row.address, row.calldata_hash) in found:
            found[(row.address, row.calldata_hash)] = (row.ok, row.value, row.block_number)
    return found
