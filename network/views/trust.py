"""What reports are judged by: pinned roots, reference manifests, what is known on revocation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from chain import clock
from network.models import Rim
from network.selectors.collateral import (
    ALARM,
    WATCH_DAYS,
    CertificateState,
    authority_states,
    revocation_figures,
    rims_in_force,
    rims_missing,
)
from network.verification import trust_anchors

#: The site's word for how a state looks, and its own words.
_STATES = {
    "good": ("affirming", "Good"),
    "revoked": ("contraindicated", "Revoked"),
    "hold": ("warning", "On hold"),
    "unknown": ("warning", "Unknown to its issuer"),
    "not_checked": ("none", "Nothing known"),
    "stale": ("warning", "Out of date"),
}


@dataclass(frozen=True, slots=True)
class RimRow:
    """One manifest. ``look`` and ``words`` are its expiry's badge."""

    rim: Rim
    look: str
    words: str


@dataclass(frozen=True, slots=True)
class AuthorityRow:
    """One authority's certificate, with the badge of what is known about it."""

    state: CertificateState
    look: str
    words: str


@require_safe
def trust(request: HttpRequest) -> HttpResponse:
    """Show what verdicts are made with. 7 queries of its own."""
    now = clock.now()
    anchors = trust_anchors()
    figures = revocation_figures(at=now)
    context = {
        "roots": [
            *(("Devices", root) for root in anchors.device.values()),
            *(("Manifests", root) for root in anchors.rim.values()),
        ],
        "rims": [_rim_row(rim, now) for rim in rims_in_force()],
        "missing": rims_missing(at=now),
        "authorities": [_authority_row(state) for state in authority_states(at=now)],
        "devices": [(*_STATES[name], count) for name, count in figures.devices.items()],
        "figures": figures,
        "jwks_url": reverse("api-jwks"),
    }
    return render(request, "network/trust.html", context)


def _rim_row(rim: Rim, now: datetime) -> RimRow:
    days = (rim.valid_until - now).days
    if rim.valid_until <= now:
        return RimRow(rim, "contraindicated", "Run out")
    if rim.valid_until <= now + ALARM:
        return RimRow(rim, "contraindicated", f"{days} days left")
    if days < WATCH_DAYS[0]:
        return RimRow(rim, "warning", f"{days} days left")
    return RimRow(rim, "affirming", "In force")


def _authority_row(state: CertificateState) -> AuthorityRow:
    outdated = state.stale and state.state in {"good", "unknown"}
    return AuthorityRow(state, *_STATES["stale" if outdated else state.state])
