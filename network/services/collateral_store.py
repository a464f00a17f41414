"""The collateral at hand for judging one report, from memory where it is unchanged.

One query a report asks whether anything changed since this process looked last; a second comes
with devices whose statements on revocation are not in memory yet. Everything is pinned: bytes read
from the database have to have the digest that they were taken in under.
"""

from __future__ import annotations

import errno
import hashlib
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from cryptography import x509
from django.db.models import Q, QuerySet

from network.attestation import (
    BoundedCache,
    Caches,
    DeviceEvidence,
    EvidenceError,
    TrustAnchor,
    TrustAnchors,
)
from network.attestation.certificates import DeviceChain
from network.attestation.chain_revocation import RevocationMaterial
from network.attestation.crl import Crl as LoadedCrl
from network.attestation.crl import parse_crl
from network.attestation.ocsp import CertId, OcspAnswer, parse_ocsp_response
from network.models import Crl, OcspResponse, Rim
from network.services.collateral_certificates import certificate_sha256, chain_anchor
from network.services.collateral_version import version_read

logger = logging.getLogger(__name__)

#: Devices whose statements are kept in memory; beyond, all are forgotten.
MAX_CERTIFICATES: Final = 200_000
#: Manifests in use, 20 KiB each.
_XML: BoundedCache[bytes] = BoundedCache(512)


class PinBroken(OSError):
    """Stored bytes that have not the digest they were taken in under."""

    def __init__(self, what: str) -> None:
        super().__init__(errno.EIO, f"the stored bytes of {what} are not those taken in")


@dataclass(frozen=True, slots=True)
class StoredRims:
    """The store's manifests for one judgement. Remembers which it handed out: id to digest."""

    digests: Mapping[str, bytes]
    handed_out: dict[str, str] = field(default_factory=dict)

    def get(self, rim_id: str) -> bytes | None:
        """The manifest's bytes, the same object again and again; None for an unknown id.

        Raises OSError (:class:`PinBroken`) for bytes that were changed in the database.
        """
        sha256 = self.digests.get(rim_id)
        if sha256 is None:
            return None
        xml = rim_xml(sha256)
        self.handed_out[rim_id] = sha256.hex()
        return xml


