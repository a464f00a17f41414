"""Who votes with how much: the list of delegates, and one delegate's page."""

import hashlib
import math
import secrets
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import BadRequest
from django.db.models import Count, F, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_safe

from chain.addresses import AddressInvalid, parse_address, to_checksum
from chain.formatting import amount_text
from chain.paging import keyset_page
from chain.signatures import keccak
from governance.models import Delegate, Holder, Vote
from governance.selectors import delegates_participation, voting_power_total_wei
from governance.views.common import (
    chain_time,
    own_votes,
    page_render,
    query_with,
    viewer,
)

PAGE_SIZE = 25
#: How many closed votes "participation" looks back on.
PARTICIPATION_VOTES = 10
#: Tokens of the treasury and of stakes are delegated here so that they cannot vote
#: (contracts/governance/Sentinel.sol); it is not a delegate.
SENTINEL = keccak(b"althing.sentinel")[12:]

SORTS = {
    "random": "Random, weighted by power",
    "power": "Most power",
    "delegators": "Most delegators",
    "recent": "Changed lately",
}
_ORDERS = {
    "power": ("-power_wei", "address"),
    "delegators": ("-delegators_count", "address"),
    "recent": ("-last_changed_block", "address"),
}


@dataclass(frozen=True, slots=True)
class DelegateRow:
    """One line of the list."""

    delegate: Delegate
    share_bp: int | None
    voted: int
    asked: int


@dataclass(frozen=True, slots=True)
class Concentration:
    """How few hold how much of the power that can vote.

    ``nakamoto`` is the smallest number of delegates who together hold more than
    half; 0 when nobody holds any.
    """

    delegates: int
    power_wei: int
    top10_bp: int | None
    nakamoto: int


class DelegateFilter(forms.Form):
    """What the list can be asked."""

    q = forms.CharField(required=False, max_length=42)
    sort = forms.ChoiceField(required=False, choices=[(name, name) for name in SORTS])
    seed = forms.RegexField(r"^[0-9a-z]{1,16}\Z", required=False)
    page = forms.IntegerField(required=False, min_value=1, max_value=10_000)
    cursor = forms.CharField(required=False, max_length=512)


def share_of(part: int, whole: int) -> int | None:
    """Return basis points, rounded down; None of nothing."""
    return part * 10_000 // whole if whole else None


def voting_delegates() -> QuerySet[Delegate]:
    """Return the delegates who can vote with something."""
    return Delegate.objects.filter(power_wei__gt=0).exclude(address=SENTINEL)


def concentration(powers: list[int]) -> Concentration:
    """Measure concentration from the delegates' powers, in any order."""
    ordered = sorted(powers, reverse=True)
    total = sum(ordered)
    reached, nakamoto = 0, 0
    for power in ordered:
        if 2 * reached > total:
            break
        reached += power
        nakamoto += 1
    return Concentration(len(ordered), total, share_of(sum(ordered[:10]), total), nakamoto)


def weighted_shuffle(powers: list[tuple[bytes, int]], seed: str) -> list[bytes]:
    """Order addresses at random, likelier early the more power they have; same seed, same order.

    Each gets the key ``-ln(u) / power`` with u from a hash of seed and address,
    and the smallest keys come first (Efraimidis and Spirakis, "Weighted random
    sampling with a reservoir", 2006). A fixed order by power would only ever
    feed those who are on top.
    """

    def key(item: tuple[bytes, int]) -> tuple[float, bytes]:
        address, power = item
        digest = hashlib.blake2b(seed.encode() + address, digest_size=8).digest()
        uniform = (int.from_bytes(digest) + 1) / (2**64 + 1)
        return -math.log(uniform) / max(power, 1), address

    return [address for address, _ in sorted(powers, key=key)]


@require_safe
def delegate_list(request: HttpRequest) -> HttpResponse:
    """List the delegates. Without a seed the random order gets one, in the address."""
    form = DelegateFilter(request.GET)
    if not form.is_valid():
        raise BadRequest("This list cannot be asked that.")
    wanted = form.cleaned_data
    sort = wanted["sort"] or "random"
    if sort == "random" and not wanted["seed"] and not wanted["q"]:
        seed = secrets.token_hex(4)
        address = f"{reverse('governance:delegate_list')}?{query_with(request.GET, seed=seed)}"
        return redirect(address)
    powers = [(bytes(a), p) for a, p in voting_delegates().values_list("address", "power_wei")]
    page = _page(wanted, sort, powers)
    addresses = [delegate.address for delegate in page["items"]]
    took_part = delegates_participation(addresses, last=PARTICIPATION_VOTES, at=chain_time(request))
    supply = voting_power_total_wei()
    account = viewer(request)
    context = {
        "rows": [
            DelegateRow(
                delegate=delegate,
                share_bp=share_of(delegate.power_wei, supply),
                voted=took_part[delegate.address].voted,
                asked=took_part[delegate.address].of,
            )
            for delegate in page["items"]
        ],
        "page": page,
        "form": form,
        "sort": sort,
        "sorts": SORTS,
        "seed": wanted["seed"],
        "q": wanted["q"],
        "concentration": concentration([power for _, power in powers]),
        "own": Holder.objects.filter(address=account).first() if account else None,
        "query": {
            "next": page["next"] and query_with(request.GET, **page["next"]),
            "previous": page["previous"] and query_with(request.GET, **page["previous"]),
        },
    }
    return page_render(request, "governance/delegate_list.html", context)


