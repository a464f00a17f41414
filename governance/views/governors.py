"""Governors that people added: the list, one governor with its proposals, one proposal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import BadRequest
from django.db.models import Count, F, Q, QuerySet, Value
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_safe

from chain import conf
from chain.addresses import AddressInvalid, parse_address, to_checksum
from chain.fields import Uint256Field
from chain.models import Cursor, WatchedContract
from chain.paging import keyset_page
from governance.governors.calls import calls_read
from governance.markdown import render_markdown
from governance.models import GovernorProposal, GovernorVote, IndexedGovernor
from governance.state import ProposalState
from governance.text import proposal_body
from governance.views.common import page_render, proposal_mismatches, query_with

PAGE_SIZE = 25
VOTES_PAGE = 50
SORTS = {"newest": "Newest", "oldest": "Oldest", "votes": "Most votes for"}
_ORDERS = {
    "newest": ("-created_block", "-created_log_index"),
    "oldest": ("created_block", "created_log_index"),
    "votes": ("-votes_for", "-created_block", "-created_log_index"),
}
VOTE_SORTS = {"weight": "Most weight", "newest": "Newest"}
_VOTE_ORDERS = {
    "weight": ("-weight", "-block_number", "-log_index"),
    "newest": ("-block_number", "-log_index"),
}
_ID_DIGITS = 78
#: The numbers that are states; a hostile governor may answer any other.
STATES = frozenset(int(state) for state in ProposalState)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a governor is indexed. ``word`` is a state for people, ``percent`` of the blocks
    that its slowest contract still had to catch up with; ``error`` why it does not advance."""

    word: str
    percent: int
    indexed_to: int
    error: str = ""

    @property
    def is_complete(self) -> bool:
        return self.word == "following"


def progress_of(governors: Iterable[IndexedGovernor]) -> dict[bytes, Progress]:
    """Progress by governor's address. Two queries, however many there are."""
    governors = list(governors)
    places = {bytes(row.address) for row in governors}
    places |= {bytes(row.timelock) for row in governors if row.timelock is not None}
    cursor = Cursor.objects.filter(chain_id=conf.chain_id()).first()
    rows = WatchedContract.objects.filter(chain_id=conf.chain_id(), address__in=places)
    watched = {bytes(row.address): row for row in rows}
    found: dict[bytes, Progress] = {}
    for governor in governors:
        parts = [watched.get(bytes(governor.address)), watched.get(bytes(governor.timelock or b""))]
        found[bytes(governor.address)] = _progress(
            governor, [part for part in parts if part is not None], cursor
        )
    return found


