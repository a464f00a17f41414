"""Remember the certificates whose revocation has to be known. Only chains with a pinned root are
taken in: a chain is public, and anybody can make one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.db import transaction

from network.attestation import TrustAnchor, TrustAnchors
from network.attestation.certificates import DeviceChain, chain_findings
from network.attestation.certificates import load_device_chain as chain_load
from network.attestation.links import ChainError
from network.errors import Refused
from network.models import ChainCertificate

#: A certificate's row says this exactly when it was last seen.
SEEN_EVERY = timedelta(days=1)
_NEVER = datetime.min.replace(tzinfo=UTC)
#: Devices that this process has written down, and when. Forgotten as a whole when it is full.
_NOTED: dict[str, datetime] = {}
MAX_NOTED = 100_000


@dataclass(frozen=True, slots=True)
class NotedChain:
    """Verified certificates, the lowest first, the pinned root last. The first is a device's where
    ``has_device``."""

    certificates: Sequence[x509.Certificate]
    emulated: bool
    has_device: bool


def certificate_sha256(certificate: x509.Certificate) -> bytes:
    """SHA-256 of the certificate's DER."""
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()


def chain_anchor(chain: DeviceChain, trust: TrustAnchors, *, at: datetime) -> TrustAnchor | None:
    """The root that vouches for every link of the chain at ``at``; None where none does."""
    findings, anchor = chain_findings(chain, roots=trust.device, now=at)
    if any(finding.code.startswith("chain.") for finding in findings):
        return None
    return anchor


def device_chain_note(pem: bytes, *, trust: TrustAnchors, at: datetime) -> int:
    """Take in a device's chain from a PEM file, so that statements about it can be verified before
    the device is seen. How many of its certificates were new.

    Raises:
        Refused: ``chain_refused``, it cannot be read or does not end in a pinned root.
    """
    try:
        chain = chain_load(pem)
    except ChainError as error:
        raise Refused("chain_refused", error.detail) from error
    anchor = chain_anchor(chain, trust, at=at)
    if anchor is None:
        raise Refused("chain_refused", "The chain is not valid up to a root that is pinned here.")
    return device_chains_note([(chain, anchor)], at=at)


def device_chains_note(chains: Iterable[tuple[DeviceChain, TrustAnchor]], *, at: datetime) -> int:
    """Write down the certificates of verified chains. How many were new.

    3 queries where one is of a device that this process has not noted within a day, else none.
    """
    fresh = [
        (chain, anchor)
        for chain, anchor in chains
        if abs(at - _NOTED.get(chain.identity_sha256, _NEVER)) >= SEEN_EVERY
    ]
    if not fresh:
        return 0
    added = chains_note(
        [
            NotedChain(chain.certificates[1:], emulated=anchor.emulated, has_device=True)
            for chain, anchor in fresh
        ],
        at=at,
    )
    # Not before the rows are there for good.
    transaction.on_commit(partial(_remember, [chain.identity_sha256 for chain, _ in fresh], at))
    return added


def certificates_forget() -> None:
    """Forget what was noted, for a process whose database was exchanged."""
    _NOTED.clear()


def _remember(identities: list[str], at: datetime) -> None:
    if len(_NOTED) >= MAX_NOTED:
        _NOTED.clear()
    _NOTED.update(dict.fromkeys(identities, at))


@transaction.atomic
def chains_note(chains: Iterable[NotedChain], *, at: datetime) -> int:
    """Write down verified certificates. How many were new. 3 queries, whatever the number."""
    rows: dict[bytes, ChainCertificate] = {}
    for chain in chains:
        issuer: bytes | None = None
        # The root first: each row names the one above it.
        for position in reversed(range(len(chain.certificates))):
            is_device = chain.has_device and position == 0
            row = _row(chain, position, issuer_id=issuer, is_device=is_device, at=at)
            issuer = row.sha256
            rows.setdefault(row.sha256, row)
    seen = ChainCertificate.objects.filter(pk__in=rows)
    known = set(seen.values_list("pk", flat=True))
    # In one order for all, so that two reports never wait for each other in a circle. Rows of one
    # statement may name each other in any order.
    missing = [rows[digest] for digest in sorted(rows.keys() - known)]
    ChainCertificate.objects.bulk_create(missing, ignore_conflicts=True)
    seen.filter(last_seen_at__lt=at - SEEN_EVERY).update(last_seen_at=at)
    return len(missing)


def subject_sha256(name: x509.Name) -> bytes:
    """SHA-256 of a DER name."""
    return hashlib.sha256(name.public_bytes()).digest()


def _row(
    chain: NotedChain, position: int, *, issuer_id: bytes | None, is_device: bool, at: datetime
) -> ChainCertificate:
    certificate = chain.certificates[position]
    return ChainCertificate(
        sha256=certificate_sha256(certificate),
        der=certificate.public_bytes(Encoding.DER),
        subject=certificate.subject.rfc4514_string()[:300],
        serial=f"{certificate.serial_number:x}"[:64],
        issuer_id=issuer_id,
        subject_sha256=subject_sha256(certificate.subject),
        is_device=is_device,
        emulated=chain.emulated,
        first_seen_at=at,
        last_seen_at=at,
        ocsp_due_at=None if issuer_id is None else at,
    )
