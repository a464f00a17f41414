"""Addresses of the sign-in, and of links by transaction: outside ``/api/``, no trailing slash."""

from django.urls import URLPattern, path

from governance.api.auth import Logout, SiweFinish, SiweStart
from governance.api.redirects import proposal_by_tx_redirect

urlpatterns: list[URLPattern] = [
    path("auth/siwe/start", SiweStart.as_view(), name="siwe_start"),
    path("auth/siwe", SiweFinish.as_view(), name="siwe"),
    path("auth/logout", Logout.as_view(), name="logout"),
    path(
        "proposals/by-tx/<str:transaction_hash>/",
        proposal_by_tx_redirect,
        name="proposal_by_tx",
    ),
]