@dataclass(frozen=True, slots=True)
class StoredStatement:
    """One parsed document, and how a verdict names it."""

    parsed: OcspAnswer | LoadedCrl
    source: str
    sha256: str
    received_at: datetime

    def as_json(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "sha256": self.sha256,
            "this_update": self.parsed.this_update.isoformat(),
            "next_update": (
                None if self.parsed.next_update is None else self.parsed.next_update.isoformat()
            ),
            "received_at": self.received_at.astimezone(UTC).isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Collateral:
    """What one judgement is made with. ``chains`` are those of the evidence that are verified."""

    rims: StoredRims
    statements: Sequence[StoredStatement]
    chains: Sequence[tuple[DeviceChain, TrustAnchor]]

    @property
    def revocation(self) -> RevocationMaterial:
        """The statements as the verifier takes them."""
        return revocation_material(self.statements)


@dataclass(slots=True)
class _Memory:
    """What this process holds, and of which version it is."""

    rims_version: int = -1
    revocation_version: int = -1
    digests: dict[str, bytes] = field(default_factory=dict)
    lists: list[StoredStatement] = field(default_factory=list)
    answers: dict[bytes, tuple[StoredStatement, ...]] = field(default_factory=dict)


_memory = _Memory()


def collateral_forget() -> None:
    """Forget everything, for a process whose database was exchanged."""
    global _memory
    _memory = _Memory()
    _XML.clear()


def collateral_at(
    devices: Iterable[DeviceEvidence], *, trust: TrustAnchors, caches: Caches, at: datetime
) -> Collateral:
    """The collateral for judging ``devices`` as of ``at``. 1 query; up to 3 more after a change."""
    memory = _memory_fresh()
    chains = _verified_chains(devices, trust=trust, caches=caches, at=at)
    wanted = {digest for chain, _ in chains for digest in _digests(chain)}
    answers = _answers(memory, wanted, at)
    names = {certificate.subject for chain, _ in chains for certificate in chain.certificates[2:]}
    lists = _lists(memory, at) if names else []
    found = [*answers, *(item for item in lists if _issuer(item) in names)]
    found.sort(key=lambda item: (item.source, item.sha256))
    return Collateral(StoredRims(memory.digests), found, chains)


def _verified_chains(
    devices: Iterable[DeviceEvidence], *, trust: TrustAnchors, caches: Caches, at: datetime
) -> list[tuple[DeviceChain, TrustAnchor]]:
    """The chains of the evidence that end in a pinned root, each with its root, once each."""
    found: dict[str, tuple[DeviceChain, TrustAnchor]] = {}
    for device in devices:
        pem = device.certificate_chain
        try:
            chain = caches.chain(pem)
        except EvidenceError:
            # The verifier says what is wrong with it.
            continue
        anchor = chain_anchor(chain, trust, at=at)
        if anchor is not None:
            found.setdefault(chain.identity_sha256, (chain, anchor))
    return list(found.values())


def rim_xml(sha256: bytes) -> bytes:
    """The bytes of a stored manifest by their digest, withdrawn or not. Raises OSError where they
    are missing or changed."""

    def load() -> bytes:
        xml = Rim.objects.filter(sha256=sha256).values_list("xml", flat=True).first()
        return _pinned(xml, sha256, "a manifest")

    return _XML.get_or_compute(sha256, load)


def revocation_material(statements: Iterable[StoredStatement]) -> RevocationMaterial:
    """The statements as the verifier takes them."""
    answers: defaultdict[CertId, list[tuple[datetime, OcspAnswer]]] = defaultdict(list)
    lists: defaultdict[x509.Name, list[tuple[datetime, LoadedCrl]]] = defaultdict(list)
    for item in statements:
        if isinstance(item.parsed, OcspAnswer):
            answers[item.parsed.cert_id].append((item.received_at, item.parsed))
        else:
            lists[item.parsed.issuer].append((item.received_at, item.parsed))
    return RevocationMaterial(answers, lists)


def statement_of_answer(row: OcspResponse) -> StoredStatement:
    """A stored OCSP response, its pin checked. Raises OSError for changed bytes."""
    der = _pinned(row.der, row.sha256, "an OCSP response")
    parsed = parse_ocsp_response(der)
    return StoredStatement(parsed, "ocsp", row.sha256.hex(), row.received_at)


def statement_of_list(row: Crl) -> StoredStatement:
    """A stored list, its pin checked. Raises OSError for changed bytes."""
    parsed = parse_crl(_pinned(row.der, row.sha256, "a revocation list"))
    return StoredStatement(parsed, "crl", row.sha256.hex(), row.received_at)


def _memory_fresh() -> _Memory:
    """What is in memory, read again where the database has moved on."""
    global _memory
    rims, revocation = version_read()
    memory = _memory
    if (memory.rims_version, memory.revocation_version) == (rims, revocation):
        return memory
    # Exchanged as a whole and never changed in place: other threads keep judging with the old one.
    same_rims = memory.rims_version == rims
    same_lists = memory.revocation_version == revocation
    _memory = _Memory(
        rims,
        revocation,
        memory.digests if same_rims else _rims_in_force(),
        memory.lists if same_lists else _lists_newest(Crl.objects.all()),
        memory.answers if same_lists else {},
    )
    return _memory


def _rims_in_force() -> dict[str, bytes]:
    rows = Rim.objects.filter(withdrawn_at=None).order_by("rim_id", "-ingested_at", "-id")
    return dict(rows.distinct("rim_id").values_list("rim_id", "sha256"))


def _lists_newest(rows: QuerySet[Crl]) -> list[StoredStatement]:
    newest = rows.order_by("issuer_id", "-this_update", "-received_at").distinct("issuer_id")
    return _statements(statement_of_list, newest)


def _lists(memory: _Memory, at: datetime) -> list[StoredStatement]:
    if all(item.received_at <= at for item in memory.lists):
        return memory.lists
    return _lists_newest(Crl.objects.filter(received_at__lte=at))


def _answers(memory: _Memory, wanted: set[bytes], at: datetime) -> list[StoredStatement]:
    found = {d: items for d in wanted if (items := memory.answers.get(d)) is not None}
    if missing := wanted - found.keys():
        loaded = _answers_newest(missing, OcspResponse.objects.all())
        if len(memory.answers) + len(loaded) > MAX_CERTIFICATES:
            memory.answers.clear()
        memory.answers.update(loaded)
        found |= loaded
    late = {
        digest for digest, items in found.items() if any(item.received_at > at for item in items)
    }
    if late:
        # An older report is judged again: by what was known when it came.
        found |= _answers_newest(late, OcspResponse.objects.filter(received_at__lte=at))
    return [item for items in found.values() for item in items]


def _answers_newest(
    certificates: set[bytes], rows: QuerySet[OcspResponse]
) -> dict[bytes, tuple[StoredStatement, ...]]:
    """For each certificate the newest answer, and every revocation: that is for ever."""
    of_these = rows.filter(certificate_id__in=certificates)
    newest = of_these.order_by("certificate_id", "-this_update", "-received_at")
    newest = newest.distinct("certificate_id")
    found: defaultdict[bytes, list[StoredStatement]] = defaultdict(list)
    for row in of_these.filter(Q(state="revoked") | Q(pk__in=newest.values("pk"))):
        found[row.certificate_id] += _statements(statement_of_answer, [row])
    return {digest: tuple(found.get(digest, ())) for digest in certificates}


def _statements(read: Any, rows: Iterable[Any]) -> list[StoredStatement]:
    """Those that are still what was taken in. A broken row must not stop every verdict; without
    its statement nothing becomes good that was not."""
    found = []
    for row in rows:
        try:
            found.append(read(row))
        except (OSError, EvidenceError) as error:
            logger.error("stored statement %s: %s", row.pk.hex(), error)
    return found


def _digests(chain: DeviceChain) -> list[bytes]:
    """Of the certificates whose revocation matters: neither the leaf nor the root."""
    return [certificate_sha256(item) for item in chain.certificates[1:-1]]


def _issuer(item: StoredStatement) -> x509.Name | None:
    return item.parsed.issuer if isinstance(item.parsed, LoadedCrl) else None


def _pinned(content: bytes | None, sha256: bytes, what: str) -> bytes:
    if content is None or hashlib.sha256(content).digest() != sha256:
        raise PinBroken(what)
    return content
