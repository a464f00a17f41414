"""Certificate revocation lists (RFC 5280, section 5): whole lists by the certificate's own issuer.

Delta lists and indirect lists are refused with their own words: this profile has no use for them,
and a list that is read as more than it is would call a revoked certificate good.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from cryptography import x509
from cryptography.x509.oid import CRLEntryExtensionOID, ExtensionOID

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

#: Room for some 30,000 entries.
MAX_CRL_BYTES: Final = 1024 * 1024
SOURCE: Final = "crl"


@dataclass(frozen=True, slots=True)
class CrlEntry:
    """One revoked certificate. Without a reason the issuer gave none."""

    revoked_at: datetime
    reason: x509.ReasonFlags | None


# Told apart as objects, so that what was found out about a long list can be remembered.
@dataclass(frozen=True, slots=True, eq=False)
class Crl:
    """A list that could be read. Nothing of it is trusted before :func:`crl_verify`."""

    sha256: str
    issuer: x509.Name
    this_update: datetime
    next_update: datetime
    scope: x509.IssuingDistributionPoint | None
    entries: Mapping[int, CrlEntry]
    algorithm: x509.ObjectIdentifier
    signature: bytes
    signed: bytes

    def statement(self, serial: int) -> Statement:
        """What it says of the certificate with this serial number."""
        entry = self.entries.get(serial)
        reason = entry.reason if entry is not None else None
        return Statement(
            state=_state(entry),
            source=SOURCE,
            sha256=self.sha256,
            this_update=self.this_update,
            next_update=self.next_update,
            reason=None if reason is None else reason.value,
            revoked_at=None if entry is None else entry.revoked_at,
        )


def parse_crl(der: bytes) -> Crl:
    """Read a list and all its entries. Raises :class:`RevocationError`."""
    if len(der) > MAX_CRL_BYTES:
        raise RevocationError(
            "size", f"The revocation list has {len(der)} bytes; {MAX_CRL_BYTES} can be read."
        )
    try:
        return _read(x509.load_der_x509_crl(der), hashlib.sha256(der).hexdigest())
    except DOCUMENT_ERRORS as error:
        raise RevocationError("der", "The revocation list cannot be read.") from error


def crl_verify(
    crl: Crl,
    *,
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    now: datetime,
    limits: RevocationLimits = DEFAULT_LIMITS,
) -> Revocation:
    """The state of ``certificate`` as of ``now``. ``issuer`` is its verified issuer.

    Raises :class:`RevocationError` for every list that must not be used for it.
    """
    if certificate.issuer != issuer.subject:
        raise RevocationError("issuer", "The revocation list is another issuer's.")
    crl_sign_verify(crl, issuer)
    if crl.scope is not None:
        _check_scope(crl.scope, certificate)
    return crl.statement(certificate.serial_number).judge(now=now, limits=limits)


def crl_sign_verify(crl: Crl, issuer: x509.Certificate) -> None:
    """Make sure that ``issuer`` signed the list and may. Raises :class:`RevocationError`."""
    if crl.issuer != issuer.subject:
        raise RevocationError("issuer", "The revocation list is another issuer's.")
    if not _may_sign_lists(issuer):
        raise RevocationError("crl_sign", "The issuer's certificate may not sign lists.")
    if not _is_signed_by(crl, issuer):
        raise RevocationError("signature", "The revocation list is not signed by the issuer.")


@lru_cache(maxsize=256)
def _is_signed_by(crl: Crl, issuer: x509.Certificate) -> bool:
    return ecdsa_verify(issuer.public_key(), crl.algorithm, crl.signature, crl.signed)


def _state(entry: CrlEntry | None) -> RevocationState:
    if entry is None:
        return RevocationState.GOOD
    if entry.reason is x509.ReasonFlags.certificate_hold:
        return RevocationState.HOLD
    if entry.reason is x509.ReasonFlags.remove_from_crl:
        # It belongs in delta lists only; a whole list that says it contradicts itself.
        return RevocationState.UNKNOWN
    return RevocationState.REVOKED


def _read(crl: x509.CertificateRevocationList, sha256: str) -> Crl:
    scope = None
    for extension in crl.extensions:
        if isinstance(extension.value, x509.DeltaCRLIndicator):
            raise RevocationError("delta", "Delta revocation lists are not read.")
        if isinstance(extension.value, x509.IssuingDistributionPoint):
            scope = extension.value
        elif extension.critical and extension.oid != ExtensionOID.CRL_NUMBER:
            raise _unknown_extension(extension.oid)
    if scope is not None and scope.indirect_crl:
        raise _indirect()
    if crl.next_update_utc is None:
        raise RevocationError("next_update", "The revocation list does not say when it ends.")
    return Crl(
        sha256=sha256,
        issuer=crl.issuer,
        this_update=crl.last_update_utc,
        next_update=crl.next_update_utc,
        scope=scope,
        entries=_read_entries(crl),
        algorithm=crl.signature_algorithm_oid,
        signature=crl.signature,
        signed=crl.tbs_certlist_bytes,
    )


def _read_entries(crl: x509.CertificateRevocationList) -> dict[int, CrlEntry]:
    entries: dict[int, CrlEntry] = {}
    for revoked in crl:
        reason = None
        for extension in revoked.extensions:
            if extension.oid == CRLEntryExtensionOID.CERTIFICATE_ISSUER:
                raise _indirect()
            if isinstance(extension.value, x509.CRLReason):
                reason = extension.value.reason
            elif extension.critical:
                # RFC 5280, 5.3: the whole list must not be used, not only this entry.
                raise _unknown_extension(extension.oid)
        if revoked.serial_number in entries:
            raise RevocationError("entries", "The revocation list names a certificate twice.")
        entries[revoked.serial_number] = CrlEntry(revoked.revocation_date_utc, reason)
    return entries


def _may_sign_lists(issuer: x509.Certificate) -> bool:
    try:
        return issuer.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
    except x509.ExtensionNotFound:
        return False


def _check_scope(scope: x509.IssuingDistributionPoint, certificate: x509.Certificate) -> None:
    """Refuse a list that need not name ``certificate`` even if it is revoked (RFC 5280, 6.3.3)."""
    is_authority = _is_authority(certificate)
    covers = (
        not scope.only_contains_attribute_certs
        and not scope.only_some_reasons
        and not (scope.only_contains_user_certs and is_authority)
        and not (scope.only_contains_ca_certs and not is_authority)
        and scope.relative_name is None
        and (scope.full_name is None or _is_published_at(certificate, scope.full_name))
    )
    if not covers:
        raise RevocationError("scope", "The revocation list does not cover this certificate.")


def _is_published_at(certificate: x509.Certificate, names: list[x509.GeneralName]) -> bool:
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return False
    return any(name in names for point in points for name in point.full_name or ())


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _indirect() -> RevocationError:
    return RevocationError("indirect", "Lists that speak for other issuers are not read.")


def _unknown_extension(oid: x509.ObjectIdentifier) -> RevocationError:
    return RevocationError(
        "extension", f"The revocation list has the unknown critical extension {oid.dotted_string}."
    )
