"""Transactions from the wallet: run first, watched afterwards."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chain.api.fields import parse_hex
from governance.api.base import SessionView
from governance.api.serializers import (
    SimulateInputSerializer,
    SimulationSerializer,
    TransactionInputSerializer,
    TransactionSerializer,
)
from governance.services.simulation import simulation_run
from governance.services.transactions import transaction_get, transaction_watch


class TransactionList(SessionView):
    """Watch a transaction from now on. Posting it twice is the same as once."""

    @extend_schema(
        tags=["transactions"],
        request=TransactionInputSerializer,
        responses={201: TransactionSerializer},
    )
    def post(self, request: Request) -> Response:
        body = TransactionInputSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        row = transaction_watch(
            transaction_hash=body.validated_data["hash"],
            purpose=body.validated_data["purpose"],
            proposal_id=body.validated_data.get("proposal_id"),
        )
        return Response(TransactionSerializer(row).data, status=201)


class TransactionDetail(SessionView):
    """How a watched transaction is doing."""

    @extend_schema(tags=["transactions"], responses=TransactionSerializer)
    def get(self, request: Request, transaction_hash: str) -> Response:
        wanted = parse_hex(transaction_hash, length=32, name="The transaction hash")
        return Response(TransactionSerializer(transaction_get(transaction_hash=wanted)).data)


class SimulateView(SessionView):
    """Run a call to one of our contracts at the newest block, without sending it."""

    @extend_schema(
        tags=["transactions"], request=SimulateInputSerializer, responses=SimulationSerializer
    )
    def post(self, request: Request) -> Response:
        body = SimulateInputSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        wanted = body.validated_data
        result = simulation_run(
            sender=wanted["from"],
            to=wanted["to"],
            data=wanted["data"],
            value_wei=wanted["value_wei"],
        )
        return Response(
            {"ok": result.ok, "gas": result.gas, "code": result.code, "detail": result.detail}
        )
