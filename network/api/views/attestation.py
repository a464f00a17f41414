"""The signed way of a node: ask for a challenge, send a report, get a verdict."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chain import clock
from chain.api.errors import ApiError
from chain.api.parsers import JsonLimits
from network.api.authentication import NodeCredentials
from network.api.serializers.nodes import (
    AttestationPostSerializer,
    AttestationResultSerializer,
    AttestationSerializer,
    ChallengePostSerializer,
    ChallengeSerializer,
)
from network.api.views.base import IDEMPOTENCY_KEY, SignedView
from network.api.views.nodes import verdict_json
from network.attestation import EvidenceFormatError, devices_from_json
from network.models import AttestationState, Verdict
from network.services.attestations import Report, attestation_receive
from network.services.challenges import challenge_issue
from network.services.slots import judging_slot_take

_ERRORS = (401, 403, 409, 422)
#: For 128 GPUs, the most that ``attest.max_gpus_per_node`` can be: 12.3 KB of evidence and up to
#: 3 KB of telemetry in about 100 keys for each.
REPORT_MAX_BYTES = 2 * 1024 * 1024
REPORT_LIMITS = JsonLimits(keys=16384)
#: The large parts of a verdict, which never change and need not be kept twice.
VERDICT_PARTS = ("findings", "policy", "ear_jwt")


class ChallengeView(SignedView):
    """Ask for a nonce: for this node and these devices, used once, alive `attest.nonce_ttl` s."""

    error_statuses = {"post": _ERRORS}
    response_links: Any = {
        "post": {
            "201": {
                "report": {
                    "operationId": "attestations_create",
                    "description": "The report that answers this challenge.",
                    "requestBody": {
                        "nonce": "$response.body#/nonce",
                        "seq": "$response.body#/next_seq",
                        "previous_hash": "$response.body#/previous_hash",
                    },
                }
            }
        }
    }

    @extend_schema(
        operation_id="attestations_challenges_create",
        parameters=[IDEMPOTENCY_KEY],
        request=ChallengePostSerializer,
        responses={201: ChallengeSerializer},
    )
    def post(self, request: Request) -> Response:
        def work(credentials: NodeCredentials) -> tuple[int, Any]:
            given = ChallengePostSerializer(data=request.data)
            given.is_valid(raise_exception=True)
            challenge = challenge_issue(
                node=credentials.node,
                devices=[identity.hex() for identity in given.validated_data["devices"]],
                policy=credentials.policy,
                at=clock.now(),
            )
            state = AttestationState.objects.filter(node_id=credentials.node.node_id).first()
            body = {
                "nonce": challenge.nonce,
                "expires_at": challenge.expires_at,
                "devices": sorted(given.validated_data["devices"]),
                "next_seq": 1 if state is None else state.last_seq + 1,
                "previous_hash": None if state is None else state.last_report_hash,
            }
            return 201, ChallengeSerializer(body).data

        return self.answer_once(request, work)


class AttestationView(SignedView):
    """Send a report; the verdict is the answer."""

    error_statuses = {"post": _ERRORS}
    response_links: Any = {
        "post": {
            "201": {
                "verdict": {
                    "operationId": "verdicts_read",
                    "description": "The verdict again, with the node's standing by then.",
                    "parameters": {"verdict_id": "$response.body#/verdict/id"},
                }
            }
        }
    }
    max_body_bytes = REPORT_MAX_BYTES
    json_limits = REPORT_LIMITS

    def answer_stored(self, body: Any) -> Any:
        verdict = {k: v for k, v in body["verdict"].items() if k not in VERDICT_PARTS}
        return {**body, "verdict": verdict}

    def answer_restored(self, stored: Any) -> Any:
        if "verdict" not in stored:
            return stored
        row = Verdict.objects.get(pk=stored["verdict"]["id"])
        parts = {name: getattr(row, name) for name in VERDICT_PARTS}
        return {**stored, "verdict": stored["verdict"] | parts}

    @extend_schema(
        operation_id="attestations_create",
        parameters=[IDEMPOTENCY_KEY],
        request=AttestationPostSerializer,
        responses={201: AttestationResultSerializer},
    )
    def post(self, request: Request) -> Response:
        def work(credentials: NodeCredentials) -> tuple[int, Any]:
            judging_slot_take()
            attestation, verdict = attestation_receive(
                node=credentials.node,
                key=credentials.key,
                report=report_parse(request, credentials),
                policy=credentials.policy,
                at=clock.now(),
            )
            return 201, {
                "attestation": AttestationSerializer(attestation).data,
                "verdict": verdict_json(verdict, credentials.node, policy=credentials.policy),
            }

        return self.answer_once(request, work)


def report_parse(request: Request, credentials: NodeCredentials) -> Report:
    """Read a report from a request's body.

    Raises:
        ValidationError: the fields are wrong.
        ApiError: 400 with an ``evidence.*`` code: a device cannot be decoded.
    """
    given = AttestationPostSerializer(data=request.data)
    given.is_valid(raise_exception=True)
    try:
        devices = devices_from_json(given.validated_data["devices"])
    except EvidenceFormatError as error:
        raise ApiError(error.code, error.detail, data=error.data) from error
    return Report(
        body=request._request.body,
        nonce=given.validated_data["nonce"],
        seq=given.validated_data["seq"],
        previous_hash=given.validated_data["previous_hash"],
        devices=devices,
        pq_signed=credentials.pq_signed,
        inventory=given.validated_data.get("inventory"),
    )
