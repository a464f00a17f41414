"""Addresses of the network's part of API v1, below ``/api/v1/``.

Reads end in a slash as everywhere on the site; a node's writes work with and
without, because a signed request cannot follow a redirect.
"""

from typing import Any

from django.urls import URLPattern, path
from drf_spectacular.views import SpectacularJSONAPIView
from rest_framework.views import APIView

from network.api.views.attestation import AttestationView, ChallengeView
from network.api.views.cases import NodeCasesView
from network.api.views.claims import NodeClaimsView
from network.api.views.collateral import CollateralView
from network.api.views.compute import (
    ComputeBeginView,
    ComputeCommitView,
    ComputeNextView,
    ComputeOpenView,
    ComputeReadyView,
    ComputeRoundView,
    NodeComputeRoundsView,
)
from network.api.views.energy import NodeEnergyView
from network.api.views.epochs import (
    EpochDetailView,
    EpochLeavesView,
    EpochListView,
    VerdictProofView,
)
from network.api.views.nodes import (
    NodeDetailView,
    NodeKeyChallengeView,
    NodeKeysView,
    NodeListView,
    NodeVerdictsView,
    VerdictDetailView,
)
from network.api.views.parameters import (
    ParameterChangesView,
    ParameterDetailView,
    ParameterListView,
    ParameterValidateView,
)
from network.api.views.preview import PolicyPreviewView
from network.api.views.standing import NodeIncidentsView, TiersView
from network.api.views.trust import JwksView, NetworkSummaryView, PolicyView, TrustView


def _write(route: str, view: type[APIView], name: str) -> list[URLPattern]:
    """An address, and the same without the slash, which the description leaves out."""
    unlisted: dict[str, Any] = {"schema": None}
    return [
        path(f"{route}/", view.as_view(), name=name),
        path(route, view.as_view(**unlisted)),
    ]


urlpatterns: list[URLPattern] = [
    path("schema/", SpectacularJSONAPIView.as_view(), name="api-schema"),
    path("parameters/", ParameterListView.as_view(), name="api-parameter-list"),
    *_write("parameters/validate", ParameterValidateView, "api-parameter-validate"),
    path("parameters/<str:name>/", ParameterDetailView.as_view(), name="api-parameter-detail"),
    path(
        "parameters/<str:name>/changes/",
        ParameterChangesView.as_view(),
        name="api-parameter-changes",
    ),
    path("nodes/", NodeListView.as_view(), name="api-node-list"),
    path("nodes/<str:node_id>/", NodeDetailView.as_view(), name="api-node-detail"),
    path("nodes/<str:node_id>/verdicts/", NodeVerdictsView.as_view(), name="api-node-verdicts"),
    path("nodes/<str:node_id>/claims/", NodeClaimsView.as_view(), name="api-node-claims"),
    path("nodes/<str:node_id>/energy/", NodeEnergyView.as_view(), name="api-node-energy"),
    path("nodes/<str:node_id>/incidents/", NodeIncidentsView.as_view(), name="api-node-incidents"),
    path("nodes/<str:node_id>/cases/", NodeCasesView.as_view(), name="api-node-cases"),
    *_write("nodes/<str:node_id>/keys", NodeKeysView, "api-node-keys"),
    *_write("nodes/<str:node_id>/key-challenges", NodeKeyChallengeView, "api-key-challenge"),
    *_write("attestations/challenges", ChallengeView, "api-attestation-challenges"),
    *_write("attestations", AttestationView, "api-attestations"),
    path(
        "nodes/<str:node_id>/compute-rounds/",
        NodeComputeRoundsView.as_view(),
        name="api-node-compute-rounds",
    ),
    *_write("compute/rounds/next", ComputeNextView, "api-compute-next"),
    path("compute/rounds/<uuid:round_id>/", ComputeRoundView.as_view(), name="api-compute-round"),
    *_write("compute/rounds/<uuid:round_id>/ready", ComputeReadyView, "api-compute-ready"),
    *_write("compute/rounds/<uuid:round_id>/begin", ComputeBeginView, "api-compute-begin"),
    *_write("compute/rounds/<uuid:round_id>/commit", ComputeCommitView, "api-compute-commit"),
    *_write(
        "compute/rounds/<uuid:round_id>/gpus/<int:position>/open",
        ComputeOpenView,
        "api-compute-open",
    ),
    path("verdicts/<int:verdict_id>/", VerdictDetailView.as_view(), name="api-verdict-detail"),
    path("verdicts/<int:verdict_id>/proof/", VerdictProofView.as_view(), name="api-verdict-proof"),
    path("epochs/", EpochListView.as_view(), name="api-epoch-list"),
    path("epochs/<int:number>/", EpochDetailView.as_view(), name="api-epoch-detail"),
    path("epochs/<int:number>/leaves/", EpochLeavesView.as_view(), name="api-epoch-leaves"),
    *_write("policy/preview", PolicyPreviewView, "api-policy-preview"),
    path("network/trust/", TrustView.as_view(), name="api-trust"),
    path("network/collateral/", CollateralView.as_view(), name="api-collateral"),
    path("network/policy/", PolicyView.as_view(), name="api-policy"),
    path("network/tiers/", TiersView.as_view(), name="api-network-tiers"),
    path("network/jwks/", JwksView.as_view(), name="api-jwks"),
    path("network/summary/", NetworkSummaryView.as_view(), name="api-network-summary"),
]
