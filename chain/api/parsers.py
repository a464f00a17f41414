"""A JSON parser that takes only what every reader understands alike (RFC 8259, RFC 7493).

The framework's parser takes duplicate keys (last wins), NaN, integers of any
length, NUL and lone surrogates, and answers 500 to deep nesting. Each of these
has been a hole somewhere; here each is a coded 400.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

from rest_framework.parsers import BaseParser

from chain.api.errors import ApiError

MAX_DEPTH = 16
#: Characters of one string; the evidence of one device stays below it.
MAX_STRING_CHARS = 64 * 1024
#: A uint256 has at most 78 digits.
MAX_INT_DIGITS = 78
MAX_FLOAT_CHARS = 64


@dataclass(frozen=True, slots=True)
class JsonLimits:
    """What one route takes in a whole body. ``keys`` of objects; ``items`` of arrays, which are
    cheap to send and dear to validate."""

    keys: int = 512
    items: int = 16384


#: For every route that does not say otherwise with a ``json_limits`` attribute of its view.
DEFAULT_LIMITS = JsonLimits()

# Possessive, so that no body makes it backtrack; a string that never ends is taken to the end.
_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_SURROGATE_OR_NUL = re.compile("[\x00\ud800-\udfff]")


class JsonRefused(ApiError):
    """A body that is not the JSON we take. Status 400."""


class StrictJSONParser(BaseParser):
    """``application/json`` in UTF-8, one object, within the limits above and the view's own.

    Named in ``REST_FRAMEWORK["DEFAULT_PARSER_CLASSES"]``.

    Raises:
        ApiError: 415 ``content_encoding``/``charset``; 400 with one of the codes of
            :func:`parse_strict`.
    """

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        context = parser_context or {}
        request = context.get("request")
        if request is not None:
            check_content_headers(request.META)
        limits = getattr(context.get("view"), "json_limits", DEFAULT_LIMITS)
        return parse_strict(stream.read(), limits)


class OctetStreamParser(BaseParser):
    """``application/octet-stream``: the bytes as they are. The view bounds their number."""

    media_type = "application/octet-stream"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        request = (parser_context or {}).get("request")
        if request is not None:
            check_content_headers(request.META)
        return stream.read()


def check_content_headers(meta: Mapping[str, Any]) -> None:
    """Refuse compressed bodies and other character sets before a byte is read."""
    encoding = str(meta.get("HTTP_CONTENT_ENCODING", "") or "identity").strip().lower()
    if encoding != "identity":
        raise ApiError(
            "content_encoding",
            "Send the body uncompressed, without Content-Encoding.",
            http_status=415,
        )
    match = re.search(r"charset\s*=\s*\"?([^\s;\"]+)", str(meta.get("CONTENT_TYPE", "")), re.I)
    if match and match.group(1).lower() not in {"utf-8", "utf8"}:
        raise ApiError("charset", "Send JSON in UTF-8.", http_status=415)


def parse_strict(body: bytes, limits: JsonLimits = DEFAULT_LIMITS) -> dict[str, Any]:
    """Parse one JSON object.

    Raises:
        JsonRefused: ``json_encoding`` (not UTF-8, or with a byte order mark), ``json_malformed``,
            ``json_too_deep``, ``json_too_many_keys``, ``json_too_many_items``,
            ``json_duplicate_key``, ``json_number`` (NaN, infinite, too long), ``json_string``
            (NUL, lone surrogate, too long), ``json_not_object``.
    """
    try:
        text = body.decode("utf-8", errors="strict")
    except UnicodeDecodeError as error:
        raise JsonRefused(
            "json_encoding", "The body is not valid UTF-8.", data={"offset": error.start}
        ) from error
    if text.startswith("\ufeff"):
        raise JsonRefused("json_encoding", "Send JSON without a byte order mark.")
    _check_depth(body)
    reader = _Reader(limits.keys)
    try:
        value = json.loads(
            text,
            object_pairs_hook=reader.pairs,
            parse_int=reader.integer,
            parse_float=reader.number,
            parse_constant=reader.constant,
        )
    except json.JSONDecodeError as error:
        raise JsonRefused(
            "json_malformed", f"The body is not JSON: {error.msg}.", data={"offset": error.pos}
        ) from error
    if not isinstance(value, dict):
        raise JsonRefused("json_not_object", "The body must be one JSON object.")
    _check_strings(value, limits.items)
    return value


def _check_depth(body: bytes) -> None:
    """Count the nesting before the recursive parser sees the body."""
    depth = 0
    for match in _TOKENS.finditer(body):
        first = match.group()[:1]
        if first in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise JsonRefused(
                    "json_too_deep", f"JSON may be nested {MAX_DEPTH} levels deep at most."
                )
        elif first in b"]}":
            depth -= 1


class _Reader:
    """The hooks of one parse; counts keys over the whole body."""

    def __init__(self, max_keys: int) -> None:
        self.keys = 0
        self.max_keys = max_keys

    def pairs(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        self.keys += len(pairs)
        if self.keys > self.max_keys:
            raise JsonRefused("json_too_many_keys", f"JSON may have {self.max_keys} keys at most.")
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise JsonRefused(
                    "json_duplicate_key",
                    "A key stands twice in one object.",
                    data={"key": key[:80].encode("utf-8", "replace").decode()},
                )
            found[key] = value
        return found

    def integer(self, digits: str) -> int:
        if len(digits.lstrip("-")) > MAX_INT_DIGITS:
            raise JsonRefused("json_number", f"A number may have {MAX_INT_DIGITS} digits at most.")
        return int(digits)

    def number(self, text: str) -> float:
        if len(text) > MAX_FLOAT_CHARS or not math.isfinite(float(text)):
            raise JsonRefused("json_number", "A number is too large or too long.")
        return float(text)

    def constant(self, name: str) -> Any:
        raise JsonRefused("json_number", f"{name} is not a JSON number.")


def _check_strings(root: Any, max_items: int) -> None:
    """Refuse what UTF-8 or PostgreSQL cannot hold. Iterative: the depth is already bounded."""
    stack, items = [root], 0
    while stack:
        value = stack.pop()
        if isinstance(value, str):
            _check_string(value)
        elif isinstance(value, dict):
            stack += value.keys()
            stack += value.values()
        elif isinstance(value, list):
            items += len(value)
            if items > max_items:
                raise JsonRefused(
                    "json_too_many_items", f"JSON may have {max_items} array items at most."
                )
            stack += value


def _check_string(value: str) -> None:
    if len(value) > MAX_STRING_CHARS:
        raise JsonRefused(
            "json_string", f"A string may have {MAX_STRING_CHARS} characters at most."
        )
    if _SURROGATE_OR_NUL.search(value):
        raise JsonRefused(
            "json_string", "A string holds a NUL or half a surrogate pair, which is no text."
        )
