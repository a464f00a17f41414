"""The keeper: what it is waiting for, and its switch."""

import pgtrigger
from django.conf import settings
from django.db import models

from chain.fields import Uint256Field


class KeeperNote(models.Model):
    """What the keeper last found for one open proposal.

    Written only by ``governance.keeper``; a cache of a judgement, safe to lose.
    """

    proposal_id = Uint256Field(primary_key=True)
    #: "queue", "execute" or "" when there is nothing to do.
    step = models.CharField(max_length=8, blank=True)
    #: Machine-readable: "waiting_delay", "waiting_constitutional", "paused", "would_revert",
    #: "submitted", "mined", "reverted", "gave_up", "id_mismatch", "state_differs", "dry_run",
    #: "executed_here", "executed_elsewhere", "nothing_to_do", or the outbox's own reason to wait
    #: (``TxIntent.Wait``).
    code = models.CharField(max_length=32)
    sentence = models.TextField()
    wait_until = models.DateTimeField(null=True)
    #: Since when somebody should have taken the step and nobody has; null while there is time.
    overdue_since = models.DateTimeField(null=True)
    checked_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.proposal_id}: {self.code}"


class KeeperSwitch(models.Model):
    """One turn of the keeper's pause switch; the newest row is in force.

    Append-only, by a trigger: the switch and its audit are one row. Written by
    ``governance.services.keeper_switch``.
    """

    paused = models.BooleanField()
    reason = models.CharField(max_length=500)
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ["-pk"]
        get_latest_by = "pk"
        permissions = [("switch_keeper", "Can pause and resume the keeper")]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)
        ]

    def __str__(self) -> str:
        return "paused" if self.paused else "running"
