"""Addresses outside ``/api/`` that are no pages: the sign-in, exports, links by transaction."""

from django.urls import URLPattern, path

from governance.api.auth import Logout, SiweFinish, SiweStart
from governance.api.exports import votes_export
from governance.api.redirects import proposal_by_tx_redirect

urlpatterns: list[URLPattern] = [
    path("auth/siwe/start", SiweStart.as_view(), name="siwe_start"),
    path("auth/siwe", SiweFinish.as_view(), name="siwe"),
    path("auth/logout", Logout.as_view(), name="logout"),
    path("proposals/<int:number>/votes.csv", votes_export, name="votes_export"),
    path(
        "proposals/by-tx/<str:transaction_hash>/",
        proposal_by_tx_redirect,
        name="proposal_by_tx",
    ),
]
