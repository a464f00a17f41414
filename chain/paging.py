"""Keyset pages: stable while rows are added, and as fast on page 1,000 as on page 1.

A cursor holds the sort values of a page's edge. It is not signed: whoever edits
one sees another page of the same public list, and nothing else.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import BadRequest, ValidationError
from django.db.models import Model, Q, QuerySet


@dataclass(frozen=True, slots=True)
class KeysetPage:
    """One page of a list and the cursors of its neighbours (None: there is none)."""

    items: list[Any]
    next_cursor: str | None
    previous_cursor: str | None


def keyset_page(
    queryset: QuerySet[Any], *, order: Sequence[str], cursor: str, size: int
) -> KeysetPage:
    """Return the page of ``queryset`` after (or before) ``cursor``; the first for ``""``.

    ``order`` names the sort keys as ``order_by`` does; together they must be
    unique and never null.

    Raises:
        BadRequest: the cursor is not one that this list made.
    """
    backward, values = _cursor_read(cursor, len(order)) if cursor else (False, None)
    directed = [_flip(name) for name in order] if backward else list(order)
    if values is not None:
        try:
            queryset = queryset.filter(_after(directed, values))
        except (TypeError, ValueError, OverflowError, ValidationError) as error:
            raise BadRequest("This page's cursor belongs to another list.") from error
    rows = list(queryset.order_by(*directed)[: size + 1])
    more, rows = len(rows) > size, rows[:size]
    if backward:
        rows.reverse()
    has_next = bool(rows) and (more if not backward else True)
    has_previous = bool(rows) and (more if backward else values is not None)
    return KeysetPage(
        items=rows,
        next_cursor=_cursor_write("n", rows[-1], order) if has_next else None,
        previous_cursor=_cursor_write("p", rows[0], order) if has_previous else None,
    )


def _flip(name: str) -> str:
    return name[1:] if name.startswith("-") else f"-{name}"


def _after(order: Sequence[str], values: Sequence[Any]) -> Q:
    """Build ``(a, b) > (x, y)`` for keys of mixed directions."""
    condition, equal = Q(), Q()
    for name, value in zip(order, values, strict=True):
        field, comparison = (name[1:], "lt") if name.startswith("-") else (name, "gt")
        condition |= equal & Q(**{f"{field}__{comparison}": value})
        equal &= Q(**{field: value})
    return condition


def _cursor_write(direction: str, row: Model, order: Sequence[str]) -> str:
    values = [_encode(getattr(row, name.removeprefix("-"))) for name in order]
    text = json.dumps([direction, *values], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _encode(value: Any) -> dict[str, str]:
    """Tag a value with its kind: JSON has neither large integers, times nor bytes."""
    if isinstance(value, datetime):
        return {"t": value.isoformat()}
    if isinstance(value, bytes):
        return {"b": value.hex()}
    return {"i": str(int(value))}


def _cursor_read(cursor: str, keys: int) -> tuple[bool, list[Any]]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        direction, *tagged = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
        values = [_decode(item) for item in tagged]
    except (ValueError, TypeError, AttributeError, binascii.Error, RecursionError) as error:
        raise BadRequest("This page's cursor is damaged.") from error
    if direction not in ("n", "p") or len(values) != keys:
        raise BadRequest("This page's cursor belongs to another list.")
    return direction == "p", values


def _decode(item: dict[str, str]) -> Any:
    ((kind, text),) = item.items()
    if kind == "t":
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError(text)
        return moment
    if kind == "b":
        return bytes.fromhex(text)
    if kind == "i" and len(text) <= 80:
        return int(text)
    raise ValueError(kind)
