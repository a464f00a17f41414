"""Epochs of verdicts and the proof of one verdict, for reading."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from chain import clock
from chain.api.errors import ApiError
from chain.api.views import ReadView
from network.api.serializers.epochs import (
    EpochDetailSerializer,
    EpochLeafSerializer,
    EpochSerializer,
    VerdictProofSerializer,
)
from network.errors import NotFound
from network.models import Epoch, EpochLeaf, Verdict
from network.selectors.epoch_proofs import VerdictProof, verdict_proof
from network.selectors.epochs import (
    chain_moment,
    epoch_find,
    epoch_record,
    epoch_state,
    epoch_states,
    epochs_newest,
    ledger_current,
)
from network.services.epochs_hash import verdict_published

#: A bigint's; no epoch has a larger number.
_NUMBER_MAX = 2**63 - 1
_NUMBER = OpenApiParameter(
    "number",
    {"type": "integer", "minimum": 0},
    OpenApiParameter.PATH,
    description="The epoch's number: days since the registry of parameters began.",
)


def epoch_get(number: int) -> Epoch:
    """Look an epoch up, in its newest revision.

    Raises:
        NotFound: ``epoch_unknown``.
    """
    ledger = ledger_current()
    found = epoch_find(ledger, number) if ledger and number <= _NUMBER_MAX else None
    if found is None:
        raise NotFound("epoch_unknown", "This epoch is not over yet, or never was one.")
    return found


class EpochListView(ReadView, GenericAPIView[Epoch]):
    """All epochs that are over, the newest first."""

    serializer_class = EpochSerializer
    ordering = "-number"

    @extend_schema(operation_id="epochs_list", responses=EpochSerializer(many=True))
    def get(self, request: Request) -> Response:
        ledger = ledger_current()
        rows = Epoch.objects.none() if ledger is None else epochs_newest(ledger)
        page = self.paginate_queryset(rows) or []
        states = epoch_states(page, chain_moment() or clock.now())
        return self.get_paginated_response(EpochSerializer(states, many=True).data)


class EpochDetailView(ReadView):
    """One epoch with its description."""

    error_statuses = {"get": (404,)}

    @extend_schema(
        operation_id="epochs_read", parameters=[_NUMBER], responses=EpochDetailSerializer
    )
    def get(self, request: Request, number: int) -> Response:
        epoch = epoch_get(number)
        state = epoch_state(epoch, epoch_record(number), chain_moment() or clock.now())
        return Response(EpochDetailSerializer(state).data)


class EpochLeavesView(ReadView, GenericAPIView[EpochLeaf]):
    """An epoch's leaves in their order: all that its root is computed from."""

    serializer_class = EpochLeafSerializer
    ordering = "index"
    error_statuses = {"get": (404,)}

    @extend_schema(
        operation_id="epochs_leaves",
        parameters=[_NUMBER],
        responses=EpochLeafSerializer(many=True),
    )
    def get(self, request: Request, number: int) -> Response:
        page = self.paginate_queryset(epoch_get(number).leaves.order_by("index")) or []
        return self.get_paginated_response(EpochLeafSerializer(page, many=True).data)


class VerdictProofView(ReadView):
    """The proof that a verdict is in an epoch on chain. 409 says when there will be one."""

    error_statuses = {"get": (400, 404, 409)}

    @extend_schema(
        operation_id="verdicts_proof",
        parameters=[
            OpenApiParameter(
                "verdict_id", {"type": "integer", "minimum": 1}, OpenApiParameter.PATH
            ),
            OpenApiParameter(
                "epoch",
                OpenApiTypes.INT64,
                description="Another epoch that holds it; the one it was made in without.",
            ),
        ],
        responses=VerdictProofSerializer,
    )
    def get(self, request: Request, verdict_id: int) -> Response:
        rows = Verdict.objects.select_related("attestation", "rejudge_of")
        verdict = rows.filter(pk=verdict_id).first() if verdict_id <= _NUMBER_MAX else None
        if verdict is None:
            raise NotFound("verdict_unknown", "There is no such verdict.")
        proof = verdict_proof(verdict, number=_epoch_wanted(request))
        return Response(VerdictProofSerializer(_proof_json(verdict, proof)).data)


def _epoch_wanted(request: Request) -> int | None:
    text = request.query_params.get("epoch")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise ApiError(
            "filter_invalid", "`epoch` is an epoch's number.", data={"parameter": "epoch"}
        )
    return int(text)


def _proof_json(verdict: Verdict, proof: VerdictProof) -> dict[str, Any]:
    epoch, leaf, record = proof.state.epoch, proof.leaf, proof.record
    return {
        "verdict_id": verdict.pk,
        "chain_id": epoch.ledger.chain_id,
        "ledger": epoch.ledger.address,
        "epoch": epoch.number,
        "index": leaf.index,
        "count": epoch.count,
        "leaf": leaf,
        "leaf_hash": leaf.leaf_hash,
        "siblings": proof.siblings,
        "root": epoch.root,
        "status": proof.state.word.value,
        "posted_at": record.posted_at,
        "posted_tx": record.posted_tx,
        "usable_at": record.usable_at,
        "epochs": proof.epochs,
        "published": verdict_published(verdict).as_json(),
    }
