"""Certificates in one encoding only: what decodes to the same but was written otherwise is refused.
And certificates that decode, but that the library reads with no more than a warning.

A reader that forgives odd white space, stray text or spare bits would take two byte strings for
one chain. Nothing genuine needs that: PEM is compared with its own re-encoding (RFC 7468, 64
characters a line), so is DER, and DER outside the signed part with the only form it has here (RFC
5280 4.1). What is exact is sliced afterwards instead of being encoded again.
"""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

#: Everything that the library raises for a certificate it cannot read. Its warnings are among them
#: for a process that makes warnings errors; :func:`check_contents` refuses the same without.
CERTIFICATE_ERRORS: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
    UserWarning,
)

_PEM_BEGIN: Final = b"-----BEGIN CERTIFICATE-----\n"
_PEM_END: Final = b"-----END CERTIFICATE-----\n"
_PEM_LINE_BYTES: Final = 48
#: The AlgorithmIdentifier ecdsa-with-SHA384, which has no parameters (RFC 5758 3.2).
_ECDSA_SHA384: Final = bytes.fromhex("300a06082a8648ce3d040303")
_BIT_STRING, _VERSION = 0x03, 0xA0
#: What comes before the two coordinates of a P-384 key: its only usual SubjectPublicKeyInfo.
_P384_SPKI: Final = bytes.fromhex("3076301006072a8648ce3d020106052b8104002203620004")
_P384_SPKI_BYTES: Final = len(_P384_SPKI) + 2 * 48
#: Least and most bytes of name attributes (RFC 5280 appendix A.1, upper bounds).
_NAME_LENGTHS: Final = {
    NameOID.COMMON_NAME: (1, 64),
    NameOID.COUNTRY_NAME: (2, 2),
    NameOID.JURISDICTION_COUNTRY_NAME: (2, 2),
}


@dataclass(frozen=True, eq=False)
class ExactCertificate:
    """A certificate that is encoded in one way only, and slices of its DER (RFC 5280 4.1).

    ``outside_exact`` is False where what the issuer did not sign (the second algorithm identifier,
    the count of unused bits) is not what it must be around an ecdsa-with-SHA384 signature.
    """

    certificate: x509.Certificate
    der: bytes
    signed: bytes
    issuer: bytes
    subject: bytes
    key_field: bytes
    outside_exact: bool

    @cached_property
    def subject_name(self) -> x509.Name:
        """The subject, which the library would decode again each time that it is asked."""
        return self.certificate.subject

    @cached_property
    def spki(self) -> bytes:
        """The key's SubjectPublicKeyInfo (DER) as the library encodes it.

        An uncompressed point under the usual identifiers is that already: coordinates have one
        form, and the library takes them only below the prime.
        """
        field = self.key_field
        if len(field) == _P384_SPKI_BYTES and field.startswith(_P384_SPKI):
            return field
        key = self.certificate.public_key()
        return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def spki_sha256(self) -> str:
        """SHA-256 of :attr:`spki`, lowercase hex."""
        return hashlib.sha256(self.spki).hexdigest()


def certificates_from_pem(pem: bytes) -> tuple[bytes, ...]:
    """The DER of each certificate of a PEM text. The last newline may be missing and NULs may
    follow, as in NVML's buffer; ValueError for any other difference."""
    text = pem.rstrip(b"\0")
    *blocks, rest = (text if text.endswith(b"\n") else text + b"\n").split(_PEM_END)
    if rest:
        raise ValueError("something follows the last certificate")
    ders = []
    for block in blocks:
        body = block[len(_PEM_BEGIN) :]
        der = binascii.a2b_base64(body)
        if block[: len(_PEM_BEGIN)] != _PEM_BEGIN or _pem_body(der) != body:
            raise ValueError("the PEM text is not written in the one accepted form")
        ders.append(der)
    return tuple(ders)


def _pem_body(der: bytes) -> bytes:
    return b"".join(
        binascii.b2a_base64(der[start : start + _PEM_LINE_BYTES])
        for start in range(0, len(der), _PEM_LINE_BYTES)
    )


