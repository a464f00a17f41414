"""The worked example of docs/energy.md, computed again."""

from pathlib import Path

from network.energy.carbon import footprint_of, intensity_of
from network.energy.counters import Reading, counter_windows
from network.energy.power import CLASS_POWER, UNCERTAINTY_BPS, card_of, pue_of, site_energy_mj
from network.energy.quantities import ZERO, Band
from network.energy.sci import EMBODIED, HOST_EMBODIED, UNKNOWN_EMBODIED, sci_of
from tests.network.energy.samples import HOUR_MS, T0, UUID

DOCS = (Path(__file__).resolve().parents[3] / "docs" / "energy.md").read_text(encoding="utf-8")


def grouped(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def row(what: str, band: Band) -> str:
    figures = " | ".join(grouped(figure) for figure in (band.best, band.low, band.high))
    return f"| {what} | {figures} |"


def in_docs(*rows: str) -> None:
    assert [line for line in rows if line not in DOCS.splitlines()] == []


def test_the_worked_example() -> None:
    readings = [Reading(UUID, T0 + i * 600_000, 40_000_000 + i * 330_000_000) for i in range(7)]
    windows = counter_windows(readings, card_of("h100_80g", 700_000))
    gpu_mj = sum((window.energy_mj for window in windows), ZERO)
    pue = pue_of(default_bps=15_000, floor_bps=12_000)
    site_mj = site_energy_mj(gpu_mj, HOUR_MS, host_overhead_w=150, pue=pue)
    intensity = intensity_of("se", fallback_g_per_kwh=475, at_year=2026)
    footprint = footprint_of(site_mj, intensity)
    score = sci_of(footprint, gpu_class="h100_80g", gpu_ms=HOUR_MS, lifetime_days=1_440)
    unknown = footprint_of(site_mj, intensity_of("eu-north", fallback_g_per_kwh=475, at_year=2026))
    in_docs(
        row("energy of the card, mJ", gpu_mj),
        row("energy at the site, mJ", site_mj),
        row("intensity of Sweden in 2023, mg/kWh", intensity.intensity_mg_per_kwh),
        row("carbon by place, mg", footprint.carbon_mg),
        row("making, mg per GPU-hour", score.embodied_mg_per_gpu_hour),
        row("SCI, mg per GPU-hour", score.sci_mg_per_gpu_hour),
        row("carbon by the fallback, mg", unknown.carbon_mg),
    )


def test_the_reset_of_the_example() -> None:
    before = Reading(UUID, T0, 900_000_000, driver_load_id="1")
    after = Reading(UUID, T0 + 600_000, 150_000_000, driver_load_id="2", driver_uptime_ms=480_000)
    (window,) = counter_windows([before, after], card_of("h100_80g"))
    in_docs(row("ten minutes with a reset, mJ", window.energy_mj))


def test_the_tables_are_those_of_the_code() -> None:
    in_docs(
        *(
            f"| `{name}` | {card.limit_mw // 1000} | {card.idle_mw // 1000} |"
            for name, card in CLASS_POWER.items()
        )
    )
    for quality, bps in UNCERTAINTY_BPS.items():
        assert f"| {quality.value} |" in DOCS
        assert f"| ±{bps // 100} % |" in DOCS
    making = {**EMBODIED, "any other GPU": UNKNOWN_EMBODIED, "host, per GPU": HOST_EMBODIED}
    for what, embodied in making.items():
        name = f"`{what}`" if what in EMBODIED else what
        assert row(name, embodied.embodied_g).removesuffix(" |") in DOCS
        assert embodied.source in DOCS
