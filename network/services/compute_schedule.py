"""When who is challenged: random instants, at each a random half of the fleet, operators whole.

An operator is in a cohort with all GPUs of all its nodes that report, so that one card cannot
answer for two. An instant is drawn ahead and known to the database alone; its rounds are made, and
their nodes told, shortly before.
"""

import itertools
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, Max, OuterRef, QuerySet

from network.attestation.inventory import inventory_gpu_ids
from network.compute.params import MAX_GPU_ID_BYTES
from network.models import (
    FINAL_ROUND_STATUSES,
    CohortReason,
    ComputeCohort,
    ComputeRound,
    ComputeTask,
    Node,
    NodeStatus,
    RoundStatus,
)
from network.selectors.claims import node_claims
from network.selectors.policy import PolicySnapshot
from network.services.compute_plan import (
    again_delay,
    challenged_classes,
    chance_drawn,
    first_delay,
    gap_draw,
    is_emulated,
    notice,
    overdue_after,
    plan_for,
)

logger = logging.getLogger(__name__)

#: An operator's own cohorts (first, again) are at least so far apart.
OWN_COHORT_GAP = timedelta(hours=1)
#: Rounds in a row that were not passed, after which the operator waits for the fleet's.
AGAIN_TIMES = 3
_CHUNK = 500


def schedule_run(*, policy: PolicySnapshot, at: datetime) -> int:
    """Draw what is to be drawn and form the cohorts that are due; return how many were formed.

    Several may run at once: constraints let one instant be ahead, and a lock forms it once.
    """
    fleet_ahead(policy=policy, at=at)
    newcomers_ahead(policy=policy, at=at)
    formed = 0
    while cohort_form(policy=policy, at=at):
        formed += 1
    return formed


def fleet_ahead(*, policy: PolicySnapshot, at: datetime) -> None:
    """Be sure that the fleet's next instant is drawn."""
    if not ComputeCohort.objects.filter(operator=None, formed_at=None).exists():
        _draw(CohortReason.FLEET, None, at + gap_draw(policy))


def newcomers_ahead(*, policy: PolicySnapshot, at: datetime) -> None:
    """Draw a first instant for operators with a node that has never been in a round."""
    before = ComputeRound.objects.filter(node_id=OuterRef("node_id"))
    lately = ComputeCohort.objects.filter(
        operator=OuterRef("operator"), starts_at__gt=at - OWN_COHORT_GAP
    )
    nodes = reporting(policy=policy, at=at).filter(~Exists(before), ~Exists(lately))
    for operator in nodes.order_by().values_list("operator", flat=True).distinct():
        _draw(CohortReason.FIRST, bytes(operator), at + first_delay())


def again_ahead(round_: ComputeRound, *, at: datetime) -> None:
    """Draw another instant for the operator of a round that was not passed: a node that was down
    for a minute must not wait for half a day. After some in a row it does."""
    ended = ComputeRound.objects.filter(node_id=round_.node_id, status__in=FINAL_ROUND_STATUSES)
    last = ended.order_by("-ended_at").values_list("status", flat=True)[:AGAIN_TIMES]
    if len(last) == AGAIN_TIMES and RoundStatus.PASSED not in last:
        return
    operator = Node.objects.filter(pk=round_.node_id).values_list("operator", flat=True).first()
    if operator is not None:
        _draw(CohortReason.AGAIN, bytes(operator), at + again_delay())


def reporting(*, policy: PolicySnapshot, at: datetime) -> QuerySet[Node]:
    """Nodes of challenged classes whose last report is young enough to count. Who does not report
    is not challenged and proves nothing."""
    return Node.objects.filter(
        status__in=[NodeStatus.REGISTERED, NodeStatus.SUSPENDED],
        gpu_class__in=challenged_classes(),
        attestation_state__latest_verdict__evidence_at__gt=at - timedelta(seconds=policy.ttl_s),
    )


