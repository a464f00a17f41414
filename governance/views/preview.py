"""What a proposal's attestation parameters would mean for the nodes: a card, and the whole list.

The card is asked for by the proposal's page after it is shown: weighing every node's findings must
not keep anybody from reading what the proposal does.
"""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from chain.paging import keyset_page
from governance.models import Proposal, ProposalAction
from governance.state import ProposalState, proposal_state
from governance.views.common import chain_time, page_render, query_with
from network.errors import NetworkError
from network.selectors.preview import PolicyPreview, policy_preview
from network.selectors.preview_judge import Outcome
from network.selectors.proposed import PREVIEWED

#: Nodes on the card; the page behind it has all of them.
CARD_NODES = 5
PAGE_SIZE = 25


class PreviewFilter(forms.Form):
    """What the list can be asked."""

    outcome = forms.ChoiceField(required=False, choices=Outcome.choices)
    cursor = forms.CharField(required=False, max_length=512)


def previewed_values(actions: Iterable[ProposalAction]) -> dict[str, str]:
    """The proposed values, by name, of parameters that decide over reports. Where several actions
    set the same one, the last: it is executed last."""
    return {
        str(item["name"]): str(item["proposed"])
        for action in actions
        for item in action.parameters
        if str(item["name"]).startswith(PREVIEWED)
    }


@require_safe
def preview_card(request: HttpRequest, number: int) -> HttpResponse:
    """The card alone, for the proposal's page."""
    context = _context(request, number)
    preview = context["preview"]
    if preview is not None:
        wanted = Outcome.FALLS_OUT.value if preview.falls_out else Outcome.CANNOT_TELL.value
        nodes = preview.nodes(wanted).order_by("-position")[:CARD_NODES]
        context |= {"rows": preview.rows(nodes), "shown": wanted}
    response = page_render(request, "governance/_policy_preview.html", context)
    response.headers["Cache-Control"] = "private, no-cache"
    return response


@require_safe
def proposal_preview(request: HttpRequest, number: int) -> HttpResponse:
    """The whole list, by outcome; nodes that fall out first of all."""
    form = PreviewFilter(request.GET)
    if not form.is_valid():
        raise BadRequest("The preview cannot be asked that.")
    context = _context(request, number)
    preview = context["preview"]
    if preview is not None:
        shown = form.cleaned_data["outcome"] or Outcome.FALLS_OUT.value
        page = keyset_page(
            preview.nodes(shown),
            order=("-position",),
            cursor=form.cleaned_data["cursor"],
            size=PAGE_SIZE,
        )
        context |= {
            "shown": shown,
            "tabs": _tabs(request, preview, shown),
            "rows": preview.rows(page.items),
            "page": {
                "previous_url": page.previous_cursor
                and f"?{query_with(request.GET, cursor=page.previous_cursor)}#nodes",
                "next_url": page.next_cursor
                and f"?{query_with(request.GET, cursor=page.next_cursor)}#nodes",
            },
        }
    return page_render(request, "governance/policy_preview.html", context)


def _context(request: HttpRequest, number: int) -> dict[str, Any]:
    proposal = get_object_or_404(Proposal, number=number)
    values = previewed_values(proposal.actions.all())
    if not values:
        raise Http404("This proposal changes no parameter that decides over nodes' reports.")
    preview, refused = _previewed(values, proposal_state(proposal, chain_time(request)))
    return {"proposal": proposal, "preview": preview, "refused": refused}


def _previewed(values: dict[str, str], state: ProposalState) -> tuple[PolicyPreview | None, str]:
    """The preview, or why there is none."""
    if state.is_final:
        return None, (
            f"This proposal is {state.slug}: there is nothing left to preview. The nodes' pages "
            "show how they stand under the parameters in force."
        )
    try:
        return policy_preview(values), ""
    except NetworkError as error:
        return None, f"This proposal cannot be previewed. {error.detail}"


def _tabs(request: HttpRequest, preview: PolicyPreview, shown: str) -> list[dict[str, Any]]:
    return [
        {
            "label": label,
            "count": preview.counts[outcome],
            "url": f"?{query_with(request.GET, outcome=outcome, cursor=None)}#nodes",
            "is_current": outcome == shown,
        }
        for outcome, label in Outcome.choices
    ]
