"""Many rows into one table: one writer, two ways. Rows that are new go by binary COPY. Where some
may be there already, a few go by ``unnest``, and many by COPY through a temporary table.

Django's ``bulk_create`` cannot use ``unnest`` for bytea columns, and takes many times as long as
COPY from a few hundred rows on.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, LiteralString, NamedTuple

from django.db import connection
from django.db.models import Field, Model
from psycopg import Binary, Cursor, ServerCursor, sql
from psycopg.types.string import BytesBinaryDumper

from chain.pg_array import arrays_execute

#: Rows from which COPY through a temporary table is faster than unnest.
COPY_FROM = 500


@dataclass(frozen=True, slots=True)
class Table:
    """A model's table without its serial key: column names, and their types in PostgreSQL."""

    name: str
    columns: tuple[str, ...]
    types: tuple[str, ...]


@lru_cache(maxsize=64)
def table_of(model: type[Model]) -> Table:
    """The table of a model; rows are tuples in the order of its fields, less an automatic id."""
    fields = _fields_of(model)
    types = tuple(str(field.db_type(connection)).partition("(")[0] for field in fields)
    return Table(model._meta.db_table, tuple(str(field.column) for field in fields), types)


def _fields_of(model: type[Model]) -> list["Field[Any, Any]"]:
    """The fields a row of ``table_of(model)`` has, in its order."""
    return [field for field in model._meta.concrete_fields if not _is_serial(field)]


def _is_serial(field: "Field[Any, Any]") -> bool:
    return field.primary_key and field.get_internal_type().endswith("AutoField")


def row_of(instance: Model) -> tuple[Any, ...]:
    """An unsaved instance as a row of its table."""
    values = [
        field.get_db_prep_save(getattr(instance, field.attname), connection)
        for field in _fields_of(type(instance))
    ]
    # Django wraps bytes for DB-API; COPY takes them as they are.
    return tuple([value.obj if isinstance(value, Binary) else value for value in values])


def rows_insert(
    model: type[Model],
    rows: Sequence[tuple[Any, ...]],
    *,
    unique: Sequence[str] = (),
    update: Sequence[str] = (),
    fresh: bool = False,
) -> None:
    """Insert rows. Where one with the same ``unique`` columns is there, set ``update`` from the
    new one; with no ``update`` leave it as it is.

    ``fresh`` promises that none of them is there, which is the fastest way for any number.

    Raises:
        django.db.IntegrityError: they are there, and ``unique`` does not say what then.
    """
    if not rows:
        return
    table = table_of(model)
    say = _statements(table, tuple(unique), tuple(update))
    with connection.cursor() as cursor:
        if fresh or not unique:
            _copy(cursor, table, say.copy, rows)
        elif len(rows) <= COPY_FROM:
            with connection.wrap_database_errors:
                arrays_execute(connection.connection, say.unnest, rows, table.types)
        else:
            cursor.execute(say.create)
            _copy(cursor, table, say.fill, rows)
            cursor.execute(say.merge)
            # Not left to the commit: one transaction may write the same table twice.
            cursor.execute(say.drop)


class _Statements(NamedTuple):
    """What is said for one table: ``copy`` new rows, ``unnest`` a few, or ``create``, ``fill``,
    ``merge`` and ``drop`` a temporary table."""

    copy: str
    unnest: str
    create: str
    fill: str
    merge: str
    drop: str


# Once per table: to compose a statement of many columns takes longer than to run it on a few rows.
@lru_cache(maxsize=128)
def _statements(table: Table, unique: tuple[str, ...], update: tuple[str, ...]) -> _Statements:
    names = {
        "target": sql.Identifier(table.name),
        "incoming": sql.Identifier(f"incoming_{table.name}"),
        "columns": _names(table.columns),
        "arrays": sql.SQL(", ").join(sql.SQL(f"%s::{kind}[]") for kind in table.types),
        "conflict": _conflict(unique, update),
    }
    templates = _Statements(
        copy="COPY {target} ({columns}) FROM STDIN (FORMAT BINARY)",
        unnest="INSERT INTO {target} ({columns}) SELECT * FROM unnest({arrays}) {conflict}",
        create="CREATE TEMPORARY TABLE {incoming} ON COMMIT DROP AS "
        "SELECT {columns} FROM {target} WITH NO DATA",
        fill="COPY {incoming} ({columns}) FROM STDIN (FORMAT BINARY)",
        merge="INSERT INTO {target} ({columns}) SELECT * FROM {incoming} {conflict}",
        drop="DROP TABLE {incoming}",
    )
    return _Statements(*[sql.SQL(text).format(**names).as_string() for text in templates])


def _names(names: Iterable[str]) -> sql.Composable:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _conflict(unique: tuple[str, ...], update: tuple[str, ...]) -> sql.Composable:
    if not unique:
        return sql.SQL("")
    pairs = [sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(name)) for name in update]
    action = sql.SQL("UPDATE SET ") + sql.SQL(", ").join(pairs) if pairs else sql.SQL("NOTHING")
    return sql.SQL("ON CONFLICT ({}) DO {}").format(_names(unique), action)


def _copy(cursor: Any, table: Table, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
    # For bytea psycopg chooses the dumper of DB-API's Binary, which is Python; bytes have one in C.
    cursor.adapters.register_dumper(bytes, BytesBinaryDumper)
    with connection.wrap_database_errors, cursor.copy(statement) as copy:
        copy.set_types(table.types)
        write: Callable[[Sequence[Any]], None] = copy.write_row
        for row in rows:
            write(row)


def rows_select(query: LiteralString, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    """The rows of a SELECT in PostgreSQL's binary form, its parameters beside it; Django's cursors
    put them into its text and read text."""
    connection.ensure_connection()
    with connection.wrap_database_errors, Cursor(connection.connection) as cursor:
        cursor.execute(query, params, binary=True)
        return cursor.fetchall()


def rows_iterate(query: str, *, size: int) -> Iterator[list[tuple[Any, ...]]]:
    """The rows of a SELECT, some at a time, as psycopg reads binary results; Django's cursors
    fetch text. Call it inside a transaction; other statements may run in between."""
    connection.ensure_connection()
    with (
        connection.wrap_database_errors,
        ServerCursor(connection.connection, "rows_iterate") as cursor,
    ):
        cursor.execute(query, binary=True)
        while rows := cursor.fetchmany(size):
            yield rows
