"""What a payment means for the treasury, in plain integers. Knows no Django.

All amounts are in the asset's smallest unit (wei for ETH), all times in
seconds of the chain's clock, all shares in basis points (1/100 of a percent),
rounded half up: a page must never show "0 %" for what is really 0.6 %.
"""

from collections.abc import Iterable
from dataclasses import dataclass

BASIS_POINTS = 10_000
#: The window over which the treasury's rules and pages add up what left it.
OUTFLOW_WINDOW_S = 30 * 24 * 60 * 60


class PolicyError(ValueError):
    """A figure that no treasury can have. ``code`` is for machines."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Flow:
    """One movement: ``amount_wei`` left (or reached) the treasury at ``at_s``."""

    amount_wei: int
    at_s: int


@dataclass(frozen=True, slots=True)
class OutflowImpact:
    """What one more payment does to the balance and to the 30-day outflow.

    ``share_bp`` is None when the treasury holds nothing of the asset, because a
    share of nothing is not a number; ``covered`` says whether it can be paid.
    """

    amount_wei: int
    balance_wei: int
    share_bp: int | None
    outflow_before_wei: int
    outflow_after_wei: int
    outflow_before_bp: int | None
    outflow_after_bp: int | None
    covered: bool


def share_bp(amount_wei: int, total_wei: int) -> int | None:
    """Return ``amount_wei`` as basis points of ``total_wei``; None when the total is zero.

    Raises:
        PolicyError: ``amount_negative`` or ``total_negative``.
    """
    if amount_wei < 0:
        raise PolicyError("amount_negative", f"An amount cannot be {amount_wei}.")
    if total_wei < 0:
        raise PolicyError("total_negative", f"A balance cannot be {total_wei}.")
    if total_wei == 0:
        return None
    return (2 * amount_wei * BASIS_POINTS + total_wei) // (2 * total_wei)


def outflow_in_window(
    outflows: Iterable[Flow], *, now_s: int, window_s: int = OUTFLOW_WINDOW_S
) -> int:
    """Add up what left in ``(now_s - window_s, now_s]``, in the smallest unit."""
    start_s = now_s - window_s
    return sum(flow.amount_wei for flow in outflows if start_s < flow.at_s <= now_s)


def outflow_impact(*, amount_wei: int, balance_wei: int, outflow_wei: int) -> OutflowImpact:
    """Say what paying ``amount_wei`` now would mean.

    The base of the 30-day shares is what the treasury held before the window's
    payments (balance plus outflow), so that the share never passes 100 %
    only because the earlier payments shrank the balance.

    Raises:
        PolicyError: a negative amount or balance.
    """
    base_wei = balance_wei + outflow_wei
    return OutflowImpact(
        amount_wei=amount_wei,
        balance_wei=balance_wei,
        share_bp=share_bp(amount_wei, balance_wei),
        outflow_before_wei=outflow_wei,
        outflow_after_wei=outflow_wei + amount_wei,
        outflow_before_bp=share_bp(outflow_wei, base_wei),
        outflow_after_bp=share_bp(outflow_wei + amount_wei, base_wei),
        covered=amount_wei <= balance_wei,
    )
