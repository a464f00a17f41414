"""What several pages need: the chain's time, a proposal as a list row, links that keep filters."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render

from chain.clock import now_s
from chain.deployment import DeploymentInvalid, deployment
from chain.status import freshness
from governance.context import Site
from governance.models import Proposal, ReconcileFinding, Vote
from governance.reconcile import findings_open
from governance.state import ProposalState, proposal_state
from governance.views.figures import VoteTotals

#: Values listed that differ from the chain's; one is enough to look.
MISMATCHES_MAX = 10
SUPPORT_WORDS = {0: "against", 1: "for", 2: "abstain", 255: "split"}


@dataclass(frozen=True, slots=True)
class ProposalRow:
    """One line of a list of proposals."""

    proposal: Proposal
    state: ProposalState
    totals: VoteTotals
    #: "for", "against", "abstain", "split", or "" when the viewer has not voted.
    own_vote: str
    #: What happens next or happened last, and when: ("closes", datetime).
    moment: tuple[str, datetime]


def site_of(request: HttpRequest) -> Site:
    """Return the request's Site, one for the view and its template: the cursor is read once."""
    known: Site | None = getattr(request, "althing_site", None)
    if known is None:
        known = Site(request)
        request.althing_site = known  # type: ignore[attr-defined]
    return known


def chain_time(request: HttpRequest | None = None) -> int:
    """Return the newest indexed block's time (Unix s), or the wall clock before any is indexed.

    States follow the chain's clock: a vote is open until a block says otherwise.
    With a request the index is asked once for the whole page.
    """
    known = freshness() if request is None else site_of(request).freshness
    return known.indexed_timestamp or now_s()


def page_render(
    request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """Render a page with the Site the view has read already."""
    return render(request, template, {**context, "site": site_of(request)}, status=status)


def proposal_mismatches(
    request: HttpRequest, proposal_id: int, contracts: Sequence[str | bytes]
) -> list[ReconcileFinding]:
    """What reconcile found of a proposal and did not see agree since; ``contracts`` (ours by name,
    others by address) were asked. No query where nothing differs anywhere."""
    if not site_of(request).mismatches:
        return []
    try:
        asked = [deployment().address(c) if isinstance(c, str) else c for c in contracts]
    except DeploymentInvalid:
        return []  # the page says itself what is missing; the strip still counts them
    found = findings_open().filter(proposal_id=proposal_id, contract__in=asked)
    return list(found[:MISMATCHES_MAX])


def at_datetime(at: int) -> datetime:
    """Return Unix seconds as an aware datetime in UTC."""
    return datetime.fromtimestamp(at, tz=UTC)


def viewer(request: HttpRequest) -> bytes | None:
    """Return the 20-byte address of who is signed in, or None."""
    account: bytes | None = getattr(request, "account", None)
    return account


def proposal_totals(proposal: Proposal) -> VoteTotals:
    """Judge one proposal's totals."""
    return VoteTotals(
        proposal.for_wei, proposal.against_wei, proposal.abstain_wei, proposal.quorum_wei
    )


def proposal_moment(proposal: Proposal, state: ProposalState) -> tuple[str, datetime]:
    """Say what happens next to a proposal, or what happened last, and when."""
    if state is ProposalState.PENDING:
        return "Voting opens", proposal.snapshot_at
    if state is ProposalState.ACTIVE:
        return "Voting closes", proposal.deadline_at
    if state is ProposalState.QUEUED and proposal.executable_at is not None:
        return "Executable", proposal.executable_at
    if state is ProposalState.EXECUTED and proposal.executed_at is not None:
        return "Executed", proposal.executed_at
    if state is ProposalState.CANCELED and proposal.canceled_at is not None:
        return "Canceled", proposal.canceled_at
    if state is ProposalState.EXPIRED and proposal.expires_at is not None:
        return "Expired", proposal.expires_at
    return "Voting closed", proposal.deadline_at


def own_votes(account: bytes | None, proposals: Iterable[Proposal]) -> dict[int, str]:
    """Return how ``account`` voted, by proposal id. No query when signed out."""
    if account is None:
        return {}
    found: dict[int, str] = {}
    votes = Vote.objects.filter(voter=account, proposal__in=[p.pk for p in proposals])
    for proposal_id, support in votes.values_list("proposal_id", "support"):
        # A voter who splits power over several transactions has several rows.
        word = SUPPORT_WORDS.get(support, "split")
        found[proposal_id] = word if found.get(proposal_id, word) == word else "split"
    return found


def own_vote(account: bytes | None, proposal: Proposal) -> dict[str, int] | None:
    """Return ``support`` and ``weight_wei`` of ``account`` on one proposal, all its rows added."""
    if account is None:
        return None
    votes = list(Vote.objects.filter(voter=account, proposal=proposal))
    if not votes:
        return None
    supports = {vote.support for vote in votes}
    return {
        "support": supports.pop() if len(supports) == 1 else 255,
        "weight_wei": sum(vote.weight_wei for vote in votes),
    }


def proposal_rows(
    proposals: Sequence[Proposal], *, at: int, account: bytes | None
) -> list[ProposalRow]:
    """Turn proposals into rows of a list; one query, for the viewer's own votes."""
    mine = own_votes(account, proposals)
    rows = []
    for proposal in proposals:
        state = proposal_state(proposal, at)
        rows.append(
            ProposalRow(
                proposal=proposal,
                state=state,
                totals=proposal_totals(proposal),
                own_vote=mine.get(proposal.pk, ""),
                moment=proposal_moment(proposal, state),
            )
        )
    return rows


def query_with(query: QueryDict, **changes: Any) -> str:
    """Return the query string with some values changed; None or "" takes a value out."""
    changed = query.copy()
    for name, value in changes.items():
        if value in (None, ""):
            changed.pop(name, None)
        else:
            changed[name] = str(value)
    return changed.urlencode()
