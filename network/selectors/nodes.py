"""Nodes for pages and API: counts, reasons of failure, the report history."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q, QuerySet, Sum

from network.models import (
    AttestationState,
    DeviceFinding,
    FindingSeverity,
    Node,
    NodeStatus,
    Verdict,
)
from network.selectors.policy import PolicySnapshot
from network.selectors.standing import COUNTING, StandingWord, standing_annotate
from network.selectors.suspensions import is_pending


@dataclass(frozen=True, slots=True)
class NetworkSummary:
    """The network in figures. ``standings`` counts nodes by standing; exited nodes have no GPUs."""

    nodes: int
    gpus: int
    stake_wei: int
    standings: dict[str, int]
    gpus_by_class: list[tuple[str, int, int]]
    #: Nodes with an open incident whose suspension is not on chain yet.
    to_suspend: int = 0

    @property
    def live_nodes(self) -> int:
        """Nodes that have not left."""
        return self.nodes - self.standings.get(StandingWord.EXITED, 0)

    @property
    def attested_nodes(self) -> int:
        """Nodes that count, those on probation among them."""
        return sum(self.standings.get(word, 0) for word in COUNTING)


@dataclass(frozen=True, slots=True)
class FailureReason:
    """A reason why nodes' latest reports were refused or marked, and how many nodes it is."""

    code: str
    severity: str
    nodes: int
    example: str


def network_summary(*, at: datetime, policy: PolicySnapshot) -> NetworkSummary:
    """Count the network. 3 queries."""
    standings = Counter(
        dict(
            standing_annotate(Node.objects.order_by(), at=at, policy=policy)
            .values_list("standing")  # type: ignore[misc]  # annotated
            .annotate(count=Count("pk"))
        )
    )
    live = Node.objects.exclude(status=NodeStatus.EXITED).order_by()
    totals = live.aggregate(
        gpus=Sum("gpu_count"),
        stake=Sum("stake_wei"),
        to_suspend=Count("pk", filter=Q(is_pending())),
    )
    by_class = [
        (str(name), int(nodes), int(gpus))
        for name, nodes, gpus in live.values_list("gpu_class")
        .annotate(nodes=Count("pk"), gpus=Sum("gpu_count"))
        .order_by("-gpus", "gpu_class")
    ]
    return NetworkSummary(
        nodes=sum(standings.values()),
        gpus=int(totals["gpus"] or 0),
        stake_wei=int(totals["stake"] or 0),
        standings=dict(standings),
        gpus_by_class=by_class,
        to_suspend=int(totals["to_suspend"]),
    )


def failure_reasons(*, limit: int = 12) -> list[FailureReason]:
    """Count why the nodes' latest reports were refused or marked, the most frequent first."""
    rows = (
        DeviceFinding.objects.filter(
            verdict__in=AttestationState.objects.exclude(latest_verdict=None).values(
                "latest_verdict"
            ),
            severity__in=[FindingSeverity.ERROR, FindingSeverity.WARNING],
        )
        .order_by()
        .values_list("code", "severity", "verdict__node_id", "detail")
        .distinct()
    )
    nodes: dict[tuple[str, str], set[bytes]] = {}
    examples: dict[tuple[str, str], str] = {}
    for code, severity, node_id, detail in rows:
        nodes.setdefault((code, severity), set()).add(bytes(node_id))
        examples.setdefault((code, severity), detail)
    found = [
        FailureReason(code, severity, len(ids), examples[code, severity])
        for (code, severity), ids in nodes.items()
    ]
    return sorted(found, key=lambda reason: (-reason.nodes, reason.code))[:limit]


def verdicts_of(node: Node) -> QuerySet[Verdict]:
    """A node's verdicts with their reports, newest first."""
    return (
        Verdict.objects.filter(node_id=node.node_id)
        .select_related("attestation", "rejudge_of")
        .order_by("-id")
    )
