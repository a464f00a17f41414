"""From cards to the site, to carbon and to a score per GPU-hour."""

import csv
import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from network.energy.carbon import (
    SOURCE,
    Footprint,
    MarketClaim,
    footprint_of,
    intensity_of,
    intensity_table,
)
from network.energy.power import (
    CLASS_POWER,
    UNCERTAINTY_BPS,
    Card,
    card_of,
    pue_of,
    share_of,
    site_energy_mj,
)
from network.energy.quantities import Band, EnergyInputInvalid, exactly
from network.energy.regions import region_zones, rows, zone_of
from network.energy.sci import EMBODIED, HOST_EMBODIED, embodied_of, sci_of
from scripts import make_intensity
from tests.network.energy.samples import HOUR_MS, cards

BASE_DIR = Path(__file__).resolve().parents[3]
ENERGY = BASE_DIR / "network" / "energy"
KWH_MJ = 3_600_000_000
PUE = pue_of(default_bps=15_000, floor_bps=12_000)
bands = st.tuples(*[st.integers(0, 10**15)] * 3).map(sorted).map(lambda v: Band(v[1], v[0], v[2]))


@pytest.mark.parametrize("numbers", [(1, 2, 3), (5, 1, 4), (0, -1, 0)])
def test_a_band_is_in_order_and_not_negative(numbers: tuple[int, int, int]) -> None:
    with pytest.raises(EnergyInputInvalid, match=r"energy\.band"):
        Band(*numbers)


@pytest.mark.parametrize("values", [(0, 0), (-1, 1), (100, 101), (1.0, 1), (True, 1)])
def test_a_card_needs_a_limit_above_its_idle_draw(values: tuple[int, int]) -> None:
    with pytest.raises(EnergyInputInvalid):
        Card(*values)


def test_a_claimed_limit_lowers_the_ceiling_and_never_raises_it() -> None:
    assert card_of("h100_80g", 350_000).limit_mw == 350_000
    assert card_of("h100_80g", 10**9) == card_of("h100_80g") == CLASS_POWER["h100_80g"]
    for claimed in (0, -5, 1_000, 2**63):
        with pytest.raises(EnergyInputInvalid):
            card_of("h100_80g", claimed)
    with pytest.raises(EnergyInputInvalid, match=r"energy\.class_unknown"):
        card_of("qpu")


def test_every_class_of_gpus_that_the_chain_names_has_its_power() -> None:
    with (BASE_DIR / "contracts" / "parameters.csv").open(encoding="utf-8") as file:
        prefix = "attest.required_tier_"
        keys = [row[0] for row in csv.reader(file) if row and row[0].startswith(prefix)]
    assert {key.removeprefix(prefix) for key in keys} - {"qpu"} == set(CLASS_POWER)


def test_no_quality_is_better_than_a_tenth_and_each_is_worse_than_the_one_before() -> None:
    values = list(UNCERTAINTY_BPS.values())
    assert min(values) >= 1_000
    assert values == sorted(set(values))


@given(cards, st.integers(0, 10**10))
def test_the_bounds_of_a_card_are_in_order(card: Card, duration_ms: int) -> None:
    least, idle = card.least_mj(duration_ms), card.idle_mj(duration_ms)
    assert 0 <= least <= idle <= card.limit_mj(duration_ms) <= card.most_mj(duration_ms)


@pytest.mark.parametrize(
    ("claim_bps", "is_audited", "expected"),
    [
        (None, False, (15_000, 10_000, 20_000, "default")),
        (11_000, False, (15_000, 10_000, 20_000, "claim_without_evidence")),
        (11_999, False, (15_000, 10_000, 20_000, "claim_without_evidence")),
        (12_000, False, (12_000, 10_000, 20_000, "claimed")),
        (25_000, False, (25_000, 10_000, 25_000, "claimed")),
        (11_000, True, (11_000, 10_450, 11_550, "audited")),
        (10_100, True, (10_100, 10_000, 10_605, "audited")),
        (9_999, True, (15_000, 10_000, 20_000, "claim_impossible")),
        (30_001, True, (15_000, 10_000, 20_000, "claim_impossible")),
        (0, False, (15_000, 10_000, 20_000, "claim_impossible")),
    ],
)
def test_which_pue_counts(
    claim_bps: int | None, is_audited: bool, expected: tuple[int, int, int, str]
) -> None:
    pue = pue_of(default_bps=15_000, floor_bps=12_000, claim_bps=claim_bps, is_audited=is_audited)
    assert (pue.pue_bps.best, pue.pue_bps.low, pue.pue_bps.high, pue.basis) == expected


@pytest.mark.parametrize("claim", [-1, float("nan"), 1.2, 2**63])
def test_a_pue_that_is_no_whole_number_is_refused(claim: int) -> None:
    with pytest.raises(EnergyInputInvalid):
        pue_of(default_bps=15_000, floor_bps=12_000, claim_bps=claim)


