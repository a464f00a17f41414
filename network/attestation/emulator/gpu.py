"""One emulated GPU: its identity, its certificate chain and its reports."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from network.attestation.appraisal import NVDEC_INDEX
from network.attestation.dice import (
    DICE_FWID_OID,
    DICE_TCB_INFO_OID,
    DMTF_DEVICE_INFO_OID,
    FLAG_DEBUG,
    FLAG_NOT_SECURE,
    SHA384_OID_DER,
)
from network.attestation.evidence import DeviceEvidence
from network.attestation.opaque import STATUS_DISABLED, OpaqueField
from network.attestation.signatures import raw_signature_sign
from network.attestation.spdm import (
    ALL_MEASUREMENTS,
    DMTF_SPECIFICATION,
    GET_MEASUREMENTS,
    MEASUREMENTS,
    NONCE_BYTES,
    SPDM_VERSION_1_1,
)

from .authority import EmulatorAuthority, Issuer

#: Golden indices as on genuine Hopper parts.
DRIVER_INDICES: Final = (7, *range(21, 41))
VBIOS_INDICES: Final = (*range(0, 7), *range(8, 13))
#: Indices whose value is unique to a device and which no manifest names.
DEVICE_INDICES: Final = tuple(range(13, 21))
BLOCKS: Final = 64
VALUE_BYTES: Final = 48
_ARCHITECTURES: Final = {"GH100": "HOPPER", "GB100": "BLACKWELL"}
_MSRSCNT: Final = 12


@dataclass(frozen=True, slots=True)
class Firmware:
    """What runs on the GPU. ``chip`` is GH100 (Hopper) or GB100 (Blackwell)."""

    chip: str = "GH100"
    driver_version: str = "550.90.07"
    vbios_version: str = "96.00.9F.00.01"
    project: str = "1010"
    project_sku: str = "0200"
    chip_sku: str = "882"

    def __post_init__(self) -> None:
        if self.chip not in _ARCHITECTURES:
            raise ValueError(f"the emulator knows {', '.join(_ARCHITECTURES)}, not {self.chip}")

    @property
    def architecture(self) -> str:
        """As attestation requests name it: HOPPER or BLACKWELL."""
        return _ARCHITECTURES[self.chip]

    @property
    def vbios_key(self) -> str:
        """What one VBIOS manifest stands for."""
        return f"{self.project}_{self.project_sku}_{self.chip_sku}_{self.vbios_version}"

    def golden(self, index: int) -> bytes | None:
        """The value that this firmware measures at a golden index; None for other indices."""
        if index in DRIVER_INDICES:
            text = f"driver {self.chip} {self.driver_version} {index}"
        elif index in VBIOS_INDICES:
            text = f"vbios {self.chip} {self.vbios_key} {index}"
        else:
            return None
        return hashlib.sha384(text.encode()).digest()


HOPPER: Final = Firmware()
#: The same chip on an H200's board.
HOPPER_H200: Final = Firmware(project="G520", project_sku="0280", chip_sku="895")
BLACKWELL: Final = Firmware(
    chip="GB100",
    driver_version="580.95.05",
    vbios_version="97.00.82.00.01",
    project="G548",
    chip_sku="886",
)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What is wrong with a GPU, for tests and demonstrations. All off is an honest one.

    ``changed_measurements`` are golden indices that measure something else than their manifest
    says; ``debug`` is a part in debug state; ``wrong_firmware_id`` reports a FWID other than the
    leaf's; ``bad_signature`` flips a bit; ``stale_nonce`` answers an old challenge.
    """

    changed_measurements: frozenset[int] = frozenset()
    debug: bool = False
    wrong_firmware_id: bool = False
    bad_signature: bool = False
    stale_nonce: bool = False