@transaction.atomic
def cohort_form(*, policy: PolicySnapshot, at: datetime) -> bool:
    """Make the rounds of the next cohort that is due; False where none is."""
    due = ComputeCohort.objects.filter(formed_at=None, starts_at__lte=at + notice())
    cohort = due.select_for_update(skip_locked=True).order_by("starts_at").first()
    if cohort is None:
        return False
    if cohort.starts_at - at < notice() * 0.9:
        # This service was away: the nodes must be told in time all the same.
        cohort.starts_at = at + notice()
    members = _members(cohort, policy=policy, at=at)
    rounds = tasks = 0
    made = (found for node in members if (found := _round_made(cohort, node, policy)) is not None)
    while batch := list(itertools.islice(made, _CHUNK)):
        ComputeRound.objects.bulk_create([round_ for round_, _ in batch])
        asked = [task for _, own in batch for task in own]
        ComputeTask.objects.bulk_create(asked, batch_size=_CHUNK)
        rounds, tasks = rounds + len(batch), tasks + len(asked)
    cohort.formed_at = at
    cohort.save(update_fields=["starts_at", "formed_at"])
    if cohort.reason == CohortReason.FLEET:
        _draw(CohortReason.FLEET, None, cohort.starts_at + gap_draw(policy))
    logger.info("compute cohort %d: %d nodes, %d GPUs", cohort.pk, rounds, tasks)
    return True


def _members(cohort: ComputeCohort, *, policy: PolicySnapshot, at: datetime) -> Iterator[Node]:
    """The nodes of a cohort, an operator's all or none."""
    under_way = ComputeRound.objects.filter(
        node__operator=OuterRef("operator"), status__in=[RoundStatus.SCHEDULED, RoundStatus.BEGUN]
    )
    nodes = reporting(policy=policy, at=at).filter(~Exists(under_way))
    if cohort.operator is not None:
        yield from nodes.filter(operator=cohort.operator)
        return
    overdue_before = at - overdue_after(policy)
    last = nodes.annotate(last_round=Max("compute_rounds__starts_at")).order_by("operator")
    chosen: list[bytes] = []
    for operator, rows in itertools.groupby(
        last.values_list("operator", "last_round"), key=lambda row: bytes(row[0])
    ):
        is_overdue = any(seen is None or seen < overdue_before for _, seen in rows)
        if chance_drawn(policy) or is_overdue:
            chosen.append(operator)
    for start in range(0, len(chosen), _CHUNK):
        yield from nodes.filter(operator__in=chosen[start : start + _CHUNK])


def _round_made(
    cohort: ComputeCohort, node: Node, policy: PolicySnapshot
) -> tuple[ComputeRound, list[ComputeTask]] | None:
    """A node's round and its GPUs', not saved; None where its report lists no GPU."""
    inventory = _inventory(node)
    listed = inventory_gpu_ids(inventory)
    gpu_ids = [text for text in listed if text.isascii() and len(text) <= MAX_GPU_ID_BYTES]
    gpu_ids = gpu_ids[: max(policy.appraisal_policy().max_gpus_per_node, node.gpu_count)]
    if not gpu_ids:
        return None
    plan = plan_for(node, emulated=is_emulated(inventory), policy=policy)
    round_ = ComputeRound(
        cohort=cohort,
        node_id=node.node_id,
        starts_at=cohort.starts_at,
        status=RoundStatus.SCHEDULED,
        deadline_class=plan.deadline_class,
        params=plan.params.as_json(),
        margin_bps=plan.margin_bps,
        basis=plan.basis.value,
    )
    tasks = [
        ComputeTask(round=round_, position=position, gpu_id=gpu_id)
        for position, gpu_id in enumerate(gpu_ids)
    ]
    return round_, tasks


def _inventory(node: Node) -> object:
    """The inventory of the node's last report. Read one by one: a fleet's reports fill a memory."""
    claims = node_claims(node)
    return None if claims is None else claims.inventory


def _draw(reason: CohortReason, operator: bytes | None, starts_at: datetime) -> None:
    """Keep an instant, unless one is ahead already."""
    cohort = ComputeCohort(reason=reason, operator=operator, starts_at=starts_at)
    ComputeCohort.objects.bulk_create([cohort], ignore_conflicts=True)
