"""One proposal: what it does, how the vote stands, what comes next, what people say."""

import json
from hashlib import sha256
from typing import Any

from django import forms
from django.core.exceptions import BadRequest
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag
from django.views.decorators.http import require_safe

from chain.addresses import to_checksum
from chain.paging import keyset_page
from governance.markdown import render_markdown
from governance.models import Delegate, HiddenProposal, Proposal, TimelockOperation, Vote
from governance.state import ProposalState, proposal_state
from governance.text import proposal_body
from governance.views.actions import action_cards
from governance.views.common import (
    chain_time,
    own_vote,
    page_render,
    proposal_mismatches,
    proposal_totals,
    query_with,
    viewer,
)
from governance.views.delegates import SENTINEL
from governance.views.discussion import comment_threads
from governance.views.findings import proposal_remarks
from governance.views.power import Power, snapshot_power
from governance.views.preview import previewed_values
from governance.views.steps import action_bar, timeline_steps

VOTES_PAGE = 25
#: Delegates listed under "Hasn't voted".
MISSING_MAX = 25
#: Who is asked about a proposal of our own.
OWN_CONTRACTS = ("AlthingGovernor", "AlthingToken", "TimelockController")
#: Numbers above this are taken for full proposal ids (uint256), which links elsewhere use.
NUMBER_MAX = 10**9
TABS = {"votes": "Votes", "discussion": "Discussion", "history": "History", "raw": "Raw JSON"}
VOTE_SORTS = {
    "power": ("-weight_wei", "-block_number", "-log_index"),
    "newest": ("-block_number", "-log_index"),
}


class VotesFilter(forms.Form):
    """What the votes table can be asked."""

    sort = forms.ChoiceField(required=False, choices=[(name, name) for name in VOTE_SORTS])
    show = forms.ChoiceField(
        required=False,
        choices=[(name, name) for name in ("all", "for", "against", "abstain", "missing")],
    )
    voter = forms.RegexField(r"^(0x)?[0-9a-fA-F]{1,40}\Z", required=False)
    cursor = forms.CharField(required=False, max_length=512)


def _proposal_or_404(number: int) -> Proposal:
    return get_object_or_404(Proposal, number=number)


@require_safe
def proposal_detail(request: HttpRequest, number: int) -> HttpResponse:
    """Show the proposal; ``?tab=`` picks what stands below the text."""
    if number > NUMBER_MAX:
        if number >= 2**256:
            raise Http404("No proposal has this id.")
        found = get_object_or_404(Proposal, pk=number)
        return redirect("governance:proposal_detail", number=found.number, permanent=True)
    proposal = _proposal_or_404(number)
    tab = request.GET.get("tab", "votes")
    if tab not in TABS:
        raise BadRequest("A proposal has no such tab.")
    at = chain_time(request)
    state = proposal_state(proposal, at)
    hidden = HiddenProposal.objects.filter(pk=proposal.pk).first() if proposal.hidden else None
    show_hidden = "show" in request.GET
    cards = action_cards(proposal, state, at=at)
    actions = [card.action for card in cards]
    context = {
        "proposal": proposal,
        "state": state,
        "totals": proposal_totals(proposal),
        "cards": cards,
        "previewed": not state.is_final and bool(previewed_values(actions)),
        "remarks": [] if state.is_final else proposal_remarks(proposal, actions, at=at),
        "steps": timeline_steps(proposal, state, at=at),
        "hidden": hidden,
        "mismatches": proposal_mismatches(request, proposal.proposal_id, OWN_CONTRACTS),
        "show_text": hidden is None or show_hidden,
        "description": render_markdown(proposal_body(proposal.description))
        if (hidden is None or show_hidden)
        else "",
        "tab": tab,
        "tabs": TABS,
        **_rail_context(request, proposal, state, at),
        **_TAB_CONTEXTS[tab](request, proposal),
    }
    return page_render(request, "governance/proposal_detail.html", context)


def _rail_context(
    request: HttpRequest, proposal: Proposal, state: ProposalState, at: int
) -> dict[str, Any]:
    """What depends on who looks: their power, their vote, what they may do."""
    account = viewer(request)
    votable = state in (ProposalState.PENDING, ProposalState.ACTIVE)
    power: Power | None = None
    if account is not None and votable:
        power = snapshot_power(account, proposal, state)
    voted = own_vote(account, proposal)
    block_reason = ""
    if state is ProposalState.PENDING:
        block_reason = "Voting has not opened yet."
    elif power is not None and power.wei == 0 and not voted:
        block_reason = power.why
    return {
        "bar": action_bar(proposal, state, at=at, account=account),
        "power_wei": power.wei if power else None,
        "power_why": power.why if power else "",
        "power_unknown": power is not None and power.wei is None,
        "voted": voted,
        "block_reason": block_reason,
        "votable": votable,
    }


