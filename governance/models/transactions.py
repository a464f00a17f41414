"""Transactions people sent from their wallets, which the server watches for them."""

from django.db import models

from chain.fields import AddressField, Hash32Field, Uint256Field


class PendingTransaction(models.Model):
    """A transaction whose hash a browser posted.

    Written by ``governance.services.transactions`` (posted, and watched by the tick). It is a
    convenience for the sender: nothing on any page follows from it but its own progress.
    """

    class State(models.TextChoices):
        PENDING = "pending", "Pending"
        MINED = "mined", "Mined"
        INDEXED = "indexed", "Indexed"
        FINALIZED = "finalized", "Finalised"
        REVERTED = "reverted", "Reverted"
        REPLACED = "replaced", "Replaced"
        DROPPED = "dropped", "Dropped"

    transaction_hash = Hash32Field(primary_key=True)
    #: "propose", "vote", "delegate", "queue", "execute", "cancel" or "other".
    purpose = models.CharField(max_length=16)
    state = models.CharField(max_length=12, choices=State, default=State.PENDING)
    #: From the node, once it knows the transaction.
    sender = AddressField(null=True, db_index=True)
    nonce = models.PositiveBigIntegerField(null=True)
    to = AddressField(null=True)
    block_number = models.PositiveBigIntegerField(null=True)
    block_hash = Hash32Field(null=True)
    replaced_by = Hash32Field(null=True)
    proposal_id = Uint256Field(null=True)
    #: For people: why it reverted, or what to do now.
    sentence = models.TextField(blank=True)
    submitted_at = models.DateTimeField()
    #: When the node last knew the transaction; a long silence means dropped.
    seen_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-submitted_at"]
        indexes = [models.Index(fields=["state", "checked_at"])]

    def __str__(self) -> str:
        return f"{self.transaction_hash.hex()} {self.state}"


class TransactionSender(models.Model):
    """Who sent a transaction. Written by ``governance.services.transactions``.

    A transaction's hash covers its signature, so the sender of a hash never changes and the row
    outlives reorgs and rebuilds.
    """

    transaction_hash = Hash32Field(primary_key=True)
    sender = AddressField()

    def __str__(self) -> str:
        return self.sender.hex()
