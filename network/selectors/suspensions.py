"""When the service suspends nobody, and why: the circuit breakers, read from the tables alone.

A faulty release of the verifier must not stop the network: nobody is suspended in the hour after
it changed, and nobody at all while more than 5 % of the stake would be suspended within a day (an
epoch). The registry's own limit, which nothing here can lift, is 10 %.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum

from chain.formatting import duration_text, percent_text
from chain.outbox import SendingAccount, account_missing
from chain.sender.alarms import Alarm
from network.models import (
    Incident,
    IncidentAction,
    IncidentState,
    Node,
    NodeEvent,
    NodeStatus,
    VerifierBuild,
)

BUILD_HOLD: Final = timedelta(hours=1)
EPOCH: Final = timedelta(days=1)
#: Basis points of all bonded stake.
STAKE_SHARE_BPS: Final = 500
_BPS: Final = 10_000
#: Open incidents that are not on chain yet, by what became of them so far.
PENDING: Final = (IncidentAction.WAITING, IncidentAction.HELD, IncidentAction.SENT)


@dataclass(frozen=True, slots=True)
class SuspensionFigures:
    """What becomes of suspensions now. ``state`` is ``on``, ``held`` (for a while, or for want of
    a key) or ``stopped`` (a person has to look); ``sentence`` says why, and is empty while on."""

    state: str
    sentence: str
    open_incidents: int
    pending: int


def suspension_stop(at: datetime) -> str:
    """Why nobody is to be suspended now; empty where that is not so. 2 queries."""
    return _stake_stop(at) or _build_hold(at)


def suspension_notice(at: datetime) -> str:
    """Why the incidents that wait are not suspended now, for pages. 3 queries."""
    return suspension_stop(at) or account_missing(SendingAccount.ATTESTOR)


def suspension_figures(at: datetime) -> SuspensionFigures:
    """For health."""
    rows = Incident.objects.filter(state=IncidentState.OPEN)
    counts = rows.aggregate(open=Count("pk"), pending=Count("pk", filter=Q(action__in=PENDING)))
    stopped = _stake_stop(at)
    held = _build_hold(at) or account_missing(SendingAccount.ATTESTOR)
    state = "stopped" if stopped else "held" if held else "on"
    return SuspensionFigures(state, stopped or held, counts["open"], counts["pending"])


def suspension_alarms(at: datetime) -> list[Alarm]:
    """What a person has to look at."""
    stopped = _stake_stop(at)
    if not stopped:
        return []
    oldest = _pending().order_by("opened_at").first()
    return [Alarm("suspensions_stopped", stopped, oldest.opened_at if oldest else at, "nodes")]


def is_pending() -> Exists:
    """The condition on ``Node``: an open incident of it is not on chain yet."""
    return Exists(_pending().filter(node_id=OuterRef("node_id")))


def _pending() -> QuerySet[Incident]:
    return Incident.objects.filter(state=IncidentState.OPEN, action__in=PENDING)


def _build_hold(at: datetime) -> str:
    """Within the hour after another verifier than before began to judge."""
    newest, *older = VerifierBuild.objects.order_by("-seen_at", "-id")[:2] or [None]
    # A first installation changes nothing. A change in the future: the clock was set back.
    if newest is None or not older or at - newest.since >= BUILD_HOLD:
        return ""
    return (
        f"The verifier changed at {newest.since:%Y-%m-%d %H:%M} UTC. Nobody is suspended for "
        f"{duration_text(int(BUILD_HOLD.total_seconds()))} after a change, in case the change is "
        "at fault."
    )


def _stake_stop(at: datetime) -> str:
    done = NodeEvent.objects.filter(
        node_id=OuterRef("node_id"), event="NodeSuspended", occurred_at__gt=at - EPOCH
    )
    wanted = Q(is_pending()) | Q(Exists(done))
    live = Node.objects.exclude(status__in=[NodeStatus.EXITED, NodeStatus.EXITING]).order_by()
    found = live.aggregate(
        total=Sum("stake_wei"),
        share=Sum("stake_wei", filter=wanted),
        nodes=Count("pk", filter=wanted),
        pending=Count("pk", filter=Q(is_pending())),
    )
    total, share = int(found["total"] or 0), int(found["share"] or 0)
    if not found["pending"] or share * _BPS <= total * STAKE_SHARE_BPS:
        return ""
    return (
        f"Suspensions have stopped: {found['nodes']} nodes with {percent_text(share, total)} of "
        f"the stake would be suspended within a day, more than {STAKE_SHARE_BPS // 100} %. Either "
        "much of the network fails at once or this verifier is at fault; a person has to look. "
        "Nodes that failed do not count meanwhile."
    )