def _page(wanted: dict[str, Any], sort: str, powers: list[tuple[bytes, int]]) -> dict[str, Any]:
    """Pick one page: by search, by the shuffled order, or by a sort's keyset."""
    if wanted["q"]:
        items = list(_search(wanted["q"])[:PAGE_SIZE])
        return {"items": items, "next": None, "previous": None}
    if sort == "random":
        number = wanted["page"] or 1
        order = weighted_shuffle(powers, wanted["seed"])
        start = (number - 1) * PAGE_SIZE
        chosen = order[start : start + PAGE_SIZE]
        rows = {row.address: row for row in Delegate.objects.filter(address__in=chosen)}
        return {
            "items": [rows[address] for address in chosen if address in rows],
            "next": {"page": number + 1} if start + PAGE_SIZE < len(order) else None,
            "previous": {"page": number - 1} if number > 1 else None,
        }
    page = keyset_page(
        voting_delegates(), order=_ORDERS[sort], cursor=wanted["cursor"], size=PAGE_SIZE
    )
    return {
        "items": page.items,
        "next": page.next_cursor and {"cursor": page.next_cursor},
        "previous": page.previous_cursor and {"cursor": page.previous_cursor},
    }


def _search(text: str) -> QuerySet[Delegate]:
    """Find delegates whose address begins with the text (0x is optional)."""
    digits = text.strip().lower().removeprefix("0x")
    if not digits or any(digit not in "0123456789abcdef" for digit in digits):
        return Delegate.objects.none()
    low = bytes.fromhex(digits.ljust(40, "0")[:40])
    high = bytes.fromhex(digits.ljust(40, "f")[:40])
    return Delegate.objects.filter(address__range=(low, high)).order_by("-power_wei", "address")


@require_safe
def delegate_detail(request: HttpRequest, address: str) -> HttpResponse:
    """Show one account: its power, who delegates to it, how it voted."""
    try:
        account = parse_address(address)
    except AddressInvalid as error:
        raise Http404(error.detail) from error
    canonical = to_checksum(account)
    if address != canonical:
        return redirect("governance:delegate_detail", address=canonical, permanent=True)
    delegate = Delegate.objects.filter(address=account).first()
    holder = Holder.objects.filter(address=account).first()
    page = keyset_page(
        Vote.objects.filter(voter=account).select_related("proposal"),
        order=("-block_number", "-log_index"),
        cursor=request.GET.get("cursor", "")[:512],
        size=PAGE_SIZE,
    )
    took = delegates_participation([account], last=PARTICIPATION_VOTES, at=chain_time(request))[
        account
    ]
    me = viewer(request)
    mine = own_votes(me, [vote.proposal for vote in page.items]) if me != account else {}
    same, together = _alignment(me, account) if me not in (None, account) else (0, 0)
    own = holder if me == account else Holder.objects.filter(address=me).first() if me else None
    context = {
        "address": account,
        "delegate": delegate,
        "power_wei": delegate.power_wei if delegate else 0,
        "holder": holder,
        "is_sentinel": account == SENTINEL,
        "is_own": me == account,
        "me_delegate": own.delegate if own else None,
        "me_balance": f"{amount_text(own.balance_wei if own else 0)} ALT",
        "share_bp": share_of(delegate.power_wei, voting_power_total_wei()) if delegate else None,
        "asked": took.of,
        "took_part": f"{took.voted} of {took.of}",
        "delegators": Holder.objects.filter(delegate=account, balance_wei__gt=0).order_by(
            "-balance_wei", "address"
        )[:PAGE_SIZE],
        "votes": [(vote, mine.get(vote.proposal_id, "")) for vote in page.items],
        "alignment": (same, together),
        "aligned": f"{same} of {together}",
        "query": {
            "next": page.next_cursor and query_with(request.GET, cursor=page.next_cursor),
            "previous": page.previous_cursor
            and query_with(request.GET, cursor=page.previous_cursor),
        },
    }
    return page_render(request, "governance/delegate_detail.html", context)


def _alignment(me: bytes | None, other: bytes) -> tuple[int, int]:
    """Count the proposals both voted on, and those on which they said the same."""
    both = Vote.objects.filter(voter=me, proposal__votes__voter=other).order_by()
    counted = both.aggregate(
        together=Count("proposal", distinct=True),
        same=Count("proposal", distinct=True, filter=Q(support=F("proposal__votes__support"))),
    )
    return counted["same"], counted["together"]
