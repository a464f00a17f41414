"""The report: an SPDM 1.1 GET_MEASUREMENTS request followed by its MEASUREMENTS response.

Layout after DMTF DSP0274 1.1; NVIDIA returns both messages in one buffer. Multi-byte integers are
little-endian, the signature is raw big-endian r || s. The parser goes forward, checks every length
and leaves no byte unread: a report that means two things to two parsers is refused.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from .errors import EvidenceError

SPDM_VERSION_1_1: Final = 0x11
GET_MEASUREMENTS: Final = 0xE0
MEASUREMENTS: Final = 0x60
DMTF_SPECIFICATION: Final = 0x01
ALL_MEASUREMENTS: Final = 0xFF

NONCE_BYTES: Final = 32
SIGNATURE_BYTES: Final = 96
REQUEST_BYTES: Final = 37
#: NVML's own buffer holds 0x2000 bytes; real reports are 2 to 4.3 KiB.
MAX_REPORT_BYTES: Final = 8192

_RESPONSE_HEADER_BYTES: Final = 8
_SHORTEST_BYTES: Final = REQUEST_BYTES + _RESPONSE_HEADER_BYTES + NONCE_BYTES + 2 + SIGNATURE_BYTES
#: Index, specification and size of a block, then the DMTF value type and value size.
_BLOCK_HEADER: Final = struct.Struct("<BBHBH")
#: Where a block's header says the specification and the two sizes, byte by byte.
_SHAPE_OFFSETS: Final = (1, 2, 3, 5, 6)
#: What the headers must hold, by offset in the report.
_HEADERS: Final = {
    0: (SPDM_VERSION_1_1, "request SPDM version"),
    1: (GET_MEASUREMENTS, "request code"),
    3: (ALL_MEASUREMENTS, "measurements asked for"),
    REQUEST_BYTES: (SPDM_VERSION_1_1, "response SPDM version"),
    REQUEST_BYTES + 1: (MEASUREMENTS, "response code"),
}


class ReportError(EvidenceError):
    """The report's bytes are not one well-formed SPDM 1.1 exchange (codes ``report.*``)."""


@dataclass(frozen=True, slots=True)
class Record:
    """The DMTF measurement blocks by SPDM index, in the report's order. A value type keeps bit 7
    (raw bit stream), see DSP0274."""

    values: Mapping[int, bytes]
    value_types: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Report:
    """A parsed, not yet verified report. ``signed`` is every byte before the signature."""

    request_nonce: bytes
    responder_nonce: bytes
    record: Record
    opaque: bytes
    signed: bytes
    signature: bytes


def parse_report(data: bytes, *, tolerate_zero_padding: bool = False) -> Report:
    """Parse a report of at most 8 KiB, or raise :class:`ReportError`.

    ``tolerate_zero_padding`` drops trailing zero bytes (an artefact of NVML's buffer, seen once in
    the wild) and nothing else.
    """
    if len(data) < _SHORTEST_BYTES:
        raise ReportError(
            "report.too_short",
            f"The report has {len(data)} bytes; the shortest possible one has {_SHORTEST_BYTES}.",
        )
    if len(data) > MAX_REPORT_BYTES:
        raise ReportError(
            "report.too_long", f"The report has {len(data)} bytes; {MAX_REPORT_BYTES} are allowed."
        )
    _check_headers(data)
    record_start = REQUEST_BYTES + _RESPONSE_HEADER_BYTES
    record_end = record_start + int.from_bytes(data[REQUEST_BYTES + 5 : record_start], "little")
    opaque_start = record_end + NONCE_BYTES + 2
    if opaque_start + SIGNATURE_BYTES > len(data):
        raise ReportError(
            "report.record_overflow", "The measurement record is longer than the report."
        )
    opaque_end = opaque_start + int.from_bytes(data[opaque_start - 2 : opaque_start], "little")
    end = opaque_end + SIGNATURE_BYTES
    if end > len(data):
        raise ReportError("report.opaque_overflow", "The opaque data is longer than the report.")
    if end < len(data) and not (tolerate_zero_padding and not any(data[end:])):
        raise ReportError(
            "report.trailing_bytes", f"{len(data) - end} bytes follow the report's signature."
        )
    return Report(
        request_nonce=data[4 : 4 + NONCE_BYTES],
        responder_nonce=data[record_end : record_end + NONCE_BYTES],
        record=_parse_record(data[record_start:record_end], blocks=data[REQUEST_BYTES + 4]),
        opaque=data[opaque_start:opaque_end],
        signed=data[:opaque_end],
        signature=data[opaque_end:end],
    )


