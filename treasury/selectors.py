"""Read the treasury's tables. Nothing here writes.

Amounts are integers in the asset's smallest unit; times are aware datetimes.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Case, F, Q, Sum, When
from django.db.models.functions import TruncMonth

from treasury.assets import ASSETS
from treasury.models import Asset, Balance, Transfer, TransferDirection
from treasury.policy import OUTFLOW_WINDOW_S, OutflowImpact, outflow_impact


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The balance read at ``block_number`` beside the sum of the logged transfers up to it.

    ``state`` is ``ok`` (equal), ``unlogged`` (more of the chain's own coin than
    was logged: plain payments to the treasury leave no log) or ``mismatch``.
    ``difference_wei`` is balance minus sum.
    """

    asset: Asset
    balance_wei: int
    logged_wei: int
    difference_wei: int
    block_number: int
    state: str
    inflow_30d_wei: int
    outflow_30d_wei: int


@dataclass(frozen=True, slots=True)
class MonthFlow:
    """What came in and what left in one calendar month (UTC)."""

    month: datetime
    inflow_wei: int
    outflow_wei: int


def _sum(condition: Q, column: str = "amount_wei") -> Sum:
    return Sum(Case(When(condition, then=F(column))))


def balances_reconciled(*, now: datetime) -> list[Reconciliation]:
    """Return every asset whose balance was read, reconciled, in the list's order. One query."""
    moved, amount = "asset__transfers__", "asset__transfers__amount_wei"
    upto = Q(**{f"{moved}block_number__lte": F("block_number")})
    recent = Q(**{f"{moved}transferred_at__gt": now - timedelta(seconds=OUTFLOW_WINDOW_S)})
    came_in = Q(**{f"{moved}direction": TransferDirection.IN})
    went_out = Q(**{f"{moved}direction": TransferDirection.OUT})
    balances = Balance.objects.select_related("asset").annotate(
        total_in=_sum(came_in & upto, amount),
        total_out=_sum(went_out & upto, amount),
        recent_in=_sum(came_in & recent, amount),
        recent_out=_sum(went_out & recent, amount),
    )
    found = {row.asset_id: _reconcile(row) for row in balances}
    return [found[spec.code] for spec in ASSETS if spec.code in found]


def _reconcile(balance: Any) -> Reconciliation:
    """Judge a balance annotated with the sums of its transfers (None: there are none)."""
    logged_wei = int(balance.total_in or 0) - int(balance.total_out or 0)
    difference_wei = balance.amount_wei - logged_wei
    if difference_wei == 0:
        state = "ok"
    elif difference_wei > 0 and balance.asset.address is None:
        state = "unlogged"
    else:
        state = "mismatch"
    return Reconciliation(
        asset=balance.asset,
        balance_wei=balance.amount_wei,
        logged_wei=logged_wei,
        difference_wei=difference_wei,
        block_number=balance.block_number,
        state=state,
        inflow_30d_wei=int(balance.recent_in or 0),
        outflow_30d_wei=int(balance.recent_out or 0),
    )


def payment_impact(*, asset_code: str, amount_wei: int, now: datetime) -> OutflowImpact | None:
    """Say what a payment would mean today; None while the balance is unread."""
    for row in balances_reconciled(now=now):
        if row.asset.code == asset_code:
            return outflow_impact(
                amount_wei=amount_wei,
                balance_wei=row.balance_wei,
                outflow_wei=row.outflow_30d_wei,
            )
    return None


def flows_by_month(*, now: datetime, months: int = 12) -> dict[str, list[MonthFlow]]:
    """Return a row a month for each asset with transfers, oldest first. One query."""
    first = _month_before(now, months - 1)
    found: dict[str, dict[datetime, MonthFlow]] = defaultdict(dict)
    rows = (
        Transfer.objects.filter(transferred_at__gte=first)
        .order_by()
        .annotate(month=TruncMonth("transferred_at"))
        .values("asset_id", "month")
        .annotate(
            came_in=_sum(Q(direction=TransferDirection.IN)),
            went_out=_sum(Q(direction=TransferDirection.OUT)),
        )
    )
    for row in rows:
        found[row["asset_id"]][row["month"]] = MonthFlow(
            row["month"], int(row["came_in"] or 0), int(row["went_out"] or 0)
        )
    calendar = [_month_before(now, back) for back in range(months - 1, -1, -1)]
    return {
        code: [by_month.get(month, MonthFlow(month, 0, 0)) for month in calendar]
        for code, by_month in found.items()
    }


def _month_before(now: datetime, back: int) -> datetime:
    year, month = divmod(now.year * 12 + now.month - 1 - back, 12)
    return now.replace(year=year, month=month + 1, day=1, hour=0, minute=0, second=0, microsecond=0)
