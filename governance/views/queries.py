"""Proposals by state, in SQL: the same rule as ``governance.state``, for lists and counts.

``proposal_state`` judges one proposal in Python; a list cannot load every
proposal to know ten. The tests hold the two against each other.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from django.db.models import Count, F, Q, QuerySet

from governance.models import Proposal
from governance.state import ProposalState

#: Tabs of the list in their order, and the states that each one shows.
TABS: dict[str, tuple[ProposalState, ...]] = {
    "all": tuple(ProposalState),
    "active": (ProposalState.ACTIVE,),
    "pending": (ProposalState.PENDING,),
    "queued": (ProposalState.SUCCEEDED, ProposalState.QUEUED),
    "executed": (ProposalState.EXECUTED,),
    "defeated": (ProposalState.DEFEATED,),
    "canceled": (ProposalState.CANCELED,),
    "expired": (ProposalState.EXPIRED,),
}


def state_condition(state: ProposalState, at: int) -> Q:
    """Return the condition that picks the proposals in ``state`` at block time ``at`` (Unix s)."""
    moment = datetime.fromtimestamp(at, tz=UTC)
    if state is ProposalState.EXECUTED:
        return Q(executed_at__isnull=False)
    if state is ProposalState.CANCELED:
        return Q(executed_at__isnull=True, canceled_at__isnull=False)
    open_ = Q(executed_at__isnull=True, canceled_at__isnull=True)
    if state is ProposalState.PENDING:
        return open_ & Q(snapshot_at__gte=moment)
    closed = open_ & Q(snapshot_at__lt=moment, deadline_at__lt=moment)
    more_for = Q(for_wei__gt=F("against_wei"))
    # Past the deadline with the quorum unread: the index is behind, the outcome is open.
    undecided = more_for & Q(quorum_wei__isnull=True)
    if state is ProposalState.ACTIVE:
        voting = Q(snapshot_at__lt=moment, deadline_at__gte=moment)
        return (open_ & voting) | (closed & undecided)
    quorum = Q(quorum_wei__isnull=False, quorum_wei__lte=F("for_wei") + F("abstain_wei"))
    if state is ProposalState.DEFEATED:
        short = Q(quorum_wei__isnull=False, quorum_wei__gt=F("for_wei") + F("abstain_wei"))
        return closed & (Q(for_wei__lte=F("against_wei")) | (more_for & short))
    passed = closed & more_for & quorum
    if state is ProposalState.SUCCEEDED:
        return passed & Q(eta_at__isnull=True)
    lapsed = Q(expires_at__isnull=False, expires_at__lt=moment)
    if state is ProposalState.EXPIRED:
        return passed & Q(eta_at__isnull=False) & lapsed
    return passed & Q(eta_at__isnull=False) & (Q(expires_at__isnull=True) | ~lapsed)


def in_states(
    proposals: QuerySet[Proposal], states: Iterable[ProposalState], at: int
) -> QuerySet[Proposal]:
    """Return those of ``proposals`` that are in one of ``states`` at block time ``at``."""
    condition = Q(pk__in=[])
    for state in states:
        condition |= state_condition(state, at)
    return proposals.filter(condition)


def tab_condition(tab: str, at: int) -> Q:
    """Return the condition of a tab; everything for ``all``."""
    condition = Q()
    if tab != "all":
        for state in TABS[tab]:
            condition |= state_condition(state, at)
    return condition


def tab_counts(proposals: QuerySet[Proposal], at: int) -> dict[str, int]:
    """Count every tab's proposals in one query."""
    return proposals.order_by().aggregate(
        **{
            tab: Count("pk", filter=tab_condition(tab, at)) if tab != "all" else Count("pk")
            for tab in TABS
        }
    )
