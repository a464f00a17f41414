"""What this service judges by, and the network in figures."""

from typing import Any

from django.conf import settings
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chain import clock
from chain.api.views import ReadView
from network.api.serializers.nodes import (
    JwksSerializer,
    NetworkSummarySerializer,
    PolicySerializer,
    TrustSerializer,
)
from network.attestation import EAR_PROFILE
from network.selectors.nodes import network_summary
from network.selectors.policy import policy_current
from network.verification import ear_jwks, trust_anchors


class TrustView(ReadView):
    """The policy in force, the pinned roots, and where this service's own keys are."""

    @extend_schema(operation_id="network_trust", responses=TrustSerializer)
    def get(self, request: Request) -> Response:
        anchors = trust_anchors()
        body: dict[str, Any] = {
            "policy": policy_current(),
            "device_roots": list(anchors.device.values()),
            "rim_roots": list(anchors.rim.values()),
            "emulator_trusted": anchors.emulator_trusted,
            "ear_profile": EAR_PROFILE,
            "jwks_url": settings.SITE_URL + reverse("api-jwks"),
        }
        return Response(TrustSerializer(body).data)


class PolicyView(ReadView):
    """The policy in force: on-chain values at the newest finalized block."""

    @extend_schema(operation_id="network_policy", responses=PolicySerializer)
    def get(self, request: Request) -> Response:
        return Response(PolicySerializer(policy_current()).data)


class JwksView(ReadView):
    """The keys that sign verdicts."""

    @extend_schema(operation_id="network_jwks", responses=JwksSerializer)
    def get(self, request: Request) -> Response:
        return Response(ear_jwks())


class NetworkSummaryView(ReadView):
    """The network in figures, now."""

    @extend_schema(operation_id="network_summary", responses=NetworkSummarySerializer)
    def get(self, request: Request) -> Response:
        summary = network_summary(at=clock.now(), policy=policy_current())
        return Response(NetworkSummarySerializer(summary).data)
