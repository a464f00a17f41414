"""What to offer for gas, and how much gas. Pure arithmetic in wei per gas (EIP-1559)."""

from dataclasses import dataclass

#: geth asks for a tenth more on both fields to replace a transaction, others for an eighth.
_BUMP_NUMERATOR, _BUMP_DENOMINATOR = 9, 8
#: An exact estimate fails when the next block's second needs a new checkpoint (ERC20Votes).
_GAS_HEADROOM = (3, 2)
#: Gas units of one transaction, at most (EIP-7825, Osaka): the headroom must not pass it.
_GAS_MAX = 2**24
#: A replacement never offers more than this many times what the network asks now.
_SUGGESTION_MAX = 5


@dataclass(frozen=True, slots=True)
class Fees:
    """Wei per gas."""

    max_fee_wei: int
    tip_wei: int


def fees_suggest(*, base_fee_wei: int, tip_wei: int, tip_floor_wei: int) -> Fees:
    """Twice the base fee and the median tip: it stays good through six full blocks."""
    tip = max(tip_wei, tip_floor_wei)
    return Fees(max_fee_wei=2 * base_fee_wei + tip, tip_wei=tip)


def fees_first(suggested: Fees, *, base_fee_wei: int, cap_wei: int) -> Fees | None:
    """Fees of a first attempt; None while even the base fee and tip exceed the cap."""
    if base_fee_wei + suggested.tip_wei > cap_wei:
        return None
    return Fees(min(suggested.max_fee_wei, cap_wei), suggested.tip_wei)


def fees_bump(old: Fees, suggested: Fees, *, cap_wei: int) -> Fees | None:
    """Fees that replace ``old``; None where that would exceed the cap."""
    tip = max(_raise(old.tip_wei), suggested.tip_wei)
    max_fee = max(_raise(old.max_fee_wei), suggested.max_fee_wei)
    least = _raise(old.max_fee_wei)
    limit = min(cap_wei, max(least, _SUGGESTION_MAX * suggested.max_fee_wei))
    if least > limit or _raise(old.tip_wei) > limit:
        return None
    return Fees(min(max_fee, limit), min(tip, limit))


def fees_outbid(offered: Fees, suggested: Fees, *, base_fee_wei: int) -> bool:
    """Whether a block builder would now rather take others: the base fee passes the offer, or
    leaves less for the builder than others leave."""
    return min(offered.tip_wei, offered.max_fee_wei - base_fee_wei) < suggested.tip_wei


def gas_limit_of(estimate: int, *, block_limit: int) -> int:
    """Gas units to allow a transaction: its estimate with headroom, as far as a transaction and a
    block may go. ``block_limit`` 0: not known."""
    roomy = estimate * _GAS_HEADROOM[0] // _GAS_HEADROOM[1]
    return max(estimate, min(roomy, _GAS_MAX, block_limit or roomy))


def _raise(fee_wei: int) -> int:
    return -(-fee_wei * _BUMP_NUMERATOR // _BUMP_DENOMINATOR)
