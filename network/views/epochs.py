"""Epochs of verdicts for people: what is anchored, and one day with its verdicts."""

from django import forms
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from chain import clock
from chain.paging import keyset_page
from network.models import Epoch, EpochLeaf
from network.selectors.epochs import (
    anchor_status_of,
    chain_moment,
    epoch_find,
    epoch_record,
    epoch_state,
    epoch_states,
    epochs_newest,
    ledger_current,
)
from network.views.common import page_links

PAGE_SIZE = 25
LEAVES_PAGE_SIZE = 50
_NUMBER_MAX = 2**63 - 1


class CursorForm(forms.Form):
    """Where the page starts."""

    cursor = forms.CharField(required=False, max_length=512)


@require_safe
def epoch_list(request: HttpRequest) -> HttpResponse:
    """List the epochs, the newest first, and say how anchoring goes."""
    ledger = ledger_current()
    rows = Epoch.objects.none() if ledger is None else epochs_newest(ledger)
    page = keyset_page(rows, order=("-number",), cursor=_cursor(request), size=PAGE_SIZE)
    at = chain_moment()
    context = {
        "ledger": ledger,
        "status": anchor_status_of(ledger, at),
        "rows": epoch_states(page.items, at or clock.now()),
        "page": page_links(
            request, previous=page.previous_cursor, following=page.next_cursor, anchor="epochs"
        ),
    }
    return render(request, "network/epoch_list.html", context)


@require_safe
def epoch_detail(request: HttpRequest, number: int) -> HttpResponse:
    """Show one epoch: where it stands, its figures, its verdicts, how to check it."""
    ledger = ledger_current()
    epoch = epoch_find(ledger, number) if ledger and number <= _NUMBER_MAX else None
    if epoch is None:
        raise Http404("This epoch is not over yet, or never was one.")
    leaves = EpochLeaf.objects.filter(epoch=epoch)
    page = keyset_page(leaves, order=("index",), cursor=_cursor(request), size=LEAVES_PAGE_SIZE)
    context = {
        "state": epoch_state(epoch, epoch_record(number), chain_moment() or clock.now()),
        "epoch": epoch,
        "ledger": ledger,
        "leaves": page.items,
        "page": page_links(
            request, previous=page.previous_cursor, following=page.next_cursor, anchor="verdicts"
        ),
    }
    return render(request, "network/epoch_detail.html", context)


def _cursor(request: HttpRequest) -> str:
    form = CursorForm(request.GET)
    if not form.is_valid():
        raise BadRequest("This list cannot be asked that.")
    return str(form.cleaned_data["cursor"])
