"""Compute rounds for verdicts, pages and API. What is ahead is shown to nobody here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from network.attestation import ComputeFacts, RoundOutcome
from network.attestation.inventory import inventory_whole_gpus
from network.charts import BarChart, bar_chart
from network.errors import NotFound
from network.models import FINAL_ROUND_STATUSES, ComputeRound, Node, RoundStatus

#: Rounds in the chart of a node's page.
SHOWN = 12


@dataclass(frozen=True, slots=True)
class RoundsOfNode:
    """A node's rounds for its page: the newest first, and their times as a chart."""

    rounds: list[ComputeRound]
    chart: BarChart | None

    @property
    def last(self) -> ComputeRound | None:
        return self.rounds[0] if self.rounds else None


def rounds_ended(node: Node) -> QuerySet[ComputeRound]:
    """A node's rounds that are over, newest first."""
    return ComputeRound.objects.filter(
        node_id=node.node_id, status__in=FINAL_ROUND_STATUSES
    ).order_by("-starts_at")


def round_ended(round_id: UUID) -> ComputeRound:
    """A round that is over, with its GPUs.

    Raises:
        NotFound: ``round_unknown``, also for one that is not over.
    """
    found = (
        ComputeRound.objects.filter(pk=round_id, status__in=FINAL_ROUND_STATUSES)
        .prefetch_related("tasks")
        .first()
    )
    if found is None:
        raise NotFound("round_unknown", "There is no such round, or it is not over yet.")
    return found


def compute_facts(node: Node, *, inventory: Any, at: datetime) -> ComputeFacts | None:
    """The node's last round that was over at ``at``, for the verifier, with what the report's
    ``inventory`` claims of its GPUs. 1 query where there is none, else 2."""
    round_ = (
        ComputeRound.objects.filter(
            node_id=node.node_id, status__in=FINAL_ROUND_STATUSES, ended_at__lte=at
        )
        .prefetch_related("tasks")
        .order_by("-ended_at", "-starts_at")
        .first()
    )
    if round_ is None or round_.ended_at is None:
        return None
    gpu_ids = tuple(task.gpu_id for task in round_.tasks.all())
    whole = inventory_whole_gpus(inventory)
    return ComputeFacts(
        round_id=str(round_.pk),
        outcome=RoundOutcome(round_.status),
        ended_s=int(round_.ended_at.timestamp()),
        gpu_ids=gpu_ids,
        whole_gpu_ids=tuple(gpu_id for gpu_id in gpu_ids if gpu_id in whole),
        calibrated=round_.is_calibrated,
        emulated=round_.is_emulated,
        codes=tuple(round_.codes),
    )


def rounds_of_node(node: Node) -> RoundsOfNode:
    """A node's latest rounds and the chart of their times. 1 query."""
    rounds = list(rounds_ended(node)[:SHOWN])
    return RoundsOfNode(rounds, _chart(rounds))


def _chart(rounds: Sequence[ComputeRound]) -> BarChart | None:
    """The time of each round, oldest first, beside its limit where there is one."""
    timed = [round_ for round_ in reversed(rounds) if round_.elapsed_ms is not None]
    if not timed:
        return None
    return bar_chart(
        [
            (
                round_.elapsed_ms or 0,
                round_.limit_ms,
                f"{round_.starts_at:%Y-%m-%d %H:%M} UTC: {round_.elapsed_ms} ms"
                + (f" of {round_.limit_ms} ms" if round_.limit_ms else ", no limit"),
                round_.status == RoundStatus.PASSED,
            )
            for round_ in timed
        ]
    )
