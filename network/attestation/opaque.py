"""The signed opaque data of NVIDIA reports: ``type u16 || size u16 || data``, repeated.

Unknown ids are kept and ignored, so that a firmware with one field more does not break its nodes.
A known field that comes twice is refused: one of the two would be believed by somebody.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from .spdm import ReportError

#: Newer firmware begins with this mark and types every field. Not understood yet, so refused.
TYPED_FORMAT_MARK: Final = b"NVDAOD"

#: Values of a status byte, for example NVDEC0_STATUS.
STATUS_ENABLED: Final = 0xAA
STATUS_DISABLED: Final = 0x55

FWID_BYTES: Final = 48

_FIELD_HEADER: Final = struct.Struct("<HH")
_MODES: Final = {b"\0\0": "spt", b"\1\0": "mpt", b"\2\0": "ppcie"}


class OpaqueField(IntEnum):
    """Field ids that this verifier reads."""

    DRIVER_VERSION = 3
    GPU_INFO = 4
    VBIOS_VERSION = 6
    NVDEC0_STATUS = 11
    BOARD_ID = 14
    CHIP_SKU = 15
    PROJECT = 17
    PROJECT_SKU = 18
    FWID = 20
    PROTECTED_PCIE_STATUS = 21
    CHIP_INFO = 35
    FEATURE_FLAG = 36


_KNOWN: Final = frozenset(int(field) for field in OpaqueField)


@dataclass(frozen=True, slots=True)
class Opaque:
    """The fields by id. Accessors give None for an absent field and never raise."""

    fields: Mapping[int, bytes]

    def text(self, field: OpaqueField) -> str | None:
        """A NUL-terminated ASCII field; None too when it holds anything else."""
        value = self.fields.get(field)
        if value is None:
            return None
        if not value.isascii():
            return None
        text = value.rstrip(b"\0").decode("ascii")
        return text if text and text.isprintable() else None

    @property
    def driver_version(self) -> str | None:
        """For example ``550.90.07``."""
        return self.text(OpaqueField.DRIVER_VERSION)

    @property
    def vbios_version(self) -> str | None:
        """For example ``96.00.9F.00.01``: bytes 3, 2, 1, 0 and 4 in hex on GPUs."""
        value = self.fields.get(OpaqueField.VBIOS_VERSION)
        if value is None or len(value) != 8:
            return None
        return f"{value[3]:02X}.{value[2]:02X}.{value[1]:02X}.{value[0]:02X}.{value[4]:02X}"

    @property
    def fwid(self) -> bytes | None:
        """The SHA-384 firmware id that the leaf certificate carries too; None for another length,
        which is not the same as none at all: see :attr:`fwid_malformed`."""
        value = self.fields.get(OpaqueField.FWID)
        return value if value is not None and len(value) == FWID_BYTES else None

    @property
    def fwid_malformed(self) -> bool:
        """True when there is a firmware id that is not a SHA-384 digest."""
        return OpaqueField.FWID in self.fields and self.fwid is None

    @property
    def nvdec_disabled(self) -> bool:
        """True when the video decoder is off, in which case measurement 35 means nothing."""
        return self.fields.get(OpaqueField.NVDEC0_STATUS) == bytes([STATUS_DISABLED])

    @property
    def mode(self) -> str | None:
        """``spt``, ``mpt`` or ``ppcie`` (single, multi-GPU passthrough, protected PCIe)."""
        value = self.fields.get(OpaqueField.FEATURE_FLAG)
        if value is None or len(value) != 2:
            return None
        return _MODES.get(value, "unknown")


def parse_opaque(data: bytes) -> Opaque:
    """Parse the legacy stream, or raise ReportError ``report.opaque_*``."""
    if data.startswith(TYPED_FORMAT_MARK):
        raise ReportError(
            "report.opaque_unsupported",
            "The report uses the newer typed opaque format, which this verifier does not read yet.",
        )
    fields: dict[int, bytes] = {}
    position = 0
    while position < len(data):
        start = position + _FIELD_HEADER.size
        if start > len(data):
            raise ReportError("report.opaque_overflow", "The opaque data ends inside a header.")
        field, size = _FIELD_HEADER.unpack_from(data, position)
        end = start + size
        if end > len(data):
            raise ReportError(
                "report.opaque_overflow",
                f"Opaque field {field} is longer than the opaque data.",
                {"field": field},
            )
        if field in fields and field in _KNOWN:
            raise ReportError(
                "report.opaque_duplicate", f"Opaque field {field} comes twice.", {"field": field}
            )
        fields.setdefault(field, data[start:end])
        position = end
    return Opaque(fields)
