"""Verification of one profile of enveloped XML signatures (W3C XMLDSig 1.1), and no other.

The profile is the one of NVIDIA's manifests: one Reference to the whole document, the enveloped
transform then Canonical XML 1.1, SHA-384, ECDSA P-384 with a raw r || s value, KeyInfo holding
certificates only. The caller gets the very tree that was made canonical and digested, its signature
taken out, so nothing outside the signature can be read by mistake: what a canonical form leaves
out (comments, entities, document types) is refused before. The document's bytes must be the plain
form of its content, as all of NVIDIA's are: the signature alone would not notice a comment beside
the root or other quotation marks. Before it there may be the one XML declaration that says what
holds without it, after it newlines.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from lxml import etree

from .certificate_encoding import CERTIFICATE_ERRORS, ExactCertificate
from .errors import EvidenceError
from .links import Authorities, certificate_load
from .signatures import raw_signature_verify

DS: Final = "{http://www.w3.org/2000/09/xmldsig#}"
C14N_11: Final = "http://www.w3.org/2006/12/xml-c14n11"
ENVELOPED: Final = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
SHA384: Final = "http://www.w3.org/2001/04/xmldsig-more#sha384"
ECDSA_SHA384: Final = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"
XML_WHITE_SPACE: Final = " \t\r\n"
_WHITE_SPACE_BYTES: Final = XML_WHITE_SPACE.encode()
#: The only one, byte by byte: version and encoding are those of a document without it.
DECLARATION: Final = b'<?xml version="1.0" encoding="UTF-8"?>'
MAX_CERTIFICATES: Final = 8
_HAS_XML_ATTRIBUTE: Final = etree.XPath("boolean(//@xml:*)")


class XmlSignatureError(EvidenceError):
    """The document is not signed in the profile (codes ``rim.doctype|malformed|profile|...``)."""


@dataclass(frozen=True, slots=True)
class SignedDocument:
    """The verified tree without its signature, the bytes that were digested (its canonical form),
    and the signer's certificates, leaf first."""

    root: etree._Element
    content: bytes
    certificates: tuple[ExactCertificate, ...]


def verify_enveloped(xml: bytes, *, authorities: Authorities | None = None) -> SignedDocument:
    """Verify the signature with the first certificate's key. Whether that certificate counts is
    the caller's question. Raises :class:`XmlSignatureError`."""
    root = _parse(xml)
    _check_nodes(root)
    _check_plain(xml, root)
    signature = _only_signature(root)
    signed_info, value, key_info = _signature_parts(signature)
    _check_unsigned_parts(signature, value, key_info)
    expected_digest = _check_profile(signed_info)
    certificates = _certificates(key_info, authorities)
    # Both canonical forms are made before the tree is taken apart.
    signed_info_bytes = _canonical(signed_info)
    _remove_keeping_tail(root, signature)
    content = _canonical(root)
    if not hmac.compare_digest(hashlib.sha384(content).digest(), expected_digest):
        raise XmlSignatureError("rim.digest", "The manifest was changed after it was signed.")
    key = certificates[0].certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP384R1):
        raise XmlSignatureError("rim.signature", "The manifest's signer has no P-384 key.")
    if not raw_signature_verify(key, _base64(value.text), signed_info_bytes):
        raise XmlSignatureError("rim.signature", "The manifest's signature is wrong.")
    return SignedDocument(root=root, content=content, certificates=certificates)