@require_safe
def proposal_live(request: HttpRequest, number: int) -> HttpResponse:
    """The totals alone, asked for every few seconds; 304 while nothing changed.

    When the state is another than the page was made for, the page reloads.
    """
    proposal = _proposal_or_404(number)
    state = proposal_state(proposal, chain_time(request))
    response = page_render(
        request,
        "governance/_proposal_totals.html",
        {"proposal": proposal, "state": state, "totals": proposal_totals(proposal)},
    )
    if request.GET.get("state", state.slug) != state.slug:
        response.headers["HX-Refresh"] = "true"
    return conditional(request, response)


@require_safe
def proposal_rail(request: HttpRequest, number: int) -> HttpResponse:
    """The rail, loaded again after the viewer's own transaction was indexed."""
    proposal = _proposal_or_404(number)
    at = chain_time(request)
    state = proposal_state(proposal, at)
    context = {
        "proposal": proposal,
        "state": state,
        "totals": proposal_totals(proposal),
        "steps": timeline_steps(proposal, state, at=at),
        **_rail_context(request, proposal, state, at),
    }
    response = page_render(request, "governance/_proposal_rail.html", context)
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def conditional(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Give a fragment an ETag of its bytes; answer 304 to who has them."""
    etag = quote_etag(sha256(response.content).hexdigest()[:32])
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = "private, no-cache"
    answer = get_conditional_response(request, etag=etag, response=response) or response
    if "HX-Refresh" in response.headers:
        answer.headers["HX-Refresh"] = response.headers["HX-Refresh"]
    return answer


# --- tabs ----------------------------------------------------------------------


def _votes_context(request: HttpRequest, proposal: Proposal) -> dict[str, Any]:
    form = VotesFilter(request.GET)
    if not form.is_valid():
        raise BadRequest("The votes cannot be asked that.")
    wanted = form.cleaned_data
    show, sort = wanted["show"] or "all", wanted["sort"] or "power"
    context = {"show": show, "sort": sort, "voter": wanted["voter"]}
    if show == "missing":
        return context | {"missing": missing_delegates(proposal)}
    votes = proposal.votes.all()
    if show != "all":
        votes = votes.filter(**{f"{show}_wei__gt": 0})
    if wanted["voter"]:
        digits = wanted["voter"].lower().removeprefix("0x")
        low, high = (bytes.fromhex(digits.ljust(40, fill)) for fill in "0f")
        votes = votes.filter(voter__range=(low, high))
    page = keyset_page(votes, order=VOTE_SORTS[sort], cursor=wanted["cursor"], size=VOTES_PAGE)
    return context | {
        "votes": page.items,
        "page": {
            "previous_url": page.previous_cursor
            and f"?{query_with(request.GET, cursor=page.previous_cursor)}#votes",
            "next_url": page.next_cursor
            and f"?{query_with(request.GET, cursor=page.next_cursor)}#votes",
        },
    }


def missing_delegates(proposal: Proposal) -> QuerySet[Delegate]:
    """Return the delegates with the most power (today's) who have not voted on it."""
    voters = Vote.objects.filter(proposal=proposal).values("voter")
    delegates = Delegate.objects.filter(power_wei__gt=0).exclude(address=SENTINEL)
    return delegates.exclude(address__in=voters).order_by("-power_wei", "address")[:MISSING_MAX]


def _discussion_context(request: HttpRequest, proposal: Proposal) -> dict[str, Any]:
    return comment_threads(request, proposal)


def _history_context(request: HttpRequest, proposal: Proposal) -> dict[str, Any]:
    operation = TimelockOperation.objects.filter(pk=proposal.timelock_operation_id).first()
    chain_state = proposal.chain_state
    return {
        "operation": operation,
        "chain_state": None if chain_state is None else ProposalState(chain_state),
    }


def _raw_context(request: HttpRequest, proposal: Proposal) -> dict[str, Any]:
    return {"raw": json.dumps(proposal_raw(proposal), indent=2, ensure_ascii=False)}


def proposal_raw(proposal: Proposal) -> dict[str, Any]:
    """Return what the proposal's id is made of, and the id; integers as decimal strings."""
    actions = list(proposal.actions.all())
    return {
        "proposal_id": str(proposal.proposal_id),
        "proposer": to_checksum(proposal.proposer),
        "targets": [to_checksum(action.target) for action in actions],
        "values_wei": [str(action.value_wei) for action in actions],
        "calldatas": [f"0x{bytes(action.calldata).hex()}" for action in actions],
        "description_hash": f"0x{proposal.description_hash.hex()}",
        "timelock_operation_id": f"0x{proposal.timelock_operation_id.hex()}",
        "created_block": proposal.created_block,
        "created_tx": f"0x{proposal.created_tx.hex()}",
    }


_TAB_CONTEXTS = {
    "votes": _votes_context,
    "discussion": _discussion_context,
    "history": _history_context,
    "raw": _raw_context,
}
