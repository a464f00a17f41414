"""OCSP (RFC 6960): the request to a responder, and the verification of what it answered.

An answer counts only when it is about exactly the certificate asked for and is signed by that
certificate's issuer, or by a responder to whom the same issuer gave the right. One request asks
for one certificate, so an answer about several is refused. The nonce is that of RFC 9654.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from .revocation import (
    DEFAULT_LIMITS,
    DOCUMENT_ERRORS,
    Revocation,
    RevocationError,
    RevocationLimits,
    RevocationState,
    Statement,
    ecdsa_verify,
)

#: A response with one certificate has about 1.5 KB.
MAX_OCSP_BYTES: Final = 64 * 1024
#: RFC 9654: a client should send at least 32 bytes.
NONCE_BYTES: Final = 32
SOURCE: Final = "ocsp"

#: What an answer's CertID may be made with. These are names, not signatures, so SHA-1 will do.
CERT_ID_HASHES: Final[tuple[hashes.HashAlgorithm, ...]] = (
    hashes.SHA1(),  # noqa: S303
    hashes.SHA256(),
    hashes.SHA384(),
)
_DELEGATE_CRITICAL: Final = {
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.OCSP_NO_CHECK,
}
#: Certificates and answers whose outcomes are remembered: asked the same at every report.
REMEMBERED: Final = 4096
#: RFC 6960, 2.2: with reason certificateHold this time means "never issued".
_NEVER_ISSUED: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ALWAYS: Final = datetime.min.replace(tzinfo=UTC)
_FOREVER: Final = datetime.max.replace(tzinfo=UTC)


class CertId(NamedTuple):
    """Which certificate an answer is about (RFC 6960, 4.1.1)."""

    algorithm: str
    issuer_name_hash: bytes
    issuer_key_hash: bytes
    serial: int


# Told apart as objects: what was found out about one is remembered, and comparing all fields to
# find that again would take longer than finding it out.
@dataclass(frozen=True, slots=True, eq=False)
class OcspAnswer:
    """A response that could be read. Nothing of it is trusted before :func:`ocsp_verify`."""

    sha256: str
    cert_id: CertId
    status: ocsp.OCSPCertStatus
    reason: x509.ReasonFlags | None
    revoked_at: datetime | None
    produced_at: datetime
    this_update: datetime
    next_update: datetime | None
    nonce: bytes | None
    responder_name: x509.Name | None
    responder_key_hash: bytes | None
    certificates: tuple[x509.Certificate, ...]
    algorithm: x509.ObjectIdentifier
    signature: bytes
    signed: bytes

    @property
    def is_final(self) -> bool:
        """The certificate is revoked for good, not put on hold."""
        return self._state is RevocationState.REVOKED

    @property
    def _state(self) -> RevocationState:
        if self.status is ocsp.OCSPCertStatus.GOOD:
            return RevocationState.GOOD
        if self.status is ocsp.OCSPCertStatus.UNKNOWN:
            return RevocationState.UNKNOWN
        held = self.reason is x509.ReasonFlags.certificate_hold
        if held and self.revoked_at != _NEVER_ISSUED:
            return RevocationState.HOLD
        return RevocationState.REVOKED

    def statement(self) -> Statement:
        """What it says, source and times included."""
        state = self._state
        reason = None if self.reason is None else self.reason.value
        if state is RevocationState.REVOKED and self.reason is x509.ReasonFlags.certificate_hold:
            reason = "neverIssued"
        return Statement(
            state=state,
            source=SOURCE,
            sha256=self.sha256,
            this_update=self.this_update,
            next_update=self.next_update,
            reason=reason,
            revoked_at=self.revoked_at,
        )


def ocsp_request(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    *,
    nonce: bytes | None = None,
    algorithm: hashes.HashAlgorithm | None = None,
) -> bytes:
    """The DER request for one certificate; ``algorithm`` is the CertID's, SHA-384 if not given.

    ``nonce`` has 32 bytes and is drawn by the caller; leave it out behind a cache of answers.
    """
    builder = ocsp.OCSPRequestBuilder().add_certificate(
        certificate, issuer, algorithm or hashes.SHA384()
    )
    if nonce is not None:
        if len(nonce) != NONCE_BYTES:
            raise ValueError(f"the nonce must have {NONCE_BYTES} bytes, not {len(nonce)}")
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


@lru_cache(maxsize=REMEMBERED)
def cert_ids(certificate: x509.Certificate, issuer: x509.Certificate) -> frozenset[CertId]:
    """Every CertID by which an answer may name ``certificate``."""
    requests = (
        ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, algorithm).build()
        for algorithm in CERT_ID_HASHES
    )
    return frozenset(
        CertId(
            request.hash_algorithm.name,
            request.issuer_name_hash,
            request.issuer_key_hash,
            request.serial_number,
        )
        for request in requests
    )


def parse_ocsp_response(der: bytes) -> OcspAnswer:
    """Read a response and everything in it. Raises :class:`RevocationError`."""
    if len(der) > MAX_OCSP_BYTES:
        raise RevocationError(
            "size", f"The OCSP response has {len(der)} bytes; {MAX_OCSP_BYTES} can be read."
        )
    try:
        response = ocsp.load_der_ocsp_response(der)
        status = response.response_status
    except DOCUMENT_ERRORS as error:
        raise _unreadable() from error
    if status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        raise RevocationError(
            f"status.{status.name.lower()}",
            f"The OCSP responder gave no answer ({status.name.lower()}).",
        )
    try:
        return _read(response, hashlib.sha256(der).hexdigest())
    except DOCUMENT_ERRORS as error:
        raise _unreadable() from error


def ocsp_verify(
    answer: OcspAnswer,
    *,
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    now: datetime,
    limits: RevocationLimits = DEFAULT_LIMITS,
    nonce: bytes | None = None,
) -> Revocation:
    """The state of ``certificate`` as of ``now``. ``issuer`` is its verified issuer.

    ``nonce`` is what was asked with: an answer that carries another is refused, one that carries
    none is not, because responders behind caches leave it out (RFC 9654). Raises
    :class:`RevocationError` for every answer that must not be used.
    """
    if answer.cert_id not in cert_ids(certificate, issuer):
        raise RevocationError("cert_id", "The OCSP answer is about another certificate.")
    if nonce is not None and answer.nonce is not None:
        if not hmac.compare_digest(nonce, answer.nonce):
            raise RevocationError("nonce", "The OCSP answer is to another request.")
    _check_signer(answer, certificate, issuer, now)
    if answer.produced_at > now + limits.clock_skew:
        raise RevocationError("not_yet", "The OCSP answer was produced in the future.")
    return answer.statement().judge(now=now, limits=limits)


def _read(response: ocsp.OCSPResponse, sha256: str) -> OcspAnswer:
    singles = list(response.responses)
    if len(singles) != 1:
        raise RevocationError("responses", f"The OCSP response has {len(singles)} answers, not 1.")
    single, nonce = singles[0], None
    for extension in response.extensions:
        if isinstance(extension.value, x509.OCSPNonce):
            nonce = extension.value.nonce
        elif extension.critical:
            raise _unknown_extension(extension.oid)
    for extension in response.single_extensions:
        if extension.critical:
            raise _unknown_extension(extension.oid)
    certificates = tuple(response.certificates)
    for certificate in certificates:
        # The library decodes these only when asked; asked here, nothing later can raise.
        _ = (certificate.extensions, certificate.subject, certificate.issuer)
        _ = (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
        _ = certificate.public_key()
    return OcspAnswer(
        sha256=sha256,
        cert_id=CertId(
            single.hash_algorithm.name,
            single.issuer_name_hash,
            single.issuer_key_hash,
            single.serial_number,
        ),
        status=single.certificate_status,
        reason=single.revocation_reason,
        revoked_at=single.revocation_time_utc,
        produced_at=response.produced_at_utc,
        this_update=single.this_update_utc,
        next_update=single.next_update_utc,
        nonce=nonce,
        responder_name=response.responder_name,
        responder_key_hash=response.responder_key_hash,
        certificates=certificates,
        algorithm=response.signature_algorithm_oid,
        signature=response.signature,
        signed=response.tbs_response_bytes,
    )


class _Signer(NamedTuple):
    """Somebody who may answer, from when until when, and whether the signature is theirs."""

    valid_from: datetime
    valid_until: datetime
    has_signed: bool


def _check_signer(
    answer: OcspAnswer, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime
) -> None:
    """The signer is the issuer, or a delegate of it that is named in the answer."""
    # A revocation once stated outlives the responder that stated it; "good" does not.
    moments = (answer.produced_at,) if answer.is_final else (answer.produced_at, now)
    candidates = [
        signer
        for signer in _signers(answer, certificate, issuer)
        if all(signer.valid_from <= moment <= signer.valid_until for moment in moments)
    ]
    if not candidates:
        raise RevocationError(
            "responder", "The OCSP responder has no right to speak for this certificate's issuer."
        )
    if not any(signer.has_signed for signer in candidates):
        raise RevocationError("signature", "The OCSP answer is not signed by its responder.")


@lru_cache(maxsize=REMEMBERED)
def _signers(
    answer: OcspAnswer, certificate: x509.Certificate, issuer: x509.Certificate
) -> tuple[_Signer, ...]:
    """Whom the answer names that may answer for ``issuer``, at whatever time."""

    def signer(candidate: x509.Certificate, begin: datetime, end: datetime) -> _Signer:
        key = candidate.public_key()
        has_signed = ecdsa_verify(key, answer.algorithm, answer.signature, answer.signed)
        return _Signer(begin, end, has_signed)

    # Whether the issuer itself is valid is the chain's business.
    found = [signer(issuer, _ALWAYS, _FOREVER)] if _is_named(answer, issuer) else []
    found += [
        signer(candidate, candidate.not_valid_before_utc, candidate.not_valid_after_utc)
        for candidate in answer.certificates
        if _is_named(answer, candidate) and _is_delegate(candidate, certificate, issuer)
    ]
    return tuple(found)


def _is_named(answer: OcspAnswer, candidate: x509.Certificate) -> bool:
    """True when the answer's ResponderID means this certificate."""
    if answer.responder_name is not None:
        return answer.responder_name == candidate.subject
    # RFC 6960, 4.2.1: SHA-1 over the key's bits, the same as RFC 5280's key identifier.
    identifier = x509.SubjectKeyIdentifier.from_public_key(candidate.public_key())
    return answer.responder_key_hash == identifier.digest


