"""Signed requests of nodes (RFC 9421, RFC 9530) as a REST framework authentication."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from chain import clock
from chain.api.errors import ApiError
from network.errors import Unauthenticated
from network.http_signatures import (
    MAX_SKEW_S,
    RequestSignatureError,
    VerifiedRequest,
    pq_signature_verify,
    verify_request,
    window_check,
)
from network.models import Node, NodeKey, NodeKeyStatus
from network.selectors.policy import PolicySnapshot, PqMode, policy_current
from network.services.requests import signature_nonce_use

#: Codes of the profile that mean a broken request and not a doubtful sender.
_BAD_REQUEST = {"idempotency_key_missing", "idempotency_key_invalid"}


@dataclass(frozen=True, slots=True)
class NodeCredentials:
    """Who signed: the key, its node, what the signature vouches for, the policy of the moment.

    ``pq_signed`` tells of the second signature: True if it was good, False where the node has no
    key for one, None where the policy asks for none.
    """

    key: NodeKey
    node: Node
    request: VerifiedRequest
    policy: PolicySnapshot
    pq_signed: bool | None

    @property
    def key_id(self) -> str:
        return self.key.key_id


class NodeSignatureAuthentication(BaseAuthentication):
    """Accept a request signed by an active node key. ``request.auth`` is :class:`NodeCredentials`.

    Order: the key must be known, the signature good, inside the policy's window, the second
    signature good where one is due, its nonce new; only then is the body parsed. Nothing of a
    stranger's request makes us read the policy. The address signed is rebuilt from ``SITE_URL``,
    never from Host.

    Raises:
        ApiError: 401 with a code of ``network.http_signatures`` or ``key_superseded``; 400
            for a missing or malformed Idempotency-Key.
        Unauthenticated: ``signature_replayed``.
        PolicyUnavailable: nothing final is indexed yet.
    """

    def authenticate(self, request: Request) -> tuple[None, NodeCredentials]:
        found: list[NodeKey] = []

        def resolve(key_id: str) -> bytes | None:
            key = NodeKey.objects.filter(key_id=key_id, status=NodeKeyStatus.ACTIVE).first()
            if key is None:
                return None
            found.append(key)
            return bytes(key.ed25519)

        at = clock.now()
        now_s = int(at.timestamp())
        message: dict[str, Any] = {
            "method": str(request.method),
            "url": settings.SITE_URL + request.get_full_path(),
            "headers": request.headers,
            "body": request._request.body,
        }
        try:
            verified = verify_request(
                **message, resolve_key=resolve, now_s=now_s, skew_s=MAX_SKEW_S
            )
            policy = policy_current()
            window_check(verified, now_s=now_s, skew_s=policy.clock_skew_s)
            pq_signed = pq_check(found[0], policy, verified, message)
        except RequestSignatureError as error:
            raise _refusal(error) from error
        node = Node.objects.filter(node_id=found[0].node_id).first()
        if node is None or node.keys_hash != found[0].keys_hash:
            raise Unauthenticated(
                "key_superseded",
                "The registry holds other keys for this node now. Prove the new keys first.",
            )
        signature_nonce_use(
            key_id=verified.key_id,
            nonce=verified.nonce,
            expires_s=verified.expires_s,
            skew_s=policy.clock_skew_s,
            at=at,
        )
        return None, NodeCredentials(found[0], node, verified, policy, pq_signed)

    def authenticate_header(self, request: Request) -> str:
        return 'Signature realm="althing", label="althing", tag="althing-node-v1"'


def pq_check(
    key: NodeKey, policy: PolicySnapshot, verified: VerifiedRequest, message: Mapping[str, Any]
) -> bool | None:
    """Verify the second signature where policy and key ask for one; as ``pq_signed`` above.

    Whether one is due is never read from the message: leaving it out must not be a way around it.

    Raises:
        RequestSignatureError: ``pq_required``, or a code of ``pq_signature_verify``.
    """
    if policy.pq_mode is PqMode.OFF:
        return None
    if not (key.ml_dsa_65 and policy.ml_dsa_65_counts):
        if policy.pq_mode is PqMode.REQUIRED:
            raise RequestSignatureError(
                "pq_required",
                "The network asks for post-quantum signatures, and this node's keys have none that "
                "counts. Make an ML-DSA-65 key, rotate the keys on chain and prove them.",
                {"pq_mode": int(policy.pq_mode)},
            )
        return False
    pq_signature_verify(**message, request=verified, public_key=bytes(key.ml_dsa_65))
    return True


class IsSignedNode(BasePermission):
    """Only requests that a node signed."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.auth, NodeCredentials)


def _refusal(error: RequestSignatureError) -> ApiError:
    http_status = 400 if error.code in _BAD_REQUEST else 401
    refusal = ApiError(error.code, error.detail, http_status=http_status, data=error.data)
    if http_status == 401:
        refusal.auth_header = 'Signature realm="althing"'  # type: ignore[attr-defined]
    return refusal


class NodeSignatureScheme(OpenApiAuthenticationExtension):
    """How the OpenAPI description names the signature."""

    target_class = "network.api.authentication.NodeSignatureAuthentication"
    name = "nodeSignature"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Signature",
            "description": (
                "HTTP message signature (RFC 9421), label `althing`, tag `althing-node-v1`, "
                "Ed25519, over @method, @authority, @target-uri, content-digest, content-type "
                "and idempotency-key; created, expires (60 s at most), nonce and keyid given. A "
                "node with an ML-DSA-65 key signs the same again: label `althing-pq`, keyid the "
                "SHA-256 of that key, context `althing-node-v1`."
            ),
        }
