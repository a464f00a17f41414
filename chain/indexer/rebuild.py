"""Rebuild projections from stored logs and stored reads alone. No node is asked."""

from collections.abc import Sequence

from django.db import connection, transaction

from chain import conf
from chain.contracts import codec_load
from chain.decoding import AbiError
from chain.indexer.history import log_decode
from chain.indexer.project import projector_recompute
from chain.models import Cursor, KeyTouch, Log, LogKey
from chain.projections import Projector, registered_projectors

_CHUNK = 2000


def projections_rebuild(*, names: Sequence[str] = ()) -> dict[str, int]:
    """Empty the projectors' tables and recompute every key; return the keys per projector.

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
        _keys_derive(chosen)
        return {projector.name: _projector_rebuild(projector) for projector in chosen}


def _tables_empty(projectors: Sequence[Projector]) -> None:
    for projector in reversed(projectors):
        for model in reversed(projector.models):
            # Not delete(): Django would cascade into tables people write (comments on a
            # proposal). The database checks the references when the transaction ends.
            rows = model._default_manager.all()
            rows._raw_delete(rows.db)


def _keys_derive(projectors: Sequence[Projector]) -> None:
    chain_id = conf.chain_id()
    names = [projector.name for projector in projectors]
    LogKey.objects.filter(chain_id=chain_id, projector__in=names).delete()
    rows: list[LogKey] = []
    logs = Log.objects.filter(chain_id=chain_id).order_by("pk")
    for log in logs.iterator(chunk_size=_CHUNK):
        if not _event_refresh(log):
            continue
        decoded = log_decode(log)
        rows += [
            LogKey(chain_id=chain_id, projector=projector.name, key=key, log=log)
            for projector in projectors
            for key in projector.keys_of(decoded)
        ]
        if len(rows) >= _CHUNK:
            LogKey.objects.bulk_create(rows)
            rows = []
    LogKey.objects.bulk_create(rows)


def _event_refresh(log: Log) -> bool:
    """Decode a log again with today's ABI; store what changed. Whether it decodes."""
    topics = [log.topics[i : i + 32] for i in range(0, len(log.topics), 32)]
    try:
        event, reason = codec_load(log.contract).event_decode(topics, log.data)[0], ""
    except AbiError as error:
        event, reason = "", f"{error.code}: {error.detail}"
    if (event, reason) != (log.event, log.undecoded_reason):
        log.event, log.undecoded_reason = event, reason
        log.save(update_fields=["event", "undecoded_reason"])
    return bool(event)


def _projector_rebuild(projector: Projector) -> int:
    keys = keys_ordered(projector.name)
    projector_recompute(projector, keys, {})
    return len(keys)


def keys_ordered(projector: str) -> list[str]:
    """All keys with canonical history, in the order the live index first met them."""
    chain_id = conf.chain_id()
    first: dict[str, tuple[int, int]] = {}
    logs = LogKey.objects.filter(chain_id=chain_id, projector=projector, log__canonical=True)
    for key, number, index in logs.values_list(
        "key", "log__block_number", "log__log_index"
    ).order_by("log__block_number", "log__log_index"):
        first.setdefault(key, (number, index))
    touches = KeyTouch.objects.filter(chain_id=chain_id, projector=projector, canonical=True)
    for key, number in touches.values_list("key", "block_number").order_by("block_number", "pk"):
        first.setdefault(key, (number, 2**31))
    return sorted(first, key=lambda key: first[key])
