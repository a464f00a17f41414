"""Device certificate chains: links to a pinned root, and what the leaf says about the device.

Rules after RFC 5280 for this closed profile (leaf first, P-384 and ECDSA with SHA-384 throughout)
and NVIDIA's device identity chains. :func:`load_device_chain` depends on bytes only and may be
cached; :func:`chain_findings` adds the root pin and the time.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtensionOID, NameOID

from .certificate_encoding import certificates_from_pem, check_contents, outside_is_exact
from .dice import DiceError, DiceIdentity, parse_device_san, parse_dice
from .errors import EvidenceError, Finding, Severity
from .trust import SubmittedRoot, TrustAnchor, spki_sha256

#: NVML's own buffer for the chain holds 0x1400 bytes; the emulator's chains are as long.
MAX_CHAIN_BYTES: Final = 5120
MIN_CERTIFICATES: Final = 3
MAX_CERTIFICATES: Final = 8
#: Marks every certificate of the emulator in its common name.
EMULATED_MARK: Final = "ALTHING EMULATED"

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

_KNOWN_CRITICAL: Final = {ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE}
_LEAF_NAME: Final = re.compile(r"(?:ALTHING EMULATED )?(G[A-Z][0-9]{2}[0-9X]|LS_10) A\d\d .+ LF")
_ARCHITECTURES: Final = {"GH": "HOPPER", "GB": "BLACKWELL", "GR": "RUBIN"}


class ChainError(EvidenceError):
    """A chain that cannot even be read (codes ``chain.pem``, ``chain.count``)."""


@dataclass(frozen=True, slots=True)
class DeviceChain:
    """What a chain's bytes say, faults included. Nothing here is trusted before
    :func:`chain_findings` has returned no error for it."""

    certificates: tuple[x509.Certificate, ...]
    findings: tuple[Finding, ...]
    root: SubmittedRoot
    leaf_key: ec.EllipticCurvePublicKey | None
    chip: str | None
    architecture: str | None
    is_switch: bool
    #: A certificate calls itself emulated. True of a device does not need a trusted root.
    emulated_mark: bool
    dice: DiceIdentity | None
    #: SHA-256 of certificate 1's public key: stays the same through firmware updates.
    identity_sha256: str
    device_serial: str | None
    san: str | None
    leaf_serial: str
    valid_from: datetime
    valid_until: datetime


def load_device_chain(pem: bytes) -> DeviceChain:
    """Parse and link-check a PEM chain, leaf first. Raises :class:`ChainError` if unreadable."""
    certificates = parse_certificates(pem)
    root = submitted_root(certificates)
    valid_from, valid_until = validity(certificates, root)
    findings = link_findings(certificates)
    findings += leaf_usage_findings(certificates[0])
    dice, san, dice_findings = _read_dice(certificates)
    findings += dice_findings
    chip, architecture, is_switch = _read_leaf_name(certificates[0])
    if architecture is None and not is_switch:
        findings.append(_unknown_type(chip))
    return DeviceChain(
        certificates=certificates,
        findings=tuple(findings),
        root=root,
        leaf_key=_p384_key(certificates[0]),
        chip=chip,
        architecture=architecture,
        is_switch=is_switch,
        emulated_mark=any(
            EMULATED_MARK in (_name_attribute(c, NameOID.COMMON_NAME) or "") for c in certificates
        ),
        dice=dice,
        identity_sha256=_spki(certificates[1]),
        device_serial=_name_attribute(certificates[1], NameOID.SERIAL_NUMBER),
        san=san,
        leaf_serial=f"{certificates[0].serial_number:x}",
        valid_from=valid_from,
        valid_until=valid_until,
    )


def chain_findings(
    chain: DeviceChain, *, roots: Mapping[str, TrustAnchor], now: datetime
) -> tuple[list[Finding], TrustAnchor | None]:
    """Judge a loaded chain: its own faults, the root, the time. The anchor is None if the root's
    key is not pinned."""
    findings = list(chain.findings)
    anchor = roots.get(chain.root.spki_sha256)
    if anchor is None:
        findings.append(
            Finding(
                "chain.root_unpinned",
                "The chain ends in a root that this deployment does not trust.",
                data={"root_spki_sha256": chain.root.spki_sha256},
            )
        )
    elif not anchor.accepts(chain.root):
        findings.append(
            Finding(
                "chain.root_certificate",
                "The root has the pinned key, but is neither a certificate known here nor signed "
                "by that key.",
                data={"root_certificate_sha256": chain.root.certificate_sha256},
            )
        )
    if now > chain.valid_until:
        findings.append(
            Finding(
                "chain.expired", f"A certificate ran out on {chain.valid_until:%Y-%m-%d %H:%M} UTC."
            )
        )
    if now < chain.valid_from:
        findings.append(
            Finding(
                "chain.not_yet_valid",
                f"A certificate begins on {chain.valid_from:%Y-%m-%d %H:%M} UTC.",
            )
        )
    return findings, anchor


def parse_certificates(pem: bytes) -> tuple[x509.Certificate, ...]:
    """Read 3 to 8 PEM certificates from at most 5 KiB, reading every extension once."""
    if len(pem) > MAX_CHAIN_BYTES:
        raise ChainError(
            "chain.pem", f"The chain has {len(pem)} bytes; {MAX_CHAIN_BYTES} are allowed."
        )
    try:
        certificates = certificates_from_pem(pem)
    except CERTIFICATE_ERRORS as error:
        raise ChainError(
            "chain.pem", "The chain is not PEM certificates, written in the one accepted form."
        ) from error
    check_certificates(certificates)
    return certificates


def check_certificates(certificates: Sequence[x509.Certificate]) -> None:
    """Refuse a wrong number of certificates, and any whose lazily read parts cannot be read."""
    if not MIN_CERTIFICATES <= len(certificates) <= MAX_CERTIFICATES:
        raise ChainError(
            "chain.count",
            f"The chain has {len(certificates)} certificates; "
            f"{MIN_CERTIFICATES} to {MAX_CERTIFICATES} are allowed.",
        )
    for position, certificate in enumerate(certificates):
        try:
            check_contents(certificate)
        except CERTIFICATE_ERRORS as error:
            raise ChainError(
                "chain.pem", f"Certificate {position} is malformed.", {"certificate": position}
            ) from error


def link_findings(certificates: Sequence[x509.Certificate]) -> list[Finding]:
    """Check every link from the leaf to the last certificate; all faults, not only the first.

    The last one's own signature is not looked at here; see :func:`submitted_root`.
    """
    findings: list[Finding] = []
    for position, certificate in enumerate(certificates):
        findings += _shape_findings(certificate, position)
    for position, (subject, issuer) in enumerate(itertools.pairwise(certificates)):
        if subject.issuer != issuer.subject:
            findings.append(
                _fault("chain.name", position, "names another issuer than the next certificate")
            )
        if not _signed_by(subject, issuer):
            findings.append(
                _fault("chain.signature", position, "is not signed by the next certificate")
            )
    return findings


def submitted_root(certificates: Sequence[x509.Certificate]) -> SubmittedRoot:
    """What the last certificate is, for :meth:`TrustAnchor.accepts` to judge."""
    root = certificates[-1]
    der = root.public_bytes(Encoding.DER)
    return SubmittedRoot(
        spki_sha256=_spki(root),
        certificate_sha256=hashlib.sha256(der).hexdigest(),
        self_signed=_is_self_signed(der),
    )


def validity(
    certificates: Sequence[x509.Certificate], root: SubmittedRoot
) -> tuple[datetime, datetime]:
    """The time in which all certificates are valid, first and last moment. A root takes part only
    where its own signature vouches for its dates."""
    dated = certificates if root.self_signed else certificates[:-1]
    return (
        max(certificate.not_valid_before_utc for certificate in dated),
        min(certificate.not_valid_after_utc for certificate in dated),
    )


# A few roots stand above every chain of a fleet; each is verified once.
@functools.lru_cache(maxsize=64)
def _is_self_signed(der: bytes) -> bool:
    certificate = x509.load_der_x509_certificate(der)
    return certificate.issuer == certificate.subject and _signed_by(certificate, certificate)


def _fault(code: str, position: int, what: str) -> Finding:
    return Finding(code, f"Certificate {position} {what}.", data={"certificate": position})


def _shape_findings(certificate: x509.Certificate, position: int) -> list[Finding]:
    findings: list[Finding] = []
    if _p384_key(certificate) is None:
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


def leaf_usage_findings(leaf: x509.Certificate) -> list[Finding]:
    """The leaf must sign data and must not be able to sign certificates."""
    constraints, usage = _constraints(leaf), _key_usage(leaf)
    is_signer = usage is not None and usage.digital_signature and not usage.key_cert_sign
    if is_signer and not (constraints and constraints.ca):
        return []
    return [_fault("chain.leaf_usage", 0, "is not a signing leaf (digitalSignature, not a CA)")]


def _read_dice(
    certificates: Sequence[x509.Certificate],
) -> tuple[DiceIdentity | None, str | None, list[Finding]]:
    """The leaf's firmware identity and device name, with the binding to certificate 1's key."""
    try:
        dice, san = parse_dice(certificates[0]), parse_device_san(certificates[0])
    except DiceError as error:
        return None, None, [error.finding()]
    findings = []
    if dice is not None and dice.issuer_spki is not None:
        issuer_spki = (
            certificates[1]
            .public_key()
            .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        )
        if dice.issuer_spki != issuer_spki:
            findings.append(
                Finding(
                    "dice.key_mismatch", "The leaf's DICE extension holds another issuer's key."
                )
            )
    if dice is not None and dice.debug:
        findings.append(
            Finding(
                "dice.debug",
                "The device says that it runs in a debug or not secure state.",
                data={"flags": sorted(dice.flags)},
            )
        )
    return dice, san, findings


def _unknown_type(chip: str | None) -> Finding:
    """A GPU of an architecture that is not known here is told; what names no GPU is refused."""
    if chip is None:
        return Finding("device.unknown_type", "The leaf certificate names no GPU known here.")
    return Finding(
        "device.unknown_type",
        f"Of the chip {chip} nothing is known here, so only its signatures were checked.",
        Severity.WARNING,
        {"chip": chip},
    )


def _read_leaf_name(leaf: x509.Certificate) -> tuple[str | None, str | None, bool]:
    """Chip (``GH100``), architecture (``HOPPER``) and whether it is an NVSwitch, from the leaf."""
    match = _LEAF_NAME.fullmatch(_name_attribute(leaf, NameOID.COMMON_NAME) or "")
    if match is None:
        return None, None, False
    chip = match.group(1)
    return chip, _ARCHITECTURES.get(chip[:2]), chip == "LS_10"


def _signed_by(subject: x509.Certificate, issuer: x509.Certificate) -> bool:
    key = _p384_key(issuer)
    try:
        algorithm = subject.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return False
    if key is None or not isinstance(algorithm, hashes.SHA384) or not outside_is_exact(subject):
        return False
    try:
        key.verify(subject.signature, subject.tbs_certificate_bytes, ec.ECDSA(hashes.SHA384()))
    except InvalidSignature:
        return False
    return True


def _p384_key(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey | None:
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP384R1):
        return key
    return None


def _spki(certificate: x509.Certificate) -> str:
    return spki_sha256(certificate.public_key())


def _constraints(certificate: x509.Certificate) -> x509.BasicConstraints | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return None


def _key_usage(certificate: x509.Certificate) -> x509.KeyUsage | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None


def _name_attribute(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> str | None:
    attributes = certificate.subject.get_attributes_for_oid(oid)
    value = attributes[0].value if len(attributes) == 1 else None
    return value if isinstance(value, str) else None
