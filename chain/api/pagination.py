"""Cursor pages: stable while rows arrive, the same speed on the last page as on the first."""

from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.core.signing import BadSignature, Signer
from django.db.models import QuerySet
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

from chain.api.errors import ApiError


class CursorPage(CursorPagination):
    """``?cursor=`` and ``?limit=``; answers ``next``, ``previous`` and ``results``.

    A view sets ``ordering`` (or its filters do) on unique or nearly unique
    columns of numbers, times or short text. The cursor is signed: a position
    that we did not write is refused before it reaches the database.
    """

    request: Request
    ordering: str | tuple[str, ...] | None = None  # type: ignore[assignment]  # no default
    page_size = 25
    page_size_query_param = "limit"
    max_page_size = 100
    cursor_query_description = "Where the page starts: take it from `next` or `previous`."
    page_size_query_description = "Rows a page, 1 to 100."

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> tuple[str, ...]:
        """The view's ``ordering``, or the page class's; a list without one has no stable pages."""
        ordering = getattr(view, "ordering", None) or self.ordering
        if not ordering:
            raise ImproperlyConfigured(f"{type(view).__name__} needs an `ordering` for its pages.")
        return (ordering,) if isinstance(ordering, str) else tuple(ordering)

    def get_page_size(self, request: Request) -> int | None:
        text = request.query_params.get(self.page_size_query_param)
        if text is None:
            return self.page_size
        if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) > 0):
            raise ApiError("limit_invalid", "`limit` is a whole number from 1 to 100.")
        return min(int(text), self.max_page_size or 100)

    def paginate_queryset(
        self, queryset: QuerySet[Any] | Sequence[Any], request: Request, view: Any = None
    ) -> list[Any] | None:
        if "\x00" in request.query_params.get(self.cursor_query_param, ""):
            raise _invalid()
        return super().paginate_queryset(queryset, request, view)

    def decode_cursor(self, request: Request) -> Cursor | None:
        signed = request.query_params.get(self.cursor_query_param)
        if signed is None:
            return None
        try:
            encoded = self._signer(request).unsign(signed)
        except BadSignature as error:
            raise _invalid() from error
        # The base class reads the parameter itself; what follows is its own format again.
        return super().decode_cursor(
            cast(Request, _WithCursor(request, self.cursor_query_param, encoded))
        )

    def encode_cursor(self, cursor: Cursor) -> str:
        url = super().encode_cursor(cursor)
        name = self.cursor_query_param
        encoded = parse_qs(urlsplit(url).query)[name][0]
        signed = self._signer(self.request).sign(encoded)
        return replace_query_param(url, name, signed)

    def _signer(self, request: Request) -> Signer:
        # A cursor of another list or another order holds a position of another type.
        return Signer(salt=f"chain.api.cursor:{request.path}:{','.join(self.ordering or ())}")

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": "string", "format": "uri", "nullable": True}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }


class _WithCursor:
    """The one thing that the base class asks of a request."""

    def __init__(self, request: Request, name: str, value: str) -> None:
        self.query_params = request.query_params.copy()
        self.query_params[name] = value


def _invalid() -> ApiError:
    return ApiError(
        "cursor_invalid", "This cursor is not one of ours. Start again without `cursor`."
    )
