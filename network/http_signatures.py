"""The one HTTP message signature profile that nodes and the service share (RFC 9421, RFC 9530).

Pure: no Django, no network, no clock of its own. The service verifies with it, the node agent signs
with it, so the two can never drift apart.

Profile: label ``althing``, tag ``althing-node-v1``, Ed25519, the six components of
:data:`COMPONENTS`, and the parameters ``created``, ``expires``, ``nonce`` and ``keyid``. The key id
is the public key itself, 64 lowercase hex digits, so it needs no second table. A signature lives at
most :data:`MAX_LIFETIME_S` seconds.

A node with a post-quantum key signs the same message a second time: label ``althing-pq``,
ML-DSA-65 (FIPS 204) with the context ``althing-node-v1``, the same components, ``created``,
``expires``, ``nonce`` and tag, and as ``keyid`` the SHA-256 of that public key in lowercase hex.
Whether the second one is asked for is the caller's to know: by the stored key, never by the
message.

What stays with the caller: remembering ``(key_id, nonce)`` after a successful verification, and the
meaning of the idempotency key.
"""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA65PublicKey
from http_message_signatures import (
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureAlgorithm,
    InvalidSignature,
    algorithms,
)
from http_message_signatures.resolvers import MappingKeyResolver

from network.http_signature_input import (
    COMPONENTS,
    IDEMPOTENCY_KEY,
    LABEL,
    MAX_HEADER_CHARS,
    MAX_LIFETIME_S,
    MAX_SKEW_S,
    PQ_LABEL,
    TAG,
    RequestSignatureError,
    VerifiedRequest,
    digest_check,
    request_claimed,
    signature_parameters,
    window_check,
)
from network.http_signature_keys import PQ_CONTEXT, MlDsa65, key_id, pq_key_id

__all__ = [
    "COMPONENTS",
    "LABEL",
    "MAX_HEADER_CHARS",
    "MAX_LIFETIME_S",
    "MAX_SKEW_S",
    "PQ_CONTEXT",
    "PQ_LABEL",
    "TAG",
    "RequestSignatureError",
    "VerifiedRequest",
    "key_id",
    "pq_key_id",
    "pq_signature_verify",
    "sign_request",
    "verify_request",
    "window_check",
]


@dataclass(slots=True)
class _Message:
    """The message shape that http-message-signatures asks for."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)


def sign_request(
    *,
    method: str,
    url: str,
    body: bytes,
    private_key: Ed25519PrivateKey,
    idempotency_key: str,
    now_s: int,
    ml_dsa_65: MLDSA65PrivateKey | None = None,
    content_type: str = "application/json",
    nonce: str | None = None,
    lifetime_s: int = MAX_LIFETIME_S,
) -> dict[str, str]:
    """Return the headers that make this request a signed one; send the very same body bytes with
    them.

    ``url`` is absolute and is what the service calls itself (scheme, host and port of its public
    address). With ``ml_dsa_65`` the second signature is made too.
    """
    if not 0 < lifetime_s <= MAX_LIFETIME_S:
        raise ValueError(f"lifetime_s must be 1..{MAX_LIFETIME_S}")
    if not IDEMPOTENCY_KEY.fullmatch(idempotency_key):
        raise ValueError("idempotency_key must be 8 to 128 characters of A-Z a-z 0-9 _ . : -")
    message = _Message(
        method=method.upper(),
        url=url,
        headers={"Content-Type": content_type, "Idempotency-Key": idempotency_key},
    )
    given_nonce = nonce or secrets.token_urlsafe(24)

    def sign(algorithm: type[HTTPSignatureAlgorithm], label: str, name: str, key: Any) -> None:
        resolver = MappingKeyResolver(public_keys={}, private_keys={name: key})
        HTTPMessageSigner(signature_algorithm=algorithm, key_resolver=resolver).sign(
            message,
            key_id=name,
            created=_utc(now_s),
            expires=_utc(now_s + lifetime_s),
            nonce=given_nonce,
            label=label,
            tag=TAG,
            # The algorithm belongs to the stored key. Naming it in the message would invite
            # trusting the message.
            include_alg=False,
            covered_component_ids=COMPONENTS,
            append_if_signature_exists=label != LABEL,
            body=body,
            use_existing_digest=label != LABEL,
        )

    public_key = private_key.public_key().public_bytes_raw()
    sign(algorithms.ED25519, LABEL, key_id(public_key), private_key)
    if ml_dsa_65 is not None:
        pq_public_key = ml_dsa_65.public_key().public_bytes_raw()
        sign(MlDsa65, PQ_LABEL, pq_key_id(pq_public_key), ml_dsa_65)
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
    request = request_claimed(signature_parameters(lowered) or {}, lowered)
    window_check(request, now_s=now_s, skew_s=skew_s)
    public_key = resolve_key(request.key_id)
    if public_key is None:
        raise RequestSignatureError(
            "key_unknown", "No active node key has this key id.", {"key_id": request.key_id}
        )
    digest_check(lowered, body)
    try:
        _verify(
            _Message(method=method.upper(), url=url, headers=lowered),
            body,
            LABEL,
            algorithms.ED25519,
            {request.key_id: Ed25519PublicKey.from_public_bytes(public_key)},
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


def pq_signature_verify(
    *,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    request: VerifiedRequest,
    public_key: bytes,
) -> None:
    """Verify the second signature of a request whose first one was good.

    ``public_key`` is the raw ML-DSA-65 key (1952 bytes) that is stored beside the first key.
    Raises :class:`RequestSignatureError`: pq_signature_missing, pq_signature_profile (it says
    another thing than the first one, or names another key) or pq_signature_invalid.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    parameters = signature_parameters(lowered, PQ_LABEL)
    name = pq_key_id(public_key)
    if parameters is None:
        raise RequestSignatureError(
            "pq_signature_missing",
            f"This node has an ML-DSA-65 key, so its requests need the signature {PQ_LABEL}, too.",
            {"key_id": name},
        )
    expected = {
        "created": request.created_s,
        "expires": request.expires_s,
        "nonce": request.nonce,
        "keyid": name,
        "tag": TAG,
    }
    differing = sorted(key for key, value in expected.items() if parameters.get(key) != value)
    if differing:
        raise RequestSignatureError(
            "pq_signature_profile",
            f"The signature {PQ_LABEL} must have the node's ML-DSA-65 key id and the other "
            f"parameters of {LABEL}. These differ: {', '.join(differing)}.",
            {"differing": differing, "key_id": name},
        )
    try:
        _verify(
            _Message(method=method.upper(), url=url, headers=lowered),
            body,
            PQ_LABEL,
            MlDsa65,
            {name: MLDSA65PublicKey.from_public_bytes(public_key)},
        )
    except InvalidSignature as error:
        raise RequestSignatureError(
            "pq_signature_invalid",
            f"The signature {PQ_LABEL} is not one of the node's ML-DSA-65 key over this request, "
            f"with the context {PQ_CONTEXT.decode('ascii')}.",
            {"key_id": name},
        ) from error


def _verify(
    message: _Message,
    body: bytes,
    label: str,
    algorithm: type[HTTPSignatureAlgorithm],
    public_keys: Mapping[str, Any],
) -> None:
    resolver = MappingKeyResolver(public_keys=dict(public_keys), private_keys={})
    _WindowCheckedVerifier(signature_algorithm=algorithm, key_resolver=resolver).verify(
        message,
        max_age=None,
        expect_tag=TAG,
        expect_label=label,
        require_components=COMPONENTS,
        body=body,
    )


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
