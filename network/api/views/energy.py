"""What a node's GPUs drew, and what follows from it."""

from dataclasses import fields
from typing import Final

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chain import clock
from chain.api.errors import ApiError
from chain.api.views import ReadView
from network.api.serializers.energy import EnergyReportSerializer
from network.api.views.base import NODE_ID, node_get
from network.selectors.energy import HOUR, HOURS_MOST, energy_report, hour_floor
from network.selectors.policy import policy_current
from network.selectors.standing import latest_verdict

#: A week.
HOURS_DEFAULT: Final = 7 * 24


class NodeEnergyView(ReadView):
    """A node's energy by the hour, by its own claims, with site energy, carbon and SCI."""

    @extend_schema(
        operation_id="nodes_energy",
        parameters=[
            NODE_ID,
            OpenApiParameter(
                "hours",
                {"type": "integer", "minimum": 1, "maximum": HOURS_MOST, "default": HOURS_DEFAULT},
                description="How many hours, the present one included.",
            ),
        ],
        responses=EnergyReportSerializer,
    )
    def get(self, request: Request, node_id: str) -> Response:
        node, hours = node_get(node_id), _hours(request)
        end = hour_floor(clock.now()) + HOUR
        report = energy_report(node, start=end - hours * HOUR, end=end, policy=policy_current())
        verdict = latest_verdict(node)
        body = {field.name: getattr(report, field.name) for field in fields(report)}
        body["emulated"] = verdict is not None and verdict.emulated
        return Response(EnergyReportSerializer(body).data)


def _hours(request: Request) -> int:
    """Read ``hours``.

    Raises:
        ApiError: ``filter_invalid``.
    """
    text = request.query_params.get("hours", str(HOURS_DEFAULT))
    hours = int(text) if text.isascii() and text.isdigit() and len(text) <= 4 else 0
    if 1 <= hours <= HOURS_MOST:
        return hours
    raise ApiError(
        "filter_invalid",
        f"`hours` must be a whole number from 1 to {HOURS_MOST}.",
        data={"parameter": "hours"},
    )
