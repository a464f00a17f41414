"""The emulator's certificate authorities, all derived from one secret seed per installation.

Deriving everything (RFC 5869 for keys, RFC 6979 for signatures) means one small secret file, and
the same certificates from the same seed in every test run.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.x509.oid import NameOID

from network.attestation.certificates import EMULATED_MARK
from network.attestation.trust import TrustAnchors, spki_sha256

SEED_FILE: Final = "emulator.seed"
SEED_BYTES: Final = 32
#: The order of P-384 (SEC 2, secp384r1).
_P384_ORDER: Final = int(
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    16,
)
_VALID_FROM: Final = datetime(2020, 1, 1, tzinfo=UTC)
_FOREVER: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
_ORGANIZATION: Final = "Althing"


@dataclass(frozen=True, slots=True)
class Issuer:
    """A certificate with the key that signs below it."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class EmulatorAuthority:
    """One installation's emulator roots. ``seed`` is secret: who has it can emulate its GPUs."""

    seed: bytes
    rim_signer_valid_until: datetime = datetime(2050, 1, 1, tzinfo=UTC)
    rim_signer_valid_from: datetime = _VALID_FROM

    def __post_init__(self) -> None:
        if len(self.seed) != SEED_BYTES:
            raise ValueError(f"an emulator seed has {SEED_BYTES} bytes, not {len(self.seed)}")

    def __repr__(self) -> str:
        return f"EmulatorAuthority(device_root={self.device_root_spki_sha256})"

    @classmethod
    def load_or_create(cls, directory: Path) -> EmulatorAuthority:
        """Read the seed in ``directory``, or make a new one there, readable by its owner only.

        Safe when several processes start at once: the first one's seed is everybody's.
        """
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / SEED_FILE
        if not path.exists():
            # Written aside and linked, so that nobody ever reads half a seed.
            temporary = directory / f".{SEED_FILE}.{os.getpid()}.{secrets.token_hex(4)}"
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(secrets.token_hex(SEED_BYTES) + "\n")
            try:
                os.link(temporary, path)
            except FileExistsError:
                pass  # Another process was first; its seed is read below.
            finally:
                temporary.unlink()
        return cls(bytes.fromhex(path.read_text(encoding="ascii").strip()))

    @classmethod
    def from_seed(cls, text: str) -> EmulatorAuthority:
        """An authority for tests, the same for the same text."""
        return cls(hashlib.sha256(text.encode()).digest())

    @cached_property
    def device_chain(self) -> tuple[Issuer, ...]:
        """Provisioner, identity and root authorities of devices, the lowest first."""
        root = self._authority("Device Root", None)
        identity = self._authority("Identity", root)
        return self._authority("Provisioner ICA 1", identity), identity, root

    @cached_property
    def rim_chain(self) -> tuple[Issuer, ...]:
        """Signer, L3, CA and root of manifests, the lowest first."""
        root = self._authority("RIM Root", None)
        middle = self._authority("Reference Value CA", root)
        lowest = self._authority("Reference Value L3", middle)
        signer = self.issue(
            name="RIM Signer",
            key=self.derive_key("rim signer"),
            issuer=lowest,
            is_authority=False,
            valid_from=self.rim_signer_valid_from,
            valid_until=self.rim_signer_valid_until,
        )
        return signer, lowest, middle, root

    @property
    def device_root_spki_sha256(self) -> str:
        """The pin of the device root, lowercase hex."""
        return spki_sha256(self.device_chain[-1].key.public_key())

    @property
    def rim_root_spki_sha256(self) -> str:
        """The pin of the manifest root, lowercase hex."""
        return spki_sha256(self.rim_chain[-1].key.public_key())

    def trust(self, anchors: TrustAnchors) -> TrustAnchors:
        """``anchors`` with this emulator's roots added."""
        return anchors.with_emulator(
            device_spki_sha256=self.device_root_spki_sha256,
            rim_spki_sha256=self.rim_root_spki_sha256,
        )

    def derive_bytes(self, label: str, length: int) -> bytes:
        """Pseudo-random bytes for one purpose (HKDF with SHA-384)."""
        kdf = HKDF(hashes.SHA384(), length, b"althing-emulator", label.encode())
        return kdf.derive(self.seed)

    def derive_key(self, label: str) -> ec.EllipticCurvePrivateKey:
        """The P-384 key of one purpose. 56 bytes make the modulo's bias negligible."""
        number = int.from_bytes(self.derive_bytes(f"key {label}", 56), "big")
        return ec.derive_private_key(number % (_P384_ORDER - 1) + 1, ec.SECP384R1())

    def issue(
        self,
        *,
        name: str,
        key: ec.EllipticCurvePrivateKey,
        issuer: Issuer | None,
        is_authority: bool,
        signs_lists: bool = False,
        valid_from: datetime = _VALID_FROM,
        valid_until: datetime = _FOREVER,
        serial_label: str | None = None,
        device_serial: str | None = None,
        extensions: tuple[x509.ExtensionType, ...] = (),
        critical: tuple[x509.ExtensionType, ...] = (),
    ) -> Issuer:
        """Issue a certificate named ``ALTHING EMULATED <name>``; self-signed without an issuer."""
        subject = _name(name, device_serial)
        serial = self.derive_bytes(f"serial {serial_label or name}", 15)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.certificate.subject if issuer else subject)
            .public_key(key.public_key())
            .serial_number(int.from_bytes(b"\x01" + serial, "big"))
            .not_valid_before(valid_from)
            .not_valid_after(valid_until)
            .add_extension(
                _key_usage(is_authority=is_authority, signs_lists=signs_lists), critical=True
            )
        )
        if is_authority:
            builder = builder.add_extension(x509.BasicConstraints(True, None), critical=True)
        for extension in (*extensions, *critical):
            builder = builder.add_extension(extension, critical=extension in critical)
        certificate = builder.sign(
            issuer.key if issuer else key, hashes.SHA384(), ecdsa_deterministic=True
        )
        return Issuer(certificate, key)

    def _authority(self, name: str, issuer: Issuer | None) -> Issuer:
        return self.issue(
            name=name,
            key=self.derive_key(name),
            issuer=issuer,
            is_authority=True,
            signs_lists=True,
        )


def _name(common_name: str, device_serial: str | None) -> x509.Name:
    attributes = [
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, _ORGANIZATION),
        x509.NameAttribute(NameOID.COMMON_NAME, f"{EMULATED_MARK} {common_name}"),
    ]
    if device_serial is not None:
        attributes.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, device_serial))
    return x509.Name(attributes)


def _key_usage(*, is_authority: bool, signs_lists: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=signs_lists,
        encipher_only=False,
        decipher_only=False,
    )
