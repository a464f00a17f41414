"""Strikes and incidents: why a node stopped counting, and what was done about it."""

import pgtrigger
from django.db import models

from chain.fields import Hash32Field
from chain.models import TxIntent
from network.models.attestation import Verdict
from network.models.nodes import Node


class Strike(models.Model):
    """One refused report that counts against its node. Append-only.

    Written by ``network.services.strikes`` in the transaction that stores the verdict. One per
    challenge, whatever a client repeats: the challenge's nonce is unique here.
    """

    node = models.ForeignKey(
        Node, on_delete=models.DO_NOTHING, db_constraint=False, related_name="strikes"
    )
    #: The nonce of the challenge that the report answered.
    nonce = Hash32Field(unique=True)
    #: Verdicts are dropped when their time is over, strikes are not.
    verdict = models.ForeignKey(
        Verdict, on_delete=models.DO_NOTHING, db_constraint=False, related_name="strikes"
    )
    #: The first finding that is the node's own fault, for example ``sig.report``.
    code = models.CharField(max_length=64)
    sentence = models.CharField(max_length=500)
    policy_version = models.BigIntegerField()
    struck_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["node", "-id"])]
        triggers = [
            pgtrigger.Protect(
                name="strike_append_only", operation=pgtrigger.Update | pgtrigger.Delete
            )
        ]

    def __str__(self) -> str:
        return f"{self.code} of 0x{self.node_id.hex()}"


class IncidentState(models.TextChoices):
    """``released`` and ``dismissed`` are people's decisions, ``cured`` the node's own doing."""

    OPEN = "open", "Open"
    CURED = "cured", "Cured"
    RELEASED = "released", "Released"
    DISMISSED = "dismissed", "Dismissed"


class IncidentAction(models.TextChoices):
    """How far the suspension on chain came; ``Incident.action_sentence`` says why."""

    WAITING = "waiting", "Waits"
    HELD = "held", "Held back"
    SENT = "sent", "Being sent"
    SUSPENDED = "suspended", "Suspended"
    NOT_NEEDED = "not_needed", "Not needed"
    CAP_REACHED = "cap_reached", "Cap reached"
    RESUMING = "resuming", "Being resumed"
    RESUMED = "resumed", "Resumed"


class Incident(models.Model):
    """A node reached ``slash.strikes``: it counts no longer, and is to be suspended on chain.

    Written by ``network.services.incidents``. At most one is open per node. Suspending and
    withholding is all that happens by itself: no stake is ever taken here.
    """

    node = models.ForeignKey(
        Node, on_delete=models.DO_NOTHING, db_constraint=False, related_name="incidents"
    )
    state = models.CharField(
        max_length=9, choices=IncidentState.choices, default=IncidentState.OPEN, db_index=True
    )
    #: The reason as the registry gets it: short ASCII, the finding of the last strike.
    code = models.CharField(max_length=31)
    sentence = models.CharField(max_length=500)
    next_step = models.CharField(max_length=500)
    #: The last strike's verdict and its hash, which the suspension names as evidence.
    verdict = models.ForeignKey(
        Verdict, on_delete=models.DO_NOTHING, db_constraint=False, related_name="incidents"
    )
    evidence_hash = Hash32Field()
    strikes = models.PositiveSmallIntegerField()
    policy_version = models.BigIntegerField()
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    action = models.CharField(
        max_length=11, choices=IncidentAction.choices, default=IncidentAction.WAITING
    )
    action_sentence = models.CharField(max_length=500, blank=True)
    #: The newest transactions asked for; each try is one more intent.
    suspend_intent = models.ForeignKey(
        TxIntent, on_delete=models.PROTECT, null=True, related_name="+"
    )
    suspend_tries = models.PositiveSmallIntegerField(default=0)
    resume_intent = models.ForeignKey(
        TxIntent, on_delete=models.PROTECT, null=True, related_name="+"
    )
    resume_tries = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["node", "-id"])]
        constraints = [
            models.UniqueConstraint(
                fields=["node"],
                condition=models.Q(state=IncidentState.OPEN),
                name="incident_open_once_a_node",
            )
        ]

    def __str__(self) -> str:
        return f"{self.code} of 0x{self.node_id.hex()} ({self.state})"


class IncidentEvent(models.Model):
    """What was done about an incident, by whom and why. Append-only.

    Written by ``network.services.incidents`` in the transaction of the act itself.
    """

    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="events")
    action = models.CharField(max_length=11)
    #: ``service`` or ``staff <name>``.
    actor = models.CharField(max_length=200)
    reason = models.CharField(max_length=500, blank=True)
    occurred_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        triggers = [
            pgtrigger.Protect(
                name="incidentevent_append_only", operation=pgtrigger.Update | pgtrigger.Delete
            )
        ]

    def __str__(self) -> str:
        return f"{self.action} by {self.actor}"

    @property
    def by(self) -> str:
        """``service`` or ``staff``: names of staff are for the console."""
        return self.actor.partition(" ")[0]


class VerifierBuild(models.Model):
    """A verifier this service judges with, and since when.

    Written by ``network.services.breakers``: nobody is suspended in the hour after a change.
    """

    #: SHA-256 of the verifier's sources, hex.
    digest = models.CharField(max_length=64, unique=True)
    #: Since when it judges: again from the change where another one judged in between.
    since = models.DateTimeField()
    seen_at = models.DateTimeField()

    class Meta:
        ordering = ["-seen_at", "-id"]

    def __str__(self) -> str:
        return self.digest[:12]
