"""Joules from counters: resets, gaps, impossible claims, and what must hold for any claim."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from network.energy.counters import (
    Flag,
    Reading,
    Window,
    counter_windows,
    estimated_window,
    polled_windows,
)
from network.energy.power import Card, Quality
from network.energy.quantities import EnergyInputInvalid
from tests.network.energy.samples import CARD, DAY_MS, T0, UUID, cards, durations_ms, reading


def one(*readings: Reading, card: Card = CARD, **options: int) -> Window:
    (window,) = counter_windows(readings, card, **options)
    return window


def test_a_plain_window_is_the_difference_with_a_band() -> None:
    window = one(reading(0, 5_000_000), reading(600, 305_000_000))
    assert (window.energy_mj.best, window.quality) == (300_000_000, Quality.COUNTER)
    assert (window.energy_mj.low, window.energy_mj.high) == (255_000_000, 345_000_000)
    assert (window.flags, window.gap_ms, window.duration_ms) == (frozenset(), 0, 600_000)


@pytest.mark.parametrize("after", [reading(600, 40_000_000), reading(600, 40_000_000, load="2")])
def test_a_counter_that_went_back_is_a_reset_with_or_without_a_new_load(after: Reading) -> None:
    window = one(reading(0, 900_000_000), after)
    assert window.flags == {Flag.RESET}
    # 40 kJ take at least 58 s at 700 W; the rest of ten minutes counts at idle.
    assert window.gap_ms == 600_000 - 57_143
    assert window.energy_mj.best == 40_000_000 + 70 * window.gap_ms
    assert (window.quality, window.energy_mj.low) == (Quality.ESTIMATED, 34_000_000)


@pytest.mark.parametrize("change", [{"load": "2"}, {"boot_id": "b"}])
def test_a_new_load_counts_from_zero_though_the_counter_is_higher(change: dict[str, str]) -> None:
    values = {"boot_id": "a", "driver_load_id": "1"} | {
        "driver_load_id" if key == "load" else key: value for key, value in change.items()
    }
    before = Reading(UUID, T0, 1_000, boot_id="a", driver_load_id="1")
    after = Reading(UUID, T0 + 600_000, 150_000_000, driver_uptime_ms=480_000, **values)
    window = one(before, after)
    assert (window.gap_ms, window.flags) == (120_000, {Flag.RESET})
    assert window.energy_mj.best == 150_000_000 + 70 * 120_000
    assert window.quality is Quality.COUNTER


def test_an_uptime_longer_than_the_window_is_not_believed_after_a_reset() -> None:
    before, after = reading(0, 900_000_000), reading(600, 0, driver_uptime_ms=DAY_MS)
    assert one(before, after).gap_ms == 600_000


def test_a_reset_inside_a_window_is_seen_though_the_counter_passed_its_old_value() -> None:
    readings = [reading(0, 1_000_000), reading(30, 50_000), reading(60, 20_050_000)]
    window = one(*readings)
    assert Flag.RESET in window.flags
    assert window.energy_mj.best >= 20_050_000


def test_power_over_the_limit_counts_as_the_limit() -> None:
    honest = one(reading(0, 0), reading(600, 462_000_000))
    assert (honest.flags, honest.energy_mj.best) == (frozenset(), 462_000_000)
    window = one(reading(0, 0), reading(600, 462_000_001))
    assert (window.flags, window.energy_mj.best) == ({Flag.OVER_LIMIT}, 420_000_000)
    assert (window.is_implausible, window.quality) == (True, Quality.ESTIMATED)
    assert window.energy_mj.high == 462_000_000


def test_power_under_half_of_idle_counts_as_idle() -> None:
    assert one(reading(0, 0), reading(600, 21_000_000)).flags == frozenset()
    window = one(reading(0, 0), reading(600, 20_999_999))
    assert (window.flags, window.energy_mj.best) == ({Flag.UNDER_IDLE}, 42_000_000)
    assert window.quality is Quality.ESTIMATED


def test_less_energy_than_the_proven_work_needs_counts_as_the_work() -> None:
    part = (reading(0, 0), reading(600, 100_000_000))
    assert one(*part, work_mj=100_000_000).flags == frozenset()
    window = one(*part, work_mj=200_000_000)
    assert (window.flags, window.energy_mj.best) == ({Flag.UNDER_WORK}, 200_000_000)
    assert one(*part, work_mj=2**62).energy_mj.best == 420_000_000


def test_a_gap_of_thirty_days_keeps_its_energy_but_has_no_hours() -> None:
    window = one(reading(0, 0), reading(30 * 86_400, 300 * 30 * 86_400 * 1000))
    assert window.energy_mj.best == 300 * 30 * 86_400 * 1000
    assert (window.flags, window.is_placed) == ({Flag.SPARSE}, False)
    off = one(reading(0, 9), reading(30 * 86_400, 0, load="2", driver_uptime_ms=0))
    assert off.energy_mj.best == 70 * 30 * DAY_MS
    assert (off.energy_mj.low, off.quality) == (0, Quality.ESTIMATED)


def test_an_hour_is_the_longest_window_that_is_not_sparse() -> None:
    def flags(end_s: int) -> frozenset[Flag]:
        return one(reading(0, 0), reading(end_s, end_s * 300_000)).flags

    assert (flags(3_600), flags(3_601)) == (frozenset(), {Flag.SPARSE})


def test_the_same_reading_twice_is_one() -> None:
    readings = [reading(0, 0), reading(60, 6_000_000), reading(60, 6_000_000)]
    assert counter_windows(readings, CARD) == counter_windows(readings[:2], CARD)
    assert counter_windows([readings[0]] * 2, CARD) == []


def test_windows_shorter_than_a_minute_are_joined_and_the_rest_waits() -> None:
    readings = [reading(at, at * 300_000) for at in (0, 20, 59, 70, 130, 189)]
    windows = counter_windows(reversed(readings), CARD)
    assert [(w.start_ms - T0, w.end_ms - T0) for w in windows] == [(0, 70_000), (70_000, 130_000)]
    assert sum(w.energy_mj.best for w in windows) == 130 * 300_000


@pytest.mark.parametrize(
    ("readings", "code"),
    [
        ([reading(0, 0), reading(0, 1)], "energy.conflict"),
        ([reading(0, 0), Reading("GPU-other", T0 + 60_000, 1)], "energy.other_gpu"),
        ([reading(0), reading(60, 1)], "energy.no_counter"),
        ([reading(0, 0), reading(60)], "energy.no_counter"),
    ],
)
def test_readings_that_contradict_each_other_are_refused(
    readings: list[Reading], code: str
) -> None:
    with pytest.raises(EnergyInputInvalid) as caught:
        counter_windows(readings, CARD)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (name, value)
        for name in ("at_ms", "energy_mj", "power_mw", "driver_uptime_ms")
        for value in (-1, 2**63, float("nan"), float("inf"), 1.5, "1", True)
    ]
    + [("gpu_uuid", value) for value in ("", "../etc", "GPU 1", "x" * 81, None)]
    + [("boot_id", None), ("driver_load_id", 7)],
)
def test_a_reading_that_no_sensor_gives_is_refused(name: str, value: object) -> None:
    with pytest.raises(EnergyInputInvalid):
        Reading(**({"gpu_uuid": UUID, "at_ms": T0} | {name: value}))  # type: ignore[arg-type]


def test_polled_power_is_integrated_and_never_counts_as_a_counter() -> None:
    readings = [reading(at, power_mw=p) for at, p in ((0, 100_000), (30, 300_000), (60, 500_000))]
    (window,) = polled_windows(readings, CARD)
    assert (window.energy_mj.best, window.quality) == (18_000_000, Quality.POLLED)
    assert window.energy_mj.high == 23_400_000
    (sparse,) = polled_windows([readings[0], reading(600, power_mw=100_000)], CARD)
    assert (sparse.flags, sparse.quality) == ({Flag.SPARSE}, Quality.ESTIMATED)
    (wild,) = polled_windows([reading(at, power_mw=10**9) for at in (0, 60)], CARD)
    assert (wild.flags, wild.energy_mj.best) == ({Flag.OVER_LIMIT}, 42_000_000)
    with pytest.raises(EnergyInputInvalid, match=r"energy\.no_power"):
        polled_windows([reading(0, 1), reading(60, 2)], CARD)


def test_without_sensors_utilisation_counts_and_at_least_idle() -> None:
    def best(bps: int) -> int:
        return estimated_window(
            UUID, T0, T0 + 60_000, utilisation_bps=bps, card=CARD
        ).energy_mj.best

    assert (best(0), best(5_000), best(10_000)) == (4_200_000, 21_000_000, 42_000_000)
    with pytest.raises(EnergyInputInvalid):
        best(10_001)
    for end in (T0 - 1, T0, T0 + 59_999):
        with pytest.raises(EnergyInputInvalid):
            estimated_window(UUID, T0, end, utilisation_bps=0, card=CARD)


claims_mj = st.integers(0, 2**63 - 1) | st.integers(0, 10**12)
loads = st.sampled_from(["", "1", "2"])


@given(cards, durations_ms, claims_mj, claims_mj, loads, loads, st.none() | durations_ms, claims_mj)
def test_no_claim_is_worth_more_than_the_card_can_draw_or_less_than_nothing(
    card: Card,
    duration_ms: int,
    before_mj: int,
    after_mj: int,
    before_load: str,
    after_load: str,
    uptime_ms: int | None,
    work_mj: int,
) -> None:
    window = one(
        Reading(UUID, T0, before_mj, driver_load_id=before_load),
        Reading(
            UUID,
            T0 + duration_ms,
            after_mj,
            driver_load_id=after_load,
            driver_uptime_ms=uptime_ms,
        ),
        card=card,
        work_mj=work_mj,
    )
    assert 0 <= window.energy_mj.best * 1000 * 10 <= card.limit_mw * duration_ms * 11
    assert 0 <= window.gap_ms <= duration_ms
    # Never better than a tenth: bounds are whole millijoules, so the last one may be missing.
    assert (window.energy_mj.high + 1) * 10 >= window.energy_mj.best * 11 - 10
    assert (window.energy_mj.low - 1) * 10 <= window.energy_mj.best * 9


@given(cards, st.lists(st.tuples(st.integers(60_000, 10**7), st.integers(0, 11_000)), min_size=2))
def test_splitting_a_window_without_a_reset_changes_no_sum(
    card: Card, steps: list[tuple[int, int]]
) -> None:
    readings = [Reading(UUID, T0, 0)]
    for step_ms, load_bps in steps:
        drawn_mw = max(card.idle_mw, card.limit_mw * load_bps // 10_000)
        last = readings[-1]
        counted_mj = (last.energy_mj or 0) + drawn_mw * step_ms // 1000
        readings.append(Reading(UUID, last.at_ms + step_ms, counted_mj))
    split = counter_windows(readings, card)
    assert len(split) == len(steps)
    assert not any(window.is_implausible for window in split)
    whole = one(readings[0], readings[-1], card=card)
    assert sum(window.energy_mj.best for window in split) == whole.energy_mj.best


@given(cards, durations_ms, st.data())
def test_a_plausible_counter_that_is_further_is_worth_more(
    card: Card, duration_ms: int, data: st.DataObject
) -> None:
    plausible = st.integers(card.least_mj(duration_ms), card.most_mj(duration_ms))
    less, more = sorted((data.draw(plausible), data.draw(plausible)))

    def energy(advance: int) -> tuple[int, int, int]:
        window = one(Reading(UUID, T0, 7), Reading(UUID, T0 + duration_ms, 7 + advance), card=card)
        return window.energy_mj.best, window.energy_mj.low, window.energy_mj.high

    assert energy(less)[0] == less
    assert all(a <= b for a, b in zip(energy(less), energy(more), strict=True))


@given(cards, st.lists(st.tuples(st.integers(1, 10**6), claims_mj, loads), max_size=30))
def test_a_total_never_falls_as_readings_come_in(
    card: Card, steps: list[tuple[int, int, str]]
) -> None:
    readings, totals, at_ms = [], [], T0
    for step_ms, energy_mj, load in steps:
        at_ms += step_ms
        readings.append(Reading(UUID, at_ms, energy_mj, driver_load_id=load))
        totals.append(sum(w.energy_mj.best for w in counter_windows(readings, card)))
    assert totals == sorted(totals)
