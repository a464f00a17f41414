"""Carbon of electricity by place (GHG Protocol Scope 2, location-based method).

The intensity is the yearly average of the node's country from the packaged table, or the network's
fallback parameter. Certificates and contracts are claims beside it and change no figure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Final

from network.energy.quantities import BPS, MJ_PER_KWH, Band, give_or_take, whole
from network.energy.regions import rows, zone_of

SOURCE: Final = "codecarbon 3.3.2, global_energy_mix.json (MIT)"
#: A yearly average says little of one hour, and less with every year that has passed since.
AVERAGE_UNCERTAINTY_BPS: Final = 2_000
AGE_UNCERTAINTY_BPS: Final = 500
UNCERTAINTY_MOST_BPS: Final = 9_000
#: Where the zone is unknown the band spans all but this share of the table at either end.
OUTSIDE_BPS: Final = 500


@dataclass(frozen=True, slots=True)
class ZoneIntensity:
    """One row of the table: the average of a year, in mg CO2e per kWh."""

    zone: str
    name: str
    intensity_mg_per_kwh: int
    year: int


@dataclass(frozen=True, slots=True)
class Intensity:
    """What a kWh counts. ``zone`` and ``year`` are None for the fallback; ``source`` names the
    table or the parameter, ``note`` says in a sentence why it is this one."""

    intensity_mg_per_kwh: Band
    zone: str | None
    year: int | None
    source: str
    note: str

    @property
    def is_fallback(self) -> bool:
        """Whether the network's parameter stands in for an unknown zone."""
        return self.zone is None


@dataclass(frozen=True, slots=True)
class MarketClaim:
    """A certificate or contract that the operator names. Nobody here has checked it."""

    kind: str
    reference: str
    claimed_wh: int

    def __post_init__(self) -> None:
        whole(self.claimed_wh, "claimed_wh")


@dataclass(frozen=True, slots=True)
class Footprint:
    """Energy at the site and its location-based carbon. ``market_claims`` are shown and are in no
    sum: a sum of footprints holds the claims of both and adds nothing of them up."""

    site_energy_mj: Band
    carbon_mg: Band
    market_claims: tuple[MarketClaim, ...] = ()

    def __add__(self, other: Footprint) -> Footprint:
        return Footprint(
            self.site_energy_mj + other.site_energy_mj,
            self.carbon_mg + other.carbon_mg,
            self.market_claims + other.market_claims,
        )


def intensity_of(region: str, *, fallback_g_per_kwh: int, at_year: int) -> Intensity:
    """The intensity for a node's region in a year.

    ``fallback_g_per_kwh`` is ``energy.intensity_fallback``, used where the region names no zone or
    the table has none of it; the note says so.
    """
    fallback_g = whole(fallback_g_per_kwh, "intensity_fallback", least=1)
    zone = zone_of(region)
    row = intensity_table().get(zone) if zone else None
    if row is None:
        return _fallback(fallback_g)
    age = max(whole(at_year, "at_year") - row.year, 0)
    uncertainty_bps = min(AVERAGE_UNCERTAINTY_BPS + AGE_UNCERTAINTY_BPS * age, UNCERTAINTY_MOST_BPS)
    return Intensity(
        intensity_mg_per_kwh=give_or_take(row.intensity_mg_per_kwh, uncertainty_bps),
        zone=row.zone,
        year=row.year,
        source=SOURCE,
        note=f"The average of {row.name} in {row.year}.",
    )


def footprint_of(
    site_energy_mj: Band, intensity: Intensity, market_claims: tuple[MarketClaim, ...] = ()
) -> Footprint:
    """Location-based carbon of energy at the site: E x I."""
    carbon_mg = site_energy_mj.times(intensity.intensity_mg_per_kwh, MJ_PER_KWH)
    return Footprint(site_energy_mj, carbon_mg, market_claims)


@cache
def intensity_table() -> Mapping[str, ZoneIntensity]:
    """The packaged table by zone."""
    table = {}
    for row in rows("intensity.csv"):
        intensity_mg = int(row["intensity_mg_per_kwh"])
        table[row["zone"]] = ZoneIntensity(row["zone"], row["name"], intensity_mg, int(row["year"]))
    return MappingProxyType(table)


def _fallback(fallback_g: int) -> Intensity:
    known = sorted(row.intensity_mg_per_kwh for row in intensity_table().values())
    outside = len(known) * OUTSIDE_BPS // BPS
    best_mg = fallback_g * 1000
    return Intensity(
        intensity_mg_per_kwh=Band(
            best_mg, min(known[outside], best_mg), max(known[-1 - outside], best_mg)
        ),
        zone=None,
        year=None,
        source="energy.intensity_fallback",
        note="The network's fallback: the region names no country that the table knows.",
    )
