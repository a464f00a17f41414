"""Certificates in one encoding only: what decodes to the same but was written otherwise is refused.
And certificates that decode, but that the library reads with no more than a warning.

A reader that forgives odd white space, stray text or spare bits would take two byte strings for
one chain. Nothing genuine needs that: PEM is compared with its own re-encoding (RFC 7468, 64
characters a line), DER outside the signed part with the only form it has here (RFC 5280 4.1).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

#: The AlgorithmIdentifier ecdsa-with-SHA384, which has no parameters (RFC 5758 3.2).
_ECDSA_SHA384: Final = bytes.fromhex("300a06082a8648ce3d040303")
_SEQUENCE, _BIT_STRING = 0x30, 0x03
#: The common extensions in which there is no name, told apart first because it is cheap.
_NAMELESS: Final = {
    x509.BasicConstraints,
    x509.KeyUsage,
    x509.SubjectKeyIdentifier,
    x509.UnrecognizedExtension,
}
#: Least and most bytes of name attributes (RFC 5280 appendix A.1, upper bounds).
_NAME_LENGTHS: Final = {
    NameOID.COMMON_NAME: (1, 64),
    NameOID.COUNTRY_NAME: (2, 2),
    NameOID.JURISDICTION_COUNTRY_NAME: (2, 2),
}


def certificates_from_pem(pem: bytes) -> tuple[x509.Certificate, ...]:
    """The certificates of a PEM text. The last newline may be missing and NULs may follow, as in
    NVML's buffer; ValueError for any other difference, or what the library itself raises."""
    certificates = tuple(x509.load_pem_x509_certificates(pem))
    exact = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)
    if pem.rstrip(b"\0") not in (exact, exact[:-1]):
        raise ValueError("the PEM text is not written in the one accepted form")
    return certificates


def certificate_from_der(der: bytes) -> x509.Certificate:
    """The certificate of exactly these bytes; ValueError if it would be encoded in others."""
    certificate = x509.load_der_x509_certificate(der)
    if certificate.public_bytes(Encoding.DER) != der:
        raise ValueError("the certificate is not in DER")
    return certificate


def outside_is_exact(certificate: x509.Certificate) -> bool:
    """True when all that the issuer did not sign (lengths, the second algorithm identifier, the
    count of unused bits) is what it must be around this signed part and this signature."""
    body = (
        certificate.tbs_certificate_bytes
        + _ECDSA_SHA384
        + _element(_BIT_STRING, b"\0" + certificate.signature)
    )
    return certificate.public_bytes(Encoding.DER) == _element(_SEQUENCE, body)


def check_contents(certificate: x509.Certificate) -> None:
    """Read every lazily decoded part once, so that nothing later can raise, and refuse what the
    library would only warn of: whether it refuses must not depend on a filter of warnings.

    ValueError, or what the library itself raises.
    """
    _ = (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    _ = certificate.public_key()
    if certificate.serial_number <= 0:
        raise ValueError("the serial number is not positive")
    for attribute in _name_attributes(certificate):
        value = attribute.value
        # In bytes, as the library counts: never more lenient than its warning.
        length = len(value if isinstance(value, bytes) else value.encode("utf-8"))
        least, most = _NAME_LENGTHS.get(attribute.oid, (0, length))
        if not least <= length <= most:
            raise ValueError("a name attribute is too short or too long")
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.CertificatePolicies) and not all(
            text.isascii() for text in _policy_texts(extension.value)
        ):
            raise ValueError("a policy's text is not ASCII")


def _name_attributes(
    certificate: x509.Certificate,
) -> Iterator[x509.NameAttribute[str | bytes]]:
    """Of the subject, of the issuer, and of every name that an extension holds."""
    yield from certificate.subject
    yield from certificate.issuer
    for extension in certificate.extensions:
        if type(extension.value) in _NAMELESS:
            continue
        for name in _general_names(extension.value):
            if isinstance(name, x509.DirectoryName):
                yield from name.value
        if isinstance(extension.value, x509.CRLDistributionPoints | x509.FreshestCRL):
            for point in extension.value:
                yield from point.relative_name or ()


def _general_names(value: x509.ExtensionType) -> Iterator[x509.GeneralName]:
    match value:
        case x509.SubjectAlternativeName() | x509.IssuerAlternativeName():
            yield from value
        case x509.AuthorityKeyIdentifier():
            yield from value.authority_cert_issuer or ()
        case x509.CRLDistributionPoints() | x509.FreshestCRL():
            for point in value:
                yield from (*(point.full_name or ()), *(point.crl_issuer or ()))
        case x509.AuthorityInformationAccess() | x509.SubjectInformationAccess():
            yield from (description.access_location for description in value)
        case x509.NameConstraints():
            yield from (*(value.permitted_subtrees or ()), *(value.excluded_subtrees or ()))


def _policy_texts(policies: x509.CertificatePolicies) -> Iterator[str]:
    for policy in policies:
        for qualifier in policy.policy_qualifiers or ():
            if isinstance(qualifier, x509.UserNotice):
                reference = qualifier.notice_reference
                yield qualifier.explicit_text or ""
                yield (reference.organization if reference else None) or ""


def _element(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content
