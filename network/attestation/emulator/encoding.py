"""Writes what the parsers read: DER elements, SPDM reports, opaque data in both formats."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from network.attestation.opaque import TYPED_FORMAT_MARK
from network.attestation.spdm import (
    ALL_MEASUREMENTS,
    DMTF_SPECIFICATION,
    GET_MEASUREMENTS,
    MEASUREMENTS,
    SPDM_VERSION_1_1,
)

#: Header of the typed format: profile 0, version 2.0, two reserved bytes.
TYPED_HEADER: Final = TYPED_FORMAT_MARK + bytes([0, 0, 2, 0, 0, 0])
#: Value type of a measurement: a digest of mutable firmware (DMTF DSP0274).
FIRMWARE_DIGEST: Final = 0x01


class Field(NamedTuple):
    """One field of the opaque data. Only the typed format writes ``value_type``."""

    number: int
    value_type: int
    data: bytes


def der(tag: int, content: bytes) -> bytes:
    """Encode one DER element of less than 64 KiB."""
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes(1 if size < 0x100 else 2, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def opaque_encode(fields: Iterable[Field], *, typed: bool) -> bytes:
    """The opaque data of a report."""
    if typed:
        return TYPED_HEADER + b"".join(
            struct.pack("<HHH", number, value_type, len(data)) + data
            for number, value_type, data in fields
        )
    return b"".join(struct.pack("<HH", number, len(data)) + data for number, _, data in fields)


def block_encode(index: int, value: bytes, *, specification: int = DMTF_SPECIFICATION) -> bytes:
    """One measurement block; ``index`` is SPDM's, which begins at 1."""
    header = struct.pack("<BBH", index, specification, 3 + len(value))
    return header + struct.pack("<BH", FIRMWARE_DIGEST, len(value)) + value


def report_encode(
    nonce: bytes, blocks: Sequence[bytes], opaque: bytes, *, version: int = SPDM_VERSION_1_1
) -> bytes:
    """Request and response up to the signature, which is over all of it."""
    record = b"".join(blocks)
    return (
        bytes([version, GET_MEASUREMENTS, 1, ALL_MEASUREMENTS])
        + nonce
        + b"\0"
        + bytes([SPDM_VERSION_1_1, MEASUREMENTS, 0, 0, len(blocks)])
        + len(record).to_bytes(3, "little")
        + record
        + hashlib.sha256(b"responder" + nonce).digest()
        + len(opaque).to_bytes(2, "little")
        + opaque
    )
