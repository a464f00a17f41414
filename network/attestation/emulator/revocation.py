"""The emulator's revocation service: an OCSP responder and lists for its own authorities.

Real DER by the same rules as a vendor's, and the same bytes for the same seed and times.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from network.attestation.ocsp import MAX_OCSP_BYTES
from network.attestation.trust import spki_sha256

from .authority import EmulatorAuthority, Issuer
from .encoding import der

#: How long what the emulator says holds, where the caller does not say otherwise.
ANSWER_LIFETIME: Final = timedelta(days=1)
LIST_LIFETIME: Final = timedelta(days=30)
#: AlgorithmIdentifier ecdsa-with-SHA384 (RFC 5758) and the OID id-pkix-ocsp-basic, both DER.
_ECDSA_SHA384: Final = bytes.fromhex("300a06082a8648ce3d040303")
_BASIC_RESPONSE: Final = bytes.fromhex("06092b0601050507300101")
_DELEGATE_VALID_UNTIL: Final = datetime(2050, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RevokedEntry:
    """When a certificate was revoked and why; without a reason none is given."""

    at: datetime
    reason: x509.ReasonFlags | None = None


def ocsp_delegate(
    authority: EmulatorAuthority, issuer: Issuer, *, valid_until: datetime = _DELEGATE_VALID_UNTIL
) -> Issuer:
    """The certificate by which ``issuer`` lets a responder answer for it (RFC 6960, 4.2.2.2)."""
    label = f"ocsp responder {spki_sha256(issuer.key.public_key())}"
    return authority.issue(
        name="OCSP Responder",
        key=authority.derive_key(label),
        issuer=issuer,
        is_authority=False,
        valid_until=valid_until,
        serial_label=f"{label} {valid_until}",
        extensions=(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]),
            x509.OCSPNoCheck(),
        ),
    )


@dataclass(frozen=True)
class EmulatedResponder:
    """An OCSP responder for the emulator's authorities, one delegate each.

    ``revoked`` is by serial number, ``unknown`` are serial numbers that it has never heard of.
    Like the vendor's, it says nothing about leaves: their issuers are the devices themselves, so
    such requests are answered ``unauthorized``.
    """

    authority: EmulatorAuthority
    revoked: Mapping[int, RevokedEntry] = field(default_factory=dict)
    lifetime: timedelta = ANSWER_LIFETIME
    unknown: frozenset[int] = frozenset()

    def answer(self, request_der: bytes, *, now: datetime) -> bytes:
        """The DER response to a DER request, whatever its bytes are."""
        try:
            if len(request_der) > MAX_OCSP_BYTES:
                raise ValueError("the request is too long")
            request = ocsp.load_der_ocsp_request(request_der)
            extensions = request.extensions
            algorithm = request.hash_algorithm
        except (ValueError, x509.DuplicateExtension):
            return _refusal(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
        issuer = self._issuer(request)
        if issuer is None:
            return _refusal(ocsp.OCSPResponseStatus.UNAUTHORIZED)
        entry = self.revoked.get(request.serial_number)
        delegate = ocsp_delegate(self.authority, issuer)
        builder = (
            ocsp.OCSPResponseBuilder()
            .add_response_by_hash(
                request.issuer_name_hash,
                request.issuer_key_hash,
                request.serial_number,
                algorithm,
                self._status(request.serial_number),
                now,
                now + self.lifetime,
                None if entry is None else entry.at,
                None if entry is None else entry.reason,
            )
            .responder_id(ocsp.OCSPResponderEncoding.HASH, delegate.certificate)
        )
        for extension in extensions:
            if isinstance(extension.value, x509.OCSPNonce):
                builder = builder.add_extension(extension.value, critical=False)
        return ocsp_sign(builder, delegate, produced_at=now, certificates=[delegate.certificate])

    def _status(self, serial: int) -> ocsp.OCSPCertStatus:
        if serial in self.unknown:
            return ocsp.OCSPCertStatus.UNKNOWN
        good = serial not in self.revoked
        return ocsp.OCSPCertStatus.GOOD if good else ocsp.OCSPCertStatus.REVOKED

    def _issuer(self, request: ocsp.OCSPRequest) -> Issuer | None:
        """The authority that the request names, if it is one of ours."""
        name, asked = (
            request.hash_algorithm.name,
            (request.issuer_name_hash, request.issuer_key_hash),
        )
        for issuer in (*self.authority.device_chain, *self.authority.rim_chain[1:]):
            subject = issuer.certificate.subject.public_bytes()
            # The bits of an EC key are its uncompressed point (RFC 5480).
            bits = issuer.key.public_key().public_bytes(
                Encoding.X962, PublicFormat.UncompressedPoint
            )
            if asked == (hashlib.new(name, subject).digest(), hashlib.new(name, bits).digest()):
                return issuer
        return None


def ocsp_sign(
    builder: ocsp.OCSPResponseBuilder,
    signer: Issuer,
    *,
    produced_at: datetime,
    certificates: Sequence[x509.Certificate] = (),
) -> bytes:
    """The DER response of a filled builder, as if it had been signed at ``produced_at`` (UTC).

    The library writes the machine's time and signs with a random number, so its ResponseData is
    dated anew and signed by RFC 6979.
    """
    drawn = builder.sign(signer.key, hashes.SHA384())
    old, new = (f"{time:%Y%m%d%H%M%SZ}".encode() for time in (drawn.produced_at_utc, produced_at))
    return ocsp_assemble(drawn.tbs_response_bytes.replace(old, new, 1), signer, certificates)


def ocsp_assemble(
    response_data: bytes, signer: Issuer, certificates: Sequence[x509.Certificate] = ()
) -> bytes:
    """Sign DER ResponseData and wrap it as a successful OCSPResponse (RFC 6960, 4.2.1)."""
    algorithm = ec.ECDSA(hashes.SHA384(), deterministic_signing=True)
    basic = response_data + _ECDSA_SHA384
    basic += der(0x03, b"\0" + signer.key.sign(response_data, algorithm))
    if certificates:
        bodies = (certificate.public_bytes(Encoding.DER) for certificate in certificates)
        basic += der(0xA0, der(0x30, b"".join(bodies)))
    response = der(0x30, _BASIC_RESPONSE + der(0x04, der(0x30, basic)))
    return der(0x30, der(0x0A, b"\0") + der(0xA0, response))


def crl_issue(
    issuer: Issuer,
    *,
    number: int,
    this_update: datetime,
    next_update: datetime | None = None,
    revoked: Mapping[int, RevokedEntry] | None = None,
    extensions: Iterable[tuple[x509.ExtensionType, bool]] = (),
) -> bytes:
    """The DER list of ``issuer``, signed with SHA-384. ``extensions`` are (value, critical)."""
    key = issuer.key.public_key()
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(this_update)
        .next_update(next_update or this_update + LIST_LIFETIME)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key), critical=False)
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    for serial, entry in (revoked or {}).items():
        item = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(entry.at)
        if entry.reason is not None:
            item = item.add_extension(x509.CRLReason(entry.reason), critical=False)
        builder = builder.add_revoked_certificate(item.build())
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    signed = builder.sign(issuer.key, hashes.SHA384(), ecdsa_deterministic=True)
    return signed.public_bytes(Encoding.DER)


def _refusal(status: ocsp.OCSPResponseStatus) -> bytes:
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)
