"""Rebuild projections from stored logs and stored reads alone. No node is asked."""

from collections.abc import Sequence
from typing import Any

from django.db import connection, transaction

from chain import conf
from chain.decoding import AbiError
from chain.indexer import writer
from chain.indexer.batch import Logs, Places, log_route
from chain.indexer.dispatch import Dispatch
from chain.indexer.gc_pause import gc_paused
from chain.indexer.project import projector_rebuild
from chain.models import Block, Cursor, KeyTouch, Log, LogKey
from chain.projections import DecodedLog, Projector, RowProjector, registered_projectors
from chain.rpc.types import BlockHeader
from chain.tables import rows_insert, rows_iterate

#: Logs read, decoded and written at once.
_CHUNK = 20_000

_LOGS = """
SELECT id, block_number, block_hash, block_timestamp, transaction_hash, log_index, address,
    topics, data, contract, event, undecoded_reason, canonical
FROM chain_log WHERE chain_id = {chain_id}
ORDER BY chain_id, block_number, log_index, block_hash
"""


def projections_rebuild(*, names: Sequence[str] = ()) -> dict[str, int]:
    """Empty the projectors' tables and recompute every key; return the keys per projector, for
    projectors without keys the rows.

    One transaction under the cursor's lock: readers see the old tables until the new ones are
    whole, and no block is indexed meanwhile. Keys are derived from the logs anew, so that a
    projector added or changed since sees all of history.

    Raises:
        ValueError: no projector has one of ``names``.
    """
    projectors = registered_projectors()
    unknown = set(names) - {projector.name for projector in projectors}
    if unknown:
        raise ValueError(f"No projector is named {', '.join(sorted(unknown))}.")
    chosen = [p for p in projectors if not names or p.name in names]
    with transaction.atomic():
        with connection.cursor() as sql:
            # Pages must be quick; a rebuild need not.
            sql.execute("SET LOCAL statement_timeout = 0")
        list(Cursor.objects.select_for_update().filter(chain_id=conf.chain_id()))
        _tables_empty(chosen)
        with gc_paused():
            replay = _Replay(chosen)
            replay.run()
        return {projector.name: replay.finish(projector) for projector in chosen}


def _tables_empty(projectors: Sequence[Projector]) -> None:
    for projector in reversed(projectors):
        for model in reversed(projector.models):
            # Not delete(): Django would cascade into tables people write (comments on a
            # proposal). The database checks the references when the transaction ends.
            rows = model._default_manager.all()
            rows._raw_delete(rows.db)
    names = [projector.name for projector in projectors]
    keys = LogKey.objects.filter(chain_id=conf.chain_id(), projector__in=names)
    keys._raw_delete(keys.db)


class _Replay:
    """All stored logs, once more, in chain order."""

    def __init__(self, projectors: Sequence[Projector]) -> None:
        self._chain_id = conf.chain_id()
        self._projectors = projectors
        self._dispatch = Dispatch(projectors=projectors)
        self._places: Places = {}
        self._rows: dict[str, int] = {}

    def run(self) -> None:
        """Decode every log; write keys and the rows that depend on one log alone."""
        for rows in rows_iterate(_LOGS.format(chain_id=self._chain_id), size=_CHUNK):
            self._chunk(rows)

    def _chunk(self, rows: Sequence[tuple[Any, ...]]) -> None:
        found, keys = Logs(places=self._places), list[tuple[Any, ...]]()
        left = Logs()
        for row in rows:
            canonical = row[12]
            into = found if canonical else left
            self._log(row, into)
            # A log of a branch that was left keeps its keys: the branch may come back.
            keys += [(self._chain_id, item[0], item[1], row[0]) for item in into.keys]
            into.keys.clear()
        rows_insert(LogKey, keys, fresh=True)
        writer.rows_project(found.projected)
        for name, made in found.projected.items():
            self._rows[name] = self._rows.get(name, 0) + len(made)

    def _log(self, row: tuple[Any, ...], into: Logs) -> None:
        pk, number, block_hash, timestamp, tx, index, address, topics, data = row[:9]
        contract, event, reason = row[9:12]
        words = [topics[i : i + 32] for i in range(0, len(topics), 32)]
        try:
            route = self._dispatch.route_stored(contract, words)
            args = route.codec.decode(words, data)
        except AbiError as error:
            self._note(pk, ("", f"{error.code}: {error.detail}"), (event, reason))
            return
        name = route.codec.name
        self._note(pk, (name, ""), (event, reason))
        log = DecodedLog(
            self._chain_id, number, block_hash, timestamp, tx, index, address, contract, name, args
        )
        log_route(into, route, log)

    @staticmethod
    def _note(pk: int, decoded: tuple[str, str], stored: tuple[str, str]) -> None:
        """Store what today's ABI says, where it says something else."""
        if decoded != stored:
            Log.objects.filter(pk=pk).update(event=decoded[0], undecoded_reason=decoded[1])

    def finish(self, projector: Projector) -> int:
        """Recompute every key of a projector, in the order the live index first met them."""
        if isinstance(projector, RowProjector):
            return self._rows.get(projector.name, 0)
        places = self._places.get(projector.name, {})
        keys = list(dict.fromkeys([*places, *_keys_touched(self._chain_id, projector.name)]))
        if not keys:
            return 0
        newest = Block.objects.filter(chain_id=self._chain_id, canonical=True)
        row = newest.order_by("-number").first()
        if row is None:
            return 0
        at = BlockHeader(row.number, bytes(row.hash), row.timestamp, bytes(row.parent_hash))
        projector_rebuild(projector, keys, places, at)
        return len(keys)


def _keys_touched(chain_id: int, projector: str) -> list[str]:
    """Keys that no log names: those that fell due, or were linked to one."""
    touches = KeyTouch.objects.filter(
        chain_id=chain_id, projector=projector, canonical=True, log_number=None
    )
    return list(touches.order_by("block_number", "pk").values_list("key", flat=True))
