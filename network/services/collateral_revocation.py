"""Take OCSP responses and revocation lists in: verified now, pinned by digest for ever.

A statement counts only for a certificate that is known here (``collateral_certificates``): whoever
signed it has to be the issuer in a chain with a pinned root, or that issuer's delegate.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from cryptography import x509
from django.db import transaction
from django.db.models import Q

from network.attestation.crl import Crl as LoadedCrl
from network.attestation.crl import crl_sign_verify, parse_crl
from network.attestation.ocsp import OcspAnswer, ocsp_verify, parse_ocsp_response
from network.attestation.revocation import Revocation, RevocationError, RevocationState
from network.errors import NotFound, Refused
from network.models import ChainCertificate, Crl, OcspResponse, Rim
from network.services.collateral_certificates import subject_sha256
from network.services.collateral_version import version_raise

Value = TypeVar("Value")

#: A certificate is asked about again after half of an answer's remaining life, within these.
ASK_AT_LEAST_EVERY: Final = timedelta(hours=12)
ASK_AT_MOST_EVERY: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Statement:
    """What became of one document. ``withdrawn`` counts manifests whose signer it revokes."""

    row: OcspResponse | Crl
    is_new: bool
    withdrawn: int = 0


@transaction.atomic
def ocsp_ingest(
    der: bytes,
    *,
    source: str,
    at: datetime,
    about: ChainCertificate | None = None,
    nonce: bytes | None = None,
) -> Statement:
    """Verify an OCSP response and store it. ``about`` is the certificate it has to be about, with
    the ``nonce`` that was asked with; without, it is found by the answer's own serial number.

    Raises:
        Refused: ``revocation.malformed`` with the verifier's reason in ``data``;
            ``revocation.stale``, it has run out.
        NotFound: ``certificate_unknown``, it is about none that was seen here.
    """
    answer = _checked(lambda: parse_ocsp_response(der))
    state, certificate = _ocsp_judge(answer, at=at, about=about, nonce=nonce)
    sha256 = hashlib.sha256(der).digest()
    row, is_new = OcspResponse.objects.get_or_create(
        sha256=sha256,
        defaults={
            "certificate": certificate,
            "der": der,
            "state": state.state.value,
            "reason": (state.reason or "")[:40],
            "this_update": answer.this_update,
            "next_update": answer.next_update,
            "source": source[:200],
            "received_at": at,
        },
    )
    revoked = state.state is RevocationState.REVOKED
    # Revocation is for ever, so nobody has to ask again.
    due_at = None if revoked else _ask_again_at(answer.next_update, at)
    rows = ChainCertificate.objects.filter(pk=certificate.pk)
    rows.update(ocsp_due_at=due_at, ocsp_failures=0, ocsp_error="")
    older = Q(ocsp_since=None) | Q(ocsp_since__lte=answer.this_update)
    rows.filter(older).exclude(ocsp_state=RevocationState.REVOKED).update(
        ocsp_state=state.state.value, ocsp_since=answer.this_update, ocsp_until=answer.next_update
    )
    if not is_new:
        return Statement(row, is_new=False)
    withdrawn = rims_revoke([certificate], at=at) if revoked else 0
    version_raise(revocation=True)
    return Statement(row, is_new=True, withdrawn=withdrawn)


@transaction.atomic
def crl_ingest(der: bytes, *, source: str, at: datetime) -> Statement:
    """Verify a revocation list and store it.

    Raises:
        Refused: ``revocation.malformed`` with the verifier's reason in ``data``;
            ``revocation.stale``, it has run out.
        NotFound: ``issuer_unknown``, no chain with this issuer was seen here.
    """
    crl = _checked(lambda: parse_crl(der))
    issuer = _checked(lambda: _crl_issuer(crl))
    if crl.this_update > at + timedelta(minutes=5):
        raise Refused(
            "revocation.malformed", "The list speaks from later on.", {"reason": "not_yet"}
        )
    if crl.next_update < at:
        raise _stale(crl.next_update)
    row, is_new = Crl.objects.get_or_create(
        sha256=hashlib.sha256(der).digest(),
        defaults={
            "issuer": issuer,
            "der": der,
            "entries": len(crl.entries),
            "this_update": crl.this_update,
            "next_update": crl.next_update,
            "source": source[:200],
            "received_at": at,
        },
    )
    if not is_new:
        return Statement(row, is_new=False)
    gone = [
        certificate
        for certificate in ChainCertificate.objects.filter(
            issuer__subject_sha256=issuer.subject_sha256, is_device=False
        )
        if crl.statement(int(certificate.serial, 16)).state is RevocationState.REVOKED
    ]
    version_raise(revocation=True)
    return Statement(row, is_new=True, withdrawn=rims_revoke(gone, at=at))


def rims_revoke(revoked: list[ChainCertificate], *, at: datetime) -> int:
    """Withdraw every manifest whose signer stands below a revoked certificate. How many."""
    level = {certificate.pk for certificate in revoked}
    below = set(level)
    while level:
        level = set(
            ChainCertificate.objects.filter(issuer_id__in=level, is_device=False).values_list(
                "pk", flat=True
            )
        )
        below |= level
    count = Rim.objects.filter(signer_id__in=below, withdrawn_at=None).update(
        withdrawn_at=at, withdrawn_reason="A certificate above its signature was revoked."
    )
    if count:
        version_raise(rims=True)
    return count


def ocsp_failed(certificate: ChainCertificate, *, why: str, at: datetime) -> None:
    """Note that asking had no usable answer; the more often it failed the later is the next try."""
    wait = min(ASK_AT_MOST_EVERY * 2 ** min(certificate.ocsp_failures, 8), ASK_AT_LEAST_EVERY)
    ChainCertificate.objects.filter(pk=certificate.pk).update(
        ocsp_due_at=at + wait,
        ocsp_failures=certificate.ocsp_failures + 1,
        ocsp_error=why[:200],
    )


def _ocsp_judge(
    answer: OcspAnswer, *, at: datetime, about: ChainCertificate | None, nonce: bytes | None
) -> tuple[Revocation, ChainCertificate]:
    """What an answer says at ``at``, and of whom."""
    candidates = (
        [about]
        if about is not None
        else list(
            ChainCertificate.objects.filter(serial=f"{answer.cert_id.serial:x}")
            .exclude(issuer=None)
            .select_related("issuer")
        )
    )
    refusal: Refused | None = None
    for row in candidates:
        if row.issuer is None:
            continue
        certificate = x509.load_der_x509_certificate(row.der)
        issuer = x509.load_der_x509_certificate(row.issuer.der)
        try:
            state = ocsp_verify(answer, certificate=certificate, issuer=issuer, now=at, nonce=nonce)
        except RevocationError as error:
            refusal = Refused(error.code, error.detail, dict(error.data))
            continue
        if state.stale:
            raise _stale(answer.next_update or answer.this_update)
        return state, row
    if refusal is not None:
        raise refusal
    raise NotFound(
        "certificate_unknown",
        "The answer is about no certificate that was seen here. Take in its chain first "
        "(--chain FILE).",
    )


def _crl_issuer(crl: LoadedCrl) -> ChainCertificate:
    """The authority that signed the list. Two of one name are told apart by their keys."""
    error: RevocationError | None = None
    for row in ChainCertificate.objects.filter(
        subject_sha256=subject_sha256(crl.issuer), is_device=False
    ):
        try:
            crl_sign_verify(crl, x509.load_der_x509_certificate(row.der))
        except RevocationError as refused:
            error = refused
        else:
            return row
    if error is not None:
        raise error
    raise NotFound(
        "issuer_unknown",
        "No chain with the list's issuer was seen here. Take one in first (--chain FILE).",
        {"issuer": crl.issuer.rfc4514_string()[:200]},
    )


def _ask_again_at(next_update: datetime | None, at: datetime) -> datetime:
    if next_update is None:
        return at + ASK_AT_LEAST_EVERY
    return at + min(max((next_update - at) / 2, ASK_AT_MOST_EVERY), ASK_AT_LEAST_EVERY)


def _checked(read: Callable[[], Value]) -> Value:
    try:
        return read()
    except RevocationError as error:
        raise Refused(error.code, error.detail, dict(error.data)) from error


def _stale(until: datetime) -> Refused:
    return Refused(
        "revocation.stale",
        f"It ran out on {until:%Y-%m-%d %H:%M} UTC. Get a newer one.",
        {"next_update": until.isoformat()},
    )
