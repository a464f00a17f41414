"""The cases against a node."""

from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from chain import clock
from chain.api.views import ReadView
from network.api.serializers.cases import NodeCaseSerializer
from network.api.views.base import NODE_ID, choice_get, node_get, text_filter
from network.models import CaseStatus, NodeCase
from network.selectors.cases import case_next_step, cases_of


class NodeCasesView(ReadView, GenericAPIView[NodeCase]):
    """The cases against a node, newest first."""

    serializer_class = NodeCaseSerializer
    ordering = "-case_id"

    @extend_schema(
        operation_id="nodes_cases",
        parameters=[
            NODE_ID,
            text_filter("status", "Only cases with this status.", CaseStatus.values),
        ],
        responses=NodeCaseSerializer(many=True),
    )
    def get(self, request: Request, node_id: str) -> Response:
        rows = cases_of(node_get(node_id))
        if status := choice_get(request, "status", CaseStatus.values):
            rows = rows.filter(status=status)
        at = clock.now()
        page = self.paginate_queryset(rows) or []
        return self.get_paginated_response([case_json(case, at=at) for case in page])


def case_json(case: NodeCase, *, at: datetime) -> dict[str, Any]:
    """A case as the API gives it, as of a time."""
    told = {
        "next_step": case_next_step(case, at),
        "has_run_out": case.has_run_out(at),
        "locked_wei": case.locked_wei(at),
    }
    stored = {
        name: getattr(case, name)
        for name in map(str, NodeCaseSerializer().fields)
        if name not in told
    }
    return dict(NodeCaseSerializer(stored | told).data)
