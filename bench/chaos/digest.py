"""Everything an index says, in a form that two indexes can be compared by."""

from __future__ import annotations

from multiprocessing.connection import Connection
from typing import Any

from bench.chaos.stage import FRESH, Digest, database_use

#: Columns that say when something was last looked at, not what was seen: an index that lived
#: through a reorganisation may rightly have looked at another block than one that did not.
LOOKED_AT = {
    "treasury_balance": {"block_number"},
    "governance_proposal": {"chain_state_block"},
}


def digest_of_live() -> Digest:
    """Canonical logs and every projected row, less surrogate keys, sorted. By table."""
    from chain.models import Cursor, Log
    from chain.projections import registered_projectors

    tables: Digest = {
        "cursor": [(row.number, row.hash, row.state) for row in Cursor.objects.all()],
        "chain_log": _rows(Log, Log.objects.filter(canonical=True), {"canonical"}),
    }
    for projector in registered_projectors():
        for model in projector.models:
            rows = model._base_manager.all()
            tables[model._meta.db_table] = _rows(model, rows, set())
    return tables


def _rows(model: Any, rows: Any, left_out: set[str]) -> list[tuple[Any, ...]]:
    left_out = left_out | LOOKED_AT.get(model._meta.db_table, set())
    columns = [
        field.attname
        for field in model._meta.concrete_fields
        if field.attname not in left_out
        and not (field.primary_key and field.get_internal_type().endswith("AutoField"))
    ]
    return sorted(rows.values_list(*columns), key=repr)


def fresh_index(answer: Connection, rpc_url: str, reorg_window: int) -> None:
    """In a process of its own: index everything into the fresh database; send the digest."""
    from django.conf import settings

    from chain.indexer.loop import index_until_head

    database_use(FRESH)
    settings.RPC_URL, settings.RPC_URL_SECOND = rpc_url, ""
    settings.CHAIN_REORG_WINDOW = reorg_window
    index_until_head()
    answer.send(digest_of_live())
    answer.close()


def differences(found: Digest, expected: Digest) -> list[str]:
    """What differs, in words; empty where the two are equal row for row."""
    said: list[str] = []
    for table in sorted(set(found) | set(expected)):
        ours, theirs = found.get(table, []), expected.get(table, [])
        if ours == theirs:
            continue
        extra = [row for row in ours if row not in theirs][:2]
        missing = [row for row in theirs if row not in ours][:2]
        said.append(
            f"{table}: {len(ours)} rows, {len(theirs)} in a fresh index; "
            f"only here {extra!r}, only there {missing!r}"
        )
    return said
