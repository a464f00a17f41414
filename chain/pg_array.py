"""Rows as PostgreSQL arrays, one per column, in the binary form: psycopg writes arrays in Python,
item by item and three times as slowly as the rest of a small insert takes."""

import struct
from collections.abc import Iterable, Sequence
from typing import Any

from psycopg import Connection, Cursor, pq
from psycopg.adapt import Dumper, PyFormat, Transformer
from psycopg.types.string import BytesBinaryDumper

_LENGTH = struct.Struct(">i")
_NULL = _LENGTH.pack(-1)
#: Dimensions, whether there are nulls, the items' type, their number, the first one's subscript.
_HEADER = struct.Struct(">iiIii")


class _Array(bytes):
    """An array, ready to be sent."""


class _ArrayDumper(Dumper):
    # The statement's cast tells the server which array it is.
    format = pq.Format.BINARY
    oid = 0

    def dump(self, obj: Any) -> bytes:
        return bytes(obj)


def arrays_execute(
    connection: "Connection[Any]",
    statement: str,
    rows: Iterable[Sequence[Any]],
    types: Sequence[str],
) -> None:
    """Execute a statement whose parameters are the columns of ``rows``, each as an array of the
    named type, to which the statement casts it.

    Raises:
        psycopg.Error
    """
    # Django's cursors put parameters into the statement's text; this one sends them as they are.
    with Cursor(connection) as cursor:
        cursor.adapters.register_dumper(_Array, _ArrayDumper)
        cursor.adapters.register_dumper(bytes, BytesBinaryDumper)
        oids = [cursor.adapters.types[name].oid for name in types]
        to_binary = Transformer(cursor)
        to_binary.set_dumper_types(oids, pq.Format.BINARY)
        formats = [PyFormat.BINARY] * len(oids)
        columns = zip(*[to_binary.dump_sequence(row, formats) for row in rows], strict=True)
        arrays = [_array(column, oid) for column, oid in zip(columns, oids, strict=True)]
        cursor.execute(statement, arrays)


def _array(items: Sequence[Any], oid: int) -> _Array:
    parts = [_HEADER.pack(1, None in items, oid, len(items), 1)]
    for item in items:
        parts += (_NULL,) if item is None else (_LENGTH.pack(len(item)), item)
    return _Array(b"".join(parts))
