"""The governor's own rules, and how they came to be."""

from django.db import models

from chain.fields import AddressField, BytesField, Hash32Field, Uint256Field


class IndexedRow(models.Model):
    """Where on the chain a row comes from."""

    block_number = models.PositiveBigIntegerField()
    log_index = models.PositiveIntegerField()
    tx = Hash32Field()
    changed_at = models.DateTimeField()

    class Meta:
        abstract = True
        ordering = ["block_number", "log_index"]


class GovernorSettingChange(IndexedRow):
    """A change of one number of the governor or the timelock.

    Written only by the projector ``governance.settings``. ``name`` is one of voting_delay_s,
    voting_period_s, proposal_threshold_wei, quorum_numerator, late_quorum_extension_s,
    timelock_delay_s. The newest row of a name is the value in force.
    """

    name = models.CharField(max_length=32)
    old_value = Uint256Field()
    new_value = Uint256Field()

    class Meta(IndexedRow.Meta):
        indexes = [models.Index(fields=["name", "block_number", "log_index"])]

    def __str__(self) -> str:
        return f"{self.name}: {self.old_value} -> {self.new_value}"


class GuardianTerm(IndexedRow):
    """An appointment of the guardian. Written only by the projector ``governance.settings``."""

    guardian = AddressField()
    until = models.DateTimeField(null=True)

    class Meta(IndexedRow.Meta):
        pass

    def __str__(self) -> str:
        return self.guardian.hex()


class RoutineCall(IndexedRow):
    """An entry of, or a removal from, the routine list.

    Written only by the projector ``governance.settings``. The newest row of a (target, selector)
    pair decides.
    """

    target = AddressField()
    selector = BytesField(max_length=4)
    allowed = models.BooleanField()

    class Meta(IndexedRow.Meta):
        indexes = [models.Index(fields=["target", "block_number", "log_index"])]

    def __str__(self) -> str:
        return f"{self.target.hex()} {bytes(self.selector).hex()} {self.allowed}"
