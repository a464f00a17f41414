"""Whole numbers with a band: checked on the way in, rounded one way, added without loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: One basis point is a ten-thousandth.
BPS: Final = 10_000
#: What a signed 64-bit column holds; a claim above it is no measurement.
MOST: Final = 2**63 - 1
MJ_PER_KWH: Final = 3_600_000_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS


class EnergyInputInvalid(ValueError):
    """A value that no measurement can have. ``code`` is stable and dotted, for example
    ``energy.not_whole``; ``detail`` is one plain sentence."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


def whole(value: object, name: str, *, least: int = 0, most: int = MOST) -> int:
    """Return ``value`` if it is an integer within bounds.

    A float is refused, NaN and infinity with it, and so is a boolean.

    Raises:
        EnergyInputInvalid: ``energy.not_whole`` or ``energy.out_of_range``.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise EnergyInputInvalid("energy.not_whole", f"{name} must be a whole number.")
    if not least <= value <= most:
        raise EnergyInputInvalid(
            "energy.out_of_range", f"{name} must be between {least} and {most}."
        )
    return value


def nearest(numerator: int, denominator: int) -> int:
    """``numerator / denominator`` to the nearest whole number, a half upwards."""
    return (2 * numerator + denominator) // (2 * denominator)


def at_least(numerator: int, denominator: int) -> int:
    """``numerator / denominator`` rounded up."""
    return -(-numerator // denominator)


@dataclass(frozen=True, slots=True)
class Band:
    """A best estimate between two bounds, ``0 <= low <= best <= high``.

    The unit is in the name of whatever holds a band (``energy_mj``). Bands are multiplied bound by
    bound, the worst case, because errors of one node need not cancel.
    """

    best: int
    low: int
    high: int

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.best <= self.high:
            raise EnergyInputInvalid(
                "energy.band", f"A band needs 0 <= {self.low} <= {self.best} <= {self.high}."
            )

    def __add__(self, other: Band) -> Band:
        return Band(self.best + other.best, self.low + other.low, self.high + other.high)

    def times(self, other: Band, denominator: int) -> Band:
        """The product, divided; the bounds are rounded outwards."""
        return Band(
            nearest(self.best * other.best, denominator),
            self.low * other.low // denominator,
            at_least(self.high * other.high, denominator),
        )

    def scaled(self, numerator: int, denominator: int) -> Band:
        """This band times an exact fraction."""
        return self.times(exactly(numerator), denominator)


def exactly(value: int) -> Band:
    """A band without width, for what is counted and not measured."""
    return Band(value, value, value)


def give_or_take(best: int, uncertainty_bps: int) -> Band:
    """``best`` plus and minus a share of itself in basis points, rounded outwards."""
    return Band(
        best,
        best * max(BPS - uncertainty_bps, 0) // BPS,
        at_least(best * (BPS + uncertainty_bps), BPS),
    )


ZERO: Final = exactly(0)
