"""What a signed request claims, read and checked before any cryptography (RFC 9421, RFC 9530).

Pure. The profile itself is described in ``network.http_signatures``, which verifies.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import http_sf
from http_message_signatures.digests import ContentDigest
from http_message_signatures.exceptions import HTTPMessageSignaturesException

LABEL: Final = "althing"
#: The second signature, by the node's ML-DSA-65 key where it has one.
PQ_LABEL: Final = "althing-pq"
TAG: Final = "althing-node-v1"
COMPONENTS: Final = (
    "@method",
    "@authority",
    "@target-uri",
    "content-digest",
    "content-type",
    "idempotency-key",
)
#: Seconds between ``created`` and ``expires``: long enough for a slow uplink, short enough to store
#: every nonce.
MAX_LIFETIME_S: Final = 60
#: The most that ``attest.clock_skew`` can be, by its bounds on chain.
MAX_SKEW_S: Final = 300
#: Characters of the two signature headers together: ours need about 450, and 5,300 with the second
#: signature (3,309 bytes in base64). A web server takes 8,190 in one line.
MAX_HEADER_CHARS: Final = 6144

_KEY_ID = re.compile(r"[0-9a-f]{64}")
_NONCE = re.compile(r"[A-Za-z0-9_-]{22,86}")
IDEMPOTENCY_KEY = re.compile(r"[A-Za-z0-9_.:-]{8,128}")


class RequestSignatureError(Exception):
    """A request whose signature cannot be accepted. ``code`` is stable; ``data`` is safe to show
    the sender.
    """

    def __init__(self, code: str, detail: str, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.data: dict[str, Any] = dict(data or {})


@dataclass(frozen=True, slots=True)
class VerifiedRequest:
    """What a valid signature vouches for. Times are Unix seconds by the signer's clock."""

    key_id: str
    nonce: str
    created_s: int
    expires_s: int
    idempotency_key: str


def signature_parameters(headers: Mapping[str, str], label: str = LABEL) -> dict[str, Any] | None:
    """The parameters of one signature, read before any cryptography so that refusals are exact.

    ``headers`` have lowercase names. None if the request has no signature of this label, which
    only the second one may lack.

    Raises:
        RequestSignatureError: signature_missing, signature_malformed, signature_profile.
    """
    parsed = _signature_input(headers)
    if label not in parsed:
        return None
    components, parameters = parsed[label]
    if not isinstance(components, list):
        raise RequestSignatureError(
            "signature_malformed", "The signature input is not a list of components."
        )
    covered = {str(value) for value, item_parameters in components if not item_parameters}
    missing = [name for name in COMPONENTS if name not in covered]
    if missing:
        raise RequestSignatureError(
            "signature_profile",
            f"The signature {label} does not cover: {', '.join(missing)}.",
            {"missing": missing},
        )
    return dict(parameters)


def _signature_input(headers: Mapping[str, str]) -> dict[str, Any]:
    """The signatures by their labels: ours, and the second one beside it."""
    signature_input = headers.get("signature-input", "")
    signature = headers.get("signature", "")
    if not signature_input or not signature:
        raise RequestSignatureError(
            "signature_missing",
            "This request needs Signature-Input and Signature headers (RFC 9421).",
        )
    if len(signature_input) + len(signature) > MAX_HEADER_CHARS:
        raise RequestSignatureError("signature_malformed", "The signature headers are too long.")
    try:
        parsed: Any = http_sf.parse(
            signature_input.encode("ascii"), tltype="dictionary", on_duplicate_key=_duplicate_refuse
        )
    except (ValueError, TypeError) as error:
        raise RequestSignatureError(
            "signature_malformed",
            "Signature-Input is not a structured field dictionary (RFC 9651).",
        ) from error
    # No others: with several, a proxy and this service could disagree about which one counts.
    if LABEL not in parsed or not set(parsed) <= {LABEL, PQ_LABEL}:
        raise RequestSignatureError(
            "signature_profile",
            f"There must be one signature with the label {LABEL}, and beside it none but "
            f"{PQ_LABEL}.",
        )
    return dict(parsed)


def _duplicate_refuse(key: str, context: str) -> None:
    """Readers disagree which of two members of one name counts, so none does."""
    raise RequestSignatureError(
        "signature_malformed", f"A name stands twice in Signature-Input ({context})."
    )


def request_claimed(parameters: Mapping[str, Any], headers: Mapping[str, str]) -> VerifiedRequest:
    """Read and type-check what the signature claims. Nothing here is verified yet."""
    if parameters.get("tag") != TAG:
        raise RequestSignatureError("signature_profile", f"The signature's tag must be {TAG}.")
    created, expires = parameters.get("created"), parameters.get("expires")
    if type(created) is not int or type(expires) is not int:
        raise RequestSignatureError(
            "signature_profile", "The signature needs integer created and expires parameters."
        )
    nonce, claimed_key_id = parameters.get("nonce"), parameters.get("keyid")
    if not isinstance(nonce, str) or not _NONCE.fullmatch(nonce):
        raise RequestSignatureError(
            "signature_profile", "The nonce must be 22 to 86 base64url characters."
        )
    if not isinstance(claimed_key_id, str) or not _KEY_ID.fullmatch(claimed_key_id):
        raise RequestSignatureError(
            "signature_profile", "The key id must be 64 lowercase hex digits."
        )
    idempotency_key = headers.get("idempotency-key")
    if idempotency_key is None:
        raise RequestSignatureError(
            "idempotency_key_missing", "This request needs an Idempotency-Key header."
        )
    if not IDEMPOTENCY_KEY.fullmatch(idempotency_key):
        raise RequestSignatureError(
            "idempotency_key_invalid",
            "Idempotency-Key must be 8 to 128 characters of A-Z a-z 0-9 _ . : -",
        )
    return VerifiedRequest(claimed_key_id, nonce, created, expires, idempotency_key)


def window_check(request: VerifiedRequest, *, now_s: int, skew_s: int) -> None:
    """Refuse a signature before or after its time by more than ``skew_s``, or RequestSignatureError
    ``signature_window`` or ``clock_skew``."""
    lifetime_s = request.expires_s - request.created_s
    if not 0 < lifetime_s <= MAX_LIFETIME_S:
        raise RequestSignatureError(
            "signature_window",
            f"A signature may live 1 to {MAX_LIFETIME_S} seconds; this one claims {lifetime_s}.",
        )
    data = {
        "server_time_s": now_s,
        "created_s": request.created_s,
        "expires_s": request.expires_s,
        "skew_s": skew_s,
    }
    if request.created_s > now_s + skew_s:
        raise RequestSignatureError(
            "clock_skew",
            f"This was signed {request.created_s - now_s} s in the future; set the node's clock.",
            data,
        )
    if request.expires_s < now_s - skew_s:
        raise RequestSignatureError(
            "clock_skew",
            f"This signature ran out {now_s - request.expires_s} s ago; check the node's clock.",
            data,
        )


def digest_check(headers: Mapping[str, str], body: bytes) -> None:
    """Compare Content-Digest with the body first, so that a damaged body is told apart from a wrong
    key.
    """
    value = headers.get("content-digest")
    if value is None:
        raise RequestSignatureError(
            "digest_missing", "This request needs a Content-Digest header (RFC 9530)."
        )
    try:
        ContentDigest.verify(value, body)
    except (HTTPMessageSignaturesException, UnicodeEncodeError) as error:
        raise RequestSignatureError(
            "digest_mismatch",
            "Content-Digest is not the SHA-256 or SHA-512 of the body as received.",
        ) from error
