"""The one HTTP message signature profile that nodes and the service share (RFC 9421, RFC 9530).

Pure: no Django, no network, no clock of its own. The service verifies with it, the node agent signs
with it, so the two can never drift apart.

Profile: label ``althing``, tag ``althing-node-v1``, Ed25519 only, the six components of
:data:`COMPONENTS`, and the parameters ``created``, ``expires``, ``nonce`` and ``keyid``. The key id
is the public key itself, 64 lowercase hex digits, so it needs no second table. A signature lives at
most :data:`MAX_LIFETIME_S` seconds.

What stays with the caller: remembering ``(key_id, nonce)`` after a successful verification, and the
meaning of the idempotency key.
"""

from __future__ import annotations

import datetime
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import http_sf
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from http_message_signatures import (
    HTTPMessageSigner,
    HTTPMessageVerifier,
    InvalidSignature,
    algorithms,
)
from http_message_signatures.digests import ContentDigest
from http_message_signatures.exceptions import HTTPMessageSignaturesException
from http_message_signatures.resolvers import MappingKeyResolver

LABEL: Final = "althing"
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
#: Characters of the two signature headers together; ours need about 450.
MAX_HEADER_CHARS: Final = 4096

_KEY_ID = re.compile(r"[0-9a-f]{64}")
_NONCE = re.compile(r"[A-Za-z0-9_-]{22,86}")
_IDEMPOTENCY_KEY = re.compile(r"[A-Za-z0-9_.:-]{8,128}")


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


@dataclass(slots=True)
class _Message:
    """The message shape that http-message-signatures asks for."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)


def key_id(public_key: bytes) -> str:
    """The ``keyid`` of a raw 32-byte Ed25519 public key: its lowercase hex."""
    if len(public_key) != 32:
        raise ValueError(f"an Ed25519 public key has 32 bytes, not {len(public_key)}")
    return public_key.hex()


def sign_request(
    *,
    method: str,
    url: str,
    body: bytes,
    private_key: Ed25519PrivateKey,
    idempotency_key: str,
    now_s: int,
    content_type: str = "application/json",
    nonce: str | None = None,
    lifetime_s: int = MAX_LIFETIME_S,
) -> dict[str, str]:
    """Return the headers that make this request a signed one; send the very same body bytes with
    them.

    ``url`` is absolute and is what the service calls itself (scheme, host and port of its public
    address).
    """
    if not 0 < lifetime_s <= MAX_LIFETIME_S:
        raise ValueError(f"lifetime_s must be 1..{MAX_LIFETIME_S}")
    if not _IDEMPOTENCY_KEY.fullmatch(idempotency_key):
        raise ValueError("idempotency_key must be 8 to 128 characters of A-Z a-z 0-9 _ . : -")
    signing_key_id = key_id(private_key.public_key().public_bytes_raw())
    message = _Message(
        method=method.upper(),
        url=url,
        headers={"Content-Type": content_type, "Idempotency-Key": idempotency_key},
    )
    signer = HTTPMessageSigner(
        signature_algorithm=algorithms.ED25519,
        key_resolver=MappingKeyResolver(public_keys={}, private_keys={signing_key_id: private_key}),
    )
    signer.sign(
        message,
        key_id=signing_key_id,
        created=_utc(now_s),
        expires=_utc(now_s + lifetime_s),
        nonce=nonce or secrets.token_urlsafe(24),
        label=LABEL,
        tag=TAG,
        # The algorithm belongs to the stored key. Naming it in the message would invite trusting
        # the message.
        include_alg=False,
        covered_component_ids=COMPONENTS,
        body=body,
    )
    return dict(message.headers)


def verify_request(
    *,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    resolve_key: Callable[[str], bytes | None],
    now_s: int,
    skew_s: int,
) -> VerifiedRequest:
    """Verify one signed request, or raise :class:`RequestSignatureError`.

    ``url`` must be rebuilt from settings, never from the Host header. ``resolve_key`` maps a key id
    to the raw 32-byte public key, or None for an unknown one; what it raises passes through
    untouched. ``skew_s`` is the tolerance for the node's clock: the policy's ``attest.clock_skew``,
    or :data:`MAX_SKEW_S` where the policy is asked only after the signature, with
    :func:`window_check`.

    Codes: signature_missing, signature_malformed, signature_profile, signature_window, clock_skew,
    key_unknown, digest_missing, digest_mismatch, idempotency_key_missing, idempotency_key_invalid,
    signature_invalid.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    parameters = _signature_parameters(lowered)
    request = _claimed(parameters, lowered)
    window_check(request, now_s=now_s, skew_s=skew_s)
    public_key = resolve_key(request.key_id)
    if public_key is None:
        raise RequestSignatureError(
            "key_unknown", "No active node key has this key id.", {"key_id": request.key_id}
        )
    _check_digest(lowered, body)
    verifier = _WindowCheckedVerifier(
        signature_algorithm=algorithms.ED25519,
        key_resolver=MappingKeyResolver(
            public_keys={request.key_id: Ed25519PublicKey.from_public_bytes(public_key)},
            private_keys={},
        ),
    )
    try:
        verifier.verify(
            _Message(method=method.upper(), url=url, headers=lowered),
            max_age=None,
            expect_tag=TAG,
            expect_label=LABEL,
            require_components=COMPONENTS,
            body=body,
        )
    except InvalidSignature as error:
        raise RequestSignatureError(
            "signature_invalid",
            "The signature does not match this request. It must cover the method, the authority "
            "and the whole address that the service is known by, the body digest, the content "
            "type and the idempotency key.",
            {"covered": list(COMPONENTS), "authority_and_target": url},
        ) from error
    return request


class _WindowCheckedVerifier(HTTPMessageVerifier):
    """The library's verifier without its own clock: :func:`window_check` has judged the times
    already.
    """

    def validate_created_and_expires(
        self, sig_input: Any, max_age: datetime.timedelta | None = None
    ) -> None:
        return None


def _utc(seconds: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC)


def _signature_parameters(headers: Mapping[str, str]) -> dict[str, Any]:
    """The parameters of the one signature, read before any cryptography so that refusals are
    exact.
    """
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
        parsed: Any = http_sf.parse(signature_input.encode("ascii"), tltype="dictionary")
    except (ValueError, TypeError) as error:
        raise RequestSignatureError(
            "signature_malformed",
            "Signature-Input is not a structured field dictionary (RFC 9651).",
        ) from error
    # One signature only: with two, a proxy and this service could disagree about which one counts.
    if set(parsed) != {LABEL}:
        raise RequestSignatureError(
            "signature_profile",
            f"There must be exactly one signature and its label must be {LABEL}.",
        )
    components, parameters = parsed[LABEL]
    if not isinstance(components, list):
        raise RequestSignatureError(
            "signature_malformed", "The signature input is not a list of components."
        )
    covered = {str(value) for value, item_parameters in components if not item_parameters}
    missing = [name for name in COMPONENTS if name not in covered]
    if missing:
        raise RequestSignatureError(
            "signature_profile",
            f"The signature does not cover: {', '.join(missing)}.",
            {"missing": missing},
        )
    return dict(parameters)


def _claimed(parameters: Mapping[str, Any], headers: Mapping[str, str]) -> VerifiedRequest:
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
    if not _IDEMPOTENCY_KEY.fullmatch(idempotency_key):
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


def _check_digest(headers: Mapping[str, str], body: bytes) -> None:
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
