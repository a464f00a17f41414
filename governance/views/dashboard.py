"""The front page: what needs attention, how the DAO stands, what happened lately."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.db.models import Count, F, OuterRef, Q, Subquery, Sum, Value
from django.db.models.functions import TruncHour
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from chain.clock import now
from chain.fields import Uint256Field
from governance.models import Delegate, Holder, Proposal, Vote
from governance.state import ProposalState, proposal_state
from governance.views.common import (
    SUPPORT_WORDS,
    at_datetime,
    chain_time,
    page_render,
    proposal_rows,
    viewer,
)
from governance.views.delegates import share_of, voting_delegates
from governance.views.queries import state_condition
from network.models import Node, NodeStatus, ParameterChange, Verdict, VerdictStatus
from treasury.selectors import Reconciliation, balances_reconciled

OPEN_MAX = 20
CHANGES_MAX = 5
ACTIVITY_MAX = 12
#: Votes on which the "participation" tile looks back.
PARTICIPATION_VOTES = 5
_FAILED = (VerdictStatus.CONTRAINDICATED, VerdictStatus.NONE)
_VOTE_WORDS = {0: "voted Against", 1: "voted For", 2: "abstained on", 255: "split a vote on"}
#: Hours of the attestation strip.
STRIP_HOURS = 24


@dataclass(frozen=True, slots=True)
class Activity:
    """One line of the feed of what happened on chain."""

    at: datetime
    words: str
    proposal: Proposal
    actor: bytes | None


@dataclass(frozen=True, slots=True)
class StripHour:
    """One hour of attestations: how many were judged, how many of them failed."""

    starts_at: datetime
    judged: int
    failed: int

    @property
    def level(self) -> str:
        if not self.judged:
            return ""
        if not self.failed:
            return "good"
        return "bad" if 2 * self.failed >= self.judged else "warn"


@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """Show the overview; the block about oneself only when signed in."""
    at = chain_time(request)
    account = viewer(request)
    opened = _open_proposals(at)
    balances = balances_reconciled(now=at_datetime(at))
    strip = attestation_strip(now())
    context = {
        "attention": _attention(opened, at=at, account=account),
        "active_count": sum(proposal_state(p, at) is ProposalState.ACTIVE for p in opened),
        "next_queued": _next_queued(opened, at),
        "active_rows": [
            row
            for row in proposal_rows(opened, at=at, account=None)
            if row.state in (ProposalState.ACTIVE, ProposalState.PENDING)
        ],
        "balances": [(row, net_30d(row)) for row in balances],
        "nodes": _node_counts(at),
        "participation_bp": participation_bp(at),
        "changes": _latest_changes(at),
        "strip": strip,
        "strip_words": strip_words(strip),
        "activity": activity(ACTIVITY_MAX),
    }
    return page_render(request, "governance/dashboard.html", context)


def net_30d(row: Reconciliation) -> int:
    """Return what came in less what left in 30 days, in the asset's smallest unit."""
    return row.inflow_30d_wei - row.outflow_30d_wei


def _open_proposals(at: int) -> list[Proposal]:
    condition = Q()
    for state in (
        ProposalState.PENDING,
        ProposalState.ACTIVE,
        ProposalState.SUCCEEDED,
        ProposalState.QUEUED,
    ):
        condition |= state_condition(state, at)
    found = Proposal.objects.filter(condition).defer("description")
    return list(found.order_by("deadline_at", "number")[:OPEN_MAX])


def _attention(opened: list[Proposal], *, at: int, account: bytes | None) -> dict[str, Any] | None:
    """What the signed-in account could do now; None when signed out. Three queries."""
    if account is None:
        return None
    holder = Holder.objects.filter(address=account).first()
    power = Delegate.objects.filter(address=account).values_list("power_wei", flat=True).first()
    active = [p for p in opened if proposal_state(p, at) is ProposalState.ACTIVE]
    delegate = holder.delegate if holder and holder.delegate != account else None
    voters = [voter for voter in (account, delegate) if voter is not None]
    voted = {
        (bytes(voter), proposal_id): SUPPORT_WORDS.get(support, "split")
        for voter, proposal_id, support in Vote.objects.filter(
            voter__in=voters, proposal__in=[p.pk for p in active]
        ).values_list("voter", "proposal_id", "support")
    }
    moment = at_datetime(at)
    return {
        "power_wei": power or 0,
        "holder": holder,
        "delegate": delegate,
        "undelegated": holder is not None and holder.balance_wei > 0 and holder.delegate is None,
        "to_vote": [
            (p, voted.get((delegate, p.pk), "") if delegate else "")
            for p in active
            if (account, p.pk) not in voted and (power or delegate)
        ],
        "to_queue": [p for p in opened if proposal_state(p, at) is ProposalState.SUCCEEDED],
        "to_execute": [
            p
            for p in opened
            if proposal_state(p, at) is ProposalState.QUEUED
            and p.executable_at is not None
            and p.executable_at <= moment
        ],
    }


