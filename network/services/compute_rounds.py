"""A node's way through a round: told, ready, begin, commit. Every step by the service's clock.

Each step locks the round's row first, so that two requests, two processes or a judge never pass
each other, and changes nothing else than its rows: a process that dies leaves a round as it was.
"""

import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from network.compute import Challenge, Params, Round, RoundError, packaged_table
from network.compute.params import CHALLENGE_ID_BYTES, NONCE_BYTES
from network.compute.rounds import BEGIN_WINDOW_MS
from network.errors import Conflict, NetworkError, NotFound, Refused
from network.models import (
    ComputeRound,
    ComputeTask,
    Node,
    NodeKey,
    RoundStatus,
    TaskStatus,
)
from network.services.compute_plan import milliseconds
from network.services.compute_secrets import epoch_number, epoch_seed

BEGIN_WINDOW = timedelta(milliseconds=BEGIN_WINDOW_MS)
#: How long before its instant a node may measure the round trip.
READY_BEFORE = timedelta(seconds=15)
#: Refusals of what a message says; the others are of when it comes.
_MALFORMED = {"compute.commit_length", "compute.wrong_round"}


@dataclass(frozen=True, slots=True)
class Commitment:
    """One GPU's commitment: its position in the round, and 64 bytes."""

    position: int
    message: bytes


def clock_ms(at: datetime) -> int:
    """A time as the rounds count it: milliseconds of Unix time."""
    return int(at.timestamp() * 1000)


def refusal(error: RoundError) -> NetworkError:
    """A round's refusal as the API answers it."""
    kind = Refused if error.code in _MALFORMED else Conflict
    return kind(error.code, error.detail)


def round_ahead(*, node: Node, at: datetime) -> ComputeRound | None:
    """The round that the node may get ready for; None where none is near."""
    return (
        ComputeRound.objects.filter(
            node_id=node.node_id, status=RoundStatus.SCHEDULED, starts_at__gt=at - BEGIN_WINDOW
        )
        .prefetch_related("tasks")
        .order_by("starts_at")
        .first()
    )


def round_lock(round_id: uuid.UUID, node: Node) -> ComputeRound:
    """A node's own round, locked. Call it inside a transaction, before its tasks are read.

    Raises:
        NotFound: ``round_unknown``, also for another node's.
    """
    own = ComputeRound.objects.select_for_update().filter(pk=round_id, node_id=node.node_id)
    found = own.first()
    if found is None:
        raise NotFound("round_unknown", "This node has no such round.")
    return found


@transaction.atomic
def round_ready(*, round_id: uuid.UUID, node: Node, at: datetime) -> ComputeRound:
    """Give the node what it has to send back with :func:`round_begin`, for the round trip.

    Raises:
        NotFound: ``round_unknown``.
        Conflict: ``compute.out_of_turn``, ``compute.begin_early`` or ``compute.begin_late``.
    """
    round_ = round_lock(round_id, node)
    if round_.status != RoundStatus.SCHEDULED:
        raise refusal(RoundError("compute.out_of_turn"))
    if at < round_.starts_at - READY_BEFORE:
        raise refusal(RoundError("compute.begin_early"))
    if at > round_.starts_at + BEGIN_WINDOW:
        raise refusal(RoundError("compute.begin_late"))
    round_.echo, round_.ready_at = secrets.token_bytes(32), at
    round_.save(update_fields=["echo", "ready_at"])
    return round_


@transaction.atomic
def round_begin(
    *, round_id: uuid.UUID, node: Node, key: NodeKey, echo: bytes, arrived: datetime, at: datetime
) -> list[Challenge]:
    """Start the clock of all the node's GPUs and give their challenges, in order of position.

    ``arrived`` is when the request was read, for the round trip; ``at`` when it is answered.

    Raises:
        NotFound: ``round_unknown``.
        Conflict: ``compute.out_of_turn``, ``compute.begin_early`` or ``compute.begin_late``;
            ``echo_unknown``: not what :func:`round_ready` gave last.
    """
    round_ = round_lock(round_id, node)
    if round_.status != RoundStatus.SCHEDULED:
        raise refusal(RoundError("compute.out_of_turn"))
    if round_.echo is None or round_.ready_at is None or round_.echo != echo:
        raise Conflict("echo_unknown", "Say first that the node is ready, and send back its echo.")
    tasks = list(round_.tasks.all())
    params = Params.from_json(round_.params)
    deadline = packaged_table().deadline(
        round_.deadline_class,
        params,
        margin_bps=round_.margin_bps,
        rtt_ms=milliseconds(arrived - round_.ready_at),
        gpus=len(tasks),
    )
    number = epoch_number(at)
    seed = epoch_seed(number)
    challenges = [
        Challenge(
            params=params,
            challenge_id=secrets.token_bytes(CHALLENGE_ID_BYTES),
            # Drawn now and not before: nothing that could leak exists until the clock runs.
            nonce=secrets.token_bytes(NONCE_BYTES),
            node_key=key.ed25519,
            gpu_id=task.gpu_id,
            epoch=number,
            epoch_seed=seed,
        )
        for task in tasks
    ]
    starts_ms = clock_ms(round_.starts_at)
    for task, challenge in zip(tasks, challenges, strict=True):
        try:
            state = Round(challenge, deadline, starts_ms).begin(clock_ms(at))
        except RoundError as error:
            raise refusal(error) from error
        task.state, task.status = state.as_json(), TaskStatus.BEGUN
    ComputeTask.objects.bulk_update(tasks, ["state", "status"])
    round_.status, round_.begun_at = RoundStatus.BEGUN, at
    round_.limit_ms, round_.basis = deadline.commit_ms, deadline.basis.value
    round_.save(update_fields=["status", "begun_at", "limit_ms", "basis"])
    return challenges


@transaction.atomic
def round_commit(
    *,
    round_id: uuid.UUID,
    node: Node,
    commitments: Sequence[Commitment],
    arrived: datetime,
    at: datetime,
) -> dict[int, tuple[int, ...]]:
    """Stop the clocks of the GPUs named, at ``arrived``, and draw the rows that each must open.

    The same commitment again is answered with the same rows. All or none of the commitments are
    taken.

    Raises:
        NotFound: ``round_unknown`` or ``gpu_unknown``.
        Conflict: ``compute.out_of_turn``, ``compute.second_commit`` or
            ``compute.clock_backwards``.
        Refused: ``compute.commit_length`` or ``compute.wrong_round``; ``gpu_twice``.
    """
    round_ = round_lock(round_id, node)
    if len({item.position for item in commitments}) != len(commitments):
        raise Refused("gpu_twice", "A GPU may stand once in the commitments.")
    tasks = {task.position: task for task in round_.tasks.all()}
    drawn = {}
    for item in commitments:
        task = tasks.get(item.position)
        if task is None:
            raise NotFound("gpu_unknown", f"The round has no GPU {item.position}.")
        drawn[item.position] = _task_commit(task, item.message, arrived=arrived, at=at)
    return drawn


def _task_commit(
    task: ComputeTask, message: bytes, *, arrived: datetime, at: datetime
) -> tuple[int, ...]:
    if task.state is None or task.status not in (TaskStatus.BEGUN, TaskStatus.DRAWN):
        raise refusal(RoundError("compute.out_of_turn"))
    try:
        state = Round.from_json(task.state).commit(message, clock_ms(arrived))
        if not state.indices:
            state = state.draw(clock_ms(at))
    except RoundError as error:
        raise refusal(error) from error
    task.state, task.status = state.as_json(), TaskStatus.DRAWN
    task.save(update_fields=["state", "status"])
    return state.indices