def test_the_site_adds_its_hosts_and_its_cooling() -> None:
    site = site_energy_mj(exactly(2_000), 10, host_overhead_w=150, pue=PUE)
    assert (site.best, site.low, site.high) == (5_250, 2_750, 8_500)
    with pytest.raises(EnergyInputInvalid):
        site_energy_mj(exactly(0), -1, host_overhead_w=150, pue=PUE)


@given(bands, st.integers(0, 10**12), st.integers(0, 1_500))
def test_a_site_draws_at_least_what_its_cards_draw(
    gpu_mj: Band, gpu_ms: int, overhead_w: int
) -> None:
    site = site_energy_mj(gpu_mj, gpu_ms, host_overhead_w=overhead_w, pue=PUE)
    assert site.best >= gpu_mj.best
    assert site.low >= gpu_mj.low


def test_a_slice_has_its_share_of_the_card() -> None:
    assert share_of(exactly(700), 1_429).best == 100
    for bps in (0, 10_001, -1):
        with pytest.raises(EnergyInputInvalid):
            share_of(exactly(1), bps)


@pytest.mark.parametrize(
    ("region", "zone"),
    [
        ("SE", "SWE"),
        ("swe", "SWE"),
        ("eu-north-1", "SWE"),
        ("europe-north1", "FIN"),
        ("us-west", "USA"),
        ("sa-east-1", "BRA"),
        ("me-central1", "QAT"),
    ],
)
def test_regions_that_name_one_country(region: str, zone: str) -> None:
    assert zone_of(region) == zone


@pytest.mark.parametrize(
    "region",
    [
        "",
        "eu-north",
        "ap-south",
        "../",
        "../intensity.csv",
        "se\0",
        " se",
        "x" * 10**5,
        "CAF",
        "zz",
    ],
)
def test_other_regions_fall_back_and_say_so(region: str) -> None:
    intensity = intensity_of(region, fallback_g_per_kwh=475, at_year=2026)
    assert (intensity.is_fallback, intensity.year) == (True, None)
    assert intensity.intensity_mg_per_kwh.best == 475_000
    assert (intensity.source, intensity.note.startswith("The network's fallback")) == (
        "energy.intensity_fallback",
        True,
    )


def test_the_fallback_band_spans_the_table_and_the_parameter() -> None:
    band = intensity_of("", fallback_g_per_kwh=475, at_year=2026).intensity_mg_per_kwh
    known = [row.intensity_mg_per_kwh for row in intensity_table().values()]
    inside = [value for value in known if band.low <= value <= band.high]
    assert 0.85 < len(inside) / len(known) < 0.95
    assert (
        intensity_of("", fallback_g_per_kwh=1_000, at_year=2026).intensity_mg_per_kwh.high == 10**6
    )


@pytest.mark.parametrize(
    ("at_year", "low", "high"),
    [(2020, 32_556, 48_834), (2023, 32_556, 48_834), (2090, 4_069, 77_321)],
)
def test_an_average_is_worth_less_with_every_year(at_year: int, low: int, high: int) -> None:
    intensity = intensity_of("SE", fallback_g_per_kwh=475, at_year=at_year)
    band = intensity.intensity_mg_per_kwh
    assert (band.low, band.best, band.high) == (low, 40_695, high)
    assert (intensity.zone, intensity.year, intensity.source) == ("SWE", 2023, SOURCE)
    assert intensity.note == "The average of Sweden in 2023."


def test_the_table_has_its_source_and_every_region_its_row() -> None:
    text = (ENERGY / "intensity.csv").read_text(encoding="utf-8")
    assert "source: codecarbon 3.3.2, global_energy_mix.json" in text
    assert make_intensity.WHEEL_SHA256 in text
    assert "Permission is hereby granted" in text
    table = intensity_table()
    assert len(table) == 212
    assert all(0 < row.intensity_mg_per_kwh < 1_500_000 for row in table.values())
    assert all(2000 <= row.year <= 2023 and row.name for row in table.values())
    names = [row["region"] for row in rows("regions.csv")]
    assert len(names) == len(set(names))
    assert all(name == name.casefold() for name in names)
    assert set(region_zones().values()) == set(table)


def test_the_script_writes_the_table_and_takes_no_other_wheel(tmp_path: Path) -> None:
    mix = {
        "BBB": {"carbon_intensity": 1, "country_name": "B, and more", "year": 2021},
        "AAA": {"carbon_intensity": 0, "country_name": "A", "year": 2022},
    }
    text = make_intensity.table_text(mix, "Licence\n\nText")
    assert text.splitlines()[-2:] == [
        "zone,name,intensity_mg_per_kwh,year",
        'BBB,"B, and more",1000,2021',
    ]
    assert "#   Licence\n#\n#   Text\n" in text
    wheel = tmp_path / "codecarbon.whl"
    wheel.write_bytes(b"another")
    assert hashlib.sha256(b"another").hexdigest() != make_intensity.WHEEL_SHA256
    with pytest.raises(make_intensity.WheelRefused, match="hash"):
        make_intensity.wheel_data(wheel)