def _next_queued(opened: list[Proposal], at: int) -> Proposal | None:
    queued = [
        p
        for p in opened
        if proposal_state(p, at) is ProposalState.QUEUED and p.executable_at is not None
    ]
    return min(queued, key=lambda p: (p.executable_at, p.number), default=None)


def _node_counts(at: int) -> dict[str, int]:
    """Count nodes that may work now, out of those that have not left: one query."""
    moment = at_datetime(at)
    serving = Q(status=NodeStatus.REGISTERED) | Q(
        status=NodeStatus.SUSPENDED, suspended_until__lte=moment
    )
    return Node.objects.aggregate(
        total=Count("pk", filter=~Q(status=NodeStatus.EXITED)),
        serving=Count("pk", filter=serving),
        gpus=Sum("gpu_count", filter=serving, default=0),
    )


def participation_bp(at: int) -> int | None:
    """Return the average turnout of the last closed votes, of today's power that can vote.

    Past totals of power are not indexed; for a tile, today's is near enough and
    the page says which one it is.
    """
    power = voting_delegates().order_by().values(one=Value(1)).annotate(all=Sum("power_wei"))
    closed = (
        Proposal.objects.filter(deadline_at__lt=at_datetime(at), canceled_at__isnull=True)
        .order_by("-deadline_at", "-number")
        .annotate(cast_wei=F("for_wei") + F("against_wei") + F("abstain_wei"))
        .annotate(power_wei=Subquery(power.values("all"), output_field=Uint256Field()))
        .values_list("cast_wei", "power_wei")[:PARTICIPATION_VOTES]
    )
    rows = list(closed)
    share = share_of(int(sum(cast for cast, _ in rows)), sum(all_ or 0 for _, all_ in rows))
    return None if share is None else min(share, 10_000)


def _latest_changes(at: int) -> list[tuple[Any, str]]:
    """Return the newest parameter changes with their status and proposal. One query."""
    maker = Proposal.objects.filter(executed_tx=OuterRef("transaction_hash")).order_by()
    changes = (
        ParameterChange.objects.select_related("parameter", "set")
        .annotate(proposal_number=Subquery(maker.values("number")[:1]))
        .order_by("-position")
    )
    moment = at_datetime(at)
    return [(change, change.status_at(moment)) for change in changes[:CHANGES_MAX]]


def attestation_strip(now: datetime) -> list[StripHour]:
    """Count judged and failed attestations by hour over a day, oldest first. One query."""
    first = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=STRIP_HOURS - 1)
    rows = (
        Verdict.objects.filter(judged_at__gte=first)
        .order_by()
        .annotate(hour=TruncHour("judged_at"))
        .values("hour")
        .annotate(judged=Count("pk"), failed=Count("pk", filter=Q(status__in=_FAILED)))
    )
    counted = {row["hour"]: row for row in rows}
    hours = [first + timedelta(hours=number) for number in range(STRIP_HOURS)]
    nothing = {"judged": 0, "failed": 0}
    return [
        StripHour(hour, found["judged"], found["failed"])
        for hour in hours
        for found in (counted.get(hour, nothing),)
    ]


def strip_words(strip: list[StripHour]) -> str:
    """Say what the strip shows."""
    judged, failed = sum(hour.judged for hour in strip), sum(hour.failed for hour in strip)
    if not judged:
        return "No report was judged in the last 24 hours."
    bad = sum(bool(hour.failed) for hour in strip)
    if not failed:
        return f"All {judged} reports of the last 24 hours were accepted."
    return f"{failed} of {judged} reports failed, in {bad} of {STRIP_HOURS} hours."


def activity(count: int) -> list[Activity]:
    """Return what happened last to the newest proposals, their votes included. Two queries."""
    items: list[Activity] = []
    newest = Proposal.objects.defer("description").order_by("-created_block", "-created_log_index")
    proposals = {proposal.pk: proposal for proposal in newest[:count]}
    for proposal in proposals.values():
        items.append(Activity(proposal.created_at, "proposed", proposal, proposal.proposer))
        if proposal.executed_at is not None:
            items.append(Activity(proposal.executed_at, "executed", proposal, None))
        if proposal.canceled_at is not None:
            items.append(Activity(proposal.canceled_at, "canceled", proposal, None))
    # Votes of older proposals are closed long since; asking for those of all would sort them all.
    votes = Vote.objects.filter(proposal__in=list(proposals)).order_by(
        "-block_number", "-log_index"
    )
    for vote in votes[:count]:
        words = _VOTE_WORDS.get(vote.support, "voted on")
        items.append(Activity(vote.voted_at, words, proposals[vote.proposal_id], vote.voter))
    items.sort(key=lambda item: item.at, reverse=True)
    return list(islice(items, count))
