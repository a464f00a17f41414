"""The payload of a manifest: golden values of measurements, and least security versions of fields.

Every attribute of a record is read once, in one go: asking for them one by one costs more than all
that is done with them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

from lxml import etree

from .errors import EvidenceError

SWID: Final = "{http://standards.iso.org/iso/19770/-2/2015/schema.xsd}"
HASH_NAMESPACE: Final = "{http://www.w3.org/2001/04/xmlenc#sha384}"
OPAQUE_NAMESPACE: Final = "{https://docs.nvidia.com/attestation/specs/latest/opaque-data.html}"
MAX_ALTERNATIVES: Final = 64
MAX_MEASUREMENT_INDEX: Final = 255
#: From here on an index is that of an opaque field, and its record a least security version.
SVN_INDEX_BASE: Final = 0x1000
MAX_OPAQUE_FIELD: Final = 0xFFFF
#: Most numbers in a manifest, without looking at their digits.
_SMALL: Final = {str(number): number for number in range(256)}
_DECIMAL: Final = re.compile(r"[0-9]{1,20}")
_RESOURCE: Final = f"{SWID}Resource"
_HASH: Final = tuple(f"{HASH_NAMESPACE}Hash{position}" for position in range(MAX_ALTERNATIVES + 1))


class RimError(EvidenceError):
    """A manifest that cannot be used (codes ``rim.*``)."""


@dataclass(frozen=True, slots=True)
class SvnFloor:
    """The least security version number of one opaque field, and the vendor's name for it."""

    name: str
    floor: int


def payload_read(
    payload: etree._Element,
) -> tuple[dict[int, tuple[bytes, ...]], dict[int, SvnFloor]]:
    """Golden values by index, and security version floors by opaque field; active ones only."""
    golden: dict[int, tuple[bytes, ...]] = {}
    svn_floors: dict[int, SvnFloor] = {}
    seen: set[int] = set()
    for resource in payload:
        record = dict(cast("list[tuple[str, str]]", resource.items()))
        if resource.tag != _RESOURCE or record.get("type") != "Measurement":
            raise RimError("rim.malformed", "The payload holds something else than measurements.")
        index = _number(record, "index", limit=SVN_INDEX_BASE + MAX_OPAQUE_FIELD)
        if MAX_MEASUREMENT_INDEX < index < SVN_INDEX_BASE:
            raise RimError("rim.malformed", f"Index {index} is of no measurement or field.")
        if index in seen:
            raise RimError(
                "rim.index_conflict",
                f"Index {index} comes twice in one manifest.",
                {"index": index},
            )
        seen.add(index)
        active = record.get("active")
        if active not in ("True", "False"):
            raise RimError("rim.malformed", f"Index {index} is neither active nor inactive.")
        if index >= SVN_INDEX_BASE:
            floor = _read_svn_floor(record, index)
            if active == "True":
                svn_floors[index - SVN_INDEX_BASE] = floor
            continue
        values = _read_alternatives(record, index)
        if active == "True":
            golden[index] = values
    return golden, svn_floors


def _read_svn_floor(record: Mapping[str, str], index: int) -> SvnFloor:
    """A record about an opaque field has a least version instead of values."""
    text, name = record.get(f"{OPAQUE_NAMESPACE}minSvn", ""), record.get("name", "")
    if not (_DECIMAL.fullmatch(text) and int(text) < 2**64) or not name:
        raise RimError(
            "rim.malformed",
            f"Index {index} has no name or no security version number.",
            {"index": index},
        )
    return SvnFloor(name, int(text))


def _read_alternatives(record: Mapping[str, str], index: int) -> tuple[bytes, ...]:
    size = _number(record, "size", limit=1024)
    count = _number(record, "alternatives", limit=MAX_ALTERNATIVES)
    values = []
    for position in range(count):
        value = _hex(record.get(_HASH[position], ""), size)
        if value is None:
            raise RimError(
                "rim.malformed",
                f"Value {position} of index {index} is not {size} bytes of hex.",
                {"index": index},
            )
        values.append(value)
    if not values or _HASH[count] in record:
        raise RimError("rim.malformed", f"Index {index} has another number of values than it says.")
    return tuple(values)


def _hex(text: str, size: int) -> bytes | None:
    """Exactly ``size`` bytes, at least one, of digits without anything between them."""
    if not size or len(text) != 2 * size:
        return None
    try:
        value = bytes.fromhex(text)
    except ValueError:
        return None
    # White space is skipped by the library; what is left is too short then.
    return value if len(value) == size else None


def _number(record: Mapping[str, str], name: str, *, limit: int) -> int:
    text = record.get(name, "")
    number = _SMALL.get(text)
    if number is not None and number <= limit:
        return number
    if not (text.isascii() and text.isdigit() and len(text) <= 5) or int(text) > limit:
        raise RimError("rim.malformed", f"The attribute {name} is not a number up to {limit}.")
    return int(text)
