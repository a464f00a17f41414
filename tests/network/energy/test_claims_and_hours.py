"""A report's claims, and energy by the hour."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from network.energy.claims import readings_of
from network.energy.counters import Window
from network.energy.hours import hours_of
from network.energy.power import Quality
from network.energy.quantities import Band, EnergyInputInvalid
from tests.network.energy.samples import DAY_MS, HOUR_MS, T0, UUID

SKEW_MS, AGE_MS = 120_000, 300_000
TIMES = {"now_ms": T0, "skew_ms": SKEW_MS, "max_age_ms": AGE_MS}


def claim(**values: Any) -> dict[str, Any]:
    return {"uuid": UUID, "sampled_at_ms": T0, "energy_mj": 5, "power_mw": 70_000} | values


def refused(*gpus: Any) -> list[tuple[int, str]]:
    _, refusals = readings_of(gpus, **TIMES, max_gpus=16)
    return [(refusal.index, refusal.code) for refusal in refusals]


def test_a_good_claim_becomes_a_reading() -> None:
    gpus = [claim(boot_id="b", driver_load_id="d", driver_uptime_ms=9, temperature_c=40)]
    (reading,), refusals = readings_of(gpus, **TIMES, max_gpus=1)
    assert (reading.gpu_uuid, reading.at_ms, reading.energy_mj) == (UUID, T0, 5)
    assert (reading.load, reading.driver_uptime_ms, refusals) == (("b", "d"), 9, [])


@pytest.mark.parametrize(
    ("gpu", "code"),
    [
        (claim(energy_mj=-1), "energy.out_of_range"),
        (claim(energy_mj=2**63), "energy.out_of_range"),
        (claim(energy_mj=float("nan")), "energy.not_whole"),
        (claim(power_mw=float("inf")), "energy.not_whole"),
        (claim(sampled_at_ms=T0 + SKEW_MS + 1), "energy.future"),
        (claim(sampled_at_ms=T0 - AGE_MS - SKEW_MS - 1), "energy.old"),
        (claim(sampled_at_ms=0), "energy.old"),
        (claim(sampled_at_ms=None), "energy.not_whole"),
        (claim(uuid="../../etc/passwd"), "energy.uuid"),
        (claim(uuid=["GPU"]), "energy.uuid"),
        (claim(boot_id=0), "energy.load_id"),
        (claim(driver_load_id=[]), "energy.load_id"),
        (claim(driver_load_id="x" * 81), "energy.load_id"),
        (claim(boot_id="a\0b"), "energy.load_id"),
        ({}, "energy.uuid"),
        ("GPU", "energy.claim"),
    ],
)
def test_a_bad_claim_is_refused_and_the_next_gpu_is_not(gpu: Any, code: str) -> None:
    other = claim(uuid="GPU-2", sampled_at_ms=T0 + SKEW_MS)
    readings, _ = readings_of([gpu, other], **TIMES, max_gpus=2)
    assert refused(gpu, other) == [(0, code)]
    assert [reading.gpu_uuid for reading in readings] == ["GPU-2"]


@pytest.mark.parametrize("uuid", [UUID, UUID.upper()])
def test_two_gpus_of_one_uuid_are_both_refused(uuid: str) -> None:
    gpus = claim(), claim(uuid="GPU-2"), claim(uuid=uuid, energy_mj=6)
    assert refused(*gpus) == [(0, "energy.duplicate_gpu"), (2, "energy.duplicate_gpu")]


def test_a_million_gpus_are_not_even_read() -> None:
    with pytest.raises(EnergyInputInvalid, match=r"energy\.too_many_gpus"):
        readings_of([{}] * 10**6, **TIMES, max_gpus=16)


def window(start_ms: int, end_ms: int, best: int) -> Window:
    band = Band(best, best * 8 // 10, best * 12 // 10)
    return Window(UUID, start_ms, end_ms, band, Quality.COUNTER)


def test_an_hour_without_data_is_a_gap_and_not_a_zero() -> None:
    windows = [window(T0, T0 + 600_000, 6), window(T0 + 2 * HOUR_MS, T0 + 3 * HOUR_MS, 0)]
    hours = hours_of(windows, start_ms=T0, end_ms=T0 + 3 * HOUR_MS).hours
    assert [hour.energy_mj and hour.energy_mj.best for hour in hours] == [6, None, 0]
    assert [hour.covered_ms for hour in hours] == [600_000, 0, HOUR_MS]


def test_a_window_longer_than_an_hour_has_energy_but_no_hours() -> None:
    long = window(T0, T0 + HOUR_MS + 1, 100)
    result = hours_of([long], start_ms=T0, end_ms=T0 + 2 * HOUR_MS)
    assert [hour.energy_mj for hour in result.hours] == [None, None]
    assert (result.unplaced_mj, result.unplaced_ms) == (long.energy_mj, long.duration_ms)
    later = hours_of([long], start_ms=T0 + 5 * HOUR_MS, end_ms=T0 + 6 * HOUR_MS)
    assert later.unplaced_ms == 0


@pytest.mark.parametrize(
    ("start_ms", "end_ms"),
    [(T0, T0), (T0 + 1, T0 + 1 + HOUR_MS), (T0, T0 + 1), (T0 + HOUR_MS, T0), (0, 10**15)],
)
def test_a_range_that_is_no_range_is_refused(start_ms: int, end_ms: int) -> None:
    with pytest.raises(EnergyInputInvalid):
        hours_of([], start_ms=start_ms, end_ms=end_ms)


@given(
    st.lists(
        st.tuples(st.integers(0, DAY_MS), st.integers(60_000, HOUR_MS), st.integers(0, 10**12)),
        max_size=20,
    )
)
def test_hours_add_up_to_their_windows(parts: list[tuple[int, int, int]]) -> None:
    windows = [window(T0 + at, T0 + at + length, best) for at, length, best in parts]
    result = hours_of(windows, start_ms=T0, end_ms=T0 + 2 * DAY_MS)
    placed = [hour.energy_mj.best for hour in result.hours if hour.energy_mj]
    assert sum(placed) == sum(best for _, _, best in parts)
    assert sum(hour.covered_ms for hour in result.hours) == sum(length for _, length, _ in parts)
