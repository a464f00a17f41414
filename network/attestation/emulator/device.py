"""What GPUs and switches have in common: identity, certificate chain, signed reports."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from network.attestation.dice import (
    DICE_FWID_OID,
    DICE_TCB_INFO_OID,
    DMTF_DEVICE_INFO_OID,
    FLAG_DEBUG,
    FLAG_NOT_SECURE,
    SHA384_OID_DER,
)
from network.attestation.evidence import DeviceEvidence
from network.attestation.signatures import raw_signature_sign
from network.attestation.spdm import NONCE_BYTES

from .authority import EmulatorAuthority, Issuer
from .encoding import Field, block_encode, der, opaque_encode, report_encode


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What is wrong with a device, for tests and demonstrations. All off is an honest one.

    ``changed_measurements`` are golden indices that measure something else than their manifest
    says; ``debug`` is a part in debug state; ``wrong_firmware_id`` reports a FWID other than the
    leaf's; ``bad_signature`` flips a bit; ``stale_nonce`` answers an old challenge.
    """

    changed_measurements: frozenset[int] = frozenset()
    debug: bool = False
    wrong_firmware_id: bool = False
    bad_signature: bool = False
    stale_nonce: bool = False


HONEST: Final = Behaviour()


class EmulatedDevice(ABC):
    """A device of this installation's emulator. The same label is the same physical device."""

    authority: EmulatorAuthority
    label: str
    behaviour: Behaviour

    @property
    @abstractmethod
    def part(self) -> str:
        """What the certificates call it, for example ``GH100 A01 GSP``."""

    @property
    @abstractmethod
    def architecture(self) -> str:
        """As attestation requests name it."""

    @property
    @abstractmethod
    def firmware_name(self) -> str:
        """Tells one firmware from another."""

    @property
    @abstractmethod
    def tcb_info(self) -> bool:
        """True where the leaf holds DiceTcbInfo, not the older shape."""

    @property
    @abstractmethod
    def typed(self) -> bool:
        """True where the opaque data is in the typed format."""

    @abstractmethod
    def measurements(self) -> dict[int, bytes]:
        """The measured values by SPDM index."""

    @abstractmethod
    def opaque_fields(self) -> list[Field]:
        """What the report says besides."""

    @property
    def chip_id(self) -> str:
        """The serial in the DMTF device info, 16 hex digits."""
        return self.authority.derive_bytes(f"chip {self.label}", 8).hex().upper()

    @property
    def device_serial(self) -> bytes:
        """The serial number that certificate 1 has: a byte, then the id that others know it by."""
        return self.authority.derive_bytes(f"brom {self.label}", 9)

    @property
    def pdi(self) -> bytes:
        """The 8-byte id by which GPUs and switches name each other."""
        return self.device_serial[1:]

    @property
    def firmware_id(self) -> bytes:
        """The FWID: SHA-384 over what identifies the boot firmware."""
        return hashlib.sha384(f"fmc {self.firmware_name}".encode()).digest()

    @property
    def identity_sha256(self) -> str:
        """What tells this device from all others: the SHA-256 of its device key."""
        spki = self._device_key.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        return hashlib.sha256(spki).hexdigest()

    @cached_property
    def certificate_chain(self) -> bytes:
        """Five certificates as PEM, leaf first."""
        return pem_of(self.leaf, self.device, *self.authority.device_chain)

    def report(self, nonce: bytes) -> bytes:
        """The signed SPDM report that answers a 32-byte challenge."""
        if len(nonce) != NONCE_BYTES:
            raise ValueError(f"the nonce must have {NONCE_BYTES} bytes, not {len(nonce)}")
        if self.behaviour.stale_nonce:
            nonce = hashlib.sha256(b"an older challenge").digest()
        return self.signed(report_encode(nonce, self.blocks(), self.opaque()))

    def blocks(self) -> list[bytes]:
        """The measurement blocks of a report."""
        return [block_encode(index, value) for index, value in self.measurements().items()]

    def opaque(self) -> bytes:
        """The opaque data of a report."""
        return opaque_encode(self.opaque_fields(), typed=self.typed)

    def signed(self, content: bytes) -> bytes:
        """``content`` with the leaf's signature over it."""
        signature = bytearray(raw_signature_sign(self.leaf.key, content, deterministic=True))
        if self.behaviour.bad_signature:
            signature[-1] ^= 1
        return content + bytes(signature)

    def evidence(self, nonce: bytes) -> DeviceEvidence:
        """Report and chain, as a node would send them."""
        return DeviceEvidence(
            report=self.report(nonce),
            certificate_chain=self.certificate_chain,
            claimed_architecture=self.architecture,
        )

    @property
    def _device_key(self) -> ec.EllipticCurvePrivateKey:
        return self.authority.derive_key(f"device {self.label}")

    @cached_property
    def device(self) -> Issuer:
        """Certificate 1: the device's identity, the same for every firmware."""
        return self.authority.issue(
            name=f"{self.part} BROM",
            key=self._device_key,
            issuer=self.authority.device_chain[0],
            is_authority=True,
            serial_label=f"device {self.label}",
            device_serial=self.device_serial.hex().upper(),
        )

    @cached_property
    def leaf(self) -> Issuer:
        """Certificate 0: signs reports, changes with the firmware."""
        label = f"leaf {self.label} {self.firmware_name} {self.behaviour.debug}"
        return self.authority.issue(
            name=f"{self.part} FMC LF",
            key=self.authority.derive_key(label),
            issuer=self.device,
            is_authority=False,
            serial_label=label,
            extensions=self.leaf_extensions(),
        )

    def leaf_extensions(self) -> tuple[x509.ExtensionType, ...]:
        """Device name and firmware identity."""
        device_info = f"NVIDIA:{self.part.split()[0]}:{self.chip_id}".encode()
        name = x509.OtherName(DMTF_DEVICE_INFO_OID, der(0x0C, device_info))
        return x509.SubjectAlternativeName([name]), self._dice()

    def _dice(self) -> x509.UnrecognizedExtension:
        """The older shape, or DiceTcbInfo where the part has it and wherever flags are needed."""
        fwid = der(0x30, der(0x06, SHA384_OID_DER) + der(0x04, self.firmware_id))
        if not self.tcb_info and not self.behaviour.debug:
            spki = self._device_key.public_key().public_bytes(
                Encoding.DER, PublicFormat.SubjectPublicKeyInfo
            )
            value = der(0x30, der(0x02, b"\x01") + spki + fwid)
            return x509.UnrecognizedExtension(DICE_FWID_OID, value)
        bits = {0, 31} | ({FLAG_NOT_SECURE, FLAG_DEBUG} if self.behaviour.debug else set())
        flags = sum(1 << (31 - bit) for bit in bits).to_bytes(4, "big")
        content = der(0x80, b"ALTHING EMULATED") + der(0xA6, fwid) + der(0x87, b"\0" + flags)
        return x509.UnrecognizedExtension(DICE_TCB_INFO_OID, der(0x30, content))


def pem_of(*issuers: Issuer) -> bytes:
    """A chain as PEM, in the order given."""
    return b"".join(issuer.certificate.public_bytes(Encoding.PEM) for issuer in issuers)


def measured_counts(values: dict[int, bytes]) -> bytes:
    """MSRSCNT: how often each index was measured, as u32; 0 where the value is all zero."""
    return b"".join(int(any(value)).to_bytes(4, "little") for value in values.values())
