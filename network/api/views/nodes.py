"""Nodes, their keys and their verdicts, for reading; the proof of keys, for writing."""

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from chain import clock
from chain.addresses import AddressInvalid, parse_address
from chain.api.errors import ApiError
from chain.api.views import ReadView
from network.api.serializers.nodes import (
    KeyChallengeSerializer,
    KeyProofSerializer,
    KeysSerializer,
    NodeKeySerializer,
    NodeSerializer,
    VerdictDetailSerializer,
    VerdictSerializer,
)
from network.api.views.base import NODE_ID, OpenWriteView, choice_get, node_get, text_filter
from network.api.views.standing import tier_json
from network.attestation.codes import code_words
from network.errors import NotFound
from network.models import Node, NodeStatus, Verdict
from network.registration import keys_hash
from network.selectors.nodes import verdicts_of
from network.selectors.policy import PolicySnapshot, policy_current
from network.selectors.standing import (
    StandingWord,
    latest_verdict,
    node_standing,
    nodes_with_verdicts,
    standing_annotate,
)
from network.services.challenges import key_challenge_issue
from network.services.keys import KeyProof, key_register, register_statement
from network.tiers import tier_of


def node_json(node: Node, *, at: datetime, policy: PolicySnapshot) -> dict[str, Any]:
    """A node with its standing, as the API gives it."""
    verdict = latest_verdict(node)
    fields: dict[str, Any] = {
        name: getattr(node, name)
        for name in map(str, NodeSerializer().fields)
        if name not in {"standing", "emulated", "tier"}
    }
    standing = node_standing(node, at, policy=policy)
    basis = standing.verdict
    fields["standing"] = standing
    fields["tier"] = None if basis is None else tier_json(tier_of(basis.tier))
    fields["emulated"] = None if verdict is None else verdict.emulated
    return dict(NodeSerializer(fields).data)