@dataclass(frozen=True)
class EmulatedGpu:
    """A GPU of this installation's emulator. The same label is the same physical card."""

    authority: EmulatorAuthority
    label: str
    firmware: Firmware = HOPPER
    behaviour: Behaviour = field(default_factory=Behaviour)

    @property
    def chip_id(self) -> str:
        """The serial in the DMTF device info, 16 hex digits."""
        return self.authority.derive_bytes(f"chip {self.label}", 8).hex().upper()

    @property
    def uuid(self) -> str:
        """An NVML-style UUID. Unsigned, as on real cards."""
        text = self.authority.derive_bytes(f"uuid {self.label}", 16).hex()
        return f"GPU-{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    @property
    def firmware_id(self) -> bytes:
        """The FWID: SHA-384 over what identifies the boot firmware."""
        return hashlib.sha384(f"fmc {self.firmware}".encode()).digest()

    @property
    def identity_sha256(self) -> str:
        """What tells this card from all others: the SHA-256 of its device key."""
        key = self._device_key.public_key()
        spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return hashlib.sha256(spki).hexdigest()

    @cached_property
    def certificate_chain(self) -> bytes:
        """Five certificates as PEM, leaf first."""
        chain = (self._leaf, self._device, *self.authority.device_chain)
        return b"".join(issuer.certificate.public_bytes(Encoding.PEM) for issuer in chain)

    def report(self, nonce: bytes) -> bytes:
        """The signed SPDM report that answers a 32-byte challenge."""
        if len(nonce) != NONCE_BYTES:
            raise ValueError(f"the nonce must have {NONCE_BYTES} bytes, not {len(nonce)}")
        if self.behaviour.stale_nonce:
            nonce = hashlib.sha256(b"an older challenge").digest()
        record = b"".join(self._block(index) for index in range(BLOCKS))
        opaque = self._opaque()
        signed = (
            bytes([SPDM_VERSION_1_1, GET_MEASUREMENTS, 1, ALL_MEASUREMENTS])
            + nonce
            + b"\0"
            + bytes([SPDM_VERSION_1_1, MEASUREMENTS, 0, 0, BLOCKS])
            + len(record).to_bytes(3, "little")
            + record
            + hashlib.sha256(b"responder" + nonce).digest()
            + len(opaque).to_bytes(2, "little")
            + opaque
        )
        signature = bytearray(raw_signature_sign(self._leaf.key, signed, deterministic=True))
        if self.behaviour.bad_signature:
            signature[-1] ^= 1
        return signed + bytes(signature)

    def evidence(self, nonce: bytes) -> DeviceEvidence:
        """Report and chain, as a node would send them."""
        return DeviceEvidence(
            report=self.report(nonce),
            certificate_chain=self.certificate_chain,
            claimed_architecture=self.firmware.architecture,
            claimed_uuid=self.uuid,
        )

    @property
    def _device_key(self) -> ec.EllipticCurvePrivateKey:
        return self.authority.derive_key(f"device {self.label}")

    @cached_property
    def _device(self) -> Issuer:
        """Certificate 1: the card's identity, the same for every firmware."""
        return self.authority.issue(
            name=f"{self.firmware.chip} A01 GSP BROM",
            key=self._device_key,
            issuer=self.authority.device_chain[0],
            is_authority=True,
            serial_label=f"device {self.label}",
            device_serial=self.authority.derive_bytes(f"brom {self.label}", 9).hex().upper(),
        )

    @cached_property
    def _leaf(self) -> Issuer:
        """Certificate 0: signs reports, changes with the firmware."""
        label = f"leaf {self.label} {self.firmware} {self.behaviour.debug}"
        device_info = f"NVIDIA:{self.firmware.chip}:{self.chip_id}".encode()
        return self.authority.issue(
            name=f"{self.firmware.chip} A01 GSP FMC LF",
            key=self.authority.derive_key(label),
            issuer=self._device,
            is_authority=False,
            serial_label=label,
            extensions=(
                x509.SubjectAlternativeName(
                    [x509.OtherName(DMTF_DEVICE_INFO_OID, _der(0x0C, device_info))]
                ),
                self._dice_extension(self._device.key.public_key()),
            ),
        )

    def _dice_extension(self, issuer_key: ec.EllipticCurvePublicKey) -> x509.UnrecognizedExtension:
        """The Hopper shape, or DiceTcbInfo for Blackwell and wherever flags are needed."""
        fwid = _der(0x30, _der(0x06, SHA384_OID_DER) + _der(0x04, self.firmware_id))
        if self.firmware.architecture == "HOPPER" and not self.behaviour.debug:
            spki = issuer_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            value = _der(0x30, _der(0x02, b"\x01") + spki + fwid)
            return x509.UnrecognizedExtension(DICE_FWID_OID, value)
        bits = {0, 31} | ({FLAG_NOT_SECURE, FLAG_DEBUG} if self.behaviour.debug else set())
        flags = sum(1 << (31 - bit) for bit in bits).to_bytes(4, "big")
        value = _der(
            0x30,
            _der(0x80, b"ALTHING EMULATED") + _der(0xA6, fwid) + _der(0x87, b"\0" + flags),
        )
        return x509.UnrecognizedExtension(DICE_TCB_INFO_OID, value)

    def _block(self, index: int) -> bytes:
        value = self._value(index)
        header = struct.pack("<BBH", index + 1, DMTF_SPECIFICATION, 3 + VALUE_BYTES)
        return header + struct.pack("<BH", 1, VALUE_BYTES) + value

    def _value(self, index: int) -> bytes:
        if index in self.behaviour.changed_measurements:
            return hashlib.sha384(f"changed {index}".encode()).digest()
        if index == NVDEC_INDEX:
            # The decoder is off, so nothing was measured; the verifier must waive this index.
            return bytes(VALUE_BYTES)
        if index in DEVICE_INDICES:
            return hashlib.sha384(f"unique {self.label} {index}".encode()).digest()
        return self.firmware.golden(index) or bytes(VALUE_BYTES)

    def _opaque(self) -> bytes:
        firmware, wrong = self.firmware, self.behaviour.wrong_firmware_id
        counts = b"".join(
            int(any(self._value(index))).to_bytes(4, "little") for index in range(BLOCKS)
        )
        b3, b2, b1, b0, b4 = bytes.fromhex(firmware.vbios_version.replace(".", ""))
        fields: list[tuple[int, bytes]] = [
            (OpaqueField.VBIOS_VERSION, bytes([b0, b1, b2, b3, b4, 0, 0, 0])),
            (OpaqueField.CHIP_SKU, firmware.chip_sku.encode() + b"\0"),
            (OpaqueField.PROJECT, firmware.project.encode() + b"\0"),
            (OpaqueField.PROJECT_SKU, firmware.project_sku.encode() + b"\0"),
            (OpaqueField.DRIVER_VERSION, firmware.driver_version.encode() + b"\0"),
            (_MSRSCNT, counts),
            (OpaqueField.NVDEC0_STATUS, bytes([STATUS_DISABLED])),
            (OpaqueField.FWID, hashlib.sha384(b"other").digest() if wrong else self.firmware_id),
            (OpaqueField.FEATURE_FLAG, (0).to_bytes(2, "little")),
        ]
        if firmware.architecture == "BLACKWELL":
            fields.append((OpaqueField.CHIP_INFO, firmware.chip.encode() + b"\0"))
        return b"".join(struct.pack("<HH", kind, len(value)) + value for kind, value in fields)


def _der(tag: int, content: bytes) -> bytes:
    """Encode one DER element of less than 64 KiB."""
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes(1 if size < 0x100 else 2, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content