def _check_headers(data: bytes) -> None:
    """Refuse other SPDM versions and shapes: 1.2 signs something else and must not pass as 1.1."""
    for offset, (value, name) in _HEADERS.items():
        if data[offset] != value:
            raise ReportError(
                "report.bad_header",
                f"The {name} is 0x{data[offset]:02x}; 0x{value:02x} is expected.",
                {"offset": offset, "found": data[offset], "expected": value},
            )
    if not data[2] & 0x01:
        raise ReportError(
            "report.bad_header",
            "The request did not ask for a signature.",
            {"offset": 2, "found": data[2]},
        )


def _parse_record(record: bytes, *, blocks: int) -> Record:
    """Read the record. Blocks of one size, as GPUs send them, are read at once; where anything is
    not as usual there, one by one, which accepts the same and says what is wrong."""
    return _parse_uniform(record, blocks) or _parse_blocks(record, blocks)


def _parse_uniform(record: bytes, blocks: int) -> Record | None:
    """Read ``blocks`` well-formed blocks of one size and of different indices; None for others."""
    size = len(record) // blocks if blocks else 0
    if size < _BLOCK_HEADER.size or size * blocks != len(record):
        return None
    _, specification, rest, _, value_size = _BLOCK_HEADER.unpack_from(record)
    if (specification, rest, value_size) != (DMTF_SPECIFICATION, size - 4, size - 7):
        return None
    # Every block says what the first one does: compared column by column.
    if any(record[at::size] != record[at : at + 1] * blocks for at in _SHAPE_OFFSETS):
        return None
    values: dict[int, bytes] = dict(_uniform_blocks(value_size).iter_unpack(record))
    if len(values) != blocks or 0 in values:
        return None
    return Record(values, dict(zip(record[::size], record[4::size], strict=True)))


@lru_cache(maxsize=16)
def _uniform_blocks(value_size: int) -> struct.Struct:
    """Index and value of a block whose value has this size."""
    return struct.Struct(f"<B6x{value_size}s")


def _parse_blocks(record: bytes, blocks: int) -> Record:
    values: dict[int, bytes] = {}
    value_types: dict[int, int] = {}
    position = 0
    for _ in range(blocks):
        index, value_type, value, position = _parse_block(record, position)
        if index == 0 or index in values:
            raise ReportError(
                "report.dup_index",
                f"Measurement index {index} is zero or comes twice.",
                {"index": index},
            )
        values[index], value_types[index] = value, value_type
    if position != len(record):
        raise ReportError(
            "report.record_overflow",
            f"{len(record) - position} bytes of the record belong to no measurement block.",
        )
    return Record(values, value_types)


def _parse_block(record: bytes, start: int) -> tuple[int, int, bytes, int]:
    """Read one block: its index, value type and value, and where the next one begins."""
    value_start = start + _BLOCK_HEADER.size
    if value_start > len(record):
        raise ReportError(
            "report.record_overflow", "The record ends inside a measurement block's header."
        )
    index, specification, size, value_type, value_size = _BLOCK_HEADER.unpack_from(record, start)
    end = start + 4 + size
    if specification != DMTF_SPECIFICATION or size != 3 + value_size:
        raise ReportError(
            "report.not_dmtf",
            f"Measurement block {index} is not in the DMTF format.",
            {"index": index, "specification": specification, "size": size},
        )
    if end > len(record):
        raise ReportError(
            "report.record_overflow", f"Measurement block {index} is longer than the record."
        )
    return index, value_type, record[value_start:end], end
