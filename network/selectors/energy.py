"""Energy and carbon of a node over a time: sums, hours and the method's figures, ready to show."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from network.energy.carbon import Footprint, Intensity, footprint_of, intensity_of
from network.energy.power import Pue, pue_of, site_energy_mj
from network.energy.quantities import BPS, ZERO, Band, EnergyInputInvalid, nearest
from network.energy.sci import Sci, sci_of
from network.models import EnergyHour, Node
from network.selectors.policy import PolicySnapshot

HOUR = timedelta(hours=1)
MJ_PER_WH = 3_600_000
#: A quarter of a year of hours: more is no chart.
HOURS_MOST = 92 * 24
#: Used where the chain does not define the parameter: those of contracts/parameters.csv.
DEFAULTS = {
    "energy.pue_default": 15_000,
    "energy.pue_evidence_floor": 12_000,
    "energy.host_overhead": 150,
    "energy.intensity_fallback": 475,
    "energy.gpu_lifetime": 1_440,
}


@dataclass(frozen=True, slots=True)
class EnergyPoint:
    """One hour: what the node's cards drew, None where nothing is known of it."""

    starts_at: datetime
    gpu_energy_mj: Band | None
    covered_ms: int
    estimated_ms: int

    @property
    def best_wh(self) -> int | None:
        """The cards' energy in Wh."""
        return None if self.gpu_energy_mj is None else nearest(self.gpu_energy_mj.best, MJ_PER_WH)


@dataclass(frozen=True, slots=True)
class EnergyReport:
    """A node's energy from ``start`` to ``end``, by its own claims.

    ``gpu_energy_mj`` is what the cards drew, ``site`` what the site drew for it and its carbon by
    place, ``sci`` the score (None for a class without GPU-hours). ``covered_ms`` are the
    GPU-milliseconds all of it stands for, ``estimated_ms`` the part with a stand-in. Computed with
    the parameters of ``policy_version``.
    """

    start: datetime
    end: datetime
    points: tuple[EnergyPoint, ...]
    gpu_energy_mj: Band
    covered_ms: int
    estimated_ms: int
    unplaced_mj: Band
    unplaced_ms: int
    implausible_count: int
    pue: Pue
    host_overhead_w: int
    intensity: Intensity
    site: Footprint
    sci: Sci | None
    policy_version: int

    @property
    def is_empty(self) -> bool:
        """Whether the node claimed nothing in this time."""
        return self.covered_ms == 0

    @property
    def estimated_bps(self) -> int:
        """The share of the time with a stand-in for a reading."""
        return self.estimated_ms * BPS // self.covered_ms if self.covered_ms else 0


def energy_report(
    node: Node, *, start: datetime, end: datetime, policy: PolicySnapshot
) -> EnergyReport:
    """Sum a node's hours from ``start`` to ``end`` (both whole hours, UTC). 1 query.

    Raises:
        EnergyInputInvalid: ``energy.range`` for bounds that are no whole hours, or too many.
    """
    count = _hours_between(start, end)
    rows = {
        row.starts_at: row
        for row in EnergyHour.objects.filter(
            node_id=node.node_id, starts_at__gte=start, starts_at__lt=end
        )
    }
    points = [_point(start + n * HOUR, rows.get(start + n * HOUR)) for n in range(count)]
    unplaced_mj = _sum(row.unplaced_mj for row in rows.values())
    unplaced_ms = sum(row.unplaced_ms for row in rows.values())
    gpu_mj = _sum(row.energy_mj for row in rows.values()) + unplaced_mj
    covered_ms = sum(row.covered_ms for row in rows.values()) + unplaced_ms
    pue = pue_of(
        default_bps=_parameter(policy, "energy.pue_default"),
        floor_bps=_parameter(policy, "energy.pue_evidence_floor"),
    )
    host_overhead_w = _parameter(policy, "energy.host_overhead")
    intensity = intensity_of(
        node.region,
        fallback_g_per_kwh=_parameter(policy, "energy.intensity_fallback"),
        at_year=end.year,
    )
    site_mj = site_energy_mj(gpu_mj, covered_ms, host_overhead_w=host_overhead_w, pue=pue)
    site = footprint_of(site_mj, intensity)
    return EnergyReport(
        start=start,
        end=end,
        points=tuple(points),
        gpu_energy_mj=gpu_mj,
        covered_ms=covered_ms,
        estimated_ms=sum(row.estimated_ms for row in rows.values()) + unplaced_ms,
        unplaced_mj=unplaced_mj,
        unplaced_ms=unplaced_ms,
        implausible_count=sum(row.implausible_count for row in rows.values()),
        pue=pue,
        host_overhead_w=host_overhead_w,
        intensity=intensity,
        site=site,
        sci=_sci(node, site, covered_ms, policy),
        policy_version=policy.version,
    )


def hour_floor(at: datetime) -> datetime:
    """The beginning of an hour."""
    return at.replace(minute=0, second=0, microsecond=0)


def _hours_between(start: datetime, end: datetime) -> int:
    count, rest = divmod(end - start, HOUR)
    if rest or start != hour_floor(start) or not 0 < count <= HOURS_MOST:
        raise EnergyInputInvalid("energy.range", f"Ask for 1 to {HOURS_MOST} whole hours (UTC).")
    return count


def _point(starts_at: datetime, row: EnergyHour | None) -> EnergyPoint:
    if row is None or row.covered_ms == 0:
        return EnergyPoint(starts_at, None, 0, 0)
    return EnergyPoint(starts_at, row.energy_mj, row.covered_ms, row.estimated_ms)


def _sum(bands: Iterable[Band]) -> Band:
    return sum(bands, ZERO)


def _parameter(policy: PolicySnapshot, name: str) -> int:
    return policy.number(name, DEFAULTS[name])


def _sci(node: Node, site: Footprint, covered_ms: int, policy: PolicySnapshot) -> Sci | None:
    if covered_ms == 0:
        return None
    try:
        return sci_of(
            site,
            gpu_class=node.gpu_class,
            gpu_ms=covered_ms,
            lifetime_days=_parameter(policy, "energy.gpu_lifetime"),
        )
    except EnergyInputInvalid:
        # A class without GPU-hours has no score.
        return None


def by_day(points: Sequence[EnergyPoint]) -> list[tuple[datetime, Band | None, int]]:
    """Days (UTC) for a table: the first hour, the energy of the cards (None where nothing is
    known), and the GPU-milliseconds it stands for."""
    days: dict[datetime, tuple[Band | None, int]] = {}
    for point in points:
        day = point.starts_at.replace(hour=0)
        energy, covered = days.get(day, (None, 0))
        if point.gpu_energy_mj is not None:
            energy = point.gpu_energy_mj if energy is None else energy + point.gpu_energy_mj
        days[day] = (energy, covered + point.covered_ms)
    return [(day, energy, covered) for day, (energy, covered) in days.items()]
