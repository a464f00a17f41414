"""One emulated GPU."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Final

from network.attestation.appraisal import NVDEC_INDEX
from network.attestation.evidence import DeviceEvidence
from network.attestation.opaque import (
    PDI_BYTES,
    STATUS_DISABLED,
    STATUS_ENABLED,
    SVN_VALUE_TYPE,
    OpaqueField,
)

from .authority import EmulatorAuthority
from .device import HONEST, Behaviour, EmulatedDevice, measured_counts
from .encoding import Field
from .firmware import BLOCKS, DEVICE_INDICES, HOPPER, VALUE_BYTES, Firmware

__all__ = ["Behaviour", "EmulatedGpu"]

#: Links between a GPU and switches; a report has a place for each.
LINKS: Final = 18
_MODES: Final = {"spt": 0, "mpt": 1, "ppcie": 2}
#: Value types as genuine typed reports have them (DMTF DSP0274, bit 7 for raw values).
_HARDWARE, _MANIFEST, _MODE, _VERSION = 0x82, 0x84, 0x85, 0x86
_DIGEST: Final = 0x01


@dataclass(frozen=True)
class EmulatedGpu(EmulatedDevice):
    """A GPU. ``mode`` is ``spt``, ``mpt`` or ``ppcie``; ``switches`` are the ids of the switches at
    its links."""

    authority: EmulatorAuthority
    label: str
    firmware: Firmware = HOPPER
    behaviour: Behaviour = HONEST
    mode: str = "spt"
    switches: tuple[bytes, ...] = ()

    @property
    def part(self) -> str:
        return f"{self.firmware.certified_chip} A01 GSP"

    @property
    def architecture(self) -> str:
        return self.firmware.architecture

    @property
    def firmware_name(self) -> str:
        return str(self.firmware)

    @property
    def tcb_info(self) -> bool:
        return self.architecture != "HOPPER"

    @property
    def typed(self) -> bool:
        return self.firmware.typed

    @property
    def uuid(self) -> str:
        """An NVML-style UUID. Unsigned, as on real cards."""
        text = self.authority.derive_bytes(f"uuid {self.label}", 16).hex()
        return f"GPU-{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def evidence(self, nonce: bytes) -> DeviceEvidence:
        return replace(super().evidence(nonce), claimed_uuid=self.uuid)

    def measurements(self) -> dict[int, bytes]:
        return {index + 1: self._value(index) for index in range(BLOCKS)}

    def _value(self, index: int) -> bytes:
        if index in self.behaviour.changed_measurements:
            return hashlib.sha384(f"changed {index}".encode()).digest()
        if index == NVDEC_INDEX:
            # The decoder is off, so nothing was measured; the verifier must waive this index.
            return bytes(VALUE_BYTES)
        if index in DEVICE_INDICES:
            return hashlib.sha384(f"unique {self.label} {index}".encode()).digest()
        return self.firmware.golden(index) or bytes(VALUE_BYTES)

    def opaque_fields(self) -> list[Field]:
        firmware, wrong = self.firmware, self.behaviour.wrong_firmware_id
        fwid = hashlib.sha384(b"other").digest() if wrong else self.firmware_id
        b3, b2, b1, b0, b4 = bytes.fromhex(firmware.vbios_version.replace(".", ""))
        fields = [
            Field(OpaqueField.VBIOS_VERSION, _VERSION, bytes([b0, b1, b2, b3, b4, 0, 0, 0])),
            Field(OpaqueField.CHIP_SKU, _HARDWARE, firmware.chip_sku.encode() + b"\0"),
            Field(OpaqueField.PROJECT, _HARDWARE, firmware.project.encode() + b"\0"),
            Field(OpaqueField.PROJECT_SKU, _HARDWARE, firmware.project_sku.encode() + b"\0"),
            Field(OpaqueField.DRIVER_VERSION, _VERSION, firmware.driver_version.encode() + b"\0"),
            Field(OpaqueField.MSRSCNT, _MANIFEST, measured_counts(self.measurements())),
            Field(OpaqueField.NVDEC0_STATUS, _HARDWARE, bytes([STATUS_DISABLED])),
            Field(OpaqueField.FWID, _DIGEST, fwid),
            Field(OpaqueField.FEATURE_FLAG, _MODE, _MODES[self.mode].to_bytes(2, "little")),
        ]
        if firmware.architecture == "BLACKWELL":
            fields.append(Field(OpaqueField.CHIP_INFO, _HARDWARE, firmware.chip.encode() + b"\0"))
        if firmware.typed:
            svn = firmware.svn.to_bytes(2, "little")
            fields.append(Field(OpaqueField.FSP_UCODE_SVN, SVN_VALUE_TYPE, svn))
        if self.switches:
            protected = bytes([STATUS_ENABLED if self.mode == "ppcie" else STATUS_DISABLED])
            fields.append(Field(OpaqueField.PROTECTED_PCIE_STATUS, _MODE, protected))
            fields.append(Field(OpaqueField.PDI, _MANIFEST, self._links()))
        return fields

    def _links(self) -> bytes:
        """The switch at each link, its id reversed as on genuine parts; zero for a link not in
        use."""
        ids = [self.switches[link % len(self.switches)][::-1] for link in range(LINKS - 2)]
        return b"".join(ids) + bytes(2 * PDI_BYTES)
