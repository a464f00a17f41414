"""Device certificate chains: links to a pinned root, and what the leaf says about the device.

Rules after RFC 5280 for this closed profile (leaf first, P-384 and ECDSA with SHA-384 throughout)
and NVIDIA's device identity chains. :func:`load_device_chain` depends on bytes only and may be
cached; :func:`chain_findings` adds the root pin and the time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from .certificate_encoding import CERTIFICATE_ERRORS, ExactCertificate, certificates_from_pem
from .dice import DiceError, DiceIdentity, parse_device_san, parse_dice
from .errors import Finding, Severity
from .links import (
    FIRST_SHARED,
    Authorities,
    ChainError,
    certificates_load,
    leaf_usage_findings,
    link_findings,
    p384_key,
    submitted_root,
    validity,
)
from .trust import SubmittedRoot, TrustAnchor

#: NVML's own buffer for the chain holds 0x1400 bytes; the emulator's chains are as long.
MAX_CHAIN_BYTES: Final = 5120
#: Marks every certificate of the emulator in its common name.
EMULATED_MARK: Final = "ALTHING EMULATED"

_LEAF_NAME: Final = re.compile(r"(?:ALTHING EMULATED )?(G[A-Z][0-9]{2}[0-9X]|LS_10) A\d\d .+ LF")
_ARCHITECTURES: Final = {"GH": "HOPPER", "GB": "BLACKWELL", "GR": "RUBIN"}


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


def load_device_chain(pem: bytes, *, authorities: Authorities | None = None) -> DeviceChain:
    """Parse and link-check a PEM chain, leaf first. Raises :class:`ChainError` if unreadable.

    ``authorities`` remembers what the chains of a fleet have in common.
    """
    exact = parse_certificates(pem, authorities=authorities)
    root = submitted_root(exact)
    valid_from, valid_until = validity(exact, root)
    findings = link_findings(exact, authorities=authorities)
    findings += leaf_usage_findings(exact[0])
    dice, san, dice_findings = _read_dice(exact)
    findings += dice_findings
    chip, architecture, is_switch = _read_leaf_name(exact[0])
    if architecture is None and not is_switch:
        findings.append(_unknown_type(chip))
    return DeviceChain(
        certificates=_to_keep(exact),
        findings=tuple(findings),
        root=root,
        leaf_key=p384_key(exact[0].certificate),
        chip=chip,
        architecture=architecture,
        is_switch=is_switch,
        emulated_mark=any(
            EMULATED_MARK in (_name_attribute(one, NameOID.COMMON_NAME) or "") for one in exact
        ),
        dice=dice,
        identity_sha256=exact[1].spki_sha256,
        device_serial=_name_attribute(exact[1], NameOID.SERIAL_NUMBER),
        san=san,
        leaf_serial=f"{exact[0].certificate.serial_number:x}",
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


def parse_certificates(
    pem: bytes, *, authorities: Authorities | None = None
) -> tuple[ExactCertificate, ...]:
    """Read 3 to 8 PEM certificates from at most 5 KiB, reading every extension once."""
    if len(pem) > MAX_CHAIN_BYTES:
        raise ChainError(
            "chain.pem", f"The chain has {len(pem)} bytes; {MAX_CHAIN_BYTES} are allowed."
        )
    try:
        ders = certificates_from_pem(pem)
        return certificates_load(ders, authorities=authorities)
    except CERTIFICATE_ERRORS as error:
        raise ChainError(
            "chain.pem", "The chain is not PEM certificates, written in the one accepted form."
        ) from error


def _to_keep(exact: Sequence[ExactCertificate]) -> tuple[x509.Certificate, ...]:
    """The certificates for a cache: the device's own without what was decoded from them, which
    is most of their size; the others are shared by all chains."""
    own = [x509.load_der_x509_certificate(one.der) for one in exact[:FIRST_SHARED]]
    return (*own, *(one.certificate for one in exact[FIRST_SHARED:]))


def _read_dice(
    exact: Sequence[ExactCertificate],
) -> tuple[DiceIdentity | None, str | None, list[Finding]]:
    """The leaf's firmware identity and device name, with the binding to certificate 1's key."""
    leaf, issuer = exact[0].certificate, exact[1]
    try:
        dice, san = parse_dice(leaf), parse_device_san(leaf)
    except DiceError as error:
        return None, None, [error.finding()]
    findings = []
    if dice is not None and dice.issuer_spki is not None and dice.issuer_spki != issuer.spki:
        findings.append(
            Finding("dice.key_mismatch", "The leaf's DICE extension holds another issuer's key.")
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


def _read_leaf_name(leaf: ExactCertificate) -> tuple[str | None, str | None, bool]:
    """Chip (``GH100``), architecture (``HOPPER``) and whether it is an NVSwitch, from the leaf."""
    match = _LEAF_NAME.fullmatch(_name_attribute(leaf, NameOID.COMMON_NAME) or "")
    if match is None:
        return None, None, False
    chip = match.group(1)
    return chip, _ARCHITECTURES.get(chip[:2]), chip == "LS_10"


def _name_attribute(exact: ExactCertificate, oid: x509.ObjectIdentifier) -> str | None:
    attributes = exact.subject_name.get_attributes_for_oid(oid)
    value = attributes[0].value if len(attributes) == 1 else None
    return value if isinstance(value, str) else None
