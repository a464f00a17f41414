"""Everything an index says, in a form that two indexes can be compared by."""

from __future__ import annotations

from multiprocessing.connection import Connection
from typing import Any

from bench.chaos.stage import FRESH, Digest, database_use
from config.embedded.anvil import rpc_call

#: Columns that say when something was last looked at, not what was seen: an index that lived
#: through a reorganisation may rightly have looked at another block than one that did not.
LOOKED_AT = {
    "treasury_balance": {"block_number"},
    "governance_proposal": {"chain_state_block"},
    "network_parameter": {"valued_at", "chain_value_block"},
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
    """Rows as tuples of (column, value), in an order that does not depend on surrogate keys."""
    left_out = left_out | LOOKED_AT.get(model._meta.db_table, set())
    columns = [
        field.attname
        for field in model._meta.concrete_fields
        if field.attname not in left_out
        and not (field.primary_key and field.get_internal_type().endswith("AutoField"))
    ]
    found = (tuple(zip(columns, row, strict=True)) for row in rows.values_list(*columns))
    return sorted(found, key=repr)


def fresh_index(answer: Connection, rpc_url: str, reorg_window: int) -> None:
    """In a process of its own: index everything into the fresh database, and one block more, mined
    here; send the digest.
    """
    from django.conf import settings

    from chain.indexer.loop import index_until_head

    database_use(FRESH)
    settings.RPC_URL, settings.RPC_URL_SECOND = rpc_url, ""
    settings.CHAIN_REORG_WINDOW = reorg_window
    index_until_head()
    # A leg of catching up may leave what its end made due to the next block: "equal within two".
    rpc_call(rpc_url, "evm_mine")
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
        seen, wanted = {repr(row) for row in ours}, {repr(row) for row in theirs}
        extra = [row for row in ours if repr(row) not in wanted]
        missing = [row for row in theirs if repr(row) not in seen]
        said.append(
            f"{table}: {len(ours)} rows, expected {len(theirs)}; {_nearest(extra, missing)}"
        )
    return said


def _nearest(extra: list[Any], missing: list[Any]) -> str:
    """The first row that is wrong beside the expected row most like it: column by column."""
    if not extra or not missing:
        return f"only here {extra[:1]}, only expected {missing[:1]}"
    row = extra[0]
    twin = max(missing, key=lambda other: sum(a == b for a, b in zip(row, other, strict=False)))
    columns = [f"{a} instead of {b}" for a, b in zip(row, twin, strict=False) if a != b]
    return f"{len(extra)} rows differ, the first in {columns} ({row[0]})"
