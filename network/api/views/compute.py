"""Compute rounds: a node is told, gets ready, begins, commits and opens; anybody reads."""

import logging
from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from chain import clock
from chain.api.parsers import OctetStreamParser
from chain.api.throttles import ComputeThrottle
from chain.api.views import ReadView
from network.api.authentication import NodeCredentials
from network.api.serializers.compute import (
    ComputeBeginPostSerializer,
    ComputeBegunSerializer,
    ComputeCommitPostSerializer,
    ComputeCommittedSerializer,
    ComputeNextSerializer,
    ComputeOpenedSerializer,
    ComputeReadySerializer,
    ComputeRoundDetailSerializer,
    ComputeRoundSerializer,
    EmptySerializer,
)
from network.api.views.base import IDEMPOTENCY_KEY, NODE_ID, SignedView, node_get
from network.attestation.evidence import MAX_DEVICES
from network.compute import Params
from network.compute.params import MAX_OPENING_BYTES
from network.models import ComputeRound
from network.selectors.compute import round_ended, rounds_ended
from network.services.compute_openings import is_cheap, opening_take, task_judge
from network.services.compute_plan import ask_again_s, milliseconds
from network.services.compute_rounds import (
    Commitment,
    round_ahead,
    round_begin,
    round_commit,
    round_ready,
)

logger = logging.getLogger(__name__)

_ERRORS = (401, 403, 404, 409, 422)
_ROUND_ID = OpenApiParameter("round_id", OpenApiTypes.UUID, OpenApiParameter.PATH)
_POSITION = OpenApiParameter(
    "position",
    {"type": "integer", "minimum": 0, "maximum": MAX_DEVICES - 1},
    OpenApiParameter.PATH,
    description="The GPU's position in the round.",
)


class ComputeView(SignedView):
    """A node's message in a round, at a rate of its own."""

    throttle_classes: Any = (ComputeThrottle,)
    error_statuses: Any = {"post": _ERRORS}


class ComputeNextView(ComputeView):
    """Ask whether a round begins soon. Changes nothing, so every request is answered anew."""

    error_statuses = {"post": (401, 403)}

    @extend_schema(
        operation_id="compute_rounds_next",
        parameters=[IDEMPOTENCY_KEY],
        request=EmptySerializer,
        responses=ComputeNextSerializer,
    )
    def post(self, request: Request) -> Response:
        EmptySerializer(data=request.data).is_valid(raise_exception=True)
        credentials: NodeCredentials = request.auth  # type: ignore[assignment]
        at = clock.now()
        ahead = round_ahead(node=credentials.node, at=at)
        if ahead is not None:
            ahead.starts_in_ms = milliseconds(ahead.starts_at - at)  # type: ignore[attr-defined]
            ahead.gpus = ahead.tasks.all()  # type: ignore[attr-defined]
        body = {
            "server_time": at,
            "ask_again_s": ask_again_s(),
            "round": ahead,
            "last": rounds_ended(credentials.node).first(),
        }
        return Response(ComputeNextSerializer(body).data)


class ComputeReadyView(ComputeView):
    """Say that the node is ready, from 15 s before the round's instant; may be repeated."""

    @extend_schema(
        operation_id="compute_rounds_ready",
        parameters=[_ROUND_ID, IDEMPOTENCY_KEY],
        request=EmptySerializer,
        responses={201: ComputeReadySerializer},
    )
    def post(self, request: Request, round_id: UUID) -> Response:
        def work(credentials: NodeCredentials) -> tuple[int, Any]:
            EmptySerializer(data=request.data).is_valid(raise_exception=True)
            at = clock.now()
            round_ = round_ready(round_id=round_id, node=credentials.node, at=at)
            starts_in_ms = milliseconds(round_.starts_at - at)
            body = {"echo": round_.echo, "starts_in_ms": starts_in_ms}
            return 201, ComputeReadySerializer(body).data

        return self.answer_once(request, work)


