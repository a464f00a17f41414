"""Where the index and the chain's own answers differ."""

import pgtrigger
from django.db import models

from chain.fields import AddressField, Hash32Field, Uint256Field


class ReconcileRun(models.Model):
    """One comparison of what is indexed with what the chain answers.

    Written by ``governance.reconcile`` and never changed; those that found nothing are deleted
    after a month, for there is one every minute. ``resume`` says where the next partial run goes
    on in each table, so that all rows are compared in turn.
    """

    chain_id = models.BigIntegerField()
    #: "all", "proposal", "open" (the tick's: what may still change, and a part of the rest).
    scope = models.CharField(max_length=12)
    block_number = models.PositiveBigIntegerField()
    block_hash = Hash32Field()
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()
    #: Values compared; those the chain did not answer; those that differed; newly found; closed.
    compared = models.PositiveIntegerField()
    unanswered = models.PositiveIntegerField(default=0)
    differing = models.PositiveIntegerField(default=0)
    opened = models.PositiveIntegerField(default=0)
    closed = models.PositiveIntegerField(default=0)
    resume = models.JSONField(default=dict)

    class Meta:
        ordering = ["-pk"]
        get_latest_by = "pk"
        triggers = [pgtrigger.Protect(name="reconcile_run_fixed", operation=pgtrigger.Update)]

    def __str__(self) -> str:
        return f"{self.scope} at {self.block_number}: {self.differing} of {self.compared} differ"


class ReconcileFinding(models.Model):
    """One value that is indexed differently from what the chain answered at one block.

    Written by ``governance.reconcile`` alone, and never repaired by it. What was found stays as
    it was found: a later run that looks again says so in ``seen_*``, and one that sees the two
    agree closes the finding. Nothing is deleted. ``indexed`` and ``chain`` are decimal integers,
    EIP-55 addresses or ``reverted: <error>``.
    """

    class Kind(models.TextChoices):
        PROPOSAL = "proposal", "Proposal"
        VOTE = "vote", "Vote"
        HOLDER = "holder", "Holder"
        DELEGATE = "delegate", "Delegate"
        OPERATION = "operation", "Timelock operation"
        SETTING = "setting", "Governor's setting"

    chain_id = models.BigIntegerField()
    #: Who was asked: the governor, the token or the timelock.
    contract = AddressField()
    kind = models.CharField(max_length=12, choices=Kind)
    #: The proposal id (decimal), ``<proposal id>:<voter hex>``, an address (hex), an operation id
    #: (hex) or a setting's name.
    subject = models.CharField(max_length=200)
    #: The indexed value's name, like ``for_wei``.
    field = models.CharField(max_length=40)
    #: The contract's function, like ``proposalVotes``.
    function = models.CharField(max_length=60)
    proposal_id = Uint256Field(null=True)
    indexed = models.TextField()
    chain = models.TextField()
    block_number = models.PositiveBigIntegerField()
    block_hash = Hash32Field()
    found_at = models.DateTimeField()
    seen_number = models.PositiveBigIntegerField()
    seen_at = models.DateTimeField()
    closed_number = models.PositiveBigIntegerField(null=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["chain_id", "contract", "kind", "subject", "field"],
                condition=models.Q(closed_at=None),
                name="finding_open_once",
            )
        ]
        indexes = [
            models.Index(
                fields=["proposal_id"],
                condition=models.Q(closed_at=None),
                name="finding_open_proposal",
            )
        ]
        triggers = [
            pgtrigger.Protect(name="finding_no_delete", operation=pgtrigger.Delete),
            pgtrigger.ReadOnly(
                name="finding_evidence",
                fields=[
                    "chain_id",
                    "contract",
                    "kind",
                    "subject",
                    "field",
                    "function",
                    "proposal_id",
                    "indexed",
                    "chain",
                    "block_number",
                    "block_hash",
                    "found_at",
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject[:20]} {self.field}: {self.indexed} | {self.chain}"
