"""Certificates and manifests taken apart and put together again, byte for byte."""

from __future__ import annotations

import base64
from collections.abc import Iterable

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from network.attestation.xmldsig import DS

#: What follows the signed part of every certificate here: ecdsa-with-SHA384 (RFC 5758).
ALGORITHM = bytes.fromhex("300a06082a8648ce3d040303")


def ders_of(pem: bytes) -> list[bytes]:
    """The certificates of a PEM chain as DER, in its order."""
    return [c.public_bytes(Encoding.DER) for c in x509.load_pem_x509_certificates(pem)]


def pem_of(ders: Iterable[bytes]) -> bytes:
    """A PEM chain as the library writes it, of bytes that need not be certificates."""
    parts = []
    for der in ders:
        text = base64.b64encode(der)
        lines = [text[start : start + 64] for start in range(0, len(text), 64)]
        parts += [b"-----BEGIN CERTIFICATE-----", *lines, b"-----END CERTIFICATE-----"]
    return b"".join(line + b"\n" for line in parts)


def flipped(data: bytes, offset: int, bit: int = 0) -> bytes:
    """``data`` with one bit of one byte changed."""
    return data[:offset] + bytes([data[offset] ^ (1 << bit)]) + data[offset + 1 :]


def unused_bits_claimed(der: bytes) -> bytes | None:
    """The certificate with its signature's zero last bit called unused; None if that bit is 1."""
    at = der.rindex(ALGORITHM) + len(ALGORITHM) + 2
    assert der[at] == 0
    return None if der[-1] & 1 else der[:at] + b"\x01" + der[at + 1 :]


def manifest_with_certificate(xml: bytes, position: int, text: str) -> bytes:
    """A manifest with one certificate's base64 text replaced. KeyInfo itself is not signed."""
    root = etree.fromstring(xml)
    root.findall(f".//{DS}X509Certificate")[position].text = text
    return etree.tostring(root)


def manifest_certificates(xml: bytes) -> list[str]:
    """The base64 texts of a manifest's certificates."""
    found = etree.fromstring(xml).findall(f".//{DS}X509Certificate")
    return [element.text or "" for element in found]
