"""Read the treasury's tables. Nothing here writes.

Amounts are integers in the asset's smallest unit; times are aware datetimes.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

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


def _sum(amount: Q) -> Sum:
    return Sum(Case(When(amount, then=F("amount_wei"))))


def balances_reconciled(*, now: datetime) -> list[Reconciliation]:
    """Return every asset whose balance was read, each reconciled, in the list's order. 2 queries."""
    balances = {row.asset_id: row for row in Balance.objects.select_related("asset")}
    upto = Q()
    for code, row in balances.items():
        upto |= Q(asset_id=code, block_number__lte=row.block_number)
    recent = Q(transferred_at__gt=now - timedelta(seconds=OUTFLOW_WINDOW_S))
    came_in, went_out = Q(direction=TransferDirection.IN), Q(direction=TransferDirection.OUT)
    sums = {
        row["asset_id"]: row
        for row in Transfer.objects.filter(upto)
        .order_by()
        .values("asset_id")
        .annotate(
            total_in=_sum(came_in),
            total_out=_sum(went_out),
            recent_in=_sum(came_in & recent),
            recent_out=_sum(went_out & recent),
        )
    }
    return [
        _reconcile(balances[spec.code], sums.get(spec.code, {}))
        for spec in ASSETS
        if spec.code in balances
    ]


def _reconcile(balance: Balance, sums: dict[str, int | None]) -> Reconciliation:
    logged_wei = int(sums.get("total_in") or 0) - int(sums.get("total_out") or 0)
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
        inflow_30d_wei=int(sums.get("recent_in") or 0),
        outflow_30d_wei=int(sums.get("recent_out") or 0),
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
    """Return one row a month for each asset with transfers, oldest first, gaps as zeros. 1 query."""
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
