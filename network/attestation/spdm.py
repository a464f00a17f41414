"""The report: an SPDM 1.1 GET_MEASUREMENTS request followed by its MEASUREMENTS response.

Layout after DMTF DSP0274 1.1; NVIDIA returns both messages in one buffer. Multi-byte integers are
little-endian, the signature is raw big-endian r || s. The parser goes forward, checks every length
and leaves no byte unread: a report that means two things to two parsers is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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


class ReportError(EvidenceError):
    """The report's bytes are not one well-formed SPDM 1.1 exchange (codes ``report.*``)."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One DMTF measurement block. ``value_type`` keeps bit 7 (raw bit stream), see DSP0274."""

    index: int
    value_type: int
    value: bytes


@dataclass(frozen=True, slots=True)
class Report:
    """A parsed, not yet verified report. ``signed`` is every byte before the signature."""

    request_nonce: bytes
    responder_nonce: bytes
    measurements: Mapping[int, Measurement]
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
        measurements=_parse_record(data[record_start:record_end], blocks=data[REQUEST_BYTES + 4]),
        opaque=data[opaque_start:opaque_end],
        signed=data[:opaque_end],
        signature=data[opaque_end:end],
    )


def _check_headers(data: bytes) -> None:
    """Refuse other SPDM versions and shapes: 1.2 signs something else and must not pass as 1.1."""
    expected = {
        0: (SPDM_VERSION_1_1, "request SPDM version"),
        1: (GET_MEASUREMENTS, "request code"),
        3: (ALL_MEASUREMENTS, "measurements asked for"),
        REQUEST_BYTES: (SPDM_VERSION_1_1, "response SPDM version"),
        REQUEST_BYTES + 1: (MEASUREMENTS, "response code"),
    }
    for offset, (value, name) in expected.items():
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


def _parse_record(record: bytes, *, blocks: int) -> dict[int, Measurement]:
    measurements: dict[int, Measurement] = {}
    position = 0
    for _ in range(blocks):
        measurement, position = _parse_block(record, position)
        if measurement.index == 0 or measurement.index in measurements:
            raise ReportError(
                "report.dup_index",
                f"Measurement index {measurement.index} is zero or comes twice.",
                {"index": measurement.index},
            )
        measurements[measurement.index] = measurement
    if position != len(record):
        raise ReportError(
            "report.record_overflow",
            f"{len(record) - position} bytes of the record belong to no measurement block.",
        )
    return measurements


def _parse_block(record: bytes, start: int) -> tuple[Measurement, int]:
    """Read one block: index, specification, size, then the DMTF type, size and value."""
    if start + 7 > len(record):
        raise ReportError(
            "report.record_overflow", "The record ends inside a measurement block's header."
        )
    index, specification = record[start], record[start + 1]
    size = int.from_bytes(record[start + 2 : start + 4], "little")
    value_size = int.from_bytes(record[start + 5 : start + 7], "little")
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
    return Measurement(index, record[start + 4], record[start + 7 : end]), end
