"""What evidence is judged with, for pages, the API, metrics and the operator's commands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db.models import Case, Count, Min, Q, QuerySet, Value, When

from network.attestation.crl import parse_crl
from network.attestation.revocation import RevocationState
from network.models import (
    AttestationState,
    ChainCertificate,
    Crl,
    DeviceFinding,
    OcspResponse,
    Rim,
)

#: Days before its end at which a manifest is named, mildest first; the last is an alarm.
WATCH_DAYS: Final = (90, 30, 7)
ALARM: Final = timedelta(days=WATCH_DAYS[-1])
#: Devices unseen for so long are asked about no more.
UNSEEN_AFTER: Final = timedelta(days=30)
#: How old a node's newest verdict may be for what it lacked to be called missing.
MISSING_WITHIN: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class CertificateState:
    """The newest that is known about one certificate. ``state`` is ``not_checked`` where nothing
    is; ``stale`` where what was said has run out. ``age_s`` counts seconds from thisUpdate."""

    certificate: ChainCertificate
    state: str
    stale: bool = False
    age_s: int | None = None
    document: OcspResponse | Crl | None = None

    @property
    def source(self) -> str:
        """Who says so: ``ocsp``, ``crl`` or nobody."""
        if self.document is None:
            return ""
        return "ocsp" if isinstance(self.document, OcspResponse) else "crl"


@dataclass(frozen=True, slots=True)
class RevocationFigures:
    """Devices by state and the age of the oldest statement that counts for one, in seconds."""

    devices: dict[str, int]
    oldest_s: int | None
    unanswered: int


def rims_in_force() -> QuerySet[Rim]:
    """Manifests that answer: of each id the newest that is not withdrawn, without their XML."""
    newest = Rim.objects.filter(withdrawn_at=None).order_by("rim_id", "-ingested_at", "-id")
    ids = newest.distinct("rim_id").values("pk")
    return Rim.objects.filter(pk__in=ids).defer("xml").order_by("valid_until", "rim_id")


def rims_running_out(*, at: datetime, within: timedelta = ALARM) -> QuerySet[Rim]:
    """Manifests in force whose signer runs out within the time, or has."""
    return rims_in_force().filter(valid_until__lte=at + within)


def rims_missing(*, at: datetime, within: timedelta = MISSING_WITHIN) -> list[tuple[str, int]]:
    """Ids that the newest reports of nodes asked for in vain and that are still missing, with how
    many devices lack each. 2 queries, 1 where nothing is missing."""
    asked = Counter(
        rim_id
        for rim_id in DeviceFinding.objects.filter(
            code="rim.not_found",
            verdict__in=AttestationState.objects.filter(
                latest_verdict__judged_at__gt=at - within
            ).values("latest_verdict"),
        ).values_list("data__id", flat=True)
        if rim_id
    )
    if not asked:
        return []
    there = set(rims_in_force().filter(rim_id__in=asked).values_list("rim_id", flat=True))
    return sorted((rim_id, count) for rim_id, count in asked.items() if rim_id not in there)


def certificates_due(*, at: datetime, limit: int) -> QuerySet[ChainCertificate]:
    """Certificates to ask about now, with their issuers, the longest waiting first. Emulated ones
    only where the deployment trusts an emulator: the vendor does not know them."""
    rows = ChainCertificate.objects.filter(ocsp_due_at__lte=at, last_seen_at__gt=at - UNSEEN_AFTER)
    if not settings.EMULATOR_ROOT_DIR:
        rows = rows.filter(emulated=False)
    return rows.select_related("issuer").order_by("ocsp_due_at")[:limit]


def authority_states(*, at: datetime) -> list[CertificateState]:
    """What is known of every authority's certificate and every manifest's signer. 3 queries, 1
    where there is none."""
    rows = list(ChainCertificate.objects.filter(is_device=False).exclude(issuer=None).defer("der"))
    if not rows:
        return []
    answers = _newest_answers([row.pk for row in rows])
    lists = {row.issuer_id: row for row in crls_in_force()}
    return [_state(row, answers.get(row.pk), lists.get(row.issuer_id or b""), at) for row in rows]


def crls_in_force() -> QuerySet[Crl]:
    """The newest list of each authority."""
    newest = Crl.objects.order_by("issuer_id", "-this_update", "-received_at")
    ids = newest.distinct("issuer_id").values("pk")
    return Crl.objects.filter(pk__in=ids).select_related("issuer").defer("issuer__der")


def revocation_figures(*, at: datetime) -> RevocationFigures:
    """Devices seen lately by what OCSP says of them now. 1 query."""
    devices = ChainCertificate.objects.filter(is_device=True, last_seen_at__gt=at - UNSEEN_AFTER)
    is_stale = Q(ocsp_state__in=["good", "unknown"], ocsp_until__lte=at)
    rows = (
        devices.annotate(
            word=Case(
                When(is_stale, then=Value("stale")),
                When(ocsp_state="", then=Value(RevocationState.NOT_CHECKED.value)),
                default="ocsp_state",
            )
        )
        .order_by("word")
        .values_list("word")
        .annotate(
            count=Count("pk"),
            since=Min("ocsp_since"),
            failed=Count("pk", filter=Q(ocsp_failures__gt=0)),
        )
    )
    found = list(rows)
    oldest = min((since for _, _, since, _ in found if since is not None), default=None)
    return RevocationFigures(
        devices={word: count for word, count, _, _ in found},
        oldest_s=None if oldest is None else int((at - oldest).total_seconds()),
        unanswered=sum(failed for _, _, _, failed in found),
    )


def _newest_answers(certificates: Sequence[bytes]) -> dict[bytes, OcspResponse]:
    rows = OcspResponse.objects.filter(certificate_id__in=certificates).defer("der")
    newest = rows.order_by("certificate_id", "-this_update", "-received_at")
    return {row.certificate_id: row for row in newest.distinct("certificate_id")}


def _state(
    certificate: ChainCertificate, answer: OcspResponse | None, crl: Crl | None, at: datetime
) -> CertificateState:
    document = answer or crl
    if document is None:
        return CertificateState(certificate, RevocationState.NOT_CHECKED)
    if isinstance(document, OcspResponse):
        state = document.state
    else:
        state = parse_crl(document.der).statement(int(certificate.serial, 16)).state
    return CertificateState(
        certificate,
        state,
        stale=document.next_update is not None and document.next_update <= at,
        age_s=max(0, int((at - document.this_update).total_seconds())),
        document=document,
    )
