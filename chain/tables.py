"""Many rows into one table: one writer, two ways. A few rows go by ``unnest``; many by binary
COPY, through a temporary table where some of them may be there already.

Django's ``bulk_create`` cannot use ``unnest`` for bytea columns, and takes many times as long as
COPY from a few hundred rows on.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db import connection
from django.db.models import Field, Model
from psycopg import Binary, ServerCursor, sql
from psycopg.types.string import BytesBinaryDumper

#: Rows from which COPY is faster than unnest, temporary table included.
COPY_FROM = 50


@dataclass(frozen=True, slots=True)
class Table:
    """A model's table without its serial key: column names, and their types in PostgreSQL."""

    name: str
    columns: tuple[str, ...]
    types: tuple[str, ...]

    @property
    def column_list(self) -> sql.Composable:
        return sql.SQL(", ").join(map(sql.Identifier, self.columns))


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

    ``fresh`` promises that none of them is there, which spares the temporary table.

    Raises:
        django.db.IntegrityError: they are there, and ``unique`` does not say what then.
    """
    if not rows:
        return
    table = table_of(model)
    conflict = _conflict(unique, update)
    with connection.cursor() as cursor:
        if len(rows) <= COPY_FROM:
            _unnest(cursor, table, rows, conflict)
        elif fresh or not unique:
            _copy(cursor, table, sql.Identifier(table.name), rows)
        else:
            _copy_through(cursor, table, rows, conflict)


def _conflict(unique: Sequence[str], update: Sequence[str]) -> sql.Composable:
    if not unique:
        return sql.SQL("")
    target = sql.SQL(", ").join(map(sql.Identifier, unique))
    if not update:
        return sql.SQL(" ON CONFLICT ({}) DO NOTHING").format(target)
    pairs = [sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(name)) for name in update]
    return sql.SQL(" ON CONFLICT ({}) DO UPDATE SET {}").format(target, sql.SQL(", ").join(pairs))


def _unnest(
    cursor: Any, table: Table, rows: Sequence[tuple[Any, ...]], conflict: sql.Composable
) -> None:
    arrays = sql.SQL(", ").join(sql.SQL(f"%s::{kind}[]") for kind in table.types)
    statement = sql.SQL("INSERT INTO {} ({}) SELECT * FROM unnest({}){}").format(
        sql.Identifier(table.name), table.column_list, arrays, conflict
    )
    cursor.execute(statement, [list(column) for column in zip(*rows, strict=True)])


def _copy(
    cursor: Any, table: Table, target: sql.Composable, rows: Iterable[tuple[Any, ...]]
) -> None:
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(target, table.column_list)
    # For bytea psycopg chooses the dumper of DB-API's Binary, which is Python; bytes have one in C.
    cursor.adapters.register_dumper(bytes, BytesBinaryDumper)
    with connection.wrap_database_errors, cursor.copy(statement) as copy:
        copy.set_types(table.types)
        write: Callable[[Sequence[Any]], None] = copy.write_row
        for row in rows:
            write(row)


def _copy_through(
    cursor: Any, table: Table, rows: Sequence[tuple[Any, ...]], conflict: sql.Composable
) -> None:
    target, source = sql.Identifier(table.name), sql.Identifier(f"incoming_{table.name}")
    cursor.execute(
        sql.SQL(
            "CREATE TEMPORARY TABLE {} ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA"
        ).format(source, table.column_list, target)
    )
    _copy(cursor, table, source, rows)
    cursor.execute(
        sql.SQL("INSERT INTO {} ({}) SELECT * FROM {}{}").format(
            target, table.column_list, source, conflict
        )
    )
    # Not left to the commit: one transaction may write the same table twice.
    cursor.execute(sql.SQL("DROP TABLE {}").format(source))


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
