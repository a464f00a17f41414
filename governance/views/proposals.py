"""The list of proposals: tabs by state, facets, search, sorts; as a page, CSV and Atom."""

import csv
from collections.abc import Iterator
from typing import Any

from django import forms
from django.core.exceptions import BadRequest, ValidationError
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.views.decorators.http import require_safe

from chain.addresses import AddressInvalid, parse_address, to_checksum
from chain.paging import keyset_page
from governance.models import Proposal
from governance.models.proposals import ProposalKind
from governance.state import ProposalState, proposal_state
from governance.views.common import chain_time, page_render, proposal_rows, query_with, viewer
from governance.views.queries import TABS, state_condition, tab_condition, tab_counts

PAGE_SIZE = 20
#: Rows of a CSV export. More than any DAO has; a bound all the same.
EXPORT_MAX = 50_000

SORTS = {"newest": "Newest", "ending": "Ending soon", "votes": "Most votes"}
_ORDERS = {
    "newest": ("-number",),
    "ending": ("deadline_at", "number"),
    "votes": ("-votes_wei", "-number"),
}
#: A cell that begins with one of these runs as a formula in spreadsheets (OWASP, CSV Injection).
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class ProposalFilter(forms.Form):
    """What the list can be asked. Every field may be left out."""

    state = forms.ChoiceField(required=False, choices=[(tab, tab.capitalize()) for tab in TABS])
    kind = forms.ChoiceField(
        required=False, label="Kind", choices=[("", "Any kind"), *ProposalKind.choices]
    )
    parameter = forms.CharField(required=False, max_length=128, label="Parameter")
    proposer = forms.CharField(required=False, max_length=42, label="Proposer")
    q = forms.CharField(required=False, max_length=200, label="Search")
    sort = forms.ChoiceField(required=False, label="Sort", choices=list(SORTS.items()))
    cursor = forms.CharField(required=False, max_length=512)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("kind", "sort"):
            self.fields[name].widget.attrs["class"] = "select"
        for name in ("parameter", "proposer", "q"):
            self.fields[name].widget.attrs["class"] = "input"
        self.fields["q"].widget.attrs |= {
            "placeholder": "Title, number or parameter",
            "data-search": "",
            "aria-label": "Search proposals",
        }

    def clean_proposer(self) -> bytes | None:
        text = self.cleaned_data["proposer"].strip()
        if not text:
            return None
        try:
            return parse_address(text)
        except AddressInvalid as error:
            raise ValidationError(error.detail, code=error.code) from error


def proposals_filtered(wanted: dict[str, Any]) -> QuerySet[Proposal]:
    """Apply everything but the tab: the tabs' counts must count what the filters leave."""
    proposals = Proposal.objects.annotate(
        votes_wei=F("for_wei") + F("against_wei") + F("abstain_wei")
    )
    if wanted.get("kind"):
        proposals = proposals.filter(kind=wanted["kind"])
    if wanted.get("proposer"):
        proposals = proposals.filter(proposer=wanted["proposer"])
    if wanted.get("parameter"):
        proposals = proposals.filter(
            pk__in=Proposal.objects.filter(
                actions__parameters__contains=[{"name": wanted["parameter"]}]
            ).values("pk")
        )
    if wanted.get("q"):
        proposals = proposals.filter(_search_condition(wanted["q"].strip()))
    return proposals


def _search_condition(text: str) -> Q:
    # Hidden words are not to be found by searching for them.
    condition = Q(title__icontains=text, hidden=False)
    condition |= Q(description__icontains=text, hidden=False)
    number = text.removeprefix("#")
    if number.isascii() and number.isdigit():
        if len(number) <= 9:
            condition |= Q(number=int(number))
        elif int(number) < 2**256:
            condition |= Q(pk=int(number))
    if "." in text:
        condition |= Q(
            pk__in=Proposal.objects.filter(actions__parameters__contains=[{"name": text}])
            .order_by()
            .values("pk")
        )
    return condition