class ComputeBeginView(ComputeView):
    """Start the clock of all the node's GPUs and get their challenges."""

    @extend_schema(
        operation_id="compute_rounds_begin",
        parameters=[_ROUND_ID, IDEMPOTENCY_KEY],
        request=ComputeBeginPostSerializer,
        responses={201: ComputeBegunSerializer},
    )
    def post(self, request: Request, round_id: UUID) -> Response:
        def work(credentials: NodeCredentials) -> tuple[int, Any]:
            given = ComputeBeginPostSerializer(data=request.data)
            given.is_valid(raise_exception=True)
            challenges = round_begin(
                round_id=round_id,
                node=credentials.node,
                key=credentials.key,
                echo=given.validated_data["echo"],
                arrived=self.arrived_at,
                at=clock.now(),
            )
            limit_ms = ComputeRound.objects.values_list("limit_ms", flat=True).get(pk=round_id)
            body = {
                "commit_ms": limit_ms,
                "challenges": [
                    {**challenge.as_json(), "position": position}
                    for position, challenge in enumerate(challenges)
                ],
            }
            return 201, ComputeBegunSerializer(body).data

        return self.answer_once(request, work)


class ComputeCommitView(ComputeView):
    """Commit to products: stops the clock of the GPUs named and draws the rows to open."""

    @extend_schema(
        operation_id="compute_rounds_commit",
        parameters=[_ROUND_ID, IDEMPOTENCY_KEY],
        request=ComputeCommitPostSerializer,
        responses={201: ComputeCommittedSerializer},
    )
    def post(self, request: Request, round_id: UUID) -> Response:
        def work(credentials: NodeCredentials) -> tuple[int, Any]:
            given = ComputeCommitPostSerializer(data=request.data)
            given.is_valid(raise_exception=True)
            drawn = round_commit(
                round_id=round_id,
                node=credentials.node,
                commitments=[
                    Commitment(item["position"], item["commitment"])
                    for item in given.validated_data["commitments"]
                ],
                arrived=self.arrived_at,
                at=clock.now(),
            )
            rows = [{"position": place, "indices": rows} for place, rows in drawn.items()]
            return 201, ComputeCommittedSerializer({"drawn": rows}).data

        return self.answer_once(request, work)


class ComputeOpenView(ComputeView):
    """Open one GPU's rows: once, in time, as bytes of the exact length."""

    parser_classes: Any = (OctetStreamParser,)
    max_body_bytes = MAX_OPENING_BYTES

    @extend_schema(
        operation_id="compute_rounds_open",
        parameters=[_ROUND_ID, _POSITION, IDEMPOTENCY_KEY],
        request={"application/octet-stream": OpenApiTypes.BINARY},
        responses={201: ComputeOpenedSerializer},
    )
    def post(self, request: Request, round_id: UUID, position: int) -> Response:
        taken: list[tuple[int, bool]] = []

        def work(credentials: NodeCredentials) -> tuple[int, Any]:
            data = request.data
            task = opening_take(
                round_id=round_id,
                node=credentials.node,
                position=position,
                # An empty body is not given to a parser.
                data=data if isinstance(data, bytes) else b"",
                arrived=self.arrived_at,
            )
            taken.append((task.pk, is_cheap(Params.from_json(task.round.params))))
            body = {"position": position, "received_at": self.arrived_at}
            return 201, ComputeOpenedSerializer(body).data

        response = self.answer_once(request, work)
        for task_id, at_once in taken:
            if at_once:
                _judge(task_id)
        return response


def _judge(task_id: int) -> None:
    """Judge after the opening was stored: a fault of ours leaves it to the queue."""
    try:
        task_judge(task_id, at=clock.now())
    except Exception:
        logger.exception("judging compute task %d failed; the queue tries again", task_id)


class ComputeRoundView(ReadView):
    """One round that is over, with every GPU's findings."""

    @extend_schema(
        operation_id="compute_rounds_read",
        parameters=[_ROUND_ID],
        responses=ComputeRoundDetailSerializer,
    )
    def get(self, request: Request, round_id: UUID) -> Response:
        return Response(ComputeRoundDetailSerializer(round_ended(round_id)).data)


class NodeComputeRoundsView(ReadView, GenericAPIView[ComputeRound]):
    """A node's rounds that are over, newest first. What is ahead is not told."""

    serializer_class = ComputeRoundSerializer
    ordering = "-starts_at"

    @extend_schema(
        operation_id="nodes_compute_rounds",
        parameters=[NODE_ID],
        responses=ComputeRoundSerializer(many=True),
    )
    def get(self, request: Request, node_id: str) -> Response:
        page = self.paginate_queryset(rounds_ended(node_get(node_id))) or []
        return self.get_paginated_response(ComputeRoundSerializer(page, many=True).data)
