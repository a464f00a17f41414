"""Revocation documents for the tests: real DER under the emulator's authorities."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from network.attestation.certificates import load_device_chain
from network.attestation.emulator.authority import Issuer
from network.attestation.emulator.revocation import ocsp_delegate, ocsp_sign

from .samples import AUTHORITY, NOW, gpu

#: Leaf, device, provisioner, identity, root.
CHAIN = load_device_chain(gpu().certificate_chain).certificates
DEVICE, PROVISIONER = CHAIN[1], CHAIN[2]
#: Who signs the device's certificate, the provisioner's and the identity's, with its key.
ISSUERS = AUTHORITY.device_chain
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NONCE = bytes(range(32))


@dataclass(frozen=True)
class Answer:
    """One OCSP response about the device's certificate. Every default is right."""

    certificate: x509.Certificate = DEVICE
    issuer: Issuer = ISSUERS[0]
    algorithm: hashes.HashAlgorithm = field(default_factory=hashes.SHA384)
    status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD
    reason: x509.ReasonFlags | None = None
    revoked_at: datetime = NOW - 30 * DAY
    this_update: datetime = NOW - HOUR
    next_update: datetime | None = NOW + DAY
    produced_at: datetime = NOW - HOUR
    nonce: bytes | None = None
    signer: Issuer | None = None
    by_name: bool = False
    certificates: tuple[x509.Certificate, ...] | None = None
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] = ()

    def builder(self) -> ocsp.OCSPResponseBuilder:
        revoked = self.status is ocsp.OCSPCertStatus.REVOKED
        encoding = ocsp.OCSPResponderEncoding.NAME if self.by_name else None
        builder = (
            ocsp.OCSPResponseBuilder()
            .add_response(
                self.certificate,
                self.issuer.certificate,
                self.algorithm,
                self.status,
                self.this_update,
                self.next_update,
                self.revoked_at if revoked else None,
                self.reason,
            )
            .responder_id(
                encoding or ocsp.OCSPResponderEncoding.HASH, self.actual_signer.certificate
            )
        )
        if self.nonce is not None:
            builder = builder.add_extension(x509.OCSPNonce(self.nonce), critical=False)
        for extension, critical in self.extensions:
            builder = builder.add_extension(extension, critical=critical)
        return builder

    @property
    def actual_signer(self) -> Issuer:
        return self.signer or ocsp_delegate(AUTHORITY, self.issuer)

    @property
    def included(self) -> Sequence[x509.Certificate]:
        if self.certificates is not None:
            return self.certificates
        return [self.actual_signer.certificate]

    def der(self) -> bytes:
        return ocsp_sign(
            self.builder(),
            self.actual_signer,
            produced_at=self.produced_at,
            certificates=self.included,
        )


def revoked(reason: x509.ReasonFlags | None = None, **changes: Any) -> Answer:
    return Answer(status=ocsp.OCSPCertStatus.REVOKED, reason=reason, **changes)


def delegate(
    *extensions: tuple[x509.ExtensionType, bool],
    issuer: Issuer = ISSUERS[0],
    purposes: Sequence[x509.ObjectIdentifier] = (ExtendedKeyUsageOID.OCSP_SIGNING,),
    no_check: bool = True,
    digital_signature: bool = True,
    begin: datetime = NOW - 300 * DAY,
    end: datetime = NOW + 300 * DAY,
    key: Any = None,
) -> Issuer:
    """A responder's certificate that is wrong where the caller says so."""
    key = key or AUTHORITY.derive_key("a responder of the tests")
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name.from_rfc4514_string("CN=test responder"))
        .issuer_name(issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(77)
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(
            x509.KeyUsage(
                digital_signature,
                not digital_signature,
                False,
                False,
                False,
                False,
                False,
                False,
                False,
            ),
            critical=True,
        )
    )
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    if no_check:
        builder = builder.add_extension(x509.OCSPNoCheck(), critical=False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return Issuer(builder.sign(issuer.key, hashes.SHA384()), key)


def one_bit_flips(document: bytes, seed: str) -> Iterator[bytes]:
    """For every byte the document with one bit of that byte flipped, which one by the seed."""
    source = random.Random(seed)
    for position in range(len(document)):
        changed = bytearray(document)
        changed[position] ^= 1 << source.randrange(8)
        yield bytes(changed)


def mutations(document: bytes, seed: str, count: int) -> Iterator[bytes]:
    """Documents cut, stretched, overwritten and spliced at places drawn by the seed."""
    source = random.Random(seed)
    for _ in range(count):
        changed = bytearray(document)
        for _ in range(source.randint(1, 4)):
            start = source.randrange(len(changed) or 1)
            size = source.randint(1, 8)
            match source.randrange(4):
                case 0:
                    del changed[start : start + size]
                case 1:
                    changed[start:start] = source.randbytes(size)
                case 2:
                    changed[start : start + size] = source.randbytes(size)
                case 3:
                    other = source.randrange(len(document))
                    changed[start : start + size] = document[other : other + size]
        yield bytes(changed)
