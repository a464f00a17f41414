"""The treasury's page: what it holds, what moved, and whether the two agree."""

from dataclasses import dataclass
from datetime import UTC, datetime

from django import forms
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from chain.clock import now_s
from chain.contracts import DeploymentInvalid
from chain.formatting import amount_text
from chain.paging import keyset_page
from chain.status import freshness
from treasury.assets import ASSETS
from treasury.models import Transfer, TransferDirection
from treasury.projections import treasury_address
from treasury.selectors import MonthFlow, balances_reconciled, flows_by_month

PAGE_SIZE = 25
MONTHS = 12
#: The chart's view box: each month is so wide, and each half so high.
MONTH_WIDTH, HALF_HEIGHT = 40, 50


class TransferFilter(forms.Form):
    """What the list of transfers can be asked."""

    asset = forms.ChoiceField(required=False, choices=[(spec.code, spec.code) for spec in ASSETS])
    direction = forms.ChoiceField(required=False, choices=TransferDirection.choices)
    cursor = forms.CharField(required=False, max_length=512)


@dataclass(frozen=True, slots=True)
class MonthBar:
    """One month of the chart, in the view box's units: inflow upward, outflow downward."""

    x: int
    inflow_y: int
    inflow_height: int
    outflow_height: int
    label: str


@dataclass(frozen=True, slots=True)
class FlowChart:
    """Inflow and outflow of one asset by month; ``rows`` are the same figures as a table."""

    asset: str
    width: int
    bars: list[MonthBar]
    rows: list[tuple[str, str, str]]
    words: str


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Show balances, flows by month and the transfers. At most four queries of its own."""
    form = TransferFilter(request.GET)
    if not form.is_valid():
        raise BadRequest("The treasury cannot be asked that.")
    wanted = form.cleaned_data
    transfers = Transfer.objects.all()
    for name, column in (("asset", "asset_id"), ("direction", "direction")):
        if wanted[name]:
            transfers = transfers.filter(**{column: wanted[name]})
    page = keyset_page(transfers, order=("-position",), cursor=wanted["cursor"], size=PAGE_SIZE)
    at = datetime.fromtimestamp(freshness().indexed_timestamp or now_s(), tz=UTC)
    context = {
        "address": _address(),
        "balances": balances_reconciled(now=at),
        "charts": [
            flow_chart(code, months)
            for code, months in flows_by_month(now=at, months=MONTHS).items()
        ],
        "transfers": page.items,
        "assets": ASSETS,
        "directions": TransferDirection.choices,
        "wanted": wanted,
        "page": {
            "previous_url": _link(request, page.previous_cursor),
            "next_url": _link(request, page.next_cursor),
        },
    }
    return render(request, "treasury/overview.html", context)


def _address() -> bytes | None:
    try:
        return treasury_address()
    except DeploymentInvalid:
        return None


def _link(request: HttpRequest, cursor: str | None) -> str:
    if cursor is None:
        return ""
    query = request.GET.copy()
    query["cursor"] = cursor
    return f"?{query.urlencode()}#transfers"


def flow_chart(asset: str, months: list[MonthFlow]) -> FlowChart:
    """Lay the months out on one scale for both directions: their lengths can be compared."""
    top = max((max(m.inflow_wei, m.outflow_wei) for m in months), default=0) or 1

    def height(amount_wei: int) -> int:
        # What moved at all is seen, however small beside the largest month.
        return max(amount_wei * HALF_HEIGHT // top, 1) if amount_wei else 0

    bars: list[MonthBar] = []
    rows: list[tuple[str, str, str]] = []
    for place, month in enumerate(months):
        label, inflow = f"{month.month:%Y-%m}", height(month.inflow_wei)
        bars.append(
            MonthBar(
                x=place * MONTH_WIDTH + 4,
                inflow_y=HALF_HEIGHT - inflow,
                inflow_height=inflow,
                outflow_height=height(month.outflow_wei),
                label=label,
            )
        )
        rows.append((label, _figure(month.inflow_wei, asset), _figure(month.outflow_wei, asset)))
    total_in = sum(m.inflow_wei for m in months)
    total_out = sum(m.outflow_wei for m in months)
    words = (
        f"{asset} by month: {_figure(total_in, asset)} came in and "
        f"{_figure(total_out, asset)} left in {len(months)} months."
    )
    return FlowChart(asset, len(months) * MONTH_WIDTH, bars, rows, words)


def _figure(amount_wei: int, asset: str) -> str:
    return f"{amount_text(amount_wei)} {asset}"
