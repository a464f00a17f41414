"""How much a card can draw, how good a source is, and what a site adds to its cards.

A milliwatt for a millisecond is a microjoule, a watt for a millisecond is a millijoule: the
arithmetic below is exact in integers, and bounds are compared before anything is rounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from network.energy.quantities import BPS, Band, EnergyInputInvalid, give_or_take, whole

#: Above the limit by a tenth: sensors are off by 5 % and a limit is held on average only.
OVER_LIMIT_BPS: Final = 11_000
#: Under half of the idle draw no powered card can be.
UNDER_IDLE_BPS: Final = 5_000
#: The host's overhead is a parameter and not a reading, so it is uncertain by half of itself.
HOST_UNCERTAINTY_BPS: Final = 5_000
#: An audited PUE is an annual average of a site, not of this hour.
AUDITED_UNCERTAINTY_BPS: Final = 500
#: No site delivers more than it draws; above 3 a claim is rather a slip than a site.
PUE_LEAST_BPS: Final = 10_000
PUE_MOST_BPS: Final = 30_000


class Quality(StrEnum):
    """Where an energy figure comes from, best first."""

    METER = "A"
    COUNTER = "B"
    POLLED = "C"
    ESTIMATED = "D"


#: How far a figure of each quality may be off. Never under a tenth: the sensors of A100 and H100
#: look at a quarter of the time only (arXiv:2312.02741), and no meter is put to a card alone.
UNCERTAINTY_BPS: Final[Mapping[Quality, int]] = MappingProxyType(
    {
        Quality.METER: 1_000,
        Quality.COUNTER: 1_500,
        Quality.POLLED: 3_000,
        Quality.ESTIMATED: 5_000,
    }
)


@dataclass(frozen=True, slots=True)
class Card:
    """What bounds a card: its enforced power limit and its draw when idle, in mW."""

    limit_mw: int
    idle_mw: int

    def __post_init__(self) -> None:
        whole(self.limit_mw, "limit_mw", least=1)
        whole(self.idle_mw, "idle_mw", least=1, most=self.limit_mw)

    def limit_mj(self, duration_ms: int) -> int:
        """The energy of the whole time at the limit."""
        return self.limit_mw * duration_ms // 1000

    def idle_mj(self, duration_ms: int) -> int:
        """The energy of the whole time at idle."""
        return self.idle_mw * duration_ms // 1000

    def most_mj(self, duration_ms: int) -> int:
        """The most that a plausible claim can be: limit x 1.1."""
        return self.limit_mw * duration_ms * OVER_LIMIT_BPS // (BPS * 1000)

    def least_mj(self, duration_ms: int) -> int:
        """The least that a plausible claim can be: idle x 0.5."""
        return self.idle_mw * duration_ms * UNDER_IDLE_BPS // (BPS * 1000)


#: By class, our conventions: a limit that is not below the board power of any card we know in it
#: (an H100 SXM has 700 W), since what a node claims counts only below it, and an idle draw that no
#: powered card undercuts. They are generous, so that no honest card is called implausible; the
#: limit that the driver enforces is what binds.
CLASS_POWER: Final[Mapping[str, Card]] = MappingProxyType(
    {
        "consumer_24g": Card(limit_mw=600_000, idle_mw=8_000),
        "workstation_48g": Card(limit_mw=350_000, idle_mw=8_000),
        "a100_80g": Card(limit_mw=500_000, idle_mw=30_000),
        "h100_80g": Card(limit_mw=700_000, idle_mw=40_000),
        "h200_141g": Card(limit_mw=700_000, idle_mw=60_000),
        "b200_192g": Card(limit_mw=1_200_000, idle_mw=100_000),
        # Rented, so it may be any of the above.
        "cloud": Card(limit_mw=1_200_000, idle_mw=8_000),
        "edge_iot": Card(limit_mw=130_000, idle_mw=1_000),
    }
)


def card_of(gpu_class: str, claimed_limit_mw: int | None = None) -> Card:
    """The bounds of a card. A claimed limit can lower the ceiling of its class, never raise it.

    Raises:
        EnergyInputInvalid: ``energy.class_unknown``, or a limit that is no power or is under idle.
    """
    if gpu_class not in CLASS_POWER:
        raise EnergyInputInvalid(
            "energy.class_unknown", "Nothing is known of the power of this class."
        )
    known = CLASS_POWER[gpu_class]
    if claimed_limit_mw is None:
        return known
    limit_mw = whole(claimed_limit_mw, "enforced_limit_mw", least=1)
    return Card(limit_mw=min(limit_mw, known.limit_mw), idle_mw=known.idle_mw)


def share_of(energy_mj: Band, share_bps: int) -> Band:
    """A slice's part of its card (MIG): the counter knows only the card."""
    return energy_mj.scaled(whole(share_bps, "share_bps", least=1, most=BPS), BPS)


@dataclass(frozen=True, slots=True)
class Pue:
    """Power usage effectiveness: what the site draws for each unit its machines draw. ``basis`` is
    ``default``, ``audited``, ``claimed``, ``claim_without_evidence`` or ``claim_impossible``."""

    pue_bps: Band
    basis: str


def pue_of(
    *, default_bps: int, floor_bps: int, claim_bps: int | None = None, is_audited: bool = False
) -> Pue:
    """The PUE that counts (``energy.pue_default``, ``energy.pue_evidence_floor``, in bps).

    A claim under the floor counts only with an auditor's signature; whether there is one is the
    caller's to check. An impossible claim counts as none. Both say so in ``basis``.
    """
    default = whole(default_bps, "pue_default", least=PUE_LEAST_BPS, most=PUE_MOST_BPS)
    floor = whole(floor_bps, "pue_evidence_floor", least=PUE_LEAST_BPS, most=PUE_MOST_BPS)
    if claim_bps is None:
        return _default_pue(default, "default")
    if not PUE_LEAST_BPS <= whole(claim_bps, "pue claim") <= PUE_MOST_BPS:
        return _default_pue(default, "claim_impossible")
    if is_audited:
        band = give_or_take(claim_bps, AUDITED_UNCERTAINTY_BPS)
        return Pue(Band(band.best, max(band.low, PUE_LEAST_BPS), band.high), "audited")
    if claim_bps < floor:
        return _default_pue(default, "claim_without_evidence")
    # Nobody checked it, so the site may be as bad as an unknown one.
    worst = max(claim_bps, 2 * default - PUE_LEAST_BPS)
    return Pue(Band(claim_bps, PUE_LEAST_BPS, worst), "claimed")


def _default_pue(default_bps: int, basis: str) -> Pue:
    """As far above the default as the physical minimum is below it."""
    return Pue(Band(default_bps, PUE_LEAST_BPS, 2 * default_bps - PUE_LEAST_BPS), basis)


def site_energy_mj(gpu_mj: Band, gpu_ms: int, *, host_overhead_w: int, pue: Pue) -> Band:
    """What the site drew: (energy of the cards + the hosts' overhead) x PUE.

    ``gpu_ms`` are GPU-milliseconds, summed over cards; ``host_overhead_w`` is
    ``energy.host_overhead`` in W per GPU.
    """
    watts = whole(host_overhead_w, "host_overhead")
    host_mj = give_or_take(watts * whole(gpu_ms, "gpu_ms"), HOST_UNCERTAINTY_BPS)
    return (gpu_mj + host_mj).times(pue.pue_bps, BPS)