def _is_delegate(
    delegate: x509.Certificate, certificate: x509.Certificate, issuer: x509.Certificate
) -> bool:
    """True when ``issuer`` itself gave ``delegate`` the right to answer (RFC 6960, 4.2.2.2)."""
    if delegate == certificate or delegate.issuer != issuer.subject:
        return False
    return _may_sign_answers(delegate) and ecdsa_verify(
        issuer.public_key(),
        delegate.signature_algorithm_oid,
        delegate.signature,
        delegate.tbs_certificate_bytes,
    )


def _may_sign_answers(delegate: x509.Certificate) -> bool:
    """It is meant for OCSP signing, needs no look-up itself, and says nothing unknown."""
    purposes, no_check = False, False
    for extension in delegate.extensions:
        value = extension.value
        if extension.critical and extension.oid not in _DELEGATE_CRITICAL:
            return False
        if isinstance(value, x509.KeyUsage) and not value.digital_signature:
            return False
        if isinstance(value, x509.ExtendedKeyUsage):
            purposes = ExtendedKeyUsageOID.OCSP_SIGNING in value
        no_check = no_check or isinstance(value, x509.OCSPNoCheck)
    return purposes and no_check


def _unreadable() -> RevocationError:
    return RevocationError("der", "The OCSP response cannot be read.")


def _unknown_extension(oid: x509.ObjectIdentifier) -> RevocationError:
    return RevocationError(
        "extension", f"The OCSP response has the unknown critical extension {oid.dotted_string}."
    )
