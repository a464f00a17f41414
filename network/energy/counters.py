"""Joules from readings: energy counters with resets, polled power, and nothing at all.

NVML's counter (``nvmlDeviceGetTotalEnergyConsumption``) counts millijoules since the driver was
last loaded, so it starts again with every load. Everything here is the node's claim; the bounds of
:class:`~network.energy.power.Card` catch what no card can do, not what is merely untrue.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final

from network.energy.power import UNCERTAINTY_BPS, Card, Quality
from network.energy.quantities import (
    BPS,
    HOUR_MS,
    Band,
    EnergyInputInvalid,
    at_least,
    give_or_take,
    nearest,
    whole,
)

#: Below this the counter's own update period and the sensor's averaging decide the figure.
WINDOW_LEAST_MS: Final = 60_000
#: A window longer than this has an energy, but nobody can say in which hour it was drawn.
WINDOW_PLACED_MS: Final = HOUR_MS
#: Polls further apart than this say nothing about the time between them.
POLL_MOST_MS: Final = 60_000
#: A boot id is a UUID of 36 characters.
LOAD_ID_CHARS: Final = 80
_UUID: Final = re.compile(r"[A-Za-z0-9-]{1,80}")


class Flag(StrEnum):
    """What is remarkable about a window; the values are stable codes."""

    RESET = "energy.reset"
    OVER_LIMIT = "energy.over_limit"
    UNDER_IDLE = "energy.under_idle"
    UNDER_WORK = "energy.under_work"
    SPARSE = "energy.sparse"


IMPLAUSIBLE: Final = frozenset({Flag.OVER_LIMIT, Flag.UNDER_IDLE, Flag.UNDER_WORK})


@dataclass(frozen=True, slots=True)
class Reading:
    """One GPU's sensors at one time (Unix milliseconds).

    ``boot_id`` and ``driver_load_id`` name the load that the counter belongs to; empty where the
    node cannot say. ``driver_uptime_ms`` is how long that load had lasted.

    Raises EnergyInputInvalid for a value that no sensor can give.
    """

    gpu_uuid: str
    at_ms: int
    energy_mj: int | None = None
    power_mw: int | None = None
    boot_id: str = ""
    driver_load_id: str = ""
    driver_uptime_ms: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.gpu_uuid, str) or not _UUID.fullmatch(self.gpu_uuid):
            raise EnergyInputInvalid("energy.uuid", "The GPU's UUID is none.")
        for name in ("boot_id", "driver_load_id"):
            value = getattr(self, name)
            if not isinstance(value, str) or len(value) > LOAD_ID_CHARS or "\0" in value:
                raise EnergyInputInvalid(
                    "energy.load_id", f"{name} must be text of {LOAD_ID_CHARS} characters at most."
                )
        whole(self.at_ms, "at_ms")
        for name in ("energy_mj", "power_mw", "driver_uptime_ms"):
            if (number := getattr(self, name)) is not None:
                whole(number, name)

    @property
    def load(self) -> tuple[str, str]:
        """The load of the driver that the counter belongs to."""
        return self.boot_id, self.driver_load_id


@dataclass(frozen=True, slots=True)
class Window:
    """The energy of one GPU between two readings. ``gap_ms`` is the part of the time for which
    there is no reading and the idle draw stands in."""

    gpu_uuid: str
    start_ms: int
    end_ms: int
    energy_mj: Band
    quality: Quality
    gap_ms: int = 0
    flags: frozenset[Flag] = frozenset()

    @property
    def duration_ms(self) -> int:
        """The length of the window."""
        return self.end_ms - self.start_ms

    @property
    def is_implausible(self) -> bool:
        """Whether the claim was one that no card can fulfil and an estimate stands in for it."""
        return bool(self.flags & IMPLAUSIBLE)

    @property
    def is_placed(self) -> bool:
        """Whether it is short enough to say in which hours its energy was drawn."""
        return self.duration_ms <= WINDOW_PLACED_MS


def counter_windows(
    readings: Iterable[Reading],
    card: Card,
    *,
    quality: Quality = Quality.COUNTER,
    work_mj: int = 0,
) -> list[Window]:
    """Windows of at least 60 s between the readings of one GPU's counter, oldest first.

    ``quality`` is METER for a signed external meter, whose reading counts up in the same way.
    ``work_mj`` is the least that work proven to be done in each window needs; 0 where none was
    proven. Readings after the last whole window belong to the next call.

    Raises:
        EnergyInputInvalid: ``energy.no_counter``, ``energy.other_gpu`` or ``energy.conflict``.
    """
    windows = []
    for part in _parts(readings):
        steps = [_step(before, after, card) for before, after in pairwise(part)]
        counted_mj, gap_ms = sum(step.counted_mj for step in steps), sum(s.gap_ms for s in steps)
        windows.append(
            _window(
                part,
                counted_mj,
                card,
                quality,
                gap_ms=gap_ms,
                work_mj=work_mj,
                flags={Flag.RESET} if any(step.is_reset for step in steps) else set(),
            )
        )
    return windows


def polled_windows(readings: Iterable[Reading], card: Card) -> list[Window]:
    """Windows of at least 60 s from polled power, by the trapezoidal rule.

    Polls more than a minute apart make the window an estimate (quality D, ``energy.sparse``).

    Raises:
        EnergyInputInvalid: ``energy.no_power``, ``energy.other_gpu`` or ``energy.conflict``.
    """
    windows = []
    for part in _parts(readings):
        doubled_uj, is_sparse = 0, False
        for before, after in pairwise(part):
            step_ms = after.at_ms - before.at_ms
            doubled_uj += (_power_mw(before) + _power_mw(after)) * step_ms
            is_sparse = is_sparse or step_ms > POLL_MOST_MS
        quality = Quality.ESTIMATED if is_sparse else Quality.POLLED
        flags = {Flag.SPARSE} if is_sparse else set()
        windows.append(_window(part, nearest(doubled_uj, 2000), card, quality, flags=flags))
    return windows


def estimated_window(
    gpu_uuid: str, start_ms: int, end_ms: int, *, utilisation_bps: int, card: Card
) -> Window:
    """A window for a card without sensors: limit x utilisation, at least idle (quality D)."""
    duration_ms = whole(end_ms, "end_ms") - whole(start_ms, "start_ms")
    whole(duration_ms, "the window", least=WINDOW_LEAST_MS)
    used_bps = whole(utilisation_bps, "utilisation", most=BPS)
    best_mj = max(card.idle_mj(duration_ms), card.limit_mj(duration_ms) * used_bps // BPS)
    band = give_or_take(best_mj, UNCERTAINTY_BPS[Quality.ESTIMATED])
    return Window(gpu_uuid, start_ms, end_ms, band, Quality.ESTIMATED)


@dataclass(frozen=True, slots=True)
class _Step:
    """What the counter says between two neighbouring readings."""

    counted_mj: int
    gap_ms: int
    is_reset: bool


def _parts(readings: Iterable[Reading]) -> list[list[Reading]]:
    """Cut readings at the first one that is a whole window after the last cut."""
    parts: list[list[Reading]] = []
    part: list[Reading] = []
    for reading in _in_order(readings):
        part.append(reading)
        if reading.at_ms - part[0].at_ms >= WINDOW_LEAST_MS:
            parts.append(part)
            part = [reading]
    return parts


def _in_order(readings: Iterable[Reading]) -> list[Reading]:
    """By time. The same reading twice is one reading; two at one time contradict each other."""
    ordered: list[Reading] = []
    for reading in sorted(readings, key=lambda each: each.at_ms):
        if ordered and reading.gpu_uuid != ordered[0].gpu_uuid:
            raise EnergyInputInvalid("energy.other_gpu", "These are readings of several GPUs.")
        if ordered and reading == ordered[-1]:
            continue
        if ordered and reading.at_ms == ordered[-1].at_ms:
            raise EnergyInputInvalid(
                "energy.conflict", "Two readings of one GPU at one time differ."
            )
        ordered.append(reading)
    return ordered


def _step(before: Reading, after: Reading, card: Card) -> _Step:
    if before.energy_mj is None or after.energy_mj is None:
        raise EnergyInputInvalid("energy.no_counter", "A reading has no energy counter.")
    advance_mj = after.energy_mj - before.energy_mj
    if advance_mj >= 0 and before.load == after.load:
        return _Step(advance_mj, 0, is_reset=False)
    step_ms = after.at_ms - before.at_ms
    return _Step(after.energy_mj, step_ms - _counted_ms(after, step_ms, card), is_reset=True)


def _counted_ms(after: Reading, step_ms: int, card: Card) -> int:
    """How much of a step with a reset the new count covers.

    As long as the driver says it was loaded. Where it does not say, or says longer than the step,
    as short as the card could have counted that much: the longest gap, so the most idle energy.
    """
    if after.driver_uptime_ms is not None and after.driver_uptime_ms <= step_ms:
        return after.driver_uptime_ms
    return min(step_ms, at_least((after.energy_mj or 0) * 1000, card.limit_mw))


def _power_mw(reading: Reading) -> int:
    if reading.power_mw is None:
        raise EnergyInputInvalid("energy.no_power", "A reading has no power.")
    return reading.power_mw


def _window(
    part: Sequence[Reading],
    claimed_mj: int,
    card: Card,
    quality: Quality,
    *,
    flags: set[Flag],
    gap_ms: int = 0,
    work_mj: int = 0,
) -> Window:
    start_ms, end_ms = part[0].at_ms, part[-1].at_ms
    duration_ms = end_ms - start_ms
    covered_ms = duration_ms - gap_ms
    flags = flags | _implausible(claimed_mj, covered_ms, card, work_mj)
    if duration_ms > WINDOW_PLACED_MS:
        flags.add(Flag.SPARSE)
    is_estimate = bool(flags & IMPLAUSIBLE)
    if is_estimate:
        energy_mj = _stand_in_mj(flags, covered_ms, card, work_mj)
    else:
        energy_mj = give_or_take(claimed_mj, UNCERTAINTY_BPS[quality])
    # The card may have been off in the gap, and it may have worked.
    energy_mj += Band(card.idle_mj(gap_ms), 0, card.most_mj(gap_ms))
    if is_estimate or 2 * gap_ms > duration_ms:
        quality = Quality.ESTIMATED
    return Window(part[0].gpu_uuid, start_ms, end_ms, energy_mj, quality, gap_ms, frozenset(flags))


def _implausible(claimed_mj: int, covered_ms: int, card: Card, work_mj: int) -> set[Flag]:
    if claimed_mj > card.most_mj(covered_ms):
        return {Flag.OVER_LIMIT}
    flags = set()
    if claimed_mj < card.least_mj(covered_ms):
        flags.add(Flag.UNDER_IDLE)
    if claimed_mj < whole(work_mj, "work_mj"):
        flags.add(Flag.UNDER_WORK)
    return flags


def _stand_in_mj(flags: set[Flag], covered_ms: int, card: Card, work_mj: int) -> Band:
    """What counts instead of an impossible claim: anything from the least to the most possible."""
    limit_mj = card.limit_mj(covered_ms)
    best_mj = max(card.idle_mj(covered_ms), min(work_mj, limit_mj))
    if Flag.OVER_LIMIT in flags:
        best_mj = limit_mj
    return Band(best_mj, card.least_mj(covered_ms), card.most_mj(covered_ms))
