"""What verdicts are made with: manifests, and statements on revocation with their age."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chain import clock
from chain.api.views import ReadView
from network.api.serializers.collateral import CollateralSerializer
from network.selectors.collateral import (
    authority_states,
    revocation_figures,
    rims_in_force,
    rims_missing,
)


class CollateralView(ReadView):
    """Every manifest in force with digest, source and expiry, and what is known on revocation.
    A verdict names the very documents it was made with by their digests."""

    @extend_schema(operation_id="network_collateral", responses=CollateralSerializer)
    def get(self, request: Request) -> Response:
        now = clock.now()
        figures = revocation_figures(at=now)
        body = {
            "at": now,
            "rims": rims_in_force(),
            "rims_missing": [
                {"id": rim_id, "count": count} for rim_id, count in rims_missing(at=now)
            ],
            "authorities": authority_states(at=now),
            "devices": figures.devices,
            "devices_oldest_s": figures.oldest_s,
        }
        return Response(CollateralSerializer(body).data)
