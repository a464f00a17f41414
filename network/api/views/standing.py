"""The ladder of assurance, and what happened to a node that stopped counting."""

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from chain.api.views import ReadView
from network.api.serializers.standing import IncidentSerializer, LadderSerializer
from network.api.views.base import NODE_ID, node_get
from network.models import Incident
from network.selectors.incidents import APPEAL, incidents_of, suspension_hash
from network.tiers import LADDER, RELAY, Tier


def tier_json(tier: Tier) -> dict[str, Any]:
    """A tier as the API gives it."""
    return asdict(tier) | {"code": tier.label}


class TiersView(ReadView):
    """The ladder of assurance: what each tier proves and what it leaves open."""

    @extend_schema(operation_id="network_tiers", responses=LadderSerializer)
    def get(self, request: Request) -> Response:
        ladder = {"note": RELAY, "tiers": [tier_json(tier) for tier in LADDER]}
        return Response(LadderSerializer(ladder).data)


class NodeIncidentsView(ReadView, GenericAPIView[Incident]):
    """A node's incidents, newest first: reason, evidence, cure, appeal, history."""

    serializer_class = IncidentSerializer
    ordering = "-id"

    @extend_schema(
        operation_id="nodes_incidents",
        parameters=[NODE_ID],
        responses=IncidentSerializer(many=True),
    )
    def get(self, request: Request, node_id: str) -> Response:
        page = self.paginate_queryset(incidents_of(node_get(node_id))) or []
        return self.get_paginated_response([incident_json(incident) for incident in page])


def incident_json(incident: Incident) -> dict[str, Any]:
    """An incident from :func:`incidents_of`, as the API gives it."""
    derived = {
        "appeal": APPEAL,
        "suspension_hash": suspension_hash(incident),
        "history": incident.events.all(),
    }
    names = [name for name in map(str, IncidentSerializer().fields) if name not in derived]
    fields = {name: getattr(incident, name) for name in names}
    return dict(IncidentSerializer(fields | derived).data)
