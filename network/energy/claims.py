"""Readings out of a node's report: every GPU is judged alone, and a bad one says why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from network.energy.counters import Reading
from network.energy.quantities import EnergyInputInvalid

_OPTIONAL: Final = ("energy_mj", "power_mw", "boot_id", "driver_load_id", "driver_uptime_ms")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A GPU whose claim is not used: its place in the report, and why."""

    index: int
    code: str
    detail: str


def readings_of(
    gpus: Sequence[Mapping[str, Any]], *, now_ms: int, skew_ms: int, max_age_ms: int, max_gpus: int
) -> tuple[list[Reading], list[Refusal]]:
    """Read the claims of one report, one mapping per GPU.

    Each has ``uuid`` and ``sampled_at_ms`` and may have ``energy_mj``, ``power_mw``, ``boot_id``,
    ``driver_load_id`` and ``driver_uptime_ms``. ``skew_ms`` is how far ahead a node's clock may be
    (``attest.clock_skew``), ``max_age_ms`` how long ago a reading may have been taken: no longer
    than the report's challenge lives (``attest.nonce_ttl``), or a first reading of long ago would
    claim years of energy. ``max_gpus`` is how many GPUs the node may claim for.

    Raises:
        EnergyInputInvalid: ``energy.too_many_gpus``, before anything is read.
    """
    if len(gpus) > max_gpus:
        raise EnergyInputInvalid(
            "energy.too_many_gpus", f"A report may name at most {max_gpus} GPUs."
        )
    readings: list[Reading] = []
    refusals: list[Refusal] = []
    # A UUID is hexadecimal, so its case tells no two cards apart.
    seen = Counter(str(gpu.get("uuid")).casefold() for gpu in gpus if isinstance(gpu, Mapping))
    for index, gpu in enumerate(gpus):
        try:
            reading = _reading(gpu, seen)
            _time_check(reading, now_ms - max_age_ms - skew_ms, now_ms + skew_ms)
            readings.append(reading)
        except EnergyInputInvalid as error:
            refusals.append(Refusal(index, error.code, error.detail))
    return readings, refusals


def _reading(gpu: Mapping[str, Any], seen: Counter[str]) -> Reading:
    if not isinstance(gpu, Mapping):
        raise EnergyInputInvalid("energy.claim", "A GPU's claims must be an object.")
    reading = Reading(
        gpu_uuid=gpu.get("uuid", ""),
        at_ms=gpu.get("sampled_at_ms", -1),
        **{name: gpu[name] for name in _OPTIONAL if gpu.get(name) is not None},
    )
    if seen[reading.gpu_uuid.casefold()] > 1:
        # Neither can be believed: one of the two would be counted for the other's card.
        raise EnergyInputInvalid("energy.duplicate_gpu", "Two GPUs of the report have this UUID.")
    return reading


def _time_check(reading: Reading, earliest_ms: int, latest_ms: int) -> None:
    if reading.at_ms > latest_ms:
        raise EnergyInputInvalid("energy.future", "The reading is from the future.")
    if reading.at_ms < earliest_ms:
        raise EnergyInputInvalid("energy.old", "The reading is older than the report's challenge.")
