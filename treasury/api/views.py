"""The treasury over REST: read only, open to everybody."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chain.api.pagination import CursorPage
from chain.clock import now
from treasury.api.serializers import (
    BalanceSerializer,
    TransferQuerySerializer,
    TransferSerializer,
)
from treasury.models import Transfer
from treasury.selectors import balances_reconciled


class TransferPage(CursorPage):
    """Newest first, in the chain's own order."""

    ordering = "-position"


class BalanceList(APIView):
    """What the treasury holds, each balance read at a block's hash and reconciled."""

    @extend_schema(responses=BalanceSerializer(many=True), tags=["treasury"])
    def get(self, request: Request) -> Response:
        return Response(BalanceSerializer(balances_reconciled(now=now()), many=True).data)


@extend_schema(parameters=[TransferQuerySerializer], tags=["treasury"])
class TransferList(ListAPIView[Transfer]):
    """What moved, newest first."""

    serializer_class = TransferSerializer
    pagination_class = TransferPage
    queryset = Transfer.objects.all()

    def get_queryset(self) -> Any:
        query = TransferQuerySerializer(data=self.request.query_params)
        query.is_valid(raise_exception=True)
        wanted = dict(query.validated_data)
        filters: dict[str, Any] = {}
        if "asset" in wanted:
            filters["asset_id"] = wanted["asset"]
        if "direction" in wanted:
            filters["direction"] = wanted["direction"]
        for name in ("counterparty", "transaction_hash"):
            if name in wanted:
                filters[name] = bytes.fromhex(wanted[name][2:])
        return Transfer.objects.filter(**filters)
