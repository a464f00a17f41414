"""The network's families of ``/metrics``: how old what verdicts are made with is."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import Metric

from chain import clock
from chain.metrics import gauge, labelled
from network.attestation.revocation import RevocationState
from network.selectors.collateral import (
    authority_states,
    revocation_figures,
    rims_in_force,
    rims_missing,
)

#: Words for devices: the verifier's states, and what has run out.
DEVICE_STATES = (*(state.value for state in RevocationState), "stale")


def network_metrics() -> Iterator[Metric]:
    """Every family of the network's."""
    yield from _rim_metrics()
    yield from _revocation_metrics()


def _rim_metrics() -> Iterator[Metric]:
    now = clock.now()
    rims = list(rims_in_force())
    first = min((rim.valid_until for rim in rims), default=None)
    yield gauge("rims", "Reference manifests that answer.", len(rims))
    yield gauge(
        "rims_missing", "Manifests that reports of the last day lacked.", len(rims_missing(at=now))
    )
    yield gauge(
        "rim_first_expiry_seconds",
        "Until the first of them runs out; negative when it has.",
        None if first is None else (first - now).total_seconds(),
    )
    yield labelled(
        "rim_expiry_timestamp_seconds",
        "When a manifest's signer runs out (Unix time).",
        ["rim"],
        [([rim.rim_id], rim.valid_until.timestamp()) for rim in rims],
    )


def _revocation_metrics() -> Iterator[Metric]:
    now = clock.now()
    figures = revocation_figures(at=now)
    yield labelled(
        "revocation_devices",
        "Devices seen within 30 days by what OCSP says of them.",
        ["state"],
        [([state], float(figures.devices.get(state, 0))) for state in DEVICE_STATES],
    )
    yield gauge(
        "revocation_oldest_seconds", "Age of the oldest answer about a device.", figures.oldest_s
    )
    yield gauge(
        "revocation_unanswered", "Devices whose last question had no answer.", figures.unanswered
    )
    yield labelled(
        "revocation_authority_age_seconds",
        "Age of the newest statement about an authority; none without one.",
        ["authority"],
        [
            ([f"{item.certificate.subject} {item.certificate.serial}"], float(item.age_s))
            for item in authority_states(at=now)
            if item.age_s is not None
        ],
    )
