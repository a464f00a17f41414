"""How long an answer may take: a table of measured times per class and size, and two allowances.

A time that nobody has measured is no deadline. For such a class the round is played and recorded
and says ``compute.uncalibrated``; it proves the arithmetic and not the speed.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any, Final

from .params import Params

#: Fewer samples have no 99th percentile.
MIN_SAMPLES: Final = 100
#: The class of the software backend. Its time is assigned, because no hardware stands behind it.
EMULATED_CLASS: Final = "emulated"
#: What is left for reading stored rows and sending the first byte.
OPEN_ALLOWANCE_MS: Final = 200
#: 100 Mbit/s: the slowest uplink on which a node can answer in time.
UPLINK_BYTES_PER_MS: Final = 12_500
#: The node has a hand in the round-trip time that is measured with it, so it buys no more.
MAX_RTT_MS: Final = 500
_BPS: Final = 10_000
_COLUMNS: Final = ("class", "n", "T", "p99_ms", "samples", "calibrated_at")


class Basis(StrEnum):
    """Where a deadline comes from. Only MEASURED says anything about a GPU's speed."""

    MEASURED = "measured"
    ASSIGNED = "assigned"
    UNCALIBRATED = "uncalibrated"


@dataclass(frozen=True, slots=True)
class Deadline:
    """Limits in milliseconds of the service's clock. ``commit_ms`` is from begin to commitment,
    None when uncalibrated; ``open_ms`` from the drawing of the rows to the opening."""

    commit_ms: int | None
    open_ms: int
    basis: Basis

    def as_json(self) -> dict[str, Any]:
        return {"commit_ms": self.commit_ms, "open_ms": self.open_ms, "basis": self.basis.value}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Deadline:
        return cls(data["commit_ms"], int(data["open_ms"]), Basis(data["basis"]))


@dataclass(frozen=True, slots=True)
class _Calibration:
    p99_ms: int
    basis: Basis


class DeadlineTable:
    """Times by (class, n, rounds). Raises ValueError for a table that claims what it cannot."""

    def __init__(self, rows: Iterable[Mapping[str, str]]) -> None:
        self._times: dict[tuple[str, int, int], _Calibration | None] = {}
        for row in rows:
            if tuple(row) != _COLUMNS:
                raise ValueError(f"the columns are {', '.join(_COLUMNS)}")
            key = (row["class"], int(row["n"]), int(row["T"]))
            if key in self._times:
                raise ValueError(f"{key} stands twice in the table")
            self._times[key] = _calibration(row)

    def deadline(
        self, gpu_class: str, params: Params, *, margin_bps: int, rtt_ms: int, gpus: int = 1
    ) -> Deadline:
        """The limits of one challenge. ``margin_bps`` is ``attest.challenge_deadline``, in basis
        points of the class's 99th percentile; ``rtt_ms`` is the service's own measurement;
        ``gpus`` are those of the node, whose openings share one uplink."""
        rtt = min(max(rtt_ms, 0), MAX_RTT_MS)
        open_ms = OPEN_ALLOWANCE_MS + rtt + -(-gpus * params.opening_bytes // UPLINK_BYTES_PER_MS)
        found = self._times.get((gpu_class, params.n, params.rounds))
        if found is None:
            return Deadline(None, open_ms, Basis.UNCALIBRATED)
        if found.basis is Basis.ASSIGNED:
            # Software on a busy machine: its rows may take as long as its product.
            open_ms += found.p99_ms
        return Deadline(found.p99_ms * margin_bps // _BPS + rtt, open_ms, found.basis)

    def sizes(self, gpu_class: str) -> tuple[tuple[int, int], ...]:
        """The (n, rounds) that the table names for a class, ascending; none for a class that is
        not challenged."""
        return tuple(sorted((n, rounds) for name, n, rounds in self._times if name == gpu_class))

    @property
    def classes(self) -> frozenset[str]:
        """The classes that are challenged."""
        return frozenset(name for name, _, _ in self._times)

    def __len__(self) -> int:
        return len(self._times)


@cache
def packaged_table() -> DeadlineTable:
    """The table that comes with the package."""
    text = files(__package__).joinpath("deadlines.csv").read_text(encoding="utf-8")
    return DeadlineTable(csv.DictReader(text.splitlines()))


def _calibration(row: Mapping[str, str]) -> _Calibration | None:
    """One row's time. A class of hardware needs samples; only the emulated one may do without."""
    name, samples = row["class"], int(row["samples"])
    if row["calibrated_at"] == Basis.UNCALIBRATED:
        if row["p99_ms"] or samples:
            raise ValueError(f"{name} is uncalibrated and yet has figures")
        return None
    if name == EMULATED_CLASS:
        return _Calibration(_positive(row["p99_ms"]), Basis.ASSIGNED)
    if samples < MIN_SAMPLES:
        raise ValueError(f"{name} has {samples} samples; a percentile needs {MIN_SAMPLES}")
    return _Calibration(_positive(row["p99_ms"]), Basis.MEASURED)


def _positive(text: str) -> int:
    value = int(text)
    if value <= 0:
        raise ValueError("a time is positive")
    return value