def certificate_from_der(der: bytes) -> ExactCertificate:
    """The certificate of exactly these bytes; ValueError if it would be encoded in others, or what
    the library itself raises."""
    certificate = x509.load_der_x509_certificate(der)
    if certificate.public_bytes(Encoding.DER) != der:
        raise ValueError("the certificate is not in DER")
    # From here on the bytes are known to be a certificate: its parts are where they must be.
    signed_start, _ = _element(der, 0)
    position, signed_end = _element(der, signed_start)
    if der[position] == _VERSION:
        position = _element(der, position)[1]
    # The serial number, the first algorithm identifier; then issuer, validity, subject, key.
    position = _element(der, _element(der, position)[1])[1]
    issuer_end = _element(der, position)[1]
    subject_start = _element(der, issuer_end)[1]
    subject_end = _element(der, subject_start)[1]
    return ExactCertificate(
        certificate=certificate,
        der=der,
        signed=der[signed_start:signed_end],
        issuer=der[position:issuer_end],
        subject=der[subject_start:subject_end],
        key_field=der[subject_end : _element(der, subject_end)[1]],
        outside_exact=_outside_is_exact(der, signed_end),
    )


def _element(der: bytes, at: int) -> tuple[int, int]:
    """Where the content of the DER element at ``at`` begins, and where it ends."""
    length, start = der[at + 1], at + 2
    if length >= 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[at + 2 : start], "big")
    return start, start + length


def _outside_is_exact(der: bytes, signed_end: int) -> bool:
    bits = signed_end + len(_ECDSA_SHA384)
    if der[signed_end:bits] != _ECDSA_SHA384 or der[bits] != _BIT_STRING:
        return False
    return der[_element(der, bits)[0]] == 0


def check_contents(exact: ExactCertificate, subjects: Collection[bytes]) -> None:
    """Read every lazily decoded part once, so that nothing later can raise, and refuse what the
    library would only warn of: whether it refuses must not depend on a filter of warnings.

    ``subjects`` are the subjects (DER) of all certificates that are checked together: an issuer
    that is among them is not looked at twice. ValueError, or what the library itself raises.
    """
    certificate = exact.certificate
    _ = (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    _ = certificate.public_key()
    if certificate.serial_number <= 0:
        raise ValueError("the serial number is not positive")
    _check_name(exact.subject_name)
    if exact.issuer not in subjects:
        _check_name(certificate.issuer)
    for extension in certificate.extensions:
        value: Any = extension.value
        # By the very type: an isinstance of the library's abstract classes costs a microsecond.
        if type(value) in _GENERAL_NAMES:
            for name in _GENERAL_NAMES[type(value)](value):
                if type(name) is x509.DirectoryName:
                    _check_name(name.value)
        if type(value) in _POINTS:
            for point in value:
                _check_name(point.relative_name or ())
        if type(value) is x509.CertificatePolicies and not all(
            text.isascii() for text in _policy_texts(value)
        ):
            raise ValueError("a policy's text is not ASCII")


def _check_name(name: Iterable[x509.NameAttribute[str | bytes]]) -> None:
    for attribute in name:
        limits = _NAME_LENGTHS.get(attribute.oid)
        if limits is not None:
            value = attribute.value
            # In bytes, as the library counts: never more lenient than its warning.
            length = len(value if isinstance(value, bytes) else value.encode("utf-8"))
            if not limits[0] <= length <= limits[1]:
                raise ValueError("a name attribute is too short or too long")


def _names_of_points(points: Iterable[x509.DistributionPoint]) -> Iterator[x509.GeneralName]:
    for point in points:
        yield from (*(point.full_name or ()), *(point.crl_issuer or ()))


def _names_of_access(value: Iterable[x509.AccessDescription]) -> Iterator[x509.GeneralName]:
    return (description.access_location for description in value)


#: The names that an extension holds, for each that can hold any.
_GENERAL_NAMES: Final[Mapping[type, Callable[[Any], Iterable[x509.GeneralName]]]] = {
    x509.SubjectAlternativeName: iter,
    x509.IssuerAlternativeName: iter,
    x509.AuthorityKeyIdentifier: lambda value: value.authority_cert_issuer or (),
    x509.CRLDistributionPoints: _names_of_points,
    x509.FreshestCRL: _names_of_points,
    x509.AuthorityInformationAccess: _names_of_access,
    x509.SubjectInformationAccess: _names_of_access,
    x509.NameConstraints: lambda value: (
        *(value.permitted_subtrees or ()),
        *(value.excluded_subtrees or ()),
    ),
}
_POINTS: Final = {x509.CRLDistributionPoints, x509.FreshestCRL}


def _policy_texts(policies: x509.CertificatePolicies) -> Iterator[str]:
    for policy in policies:
        for qualifier in policy.policy_qualifiers or ():
            if isinstance(qualifier, x509.UserNotice):
                reference = qualifier.notice_reference
                yield qualifier.explicit_text or ""
                yield (reference.organization if reference else None) or ""
