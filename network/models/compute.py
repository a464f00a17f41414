"""Compute rounds: who is asked to multiply when, and how each GPU answered.

A cohort is one instant; a round is one node at that instant; a task is one GPU of that node. The
arithmetic and its rules are ``network.compute``. The secret vectors of its check are in none of
these tables: they stay in the process that made them.
"""

import uuid

from django.db import models

from chain.fields import AddressField, BytesField, Hash32Field
from network.models.nodes import Node


class ComputeEpoch(models.Model):
    """The public seed of one UTC day's matrix B. Written by ``network.services.compute_secrets``,
    by whoever needs it first, and never changed.
    """

    #: Days since 1970-01-01.
    number = models.BigIntegerField(primary_key=True)
    seed = Hash32Field()

    class Meta:
        ordering = ["-number"]

    def __str__(self) -> str:
        return f"epoch {self.number}"


class CohortReason(models.TextChoices):
    """Why an instant was chosen: a random part of the fleet, a newcomer, one that failed."""

    FLEET = "fleet", "Part of the fleet"
    FIRST = "first", "First round"
    AGAIN = "again", "Again after a round that was not passed"


class ComputeCohort(models.Model):
    """One instant at which operators are challenged with all their GPUs. Written by
    ``network.services.compute_schedule``, which forms it (makes its rounds) shortly before.
    """

    reason = models.CharField(max_length=5, choices=CohortReason.choices)
    #: The one operator that it is for; null for a random part of the fleet.
    operator = AddressField(null=True)
    starts_at = models.DateTimeField()
    #: When its rounds were made; null until then.
    formed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-starts_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["reason"],
                condition=models.Q(formed_at=None, operator=None),
                name="compute_cohort_one_ahead",
            ),
            models.UniqueConstraint(
                fields=["operator"],
                condition=models.Q(formed_at=None, operator__isnull=False),
                name="compute_cohort_one_ahead_an_operator",
            ),
        ]
        indexes = [
            models.Index(
                fields=["starts_at"],
                condition=models.Q(formed_at=None),
                name="compute_cohort_due",
            )
        ]

    def __str__(self) -> str:
        return f"{self.reason} at {self.starts_at:%Y-%m-%d %H:%M:%S}"


class RoundStatus(models.TextChoices):
    """How far a node's round is. The last three are final."""

    SCHEDULED = "scheduled", "Scheduled"
    BEGUN = "begun", "Under way"
    PASSED = "passed", "Passed"
    FAILED = "failed", "Failed"
    MISSED = "missed", "Missed"


FINAL_ROUND_STATUSES = (RoundStatus.PASSED, RoundStatus.FAILED, RoundStatus.MISSED)


_PASSED_WORDS = {
    "measured": "Passed in time.",
    "assigned": "Passed. Emulated: software answered, within a limit that measures nobody.",
    "uncalibrated": "Passed. Uncalibrated: no time is measured for this class, so it proves no "
    "speed and no tier.",
}


class ComputeRound(models.Model):
    """One node's round: all its GPUs, begun at once. Written by
    ``network.services.compute_rounds`` and ``compute_openings``, under a lock on the row.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    cohort = models.ForeignKey(ComputeCohort, on_delete=models.CASCADE, related_name="rounds")
    node = models.ForeignKey(
        Node, on_delete=models.DO_NOTHING, db_constraint=False, related_name="compute_rounds"
    )
    starts_at = models.DateTimeField()
    status = models.CharField(max_length=9, choices=RoundStatus.choices)
    #: The class whose deadline holds: the node's, or ``emulated``.
    deadline_class = models.CharField(max_length=32)
    #: Sizes and way of checking (``network.compute.Params``).
    params = models.JSONField()
    #: ``attest.challenge_deadline`` when the round was made.
    margin_bps = models.PositiveIntegerField()
    #: Where the deadline comes from (``network.compute.Basis``).
    basis = models.CharField(max_length=12)
    #: What the node has to send back, so that the round trip is measured; null until it is ready.
    echo = Hash32Field(null=True)
    ready_at = models.DateTimeField(null=True)
    begun_at = models.DateTimeField(null=True)
    #: Milliseconds from begin to the commitment: the limit (null where none is measured), and the
    #: time of the node's slowest GPU.
    limit_ms = models.PositiveIntegerField(null=True)
    elapsed_ms = models.PositiveIntegerField(null=True)
    ended_at = models.DateTimeField(null=True)
    #: Codes of the findings that failed it.
    codes = models.JSONField(default=list)

    class Meta:
        ordering = ["-starts_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["cohort", "node"], name="compute_round_once_a_cohort")
        ]
        indexes = [
            models.Index(fields=["node", "-ended_at"]),
            models.Index(
                fields=["starts_at"],
                condition=models.Q(status__in=["scheduled", "begun"]),
                name="compute_round_open",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.status} {self.id}"

    @property
    def is_emulated(self) -> bool:
        """Whether it was answered by software that says so."""
        return self.basis == "assigned"

    @property
    def sentence(self) -> str:
        """What a round that is over says, in plain words."""
        if self.status == RoundStatus.PASSED:
            return _PASSED_WORDS[self.basis]
        if self.status == RoundStatus.MISSED:
            return "Not begun in its window of five seconds."
        return f"Failed: {', '.join(self.codes)}."

    @property
    def is_calibrated(self) -> bool:
        """Whether there was a time limit to keep."""
        return self.basis != "uncalibrated"


class TaskStatus(models.TextChoices):
    """How far one GPU is. ``opened``: its rows have arrived and are to be judged."""

    WAITING = "waiting", "Waiting"
    BEGUN = "begun", "Computing"
    DRAWN = "drawn", "Asked for rows"
    OPENED = "opened", "To be judged"
    PASSED = "passed", "Passed"
    FAILED = "failed", "Failed"


FINAL_TASK_STATUSES = (TaskStatus.PASSED, TaskStatus.FAILED)


class ComputeTask(models.Model):
    """One GPU's part of a round. Written by ``network.services.compute_rounds`` and
    ``compute_openings``, under the lock on its round.
    """

    round = models.ForeignKey(ComputeRound, on_delete=models.CASCADE, related_name="tasks")
    #: From 0, in the order of the GPUs' ids.
    position = models.PositiveSmallIntegerField()
    #: The UUID that the node lists for it, a claim.
    gpu_id = models.CharField(max_length=64)
    status = models.CharField(max_length=7, choices=TaskStatus.choices, default=TaskStatus.WAITING)
    #: ``network.compute.Round`` as JSON, with its nonce; null until the round begins.
    state = models.JSONField(null=True)
    #: The opening as received, until it is judged; empty otherwise.
    opening = BytesField(default=b"")
    #: ``network.compute.Outcome`` as JSON; null until it is judged.
    outcome = models.JSONField(null=True)

    class Meta:
        ordering = ["round_id", "position"]
        constraints = [
            models.UniqueConstraint(fields=["round", "position"], name="compute_task_position"),
            models.UniqueConstraint(fields=["round", "gpu_id"], name="compute_task_gpu_once"),
        ]
        indexes = [
            models.Index(
                fields=["id"], condition=models.Q(status="opened"), name="compute_task_to_judge"
            )
        ]

    def __str__(self) -> str:
        return f"{self.gpu_id}: {self.status}"
