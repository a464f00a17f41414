"""What proposed parameter values would mean for the nodes."""

from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from chain.api.errors import ApiError
from chain.api.pagination import CursorPage
from chain.api.views import ReadView
from network.api.serializers.preview import PolicyPreviewSerializer
from network.api.views.base import choice_get, text_filter
from network.models import Node
from network.selectors.preview import policy_preview
from network.selectors.preview_judge import Outcome

#: Values that one address may propose.
SET_MAX: Final = 10
#: Filter by outcome: this word means all of them.
ALL: Final = "all"

_SET = OpenApiParameter(
    "set",
    {
        "type": "array",
        "items": {"type": "string", "maxLength": 512},
        "minItems": 1,
        "maxItems": SET_MAX,
    },
    required=True,
    description="A proposed value as `name:value`, for example `attest.ttl:1800`; repeatable. "
    "Values are decimal text in the parameter's unit, or 0x hex for a root.",
)


class PolicyPreviewView(ReadView, GenericAPIView[Node]):
    """Which nodes would fall out under proposed values, and why. Changes nothing.

    Judged from what the stored verdicts found, without verifying anything again; what they do
    not answer is counted as `cannot_tell`. Nodes that fall out are listed unless `outcome` says
    otherwise, the newest registration first.
    """

    ordering = "-position"

    @extend_schema(
        operation_id="policy_preview",
        parameters=[
            _SET,
            text_filter("outcome", "Only nodes with this outcome.", [*Outcome.values, ALL]),
            OpenApiParameter(
                "cursor", OpenApiTypes.STR, description=CursorPage.cursor_query_description
            ),
            OpenApiParameter(
                "limit", OpenApiTypes.INT, description=CursorPage.page_size_query_description
            ),
        ],
        responses=PolicyPreviewSerializer,
    )
    def get(self, request: Request) -> Response:
        values = values_read(request.query_params.getlist("set"))
        outcome = choice_get(request, "outcome", [*Outcome.values, ALL])
        preview = policy_preview(values)
        wanted = None if outcome == ALL else outcome or Outcome.FALLS_OUT.value
        page = self.paginate_queryset(preview.nodes(wanted)) or []
        links: dict[str, Any] = self.get_paginated_response([]).data
        body = {
            "at": preview.at,
            "policy": preview.base,
            "changes": preview.changes,
            "attested_before": preview.attested_before,
            "counts": preview.counts,
            "emulated": preview.emulated,
            "reasons": [{"code": code, "nodes": nodes} for code, nodes in preview.reasons],
            "next": links["next"],
            "previous": links["previous"],
            "results": preview.rows(page),
        }
        return Response(PolicyPreviewSerializer(body).data)


def values_read(texts: list[str]) -> dict[str, str]:
    """Read ``name:value`` texts into values by name.

    Raises:
        ApiError: ``set_missing``, ``set_too_many``, ``set_malformed`` or ``parameter_twice``.
    """
    if not texts:
        raise ApiError("set_missing", "Propose at least one value: `?set=attest.ttl:1800`.")
    if len(texts) > SET_MAX:
        raise ApiError(
            "set_too_many", f"`set` may stand {SET_MAX} times at most.", data={"max": SET_MAX}
        )
    values: dict[str, str] = {}
    for text in texts:
        name, colon, value = text.partition(":")
        if not (name and colon and value):
            raise ApiError("set_malformed", "`set` is a name, a colon and a value.")
        if name in values:
            raise ApiError("parameter_twice", "A parameter stands twice in `set`.")
        values[name] = value
    return values
