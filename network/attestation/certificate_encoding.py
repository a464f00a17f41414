"""Certificates in one encoding only: what decodes to the same but was written otherwise is refused.

A reader that forgives odd white space, stray text or spare bits would take two byte strings for
one chain. Nothing genuine needs that: PEM is compared with its own re-encoding (RFC 7468, 64
characters a line), DER outside the signed part with the only form it has here (RFC 5280 4.1).
"""

from __future__ import annotations

from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

#: The AlgorithmIdentifier ecdsa-with-SHA384, which has no parameters (RFC 5758 3.2).
_ECDSA_SHA384: Final = bytes.fromhex("300a06082a8648ce3d040303")
_SEQUENCE, _BIT_STRING = 0x30, 0x03


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


def _element(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content
