"""From a transaction to its proposal."""

from __future__ import annotations

import re

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_safe

from governance.selectors import proposal_by_tx

_HASH = re.compile(r"0x[0-9a-fA-F]{64}\Z", re.ASCII)


@require_safe
def proposal_by_tx_redirect(request: HttpRequest, transaction_hash: str) -> HttpResponse:
    """Go to the proposal that was executed, created, queued or canceled in a transaction."""
    if not _HASH.match(transaction_hash):
        raise Http404("That is no transaction hash.")
    proposal = proposal_by_tx(bytes.fromhex(transaction_hash[2:]))
    if proposal is None:
        raise Http404("No proposal was touched in this transaction.")
    return redirect("governance:proposal_detail", number=proposal.number)
