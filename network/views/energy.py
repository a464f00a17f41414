"""Energy on the node page: figures in words, a chart of hours, a table of days; and the method."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from chain import clock
from network.energy.carbon import SOURCE, intensity_table
from network.energy.power import CLASS_POWER, UNCERTAINTY_BPS, Quality
from network.energy.quantities import HOUR_MS, MJ_PER_KWH, Band
from network.models import Node
from network.selectors.energy import (
    DEFAULTS,
    HOUR,
    EnergyPoint,
    EnergyReport,
    by_day,
    energy_report,
    hour_floor,
)
from network.selectors.policy import PolicySnapshot

DAYS_SHOWN = 7
#: The chart's view box: a column an hour, and its height, in its own units.
COLUMN, HEIGHT = 4, 100
MG_PER_KG = 1_000_000
MG_PER_G = 1_000
_QUALITIES = {
    Quality.METER: "signed external meter",
    Quality.COUNTER: "the driver's energy counter",
    Quality.POLLED: "power, polled at least every minute",
    Quality.ESTIMATED: "limit x utilisation, or what stands in for a missing or impossible value",
}


@dataclass(frozen=True, slots=True)
class HourBar:
    """One hour of the chart; an hour without data has none."""

    x: int
    y: int
    height: int
    is_estimate: bool
    label: str


@dataclass(frozen=True, slots=True)
class DayRow:
    """One day of the table, in words."""

    day: datetime
    energy: str
    covered: str


@dataclass(frozen=True, slots=True)
class EnergyCard:
    """What the node page shows of energy."""

    report: EnergyReport
    gpu_energy: str
    site_energy: str
    carbon: str
    intensity: str
    sci: str
    estimated_share: str
    bars: list[HourBar]
    width: int
    height: int
    days: list[DayRow]
    words: str


def energy_card(node: Node, policy: PolicySnapshot) -> EnergyCard:
    """The last seven days of a node. 1 query."""
    end = hour_floor(clock.now()) + HOUR
    report = energy_report(node, start=end - DAYS_SHOWN * 24 * HOUR, end=end, policy=policy)
    energy = band_text(report.gpu_energy_mj, MJ_PER_KWH, "kWh")
    return EnergyCard(
        report=report,
        gpu_energy=energy,
        site_energy=band_text(report.site.site_energy_mj, MJ_PER_KWH, "kWh"),
        carbon=band_text(report.site.carbon_mg, MG_PER_KG, "kg"),
        intensity=band_text(report.intensity.intensity_mg_per_kwh, MG_PER_G, "g/kWh"),
        sci=""
        if report.sci is None
        else band_text(report.sci.sci_mg_per_gpu_hour, MG_PER_G, "g per GPU-hour"),
        estimated_share=f"{report.estimated_bps / 100:.0f} %",
        bars=_bars(report.points),
        width=COLUMN * len(report.points),
        height=HEIGHT,
        days=[
            DayRow(
                day,
                "no data" if mj is None else band_text(mj, MJ_PER_KWH, "kWh"),
                f"{covered / HOUR_MS:.1f}",
            )
            for day, mj, covered in by_day(report.points)
        ],
        words=f"The node's GPUs drew {energy} in {DAYS_SHOWN} days, by its own counters.",
    )


def band_text(band: Band, per: int, unit: str) -> str:
    """A band in a unit people read: ``1.05 kWh (0.54 to 1.72)``."""
    best, low, high = (_figure(value / per) for value in (band.best, band.low, band.high))
    return f"{best} {unit}" if band.low == band.high else f"{best} {unit} ({low} to {high})"


def _figure(value: float) -> str:
    """Three digits that count: nothing here is known better."""
    if value >= 100 or value == 0:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _bars(points: tuple[EnergyPoint, ...]) -> list[HourBar]:
    top = max((point.best_wh or 0 for point in points), default=0) or 1
    bars = []
    for place, point in enumerate(points):
        if point.best_wh is None:
            continue
        height = max(point.best_wh * HEIGHT // top, 1)
        bars.append(
            HourBar(
                x=place * COLUMN,
                y=HEIGHT - height,
                height=height,
                is_estimate=2 * point.estimated_ms > point.covered_ms,
                label=f"{point.starts_at:%Y-%m-%d %H:00} UTC: {point.best_wh:,} Wh",
            )
        )
    return bars


@require_safe
def energy_method(request: HttpRequest) -> HttpResponse:
    """Say how energy and carbon are computed, with the very figures of the code."""
    context: dict[str, Any] = {
        "qualities": [
            (quality.value, _QUALITIES[quality], f"±{bps // 100} %")
            for quality, bps in UNCERTAINTY_BPS.items()
        ],
        "classes": [
            (name, card.limit_mw // 1000, card.idle_mw // 1000)
            for name, card in CLASS_POWER.items()
        ],
        "parameters": sorted(DEFAULTS),
        "source": SOURCE,
        "zones": len(intensity_table()),
    }
    return render(request, "network/energy_method.html", context)
