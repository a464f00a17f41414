"""Energy by the hour. An hour without data is a gap and never a zero."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from network.energy.counters import Window
from network.energy.quantities import HOUR_MS, ZERO, Band, EnergyInputInvalid, whole

#: A year and a day of hours: more is no chart.
HOURS_MOST: Final = 367 * 24


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour from ``start_ms`` on. ``energy_mj`` is None where nothing is known of it;
    ``covered_ms`` are the GPU-milliseconds that the energy stands for."""

    start_ms: int
    energy_mj: Band | None
    covered_ms: int


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours in order, and the energy of windows too long to say in which hours it was drawn."""

    hours: tuple[Hour, ...]
    unplaced_mj: Band
    unplaced_ms: int


def hours_of(windows: Iterable[Window], *, start_ms: int, end_ms: int) -> Hours:
    """Spread windows over the hours (UTC) from ``start_ms`` to ``end_ms``, both whole hours.

    A window that crosses an hour is cut in proportion to time. What lies outside is left out; the
    windows may be those of several GPUs. The best estimates add up to those of the windows.

    Raises:
        EnergyInputInvalid: ``energy.range`` for bounds that are no whole hours, or too many.
    """
    count, rest = divmod(whole(end_ms, "end_ms") - whole(start_ms, "start_ms"), HOUR_MS)
    if start_ms % HOUR_MS or rest or not 0 < count <= HOURS_MOST:
        raise EnergyInputInvalid("energy.range", f"Ask for 1 to {HOURS_MOST} whole hours.")
    energy: dict[int, Band] = {}
    covered: dict[int, int] = {}
    unplaced_mj, unplaced_ms = ZERO, 0
    for window in windows:
        if not window.is_placed:
            if window.start_ms < end_ms and window.end_ms > start_ms:
                unplaced_mj += window.energy_mj
                unplaced_ms += window.duration_ms
            continue
        for hour_ms, part_mj, part_ms in parts_of(window):
            energy[hour_ms] = energy.get(hour_ms, ZERO) + part_mj
            covered[hour_ms] = covered.get(hour_ms, 0) + part_ms
    starts = range(start_ms, end_ms, HOUR_MS)
    hours = tuple(Hour(at, energy.get(at), covered.get(at, 0)) for at in starts)
    return Hours(hours, unplaced_mj, unplaced_ms)


def parts_of(window: Window) -> Iterator[tuple[int, Band, int]]:
    """Cut a window at whole hours (UTC): each part's hour, energy (mJ) and time, in ms."""
    from_ms = window.start_ms
    while from_ms < window.end_ms:
        hour_ms = from_ms - from_ms % HOUR_MS
        to_ms = min(window.end_ms, hour_ms + HOUR_MS)
        yield hour_ms, _between(window, from_ms, to_ms), to_ms - from_ms
        from_ms = to_ms


def _between(window: Window, from_ms: int, to_ms: int) -> Band:
    """The energy of a part: the difference of two rounded totals, so that parts add up."""

    def part(total_mj: int) -> int:
        before = total_mj * (from_ms - window.start_ms) // window.duration_ms
        return total_mj * (to_ms - window.start_ms) // window.duration_ms - before

    best, energy = part(window.energy_mj.best), window.energy_mj
    return Band(best, min(part(energy.low), best), max(part(energy.high), best))