class NodeListView(ReadView, GenericAPIView[Node]):
    """All nodes, the newest registration first, each with its standing now."""

    serializer_class = NodeSerializer
    ordering = "-position"

    @extend_schema(
        operation_id="nodes_list",
        parameters=[
            text_filter("status", "Only nodes with this status on chain.", NodeStatus.values),
            text_filter("standing", "Only nodes with this standing now.", StandingWord.values),
            text_filter("gpu_class", "Only this class, for example `h100_80g`."),
            text_filter("region", "Only this region."),
            text_filter("operator", "Only this operator's nodes."),
        ],
        responses=NodeSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        at, policy = clock.now(), policy_current()
        rows = standing_annotate(Node.objects.all(), at=at, policy=policy)
        page = self.paginate_queryset(nodes_with_verdicts(_nodes_filter(rows, request))) or []
        return self.get_paginated_response([node_json(node, at=at, policy=policy) for node in page])


def _nodes_filter(rows: QuerySet[Node], request: Request) -> QuerySet[Node]:
    if status := choice_get(request, "status", NodeStatus.values):
        rows = rows.filter(status=status)
    if standing := choice_get(request, "standing", StandingWord.values):
        rows = rows.filter(standing=standing)  # type: ignore[misc]  # annotated
    if gpu_class := request.query_params.get("gpu_class"):
        rows = rows.filter(gpu_class=gpu_class)
    if region := request.query_params.get("region"):
        rows = rows.filter(region=region)
    if operator := request.query_params.get("operator"):
        try:
            rows = rows.filter(operator=parse_address(operator))
        except AddressInvalid as error:
            raise ApiError(error.code, error.detail, data={"parameter": "operator"}) from error
    return rows


class NodeDetailView(ReadView):
    """One node with its standing now."""

    @extend_schema(operation_id="nodes_read", parameters=[NODE_ID], responses=NodeSerializer)
    def get(self, request: Request, node_id: str) -> Response:
        node = node_get(node_id)
        return Response(node_json(node, at=clock.now(), policy=policy_current()))


class NodeVerdictsView(ReadView, GenericAPIView[Verdict]):
    """A node's verdicts, newest first."""

    serializer_class = VerdictSerializer
    ordering = "-id"

    @extend_schema(
        operation_id="nodes_verdicts",
        parameters=[NODE_ID],
        responses=VerdictSerializer(many=True),
    )
    def get(self, request: Request, node_id: str) -> Response:
        page = self.paginate_queryset(verdicts_of(node_get(node_id))) or []
        return self.get_paginated_response(VerdictSerializer(page, many=True).data)


class VerdictDetailView(ReadView):
    """One verdict: every finding, the policy it was judged by, the signed result."""

    @extend_schema(
        operation_id="verdicts_read",
        parameters=[
            OpenApiParameter("verdict_id", {"type": "integer", "minimum": 1}, OpenApiParameter.PATH)
        ],
        responses=VerdictDetailSerializer,
    )
    def get(self, request: Request, verdict_id: int) -> Response:
        verdict = (
            Verdict.objects.filter(pk=verdict_id).select_related("attestation").first()
            if verdict_id < 2**63
            else None
        )
        node = (
            nodes_with_verdicts(Node.objects.filter(node_id=verdict.node_id)).first()
            if verdict is not None
            else None
        )
        if verdict is None or node is None:
            raise NotFound("verdict_unknown", "There is no such verdict.")
        return Response(verdict_json(verdict, node, policy=policy_current()))


def verdict_json(verdict: Verdict, node: Node, *, policy: PolicySnapshot) -> dict[str, Any]:
    """A verdict with its node's standing now, under ``policy``."""
    fields: dict[str, Any] = {
        name: getattr(verdict, name)
        for name in map(str, VerdictDetailSerializer().fields)
        if name not in {"standing", "rejudge_of", "codes"}
    }
    standing = node_standing(node, policy=policy)
    found = (finding["code"] for finding in verdict.findings.get("findings", []))
    fields |= {"rejudge_of_id": verdict.rejudge_of_id, "standing": standing}
    fields["codes"] = code_words(found)
    return dict(VerdictDetailSerializer(fields).data)


class NodeKeysView(OpenWriteView):
    """A node's keys: who may sign for it, and the proof of new ones."""

    error_statuses = {"post": (404, 409, 422)}

    @extend_schema(
        operation_id="nodes_keys_list",
        parameters=[NODE_ID],
        responses=NodeKeySerializer(many=True),
    )
    def get(self, request: Request, node_id: str) -> Response:
        keys = node_get(node_id).keys.order_by("-verified_at")[:100]
        return Response(NodeKeySerializer(keys, many=True).data)

    @extend_schema(
        operation_id="nodes_keys_prove",
        parameters=[NODE_ID],
        request=KeyProofSerializer,
        responses={201: NodeKeySerializer},
    )
    def post(self, request: Request, node_id: str) -> Response:
        node = node_get(node_id)
        proof = KeyProofSerializer(data=request.data)
        proof.is_valid(raise_exception=True)
        given = {"ml_dsa_65": b"", "ml_dsa_signature": b"", **proof.validated_data}
        key = key_register(node=node, proof=KeyProof(**given), at=clock.now())
        return Response(NodeKeySerializer(key).data, status=201)


class NodeKeyChallengeView(OpenWriteView):
    """Ask for what the operator's wallet and the node's key have to sign."""

    error_statuses = {"post": (403, 404, 409)}

    @extend_schema(
        operation_id="nodes_key_challenges_create",
        parameters=[NODE_ID],
        request=KeysSerializer,
        responses={201: KeyChallengeSerializer},
    )
    def post(self, request: Request, node_id: str) -> Response:
        node = node_get(node_id)
        keys = KeysSerializer(data=request.data)
        keys.is_valid(raise_exception=True)
        hash_ = keys_hash(operator=node.operator, **keys.validated_data)
        challenge = key_challenge_issue(node=node, keys_hash=hash_, at=clock.now())
        statement = register_statement(node=node, challenge=challenge, hash_=hash_)
        body = {
            "nonce": challenge.nonce,
            "expires_at": challenge.expires_at,
            "keys_hash": hash_,
            "digest": statement.digest(),
            "typed_data": statement.typed_data(),
        }
        return Response(KeyChallengeSerializer(body).data, status=201)
