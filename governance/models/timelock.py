"""Operations of the timelock."""

from django.db import models

from chain.fields import Hash32Field
from governance.models.proposals import Proposal


class OperationState(models.TextChoices):
    SCHEDULED = "scheduled", "Scheduled"
    DONE = "done", "Done"
    CANCELED = "canceled", "Canceled"


class TimelockOperation(models.Model):
    """One batch in the TimelockController.

    Written only by the projector ``governance.timelock``. "Waiting" and "ready" follow from
    ``ready_at`` and the time; they are not stored.
    """

    operation_id = Hash32Field(primary_key=True)
    proposal = models.ForeignKey(
        Proposal, null=True, on_delete=models.SET_NULL, related_name="operations"
    )
    state = models.CharField(max_length=12, choices=OperationState)
    calls_count = models.PositiveSmallIntegerField()
    delay_s = models.PositiveBigIntegerField()
    scheduled_at = models.DateTimeField()
    ready_at = models.DateTimeField()
    scheduled_block = models.PositiveBigIntegerField()
    scheduled_tx = Hash32Field()
    done_at = models.DateTimeField(null=True)
    done_tx = Hash32Field(null=True)
    canceled_at = models.DateTimeField(null=True)
    canceled_tx = Hash32Field(null=True)

    class Meta:
        ordering = ["-scheduled_block"]

    def __str__(self) -> str:
        return self.operation_id.hex()
