"""What a projector may know of a key: its canonical logs and reads."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db.models import F, QuerySet

from chain import conf
from chain.contracts import codec_load
from chain.decoding import AbiInvalid
from chain.indexer.reads import ReadRequest, read_request
from chain.models import Block, ChainRead, KeyTouch, Log
from chain.projections import DecodedLog, LogPlace, Read
from chain.rpc.types import BlockHeader

#: (address, keccak of calldata).
ReadKey = tuple[bytes, bytes]
#: (did not revert, returned bytes, block number).
Answer = tuple[bool, bytes, int]


def log_decode(row: Log) -> DecodedLog:
    """Decode a stored log. Only call it for rows with an ``event``."""
    topics = [row.topics[i : i + 32] for i in range(0, len(row.topics), 32)]
    event, args = codec_load(row.contract).event_decode(topics, row.data)
    return DecodedLog(
        chain_id=row.chain_id,
        block_number=row.block_number,
        block_hash=row.block_hash,
        block_timestamp=row.block_timestamp,
        transaction_hash=row.transaction_hash,
        log_index=row.log_index,
        address=row.address,
        contract=row.contract,
        event=event,
        args=args,
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
        known_reads: dict[ReadKey, Answer | None] | None = None,
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
        answer = self._answer(read_request(read))
        if answer is None or not answer[0]:
            return None
        try:
            return read_request(read).decode(answer[1]), answer[2]
        except AbiInvalid:
            # Nothing lived at that address yet: a call to no code answers with no bytes.
            return None

    def was_read(self, read: Read) -> bool:
        """Whether ``read`` was ever made, answered or reverted."""
        return self._answer(read_request(read)) is not None

    def _answer(self, request: ReadRequest) -> Answer | None:
        place = (request.address, request.calldata_hash)
        if place not in self._reads:
            self._reads.update(reads_newest([request]))
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


def canonical_logs(chain_id: int) -> QuerySet[Log]:
    """Decoded, canonical logs of a chain."""
    return Log.objects.filter(chain_id=chain_id, canonical=True).exclude(event="")


def logs_by_key(*, projector: str, keys: Iterable[str]) -> dict[str, list[DecodedLog]]:
    """Canonical logs of many keys in one query, each list in chain order."""
    rows = (
        canonical_logs(conf.chain_id())
        .filter(keys__projector=projector, keys__key__in=list(keys))
        .annotate(touched_key=F("keys__key"))
        .order_by("block_number", "log_index")
    )
    found: dict[str, list[DecodedLog]] = {}
    decoded: dict[int, DecodedLog] = {}
    for row in rows:
        log = decoded.get(row.pk) or decoded.setdefault(row.pk, log_decode(row))
        found.setdefault(row.touched_key, []).append(log)
    return found


def places_newest(*, projector: str, keys: Sequence[str]) -> dict[str, LogPlace]:
    """Where the newest canonical log stands that touched each key; absent where none did."""
    rows = (
        KeyTouch.objects.filter(
            chain_id=conf.chain_id(),
            projector=projector,
            key__in=keys,
            canonical=True,
            log_number__isnull=False,
        )
        .order_by("key", "-block_number")
        .distinct("key")
    )
    columns = rows.values_list("key", "log_number", "log_index", "log_timestamp")
    return {
        key: LogPlace(number or 0, index or 0, timestamp or 0)
        for key, number, index, timestamp in columns
    }


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


def reads_newest(requests: Sequence[ReadRequest]) -> dict[ReadKey, Answer | None]:
    """The newest canonical answer to each request, in one query; None where never made."""
    found: dict[ReadKey, Answer | None] = {
        (request.address, request.calldata_hash): None for request in requests
    }
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