def _progress(
    governor: IndexedGovernor, parts: list[WatchedContract], cursor: Cursor | None
) -> Progress:
    if governor.removed_at is not None:
        return Progress("removed", 0, max((part.indexed_to for part in parts), default=0))
    head = cursor.number if cursor else 0
    waiting = [part for part in parts if not part.joined]
    if not parts or waiting:
        part = min(waiting, key=lambda row: row.indexed_to, default=None)
        if part is None:
            return Progress("waiting", 0, 0)
        whole = max(head - part.first_block + 1, 1)
        done = min(max(part.indexed_to - part.first_block + 1, 0), whole)
        return Progress("catching up", done * 100 // whole, part.indexed_to, part.error)
    if any(not part.settled for part in parts):
        errors = [part.error for part in parts if part.error]
        return Progress("reading its proposals", 100, head, errors[0] if errors else "")
    return Progress("following", 100, head)


# --- what the pages and the API both ask --------------------------------------------


def proposals_shown(governor: IndexedGovernor) -> QuerySet[GovernorProposal]:
    """A governor's proposals with ``shown_state``: the chain's own word, or ours without one."""
    return GovernorProposal.objects.filter(governor=governor.address).annotate(
        shown_state=Coalesce(F("chain_state"), F("state")),
        votes_for=Coalesce("for_votes", Value(0), output_field=Uint256Field()),
    )


def state_shown(state: ProposalState) -> Q:
    """The condition that picks the proposals shown in a state."""
    return Q(chain_state=int(state)) | Q(chain_state=None, state=int(state))


def state_counts(governor: IndexedGovernor) -> dict[str, int]:
    """How many proposals each state has, and ``all``. One query."""
    states: dict[str, Any] = {
        state.slug: Count("pk", filter=state_shown(state)) for state in ProposalState
    }
    return proposals_shown(governor).order_by().aggregate(all=Count("pk"), **states)


def governor_find(address: str) -> IndexedGovernor | None:
    """A governor by its address as text.

    Raises:
        AddressInvalid
    """
    return IndexedGovernor.objects.filter(pk=parse_address(address)).first()


def proposal_find(governor: IndexedGovernor, proposal_id: str) -> GovernorProposal | None:
    """A governor's proposal by its id in decimal digits; None where there is none, or no number."""
    if not (proposal_id.isascii() and proposal_id.isdigit() and len(proposal_id) <= _ID_DIGITS):
        return None
    number = int(proposal_id)
    if number >= 2**256:
        return None
    return proposals_shown(governor).filter(proposal_id=number).first()


# --- pages ----------------------------------------------------------------------------


class GovernorProposalFilter(forms.Form):
    """What a governor's list can be asked."""

    state = forms.ChoiceField(
        required=False, choices=[("", "all"), *((s.slug, s.label) for s in ProposalState)]
    )
    q = forms.CharField(required=False, max_length=100, label="Search")
    sort = forms.ChoiceField(required=False, choices=list(SORTS.items()))
    cursor = forms.CharField(required=False, max_length=512)


class GovernorVoteFilter(forms.Form):
    """What a proposal's votes can be asked."""

    sort = forms.ChoiceField(required=False, choices=list(VOTE_SORTS.items()))
    cursor = forms.CharField(required=False, max_length=512)


@require_safe
def governor_list(request: HttpRequest) -> HttpResponse:
    """Every governor that was added, those that were removed last."""
    governors = list(
        IndexedGovernor.objects.order_by(F("removed_at").asc(nulls_first=True), "name")
    )
    counts = dict(
        GovernorProposal.objects.order_by()
        .values_list("governor")
        .annotate(count=Count("pk"))
        .values_list("governor", "count")
    )
    by_place = {bytes(address): count for address, count in counts.items()}
    progress = progress_of(governors)
    rows = [
        {
            "governor": governor,
            "progress": progress[bytes(governor.address)],
            "proposals": by_place.get(bytes(governor.address), 0),
        }
        for governor in governors
    ]
    return page_render(request, "governance/governors/list.html", {"rows": rows})


@require_safe
def governor_detail(request: HttpRequest, address: str) -> HttpResponse:
    """One governor: what it is, and its proposals."""
    governor, elsewhere = _governor_or_404(address, "governance:governor_detail")
    if elsewhere is not None:
        return elsewhere
    form = GovernorProposalFilter(request.GET)
    if not form.is_valid():
        raise BadRequest("The proposals cannot be asked that.")
    wanted = form.cleaned_data
    sort = wanted["sort"] or "newest"
    rows = proposals_shown(governor).defer("description", "calls")
    if wanted["state"]:
        rows = rows.filter(state_shown(ProposalState[wanted["state"].upper()]))
    if wanted["q"]:
        rows = rows.filter(_search(wanted["q"].strip()))
    page = keyset_page(rows, order=_ORDERS[sort], cursor=wanted["cursor"], size=PAGE_SIZE)
    counts = state_counts(governor)
    context = {
        "governor": governor,
        "progress": progress_of([governor])[bytes(governor.address)],
        "words": governor.report.get("words") or [],
        "limits": governor.report.get("limits") or [],
        "rows": [(row, _state_word(row)) for row in page.items],
        "state": wanted["state"],
        "sort": sort,
        "sorts": SORTS.items(),
        "q": wanted["q"],
        "tabs": [
            (
                slug,
                slug.capitalize(),
                counts[slug or "all"],
                query_with(request.GET, state=slug, cursor=None),
            )
            for slug in ("", *(state.slug for state in ProposalState))
            if not slug or counts[slug]
        ],
        "mismatches": proposals_shown(governor).filter(state_mismatch=True).count(),
        "page": _pager(request, page),
    }
    return page_render(request, "governance/governors/detail.html", context)


@require_safe
def governor_proposal(request: HttpRequest, address: str, proposal_id: str) -> HttpResponse:
    """One proposal of an added governor: what it calls, how the vote stands, who voted."""
    governor, elsewhere = _governor_or_404(
        address, "governance:governor_proposal", proposal_id=proposal_id
    )
    if elsewhere is not None:
        return elsewhere
    proposal = proposal_find(governor, proposal_id)
    if proposal is None:
        raise Http404("This governor has no proposal of this id, or it is not indexed yet.")
    form = GovernorVoteFilter(request.GET)
    if not form.is_valid():
        raise BadRequest("The votes cannot be asked that.")
    sort = form.cleaned_data["sort"] or "weight"
    votes = GovernorVote.objects.filter(governor=governor.address, proposal_id=proposal.proposal_id)
    page = keyset_page(
        votes, order=_VOTE_ORDERS[sort], cursor=form.cleaned_data["cursor"], size=VOTES_PAGE
    )
    context = {
        "governor": governor,
        "proposal": proposal,
        "mismatches": proposal_mismatches(request, proposal.proposal_id, [bytes(governor.address)]),
        "state": _state_word(proposal),
        "derived": None if proposal.state is None else ProposalState(proposal.state),
        "calls": calls_read(governor, proposal.calls),
        "description": render_markdown(proposal_body(proposal.description)),
        "votes": page.items,
        "sort": sort,
        "sorts": VOTE_SORTS.items(),
        "page": _pager(request, page, "#votes"),
    }
    return page_render(request, "governance/governors/proposal.html", context)


def _governor_or_404(
    address: str, view: str, **rest: str
) -> tuple[IndexedGovernor, HttpResponse | None]:
    try:
        governor = governor_find(address)
    except AddressInvalid as error:
        raise Http404(error.detail) from error
    if governor is None:
        raise Http404("This governor was not added here.")
    canonical = to_checksum(bytes(governor.address))
    if address != canonical:
        return governor, redirect(
            reverse(view, kwargs={"address": canonical, **rest}), permanent=True
        )
    return governor, None


def _search(text: str) -> Q:
    condition = Q(title__icontains=text)
    if text.isascii() and text.isdigit() and len(text) <= _ID_DIGITS and int(text) < 2**256:
        condition |= Q(proposal_id=int(text))
    return condition


def _state_word(row: GovernorProposal) -> ProposalState | None:
    """The state to show; None where neither the chain nor we know it."""
    number = row.state if row.chain_state is None else row.chain_state
    return None if number is None or number not in STATES else ProposalState(number)


def _pager(request: HttpRequest, page: Any, anchor: str = "") -> dict[str, str | None]:
    return {
        "previous_url": page.previous_cursor
        and f"?{query_with(request.GET, cursor=page.previous_cursor)}{anchor}",
        "next_url": page.next_cursor
        and f"?{query_with(request.GET, cursor=page.next_cursor)}{anchor}",
    }
