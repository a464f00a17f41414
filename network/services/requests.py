"""What makes a signed request count once: nonces of signatures, and idempotency keys."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction

from network.errors import Conflict, Refused, Unauthenticated
from network.models import IdempotencyKey, SignatureNonce

#: Seconds for which an answer is kept (draft-ietf-httpapi-idempotency-key-header).
IDEMPOTENCY_TTL_S = 24 * 60 * 60
#: Seconds after which a request without an answer counts as lost with its process. Longer
#: than any request may run (the web server's own limit is 30 s).
IN_FLIGHT_S = 60
#: Rows deleted in passing by each new one: the tables stay as large as a day's traffic
#: without any job of their own.
PURGE_BATCH = 20


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The answer that an earlier request with the same key got."""

    status_code: int
    body: Any


def signature_nonce_use(
    *, key_id: str, nonce: str, expires_s: int, skew_s: int, at: datetime
) -> None:
    """Remember a verified signature's nonce.

    Raises:
        Unauthenticated: ``signature_replayed``.
    """
    _purge(SignatureNonce, at)
    # The window check lets a signature pass until `skew_s` after its end.
    expires_at = datetime.fromtimestamp(expires_s, tz=UTC) + timedelta(seconds=skew_s + 1)
    row = SignatureNonce(key_id=key_id, nonce=nonce, expires_at=expires_at)
    _, created = SignatureNonce.objects.get_or_create(
        key_id=row.key_id, nonce=row.nonce, defaults={"expires_at": row.expires_at}
    )
    if not created:
        raise Unauthenticated(
            "signature_replayed",
            "This signature was used before. Sign every request anew, with a fresh nonce.",
        )


def request_digest(*, method: str, path: str, body: bytes) -> bytes:
    """SHA-256 of what must stay the same for an idempotency key to mean the same request."""
    return hashlib.sha256(f"{method} {path}\n".encode() + hashlib.sha256(body).digest()).digest()


def idempotency_begin(
    *, node_id: bytes, key: str, request_sha256: bytes, at: datetime
) -> StoredAnswer | IdempotencyKey:
    """Claim a key for this request, or return what its first request was answered.

    Raises:
        Refused: ``idempotency_key_reused``: the key was used for another request.
        Conflict: ``idempotency_in_flight``: the first request is still being worked on.
    """
    _purge(IdempotencyKey, at)
    row, created = IdempotencyKey.objects.get_or_create(
        node_id=node_id,
        key=key,
        defaults={
            "request_sha256": request_sha256,
            "created_at": at,
            "expires_at": at + timedelta(seconds=IDEMPOTENCY_TTL_S),
        },
    )
    if created:
        return row
    if row.request_sha256 != request_sha256:
        raise Refused(
            "idempotency_key_reused",
            "This Idempotency-Key belongs to another request. Use a new key for new content.",
        )
    if row.status_code is None:
        if _reclaim(row, at):
            return row
        raise Conflict(
            "idempotency_in_flight",
            "The first request with this Idempotency-Key is still being worked on. Try again "
            "in a few seconds.",
        )
    return StoredAnswer(row.status_code, row.response)


def _reclaim(row: IdempotencyKey, at: datetime) -> bool:
    """Take over a request whose process died. Compare-and-set: one retry alone gets it."""
    lost = IdempotencyKey.objects.filter(
        pk=row.pk, status_code=None, created_at__lt=at - timedelta(seconds=IN_FLIGHT_S)
    )
    return lost.update(created_at=at) == 1


def idempotency_finish(*, row: IdempotencyKey, status_code: int, body: Any) -> None:
    """Store the answer of a finished request; the first answer stands.

    Call it inside the transaction of what the answer reports: a process that dies between the two
    would leave a request that counted and whose repetition is refused.
    """
    open_row = IdempotencyKey.objects.filter(pk=row.pk, status_code=None)
    open_row.update(status_code=status_code, response=body)


def idempotency_release(*, row: IdempotencyKey) -> None:
    """Free a key whose request failed on our side, so that the same request may be sent again."""
    IdempotencyKey.objects.filter(pk=row.pk, status_code=None).delete()


@transaction.atomic
def _purge(model: type[SignatureNonce] | type[IdempotencyKey], at: datetime) -> None:
    old = model.objects.filter(expires_at__lt=at).order_by("expires_at")
    pks = list(old.select_for_update(skip_locked=True).values_list("pk", flat=True)[:PURGE_BATCH])
    if pks:
        model.objects.filter(pk__in=pks).delete()
