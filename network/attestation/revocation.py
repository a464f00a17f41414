"""What is known about the revocation of one certificate, and how old that knowledge is.

The states and the rule of time are the same for both sources: OCSP (RFC 6960, :mod:`.ocsp`) and
revocation lists (RFC 5280, :mod:`.crl`). Nothing here fetches anything: documents are handed in as
bytes, and the same bytes give the same answer as of any time.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import SignatureAlgorithmOID

from .certificate_encoding import CERTIFICATE_ERRORS
from .errors import EvidenceError

#: Everything that the library raises for a document that it cannot read fully.
DOCUMENT_ERRORS: Final = (*CERTIFICATE_ERRORS, TypeError, OverflowError)

_HASHES: Final[dict[x509.ObjectIdentifier, hashes.HashAlgorithm]] = {
    SignatureAlgorithmOID.ECDSA_WITH_SHA256: hashes.SHA256(),
    SignatureAlgorithmOID.ECDSA_WITH_SHA384: hashes.SHA384(),
    SignatureAlgorithmOID.ECDSA_WITH_SHA512: hashes.SHA512(),
}
_HASHES_BY_NAME: Final = {algorithm.name: algorithm for algorithm in _HASHES.values()}
_CURVES: Final[dict[str, ec.EllipticCurve]] = {
    curve.name: curve for curve in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1())
}
#: Outcomes of signature checks that are remembered, some 300 bytes each.
SIGNATURE_ENTRIES: Final = 8192


class RevocationState(StrEnum):
    """What a certificate's issuer says of it. Only GOOD speaks for it; NOT_CHECKED says that no
    usable statement is at hand, UNKNOWN that the responder was asked and does not know it."""

    GOOD = "good"
    REVOKED = "revoked"
    HOLD = "hold"
    UNKNOWN = "unknown"
    NOT_CHECKED = "not_checked"


class RevocationError(EvidenceError):
    """A document that must not be used (code ``revocation.malformed``).

    ``data["reason"]`` is a stable word: ``size``, ``der``, ``status.<name>``, ``responses``,
    ``extension``, ``cert_id``, ``responder``, ``signature``, ``nonce``, ``not_yet``, ``window``,
    ``issuer``, ``crl_sign``, ``next_update``, ``delta``, ``indirect``, ``scope``, ``entries``.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__("revocation.malformed", detail, {"reason": reason})
        self.reason = reason


@dataclass(frozen=True, slots=True)
class RevocationLimits:
    """How old a statement may be.

    ``clock_skew`` is allowed between the issuer's clock and ours, both ways. A statement without
    nextUpdate lives ``undated_max_age``. ``max_age`` shortens what nextUpdate allows; None leaves
    it to the issuer, as lists kept for an installation without network need.
    """

    clock_skew: timedelta = timedelta(minutes=5)
    undated_max_age: timedelta = timedelta(hours=24)
    max_age: timedelta | None = None


DEFAULT_LIMITS: Final = RevocationLimits()


@dataclass(frozen=True, slots=True)
class Revocation:
    """The state of one certificate. Without a source nothing was found, and no time is known.

    ``source`` is ``ocsp`` or ``crl`` and ``sha256`` names the document's bytes. ``age_s`` counts
    seconds from thisUpdate to the time of judgement. ``stale`` statements never say GOOD: what
    was GOOD or UNKNOWN becomes NOT_CHECKED, while REVOKED and HOLD stay what they were.
    """

    state: RevocationState
    source: str | None = None
    sha256: str | None = None
    this_update: datetime | None = None
    next_update: datetime | None = None
    age_s: int | None = None
    stale: bool = False
    reason: str | None = None
    revoked_at: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        """JSON values only; times in ISO 8601, UTC."""
        return {
            "state": self.state.value,
            "source": self.source,
            "sha256": self.sha256,
            "this_update": _iso(self.this_update),
            "next_update": _iso(self.next_update),
            "age_s": self.age_s,
            "stale": self.stale,
            "reason": self.reason,
            "revoked_at": _iso(self.revoked_at),
        }


NOT_CHECKED: Final = Revocation(RevocationState.NOT_CHECKED)


@dataclass(frozen=True, slots=True)
class Statement:
    """What an authenticated document says of a certificate, before its time is judged."""

    state: RevocationState
    source: str
    sha256: str
    this_update: datetime
    next_update: datetime | None
    reason: str | None = None
    revoked_at: datetime | None = None

    def judge(self, *, now: datetime, limits: RevocationLimits) -> Revocation:
        """The state as of ``now``. Raises :class:`RevocationError` for an impossible window."""
        if self.this_update > now + limits.clock_skew:
            raise RevocationError("not_yet", f"It speaks from {self.this_update:%F %T} UTC on.")
        if self.next_update is not None and self.next_update < self.this_update:
            raise RevocationError("window", "It ends before it begins.")
        stale = self._is_stale(now, limits)
        state = self.state
        if stale and state in (RevocationState.GOOD, RevocationState.UNKNOWN):
            state = RevocationState.NOT_CHECKED
        return Revocation(
            state=state,
            source=self.source,
            sha256=self.sha256,
            this_update=self.this_update,
            next_update=self.next_update,
            # Inside the allowed skew a statement may be from "later"; its age is then nothing.
            age_s=max(0, int((now - self.this_update).total_seconds())),
            stale=stale,
            reason=self.reason,
            revoked_at=self.revoked_at,
        )

    def _is_stale(self, now: datetime, limits: RevocationLimits) -> bool:
        age = now - self.this_update
        if limits.max_age is not None and age > limits.max_age:
            return True
        if self.next_update is None:
            return age > limits.undated_max_age
        return now - self.next_update >= limits.clock_skew


def ecdsa_verify(
    key: PublicKeyTypes, algorithm: x509.ObjectIdentifier, signature: bytes, message: bytes
) -> bool:
    """True for a right ECDSA signature with SHA-256, 384 or 512 by a P-256, P-384 or P-521 key.

    Everything else is False, SHA-1 and RSA too: these authorities use P-384 throughout.
    """
    hash_algorithm = _HASHES.get(algorithm)
    if hash_algorithm is None or not isinstance(key, ec.EllipticCurvePublicKey):
        return False
    if key.curve.name not in _CURVES:
        return False
    point = key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    digest = hashlib.new(hash_algorithm.name, message).digest()
    return _verify_digest(key.curve.name, point, hash_algorithm.name, signature, digest)


@lru_cache(maxsize=SIGNATURE_ENTRIES)
def _verify_digest(
    curve: str, point: bytes, algorithm: str, signature: bytes, digest: bytes
) -> bool:
    """Pure and slow, and asked the same for every device below one authority: so remembered."""
    key = ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[curve], point)
    prehashed = utils.Prehashed(_HASHES_BY_NAME[algorithm])
    try:
        key.verify(signature, digest, ec.ECDSA(prehashed))
    except InvalidSignature:
        return False
    return True


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
