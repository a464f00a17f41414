"""Arithmetic of the parameter registry. Knows no Django and no chain.

The contract (``contracts/parameters/``) decides; these functions repeat its
arithmetic so that pages can say beforehand what it will decide, and the
projectors' tests compare the two.
"""

from typing import TypeVar

BASIS_POINTS = 10_000

Value = TypeVar("Value", int, bytes, str)


def stricter(direction: str, voted: Value, tightened: Value) -> Value:
    """Return the stricter of two values in a key's tighten direction (``up`` or ``down``).

    Equal lengths of big-endian bytes compare like the numbers they hold.
    """
    if direction == "up":
        return max(voted, tightened)
    return min(voted, tightened)


def allowed_change(*, current: int, max_abs: int, max_rel_bps: int, step: int) -> int:
    """Return how far one change may move a value.

    That is ``max(max_abs, ceil(current * max_rel_bps / 10000), step)``.
    """
    relative = -(-current * max_rel_bps // BASIS_POINTS)
    return max(max_abs, relative, step)


def allowed_range(
    *, current: int, low: int, high: int, max_abs: int, max_rel_bps: int, step: int
) -> tuple[int, int]:
    """Return the least and the greatest value that one change may set, both on step.

    The contract's ``allowedRange`` gives the range before steps; a value must also
    satisfy ``(value - low) % step == 0``, so the ends are moved inwards to the grid.
    """
    change = allowed_change(current=current, max_abs=max_abs, max_rel_bps=max_rel_bps, step=step)
    lowest, highest = max(low, current - change), min(high, current + change)
    if step:
        lowest = low + -(-(lowest - low) // step) * step
        highest = low + (highest - low) // step * step
    return lowest, highest