def _parse(xml: bytes) -> etree._Element:
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=False,
    )
    try:
        root = etree.fromstring(xml, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise XmlSignatureError("rim.malformed", "The manifest is not well-formed XML.") from error
    info = root.getroottree().docinfo
    if info.internalDTD is not None or info.doctype:
        raise XmlSignatureError("rim.doctype", "The manifest has a document type; none is allowed.")
    return root


def _check_nodes(root: etree._Element) -> None:
    if next(root.iter(etree.Comment, etree.Entity, etree.ProcessingInstruction), None) is not None:
        raise XmlSignatureError(
            "rim.malformed", "The manifest has a comment, entity or processing instruction."
        )
    # Canonical XML 1.0 and 1.1 differ only in xml:* attributes; without any, lxml's 1.0 serves.
    if _HAS_XML_ATTRIBUTE(root):
        raise XmlSignatureError("rim.malformed", "The manifest has an xml:* attribute.")


def _check_plain(xml: bytes, root: etree._Element) -> None:
    plain = etree.tostring(root, encoding="utf-8", xml_declaration=False)
    content = xml
    if xml.startswith(DECLARATION):
        content = xml.removeprefix(DECLARATION).removeprefix(b"\n")
    if content.rstrip(b"\n") != plain:
        raise XmlSignatureError(
            "rim.malformed", "The manifest's bytes are not the plain form of its content."
        )


def _only_signature(root: etree._Element) -> etree._Element:
    anywhere = list(root.iter(f"{DS}Signature"))
    if len(anywhere) != 1 or anywhere[0].getparent() is not root:
        raise XmlSignatureError(
            "rim.profile", "The manifest needs exactly one signature, directly below its root."
        )
    return anywhere[0]


def _signature_parts(
    signature: etree._Element,
) -> tuple[etree._Element, etree._Element, etree._Element]:
    names = [f"{DS}SignedInfo", f"{DS}SignatureValue", f"{DS}KeyInfo"]
    if [child.tag for child in signature] != names:
        raise XmlSignatureError(
            "rim.profile", "The signature is not SignedInfo, SignatureValue, KeyInfo."
        )
    signed_info, value, key_info = signature
    return signed_info, value, key_info


def _check_unsigned_parts(
    signature: etree._Element, value: etree._Element, key_info: etree._Element
) -> None:
    """Around SignedInfo nothing is digested, so there may be nothing that has no meaning."""
    containers = [signature, key_info, *key_info]
    texts = [text for part in containers for text in (part.text, *(child.tail for child in part))]
    if any(text and text.strip(XML_WHITE_SPACE) for text in texts):
        raise XmlSignatureError("rim.profile", "The signature holds text between its elements.")
    elements = [*containers, value, *(child for part in key_info for child in part)]
    if any(len(element.attrib) for element in elements):
        raise XmlSignatureError("rim.profile", "The signature has an attribute outside SignedInfo.")


def _check_profile(signed_info: etree._Element) -> bytes:
    """Require the profile's algorithms exactly; return the digest that the document must have."""
    names = [f"{DS}CanonicalizationMethod", f"{DS}SignatureMethod", f"{DS}Reference"]
    children = list(signed_info)
    if [child.tag for child in children] != names:
        raise XmlSignatureError("rim.profile", "SignedInfo does not hold exactly one reference.")
    canonicalization, method, reference = children
    parts = list(reference)
    if [part.tag for part in parts] != [f"{DS}Transforms", f"{DS}DigestMethod", f"{DS}DigestValue"]:
        raise XmlSignatureError("rim.profile", "The reference has an unexpected shape.")
    found = [
        canonicalization.get("Algorithm"),
        method.get("Algorithm"),
        reference.get("URI"),
        parts[1].get("Algorithm"),
        *(transform.get("Algorithm") for transform in parts[0]),
    ]
    nested = [canonicalization, method, parts[1], parts[2], *parts[0]]
    if found != [C14N_11, ECDSA_SHA384, "", SHA384, ENVELOPED, C14N_11] or any(map(len, nested)):
        raise XmlSignatureError("rim.profile", "The signature uses other algorithms or transforms.")
    return _base64(parts[2].text)


def _certificates(
    key_info: etree._Element, authorities: Authorities | None
) -> tuple[ExactCertificate, ...]:
    """KeyInfo must be exactly one X509Data of certificates: no bare key may slip in."""
    if [child.tag for child in key_info] != [f"{DS}X509Data"]:
        raise XmlSignatureError("rim.keyinfo", "KeyInfo holds something else than X509Data.")
    elements = list(key_info[0])
    if any(element.tag != f"{DS}X509Certificate" or len(element) for element in elements):
        raise XmlSignatureError("rim.keyinfo", "X509Data holds something else than certificates.")
    if not 1 <= len(elements) <= MAX_CERTIFICATES:
        raise XmlSignatureError("rim.keyinfo", f"X509Data holds {len(elements)} certificates.")
    try:
        certificates = tuple(
            certificate_load(_base64(element.text), authorities) for element in elements
        )
        # Read here because it is used before the caller looks at the chain.
        certificates[0].certificate.public_key()
    except CERTIFICATE_ERRORS as error:
        raise XmlSignatureError("rim.keyinfo", "A certificate cannot be read.") from error
    return certificates


def _base64(text: str | None) -> bytes:
    try:
        compact = (text or "").encode("ascii").translate(None, _WHITE_SPACE_BYTES)
        value = base64.b64decode(compact, validate=True)
    except (binascii.Error, ValueError) as error:
        raise XmlSignatureError("rim.malformed", "A base64 value cannot be read.") from error
    if base64.b64encode(value) != compact:
        # The last character can hold bits that belong to no byte.
        raise XmlSignatureError("rim.malformed", "A base64 value has bits left over.")
    return value


def _canonical(element: etree._Element) -> bytes:
    try:
        return etree.tostring(element, method="c14n", exclusive=False, with_comments=False)
    except etree.C14NError as error:
        # For example a relative namespace name, for which no canonical form is defined.
        raise XmlSignatureError(
            "rim.malformed", "The manifest has no canonical form (Canonical XML 1.1)."
        ) from error


def _remove_keeping_tail(root: etree._Element, child: etree._Element) -> None:
    """Remove ``child`` but not the white space after it, which is part of what was signed."""
    tail, previous = child.tail, child.getprevious()
    root.remove(child)
    if tail:
        if previous is None:
            root.text = (root.text or "") + tail
        else:
            previous.tail = (previous.tail or "") + tail