@require_safe
def proposal_list(request: HttpRequest) -> HttpResponse:
    """Show a tab of the list. A filter that cannot be read is said so and left out (status 400)."""
    form = ProposalFilter(request.GET)
    valid = form.is_valid()
    wanted = form.cleaned_data
    tab, sort = wanted.get("state") or "all", wanted.get("sort") or "newest"
    at = chain_time(request)
    proposals = proposals_filtered(wanted)
    counts = tab_counts(proposals, at)
    page = keyset_page(
        proposals.filter(tab_condition(tab, at)).defer("description"),
        order=_ORDERS[sort],
        cursor=wanted.get("cursor", ""),
        size=PAGE_SIZE,
    )
    context = {
        "form": form,
        "tab": tab,
        "tabs": [
            (
                name,
                name.capitalize(),
                counts[name],
                query_with(request.GET, state=name, cursor=None),
            )
            for name in TABS
        ],
        "rows": proposal_rows(page.items, at=at, account=viewer(request)),
        "page": {
            "previous_url": page.previous_cursor
            and f"?{query_with(request.GET, cursor=page.previous_cursor)}",
            "next_url": page.next_cursor and f"?{query_with(request.GET, cursor=page.next_cursor)}",
        },
        "total": counts[tab],
        "filtered": any(wanted.get(name) for name in ("q", "kind", "parameter", "proposer")),
        "export_query": query_with(request.GET, cursor=None),
        "next_queued": _next_queued(at) if not page.items and tab == "active" else None,
    }
    return page_render(
        request, "governance/proposal_list.html", context, status=200 if valid else 400
    )


def _next_queued(at: int) -> Proposal | None:
    """Find what happens next when nothing is being voted on."""
    queued = Proposal.objects.filter(state_condition(ProposalState.QUEUED, at))
    return queued.order_by("executable_at", "number").first()


def cell(value: object) -> str:
    """Write a spreadsheet cell that no spreadsheet takes for a formula."""
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


class _Echo:
    """The file that csv.writer writes to: it hands back what it is given."""

    def write(self, value: str) -> str:
        return value


CSV_COLUMNS = (
    "number",
    "proposal_id",
    "title",
    "kind",
    "state",
    "proposer",
    "created_at",
    "voting_opens_at",
    "voting_closes_at",
    "for_wei",
    "against_wei",
    "abstain_wei",
    "quorum_wei",
    "executed_at",
)


def _csv_row(proposal: Proposal, at: int) -> list[str]:
    title = "Hidden by moderators" if proposal.hidden else proposal.title
    values = (
        proposal.number,
        proposal.proposal_id,
        title,
        proposal.kind,
        proposal_state(proposal, at).slug,
        to_checksum(proposal.proposer),
        proposal.created_at.isoformat(),
        proposal.snapshot_at.isoformat(),
        proposal.deadline_at.isoformat(),
        proposal.for_wei,
        proposal.against_wei,
        proposal.abstain_wei,
        "" if proposal.quorum_wei is None else proposal.quorum_wei,
        proposal.executed_at.isoformat() if proposal.executed_at else "",
    )
    return [cell(value) for value in values]


@require_safe
def proposal_export(request: HttpRequest) -> StreamingHttpResponse:
    """Stream the filtered list as CSV, newest first; amounts in wei."""
    form = ProposalFilter(request.GET)
    if not form.is_valid():
        raise BadRequest("The list cannot be asked that.")
    at = chain_time(request)
    proposals = (
        proposals_filtered(form.cleaned_data)
        .filter(tab_condition(form.cleaned_data["state"] or "all", at))
        .defer("description")
        .order_by("-number")[:EXPORT_MAX]
    )
    writer = csv.writer(_Echo())

    def lines() -> Iterator[str]:
        yield writer.writerow(CSV_COLUMNS)
        for proposal in proposals.iterator(chunk_size=500):
            yield writer.writerow(_csv_row(proposal, at))

    response = StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="proposals.csv"'
    return response
