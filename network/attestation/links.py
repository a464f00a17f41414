"""Chains of certificates as such: every link from the first one to a root, after RFC 5280 for a
closed profile (P-384 and ECDSA with SHA-384 throughout). Devices and manifests have such chains.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtensionOID

from .bounded import BoundedCache
from .certificate_encoding import (
    CERTIFICATE_ERRORS,
    ExactCertificate,
    certificate_from_der,
    check_contents,
)
from .errors import EvidenceError, Finding
from .trust import SubmittedRoot

MIN_CERTIFICATES: Final = 3
MAX_CERTIFICATES: Final = 8
#: From here on a chain's certificates are those of authorities, the same for many devices.
FIRST_SHARED: Final = 2
#: A vendor has some dozen authorities; anybody can send others, which then push each other out.
AUTHORITY_ENTRIES: Final = 256
_KNOWN_CRITICAL: Final = {ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE}
_ECDSA: Final = ec.ECDSA(hashes.SHA384())


class ChainError(EvidenceError):
    """A chain that cannot even be read (codes ``chain.pem``, ``chain.count``)."""


@dataclass(frozen=True, slots=True)
class Authorities:
    """What many chains have in common: the certificates above the devices' own, read and checked,
    and which of them have issued which. Found by their very bytes, so that remembering says
    nothing that reading and verifying again would not. Whom to trust is not in here."""

    certificates: BoundedCache[ExactCertificate] = field(
        default_factory=lambda: BoundedCache(AUTHORITY_ENTRIES)
    )
    issued: BoundedCache[bool] = field(default_factory=lambda: BoundedCache(AUTHORITY_ENTRIES))

    def remember(self, checked: Sequence[ExactCertificate]) -> None:
        """Keep certificates that :func:`check_certificates` has let pass."""
        for certificate in checked:
            self.certificates.put(certificate.der, certificate)


def certificate_load(der: bytes, authorities: Authorities | None) -> ExactCertificate:
    """Read one certificate, or remember it. Raises ``CERTIFICATE_ERRORS``."""
    known = authorities.certificates.get(der) if authorities is not None else None
    return known or certificate_from_der(der)


def certificates_load(
    ders: Sequence[bytes], *, authorities: Authorities | None = None
) -> tuple[ExactCertificate, ...]:
    """Read a chain's certificates. Raises ChainError, and whatever the library raises for what is
    no certificate at all (``CERTIFICATE_ERRORS``)."""
    certificates = tuple(
        certificate_load(der, authorities if position >= FIRST_SHARED else None)
        for position, der in enumerate(ders)
    )
    check_certificates(certificates)
    if authorities is not None:
        authorities.remember(certificates[FIRST_SHARED:])
    return certificates


def check_certificates(certificates: Sequence[ExactCertificate]) -> None:
    """Refuse a wrong number of certificates, and any whose lazily read parts cannot be read."""
    if not MIN_CERTIFICATES <= len(certificates) <= MAX_CERTIFICATES:
        raise ChainError(
            "chain.count",
            f"The chain has {len(certificates)} certificates; "
            f"{MIN_CERTIFICATES} to {MAX_CERTIFICATES} are allowed.",
        )
    subjects = {certificate.subject for certificate in certificates}
    for position, certificate in enumerate(certificates):
        try:
            check_contents(certificate, subjects)
        except CERTIFICATE_ERRORS as error:
            raise ChainError(
                "chain.pem", f"Certificate {position} is malformed.", {"certificate": position}
            ) from error


def link_findings(
    certificates: Sequence[ExactCertificate], *, authorities: Authorities | None = None
) -> list[Finding]:
    """Check every link from the leaf to the last certificate; all faults, not only the first.

    The last one's own signature is not looked at here; see :func:`submitted_root`.
    """
    findings: list[Finding] = []
    for position, certificate in enumerate(certificates):
        findings += _shape_findings(certificate.certificate, position)
    for position, (subject, issuer) in enumerate(itertools.pairwise(certificates)):
        if not _names(subject, issuer):
            findings.append(
                _fault("chain.name", position, "names another issuer than the next certificate")
            )
        shared = authorities.issued if authorities and position >= FIRST_SHARED else None
        if not _issued(subject, issuer, shared):
            findings.append(
                _fault("chain.signature", position, "is not signed by the next certificate")
            )
    return findings


def submitted_root(certificates: Sequence[ExactCertificate]) -> SubmittedRoot:
    """What the last certificate is, for :meth:`TrustAnchor.accepts` to judge."""
    root = certificates[-1]
    return SubmittedRoot(
        spki_sha256=root.spki_sha256,
        certificate_sha256=hashlib.sha256(root.der).hexdigest(),
        self_signed=_is_self_signed(root.der),
    )


def validity(
    certificates: Sequence[ExactCertificate], root: SubmittedRoot
) -> tuple[datetime, datetime]:
    """The time in which all certificates are valid, first and last moment. A root takes part only
    where its own signature vouches for its dates."""
    dated = [one.certificate for one in (certificates if root.self_signed else certificates[:-1])]
    return (
        max(certificate.not_valid_before_utc for certificate in dated),
        min(certificate.not_valid_after_utc for certificate in dated),
    )


# A few roots stand above every chain of a fleet; each is verified once.
@functools.lru_cache(maxsize=64)
def _is_self_signed(der: bytes) -> bool:
    certificate = certificate_from_der(der)
    return _names(certificate, certificate) and _signed_by(certificate, certificate)


def _names(subject: ExactCertificate, issuer: ExactCertificate) -> bool:
    """True when the subject's issuer is the issuer's subject: mostly in the same bytes."""
    if subject.issuer == issuer.subject:
        return True
    return subject.certificate.issuer == issuer.subject_name


def _issued(
    subject: ExactCertificate, issuer: ExactCertificate, known: BoundedCache[bool] | None
) -> bool:
    """Verify the link, or remember it. Only right ones are kept; a DER value ends by itself, so
    the two behind each other are no other two."""
    if known is None:
        return _signed_by(subject, issuer)
    link = subject.der + issuer.der
    if known.get(link):
        return True
    if not _signed_by(subject, issuer):
        return False
    known.put(link, True)
    return True


def _fault(code: str, position: int, what: str) -> Finding:
    return Finding(code, f"Certificate {position} {what}.", data={"certificate": position})


def _shape_findings(certificate: x509.Certificate, position: int) -> list[Finding]:
    findings: list[Finding] = []
    if p384_key(certificate) is None:
        findings.append(_fault("chain.algorithm", position, "has no P-384 key"))
    for extension in certificate.extensions:
        if extension.critical and extension.oid not in _KNOWN_CRITICAL:
            oid = extension.oid.dotted_string
            findings.append(
                _fault("chain.extension", position, f"has the unknown critical extension {oid}")
            )
    if position == 0:
        return findings
    constraints, usage = _constraints(certificate), _key_usage(certificate)
    if constraints is None or not constraints.ca or usage is None or not usage.key_cert_sign:
        findings.append(_fault("chain.not_ca", position, "may not sign certificates"))
    elif constraints.path_length is not None and constraints.path_length < position - 1:
        findings.append(_fault("chain.not_ca", position, "may not have so many below it"))
    return findings


def leaf_usage_findings(leaf: ExactCertificate) -> list[Finding]:
    """The leaf must sign data and must not be able to sign certificates."""
    constraints, usage = _constraints(leaf.certificate), _key_usage(leaf.certificate)
    is_signer = usage is not None and usage.digital_signature and not usage.key_cert_sign
    if is_signer and not (constraints and constraints.ca):
        return []
    return [_fault("chain.leaf_usage", 0, "is not a signing leaf (digitalSignature, not a CA)")]


def _signed_by(subject: ExactCertificate, issuer: ExactCertificate) -> bool:
    key = p384_key(issuer.certificate)
    try:
        algorithm = subject.certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return False
    if key is None or not isinstance(algorithm, hashes.SHA384) or not subject.outside_exact:
        return False
    try:
        key.verify(subject.certificate.signature, subject.signed, _ECDSA)
    except InvalidSignature:
        return False
    return True


def p384_key(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey | None:
    """The certificate's key; None for one of another kind or curve."""
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP384R1):
        return key
    return None


def _constraints(certificate: x509.Certificate) -> x509.BasicConstraints | None:
    for extension in certificate.extensions:
        if type(extension.value) is x509.BasicConstraints:
            return extension.value
    return None


def _key_usage(certificate: x509.Certificate) -> x509.KeyUsage | None:
    for extension in certificate.extensions:
        if type(extension.value) is x509.KeyUsage:
            return extension.value
    return None
