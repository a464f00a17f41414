"""The end of a round: rows arrive, are judged, or never come. What was received is stored before it
is looked at, so that a process that dies while judging costs the node nothing.
"""

import logging
import time
import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from network.attestation.errors import Severity
from network.compute import (
    Basis,
    Check,
    Outcome,
    Params,
    Round,
    RoundError,
    verify_absence,
    verify_opening,
    verify_silence,
)
from network.errors import NotFound
from network.models import (
    FINAL_TASK_STATUSES,
    ComputeCohort,
    ComputeEpoch,
    ComputeRound,
    ComputeTask,
    Node,
    RoundStatus,
    TaskStatus,
)
from network.services.compute_rounds import BEGIN_WINDOW, clock_ms, refusal, round_lock
from network.services.compute_schedule import again_ahead
from network.services.compute_secrets import epoch_number, secret_for

logger = logging.getLogger(__name__)

#: Multiplications that a recomputation may cost a web process; dearer ones wait for the queue.
INLINE_RECOMPUTED = 2**28
#: Seconds that one tick judges: less than a task may run.
JUDGE_S = 60
#: How long rounds are kept.
KEPT = timedelta(days=90)
_PURGE_BATCH = 50


@transaction.atomic
def opening_take(
    *, round_id: uuid.UUID, node: Node, position: int, data: bytes, arrived: datetime
) -> ComputeTask:
    """Store the one opening of a GPU, which arrived at ``arrived``; it is judged afterwards.

    Raises:
        NotFound: ``round_unknown`` or ``gpu_unknown``.
        Conflict: ``compute.out_of_turn`` or ``compute.clock_backwards``.
    """
    round_ = round_lock(round_id, node)
    task = round_.tasks.filter(position=position).first()
    if task is None:
        raise NotFound("gpu_unknown", f"The round has no GPU {position}.")
    if task.state is None or task.status != TaskStatus.DRAWN:
        raise refusal(RoundError("compute.out_of_turn"))
    try:
        state = Round.from_json(task.state).open(clock_ms(arrived))
    except RoundError as error:
        raise refusal(error) from error
    task.state, task.status, task.opening = state.as_json(), TaskStatus.OPENED, data
    task.save(update_fields=["state", "status", "opening"])
    return task


def is_cheap(params: Params) -> bool:
    """Whether a web process judges it at once."""
    if params.check is Check.FREIVALDS:
        return True
    return params.openings * params.rounds * params.n * params.n <= INLINE_RECOMPUTED


def task_judge(task_id: int, *, at: datetime) -> bool:
    """Judge a stored opening; False where another has done so."""
    round_id = ComputeTask.objects.filter(pk=task_id).values_list("round_id", flat=True).first()
    if round_id is None:
        return False
    with transaction.atomic():
        round_ = ComputeRound.objects.select_for_update().get(pk=round_id)
        task = ComputeTask.objects.get(pk=task_id)
        if task.status != TaskStatus.OPENED or task.state is None:
            return False
        state = Round.from_json(task.state)
        outcome = verify_opening(state, task.opening, secret_for(state.challenge))
        _task_end(task, outcome)
        _round_end(round_, at=at)
    return True


def openings_judge(*, at: datetime, most: int = 200) -> int:
    """Judge what has arrived and nobody has judged, for at most a while; return how many were."""
    waiting = ComputeTask.objects.filter(status=TaskStatus.OPENED).order_by("pk")
    judged, stop_at = 0, time.monotonic() + JUDGE_S
    for task_id in list(waiting.values_list("pk", flat=True)[:most]):
        if time.monotonic() > stop_at:
            break
        try:
            judged += task_judge(task_id, at=at)
        except Exception:
            # One opening that we cannot judge must not keep the others from it.
            logger.exception("judging compute task %d failed", task_id)
    return judged


def rounds_expire(*, at: datetime, most: int = 1000) -> int:
    """End rounds that were not begun, and GPUs whose next message is no longer waited for."""
    unfinished = ComputeRound.objects.filter(
        status__in=[RoundStatus.SCHEDULED, RoundStatus.BEGUN], starts_at__lt=at - BEGIN_WINDOW
    ).order_by("starts_at")
    ended = 0
    for round_id in list(unfinished.values_list("pk", flat=True)[:most]):
        ended += _round_expire(round_id, at=at)
    return ended


@transaction.atomic
def _round_expire(round_id: uuid.UUID, *, at: datetime) -> bool:
    round_ = ComputeRound.objects.select_for_update().get(pk=round_id)
    if round_.status == RoundStatus.SCHEDULED:
        outcome = verify_absence(Basis(round_.basis))
        round_.status, round_.ended_at = RoundStatus.MISSED, at
        round_.codes = _codes(outcome)
        round_.save(update_fields=["status", "ended_at", "codes"])
        again_ahead(round_, at=at)
        return True
    if round_.status != RoundStatus.BEGUN:
        return False
    for task in round_.tasks.filter(status__in=[TaskStatus.BEGUN, TaskStatus.DRAWN]):
        if task.state is None:
            continue
        try:
            outcome = verify_silence(Round.from_json(task.state), clock_ms(at))
        except RoundError:
            # Its time is not over.
            continue
        _task_end(task, outcome)
    return _round_end(round_, at=at)


def _task_end(task: ComputeTask, outcome: Outcome) -> None:
    task.status = TaskStatus.PASSED if outcome.passed else TaskStatus.FAILED
    task.outcome, task.opening = outcome.as_json(), b""
    task.save(update_fields=["status", "outcome", "opening"])


def _round_end(round_: ComputeRound, *, at: datetime) -> bool:
    """End a round once all its GPUs have; one GPU that failed fails it."""
    tasks = list(round_.tasks.all())
    if any(task.status not in FINAL_TASK_STATUSES for task in tasks):
        return False
    outcomes = [task.outcome or {} for task in tasks]
    passed = all(task.status == TaskStatus.PASSED for task in tasks)
    elapsed: list[Any] = [outcome.get("commit_elapsed_ms") for outcome in outcomes]
    round_.status = RoundStatus.PASSED if passed else RoundStatus.FAILED
    round_.ended_at = at
    if None not in elapsed:
        round_.elapsed_ms = max(elapsed)
    round_.codes = sorted(
        {
            finding["code"]
            for outcome in outcomes
            for finding in outcome.get("findings", [])
            if finding["severity"] == Severity.ERROR
        }
    )
    round_.save(update_fields=["status", "ended_at", "elapsed_ms", "codes"])
    if not passed:
        again_ahead(round_, at=at)
    return True


def _codes(outcome: Outcome) -> list[str]:
    return [finding.code for finding in outcome.findings if finding.severity is Severity.ERROR]


@transaction.atomic
def rounds_purge(*, at: datetime) -> int:
    """Delete the oldest rounds that are kept no longer, some at a time."""
    old = ComputeCohort.objects.filter(formed_at__lt=at - KEPT).order_by("formed_at")
    pks = list(old.select_for_update(skip_locked=True).values_list("pk", flat=True)[:_PURGE_BATCH])
    if not pks:
        return 0
    ComputeEpoch.objects.filter(number__lt=epoch_number(at - KEPT)).delete()
    deleted, _ = ComputeCohort.objects.filter(pk__in=pks).delete()
    return deleted