def test_carbon_of_a_kilowatt_hour_is_its_intensity() -> None:
    intensity = intensity_of("FRA", fallback_g_per_kwh=475, at_year=2026)
    footprint = footprint_of(exactly(KWH_MJ), intensity)
    assert footprint.carbon_mg == intensity.intensity_mg_per_kwh
    assert footprint.carbon_mg.best == 56_039


@given(bands, bands, st.integers(0, 10**12))
def test_a_market_claim_changes_no_figure(one: Band, two: Band, claimed_wh: int) -> None:
    claim = MarketClaim("certificate", "GO-1", claimed_wh)
    intensity = intensity_of("DEU", fallback_g_per_kwh=475, at_year=2026)
    plain = footprint_of(one, intensity) + footprint_of(two, intensity)
    claimed = footprint_of(one, intensity, (claim,)) + footprint_of(two, intensity, (claim,))
    assert (claimed.carbon_mg, claimed.site_energy_mj) == (plain.carbon_mg, plain.site_energy_mj)
    assert claimed.market_claims == (claim, claim)
    scores = [
        sci_of(each, gpu_class="h100_80g", gpu_ms=HOUR_MS, lifetime_days=1_440)
        for each in (plain, claimed)
    ]
    assert scores[0] == scores[1]


def test_a_negative_market_claim_is_refused() -> None:
    with pytest.raises(EnergyInputInvalid):
        MarketClaim("certificate", "GO-1", -1)


def footprint(carbon_mg: int) -> Footprint:
    return Footprint(exactly(0), exactly(carbon_mg))


def test_the_score_is_per_gpu_hour() -> None:
    one = sci_of(footprint(1_000), gpu_class="h100_80g", gpu_ms=HOUR_MS, lifetime_days=1_440)
    eight = sci_of(footprint(8_000), gpu_class="h100_80g", gpu_ms=8 * HOUR_MS, lifetime_days=1_440)
    assert one == eight
    assert one.operational_mg_per_gpu_hour.best == 1_000
    # (164.0 + 312.5) kg over 34,560 hours.
    assert one.embodied_mg_per_gpu_hour.best == 13_788
    assert one.sci_mg_per_gpu_hour.best == 14_788


def test_a_slice_bears_its_share_of_the_making() -> None:
    part = sci_of(
        footprint(0), gpu_class="h100_80g", gpu_ms=HOUR_MS, lifetime_days=1_440, share_bps=2_500
    )
    assert part.embodied_mg_per_gpu_hour.best == 3_447


@given(st.sampled_from(sorted(set(CLASS_POWER) - {"edge_iot"})))
def test_every_figure_of_making_has_a_source_or_says_unknown(gpu_class: str) -> None:
    embodied = embodied_of(gpu_class)
    assert embodied.is_known == (gpu_class in EMBODIED)
    assert embodied.source == "unknown" or "arXiv" in embodied.source or "NVIDIA" in embodied.source
    assert embodied.embodied_g.low * 2 <= embodied.embodied_g.best <= embodied.embodied_g.high // 2


def test_not_knowing_never_looks_better_than_knowing() -> None:
    unknown = embodied_of("consumer_24g").embodied_g
    assert all(unknown.best >= known.embodied_g.best for known in EMBODIED.values())
    assert all(unknown.high > known.embodied_g.high for known in EMBODIED.values())
    assert HOST_EMBODIED.is_known


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"gpu_class": "qpu"}, "sci.not_gpu"),
        ({"gpu_class": "edge_iot"}, "sci.not_gpu"),
        ({"gpu_ms": 0}, "energy.out_of_range"),
        ({"lifetime_days": 0}, "energy.out_of_range"),
        ({"share_bps": 10_001}, "energy.out_of_range"),
    ],
)
def test_a_score_that_means_nothing_is_refused(changes: dict[str, object], code: str) -> None:
    given_values = {"gpu_class": "h100_80g", "gpu_ms": HOUR_MS, "lifetime_days": 1_440} | changes
    with pytest.raises(EnergyInputInvalid) as caught:
        sci_of(footprint(1), **given_values)  # type: ignore[arg-type]
    assert caught.value.code == code


@given(bands, st.integers(1, 10**12), st.integers(1_080, 2_910))
def test_a_score_is_in_order_and_falls_with_a_longer_life(
    carbon_mg: Band, gpu_ms: int, days: int
) -> None:
    def score(lifetime_days: int) -> Band:
        return sci_of(
            Footprint(exactly(0), carbon_mg),
            gpu_class="b200_192g",
            gpu_ms=gpu_ms,
            lifetime_days=lifetime_days,
        ).sci_mg_per_gpu_hour

    assert score(days).best >= score(days + 100).best
    assert score(days).low >= carbon_mg.low * HOUR_MS // gpu_ms
