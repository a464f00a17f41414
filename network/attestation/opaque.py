"""The signed opaque data of NVIDIA reports, in both formats that occur. All numbers little-endian.

Legacy: ``type u16 || size u16 || data``, repeated. Typed, from Blackwell's later firmware on: the
mark ``NVDAOD``, ``profile u16 || major u8 || minor u8 || reserved 2``, then
``type u16 || value type u16 || size u16 || data``, repeated. The field ids are the same in both.

Unknown ids are kept and ignored, so that a firmware with one field more does not break its nodes.
A known field that comes twice is refused: one of the two would be believed by somebody.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final, NamedTuple

from .spdm import ReportError

TYPED_FORMAT_MARK: Final = b"NVDAOD"
TYPED_HEADER_BYTES: Final = 12
#: The newest major version whose layout is known, of the typed header and of the legacy field 34.
MAX_MAJOR_VERSION: Final = 2
#: Value type of a security version number: bit 7 for a raw value, 7 after DMTF DSP0274.
SVN_VALUE_TYPE: Final = 0x87
MAX_SVN_BYTES: Final = 8

#: Values of a status byte, for example NVDEC0_STATUS.
STATUS_ENABLED: Final = 0xAA
STATUS_DISABLED: Final = 0x55

FWID_BYTES: Final = 48
PDI_BYTES: Final = 8
#: A switch lists so many GPUs before its port map, each place either a GPU's id or zero.
SWITCH_GPU_PLACES: Final = 8

_LEGACY_HEADER: Final = struct.Struct("<HH")
_TYPED_HEADER: Final = struct.Struct("<HHH")
_MODES: Final = {b"\0\0": "spt", b"\1\0": "mpt", b"\2\0": "ppcie"}
_VBIOS_TEXT: Final = re.compile(rb"[0-9A-F]{2}(?:\.[0-9A-F]{2}){4}")


class OpaqueField(IntEnum):
    """The field ids that are known here; others are kept by their number."""

    DRIVER_VERSION = 3
    GPU_INFO = 4
    VBIOS_VERSION = 6
    NVDEC0_STATUS = 11
    MSRSCNT = 12
    CPRINFO = 13
    BOARD_ID = 14
    CHIP_SKU = 15
    CHIP_SKU_MOD = 16
    PROJECT = 17
    PROJECT_SKU = 18
    PROJECT_SKU_MOD = 19
    FWID = 20
    PROTECTED_PCIE_STATUS = 21
    #: On a GPU the switches at its links, on a switch its own id.
    PDI = 22
    DISABLED_PORTS = 23
    POSITION_ID = 24
    LOCK_SWITCH_STATUS = 25
    SWITCH_GPU_PDIS = 26
    GPU_LINK_CONN = 32
    SYS_ENABLE_STATUS = 33
    OPAQUE_DATA_VERSION = 34
    CHIP_INFO = 35
    FEATURE_FLAG = 36
    FSP_UCODE_SVN = 37


_KNOWN: Final = frozenset(int(known) for known in OpaqueField)


class OpaqueEntry(NamedTuple):
    """One field as it was sent; ``value_type`` is None in the legacy format."""

    field: int
    value_type: int | None
    data: bytes

    def as_json(self) -> dict[str, Any]:
        """JSON values only."""
        return {"field": self.field, "value_type": self.value_type, "data": self.data.hex()}


@dataclass(frozen=True, slots=True)
class Opaque:
    """The fields by id, the first of each. Accessors give None for an absent field and never raise.

    ``unknown`` are all fields with ids that mean nothing here, in order, second copies included;
    ``version`` is (major, minor) of the typed format, None for the legacy one.
    """

    fields: Mapping[int, bytes]
    value_types: Mapping[int, int] = field(default_factory=dict)
    unknown: tuple[OpaqueEntry, ...] = ()
    version: tuple[int, int] | None = None

    def text(self, name: OpaqueField) -> str | None:
        """A NUL-terminated ASCII field; None too when it holds anything else."""
        value = self.fields.get(name)
        if value is None or not value.isascii():
            return None
        text = value.rstrip(b"\0").decode("ascii")
        return text if text and text.isprintable() else None

    @property
    def driver_version(self) -> str | None:
        """For example ``550.90.07``."""
        return self.text(OpaqueField.DRIVER_VERSION)

    @property
    def vbios_version(self) -> str | None:
        """For example ``96.00.9F.00.01``: on GPUs bytes 3, 2, 1, 0 and 4 of eight, in hex; on
        switches the same as text."""
        value = self.fields.get(OpaqueField.VBIOS_VERSION)
        if value is None:
            return None
        if len(value) == 8:
            return f"{value[3]:02X}.{value[2]:02X}.{value[1]:02X}.{value[0]:02X}.{value[4]:02X}"
        text = value.rstrip(b"\0")
        return text.decode("ascii") if _VBIOS_TEXT.fullmatch(text) else None

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

    @property
    def pdis(self) -> tuple[bytes, ...]:
        """The 8-byte ids of field 22 as they stand there; none for a length that is no multiple."""
        return _pdis(self.fields.get(OpaqueField.PDI, b""))

    @property
    def switch_gpu_pdis(self) -> tuple[bytes, ...]:
        """The GPUs that a switch lists, empty places included; none where the field is shorter."""
        places = self.fields.get(OpaqueField.SWITCH_GPU_PDIS, b"")[: SWITCH_GPU_PLACES * PDI_BYTES]
        return _pdis(places) if len(places) == SWITCH_GPU_PLACES * PDI_BYTES else ()

    def svn(self, number: int) -> int | None:
        """A field's security version number; None for an absent field, and for one that is not
        typed as a security version."""
        value = self.fields.get(number)
        if value is None or self.value_types.get(number) != SVN_VALUE_TYPE:
            return None
        return int.from_bytes(value, "little") if 1 <= len(value) <= MAX_SVN_BYTES else None


def parse_opaque(data: bytes) -> Opaque:
    """Parse either format, or raise ReportError ``report.opaque_*``."""
    version, start, header = None, 0, _LEGACY_HEADER
    if data.startswith(TYPED_FORMAT_MARK):
        version, start, header = _typed_version(data), TYPED_HEADER_BYTES, _TYPED_HEADER
    fields: dict[int, bytes] = {}
    value_types: dict[int, int] = {}
    unknown: list[OpaqueEntry] = []
    while start < len(data):
        number, value_type, value, start = _field(data, start, header)
        if number not in _KNOWN:
            unknown.append(OpaqueEntry(number, value_type, value))
        elif number in fields:
            raise ReportError(
                "report.opaque_duplicate", f"Opaque field {number} comes twice.", {"field": number}
            )
        if number not in fields:
            fields[number] = value
            if value_type is not None:
                value_types[number] = value_type
    # The typed format has its version in the header; a field 34 beside it says nothing.
    if version is None:
        _check_legacy_version(fields.get(OpaqueField.OPAQUE_DATA_VERSION))
    return Opaque(fields, value_types, tuple(unknown), version)


def _typed_version(data: bytes) -> tuple[int, int]:
    """Major and minor of the typed header; only profile 0 and major versions up to 2 are known."""
    if len(data) < TYPED_HEADER_BYTES:
        raise ReportError("report.opaque_overflow", "The opaque data ends inside its header.")
    profile = int.from_bytes(data[6:8], "little")
    major, minor = data[8], data[9]
    if profile != 0 or major > MAX_MAJOR_VERSION:
        raise ReportError(
            "report.opaque_version",
            f"The opaque data is of profile {profile}, version {major}.{minor}; profile 0 and "
            f"versions up to {MAX_MAJOR_VERSION} are known here.",
            {"profile": profile, "major": major, "minor": minor},
        )
    return major, minor


def _check_legacy_version(value: bytes | None) -> None:
    if value is None:
        return
    major = int.from_bytes(value, "little")
    if len(value) != 2 or major > MAX_MAJOR_VERSION:
        raise ReportError(
            "report.opaque_version",
            f"The opaque data calls its version {value[:8].hex() or 'nothing'}; two bytes up to "
            f"{MAX_MAJOR_VERSION} are known here.",
            {"found": value[:8].hex()},
        )


def _field(data: bytes, position: int, header: struct.Struct) -> tuple[int, int | None, bytes, int]:
    """Read one field: its id, value type if it has one, data, and where the next one begins."""
    start = position + header.size
    if start > len(data):
        raise ReportError("report.opaque_overflow", "The opaque data ends inside a header.")
    value_type: int | None = None
    if header is _TYPED_HEADER:
        number, value_type, size = header.unpack_from(data, position)
    else:
        number, size = header.unpack_from(data, position)
    end = start + size
    if end > len(data):
        raise ReportError(
            "report.opaque_overflow",
            f"Opaque field {number} is longer than the opaque data.",
            {"field": number},
        )
    return number, value_type, data[start:end], end


def _pdis(value: bytes) -> tuple[bytes, ...]:
    if len(value) % PDI_BYTES:
        return ()
    return tuple(value[at : at + PDI_BYTES] for at in range(0, len(value), PDI_BYTES))
