"""How much gas money a signer may spend per day, and how much it has.

A UTC day by the chain's clock, so that a server's wrong clock opens no second budget. What is in
flight counts with the most it may cost; what is mined, with what its receipt says.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Sum

from chain.formatting import amount_text
from chain.models import Signer, TxIntent
from chain.sender.build import TRANSFER_GAS


@dataclass(frozen=True, slots=True)
class Budget:
    """A signer's gas money of one day, in wei."""

    limit_wei: int
    spent_wei: int
    in_flight_wei: int

    @property
    def left_wei(self) -> int:
        return self.limit_wei - self.spent_wei - self.in_flight_wei

    def refusal(self, wanted_wei: int) -> str:
        """Why ``wanted_wei`` more must not be spent today; empty where it may."""
        if wanted_wei <= self.left_wei:
            return ""
        return (
            f"Today's gas budget of {eth(self.limit_wei)} does not allow it: {eth(self.spent_wei)} "
            f"spent, up to {eth(self.in_flight_wei)} in flight, up to {eth(wanted_wei)} wanted. It "
            "goes on at 00:00 UTC."
        )


def budget_of(signer: Signer, *, at: int) -> Budget:
    """The budget at block time ``at`` (Unix s)."""
    if signer.pk is None:  # a rehearsal with a key that never sent
        return Budget(signer.daily_gas_wei, 0, 0)
    day = datetime.fromtimestamp(at, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    mined = TxIntent.objects.filter(
        signer=signer, mined_at__gte=day, mined_at__lt=day + timedelta(days=1)
    )
    spent = mined.aggregate(total=Sum("spent_wei"))["total"] or 0
    return Budget(signer.daily_gas_wei, int(spent), in_flight_wei(signer))


def in_flight_wei(signer: Signer) -> int:
    """The most that a signer's unmined transactions may cost in gas, in wei."""
    rows = TxIntent.objects.filter(signer=signer, state__in=TxIntent.UNMINED_STATES)
    return sum(intent_cost_wei(row) for row in rows.prefetch_related("attempts"))


def intent_cost_wei(intent: TxIntent) -> int:
    """The most one signed intent may cost in gas: only one of its attempts can be mined."""
    gas = max(intent.gas_limit or 0, TRANSFER_GAS)
    return gas * max((attempt.max_fee_wei for attempt in intent.attempts.all()), default=0)


def eth(wei: int) -> str:
    """An amount of gas money for people."""
    return f"{amount_text(wei)} ETH"


def gwei(wei: int) -> str:
    """A gas price for people."""
    return f"{amount_text(wei, decimals=9, places=2)} gwei"
