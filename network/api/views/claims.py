"""What a node says of itself, apart from everything that was verified."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from chain.api.views import ReadView
from network.api.views.base import NODE_ID, node_get
from network.errors import NotFound
from network.selectors.claims import node_claims


class ClaimsSerializer(serializers.Serializer[Any]):
    """A node's claims: signed by its key, vouched for by nobody, in no token."""

    received_at = serializers.DateTimeField()
    emulated = serializers.BooleanField()
    inventory = serializers.JSONField(allow_null=True, help_text="As the node sent it.")


class NodeClaimsView(ReadView):
    """The inventory of a node's newest judged report: claims."""

    error_statuses = {"get": (404,)}

    @extend_schema(operation_id="nodes_claims", parameters=[NODE_ID], responses=ClaimsSerializer)
    def get(self, request: Request, node_id: str) -> Response:
        claims = node_claims(node_get(node_id))
        if claims is None:
            raise NotFound("report_missing", "This node has sent no report yet.")
        return Response(ClaimsSerializer(claims).data)
