"""Epochs of verdicts: what this service computed of each, and what the ledger says of it."""

from datetime import datetime

from django.db import models

from chain.fields import AddressField, BytesField, Hash32Field
from network.epochs.seconds import EPOCH_S
from network.models.attestation import Verdict


class EpochLedger(models.Model):
    """The ledger that this service anchors in, and the clock of its epochs.

    Written by ``network.services.epochs`` when it first meets the ledger, from the contracts
    themselves; neither figure can ever change. Its row is the lock under which epochs are cut.
    """

    chain_id = models.BigIntegerField()
    address = AddressField()
    #: The epoch in which the ledger was deployed: the first it takes.
    first_epoch = models.BigIntegerField()
    #: Unix seconds at which epoch 0 of the registry of parameters began.
    genesis_s = models.BigIntegerField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["chain_id", "address"], name="network_ledger_once")
        ]

    def __str__(self) -> str:
        return f"0x{self.address.hex()}"

    def window(self, number: int) -> tuple[int, int]:
        """An epoch's first second and the first of the next, Unix."""
        start = self.genesis_s + number * EPOCH_S
        return start, start + EPOCH_S


class Epoch(models.Model):
    """One epoch as this service cut it: its verdicts in their order, root and totals.

    Written by ``network.services.epochs`` in one transaction with its leaves, and never changed
    but for ``intent``. An epoch that was voided on chain may be cut again, as the next revision.
    """

    ledger = models.ForeignKey(EpochLedger, on_delete=models.PROTECT, related_name="epochs")
    number = models.BigIntegerField()
    #: 1, and one more each time a voided epoch is cut again.
    revision = models.PositiveSmallIntegerField(default=1)
    #: Why it was cut again; empty for the first.
    reason = models.CharField(max_length=200, blank=True)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    frozen_at = models.DateTimeField()
    #: The final block whose time showed that the epoch was over.
    final_block = models.BigIntegerField()
    #: Of ``IAttestationLedger.post``.
    root = Hash32Field()
    count = models.BigIntegerField()
    total_seconds = models.BigIntegerField()
    metadata_hash = Hash32Field()
    #: What the metadata hash is of: the epoch's published description.
    description = models.JSONField()
    #: Roots of the tree's pieces (``network.epochs.pieces``).
    piece_roots = BytesField(blank=True)
    #: The newest transaction wanted for it.
    intent = models.ForeignKey(
        "chain.TxIntent", on_delete=models.PROTECT, null=True, related_name="+"
    )

    class Meta:
        ordering = ["-number", "-revision"]
        constraints = [
            models.UniqueConstraint(
                fields=["ledger", "number", "revision"], name="network_epoch_once"
            )
        ]

    def __str__(self) -> str:
        again = f", revision {self.revision}" if self.revision > 1 else ""
        return f"epoch {self.number}{again}"

    @property
    def window(self) -> tuple[int, int]:
        """The first second and the first of the next epoch, Unix."""
        return int(self.starts_at.timestamp()), int(self.ends_at.timestamp())


class EpochLeaf(models.Model):
    """One verdict's place in an epoch. Written with its epoch, never changed.

    ``IAttestationLedger.VerdictLeaf`` at ``index``. A verdict that still counted after its own
    epoch's end has a leaf in the next one too, with the seconds of that one.
    """

    epoch = models.ForeignKey(Epoch, on_delete=models.PROTECT, related_name="leaves")
    index = models.BigIntegerField()
    verdict = models.ForeignKey(
        Verdict, on_delete=models.DO_NOTHING, db_constraint=False, related_name="leaves"
    )
    node_id = Hash32Field()
    verdict_hash = Hash32Field()
    tier = models.PositiveSmallIntegerField()
    #: By AR4SI: 0 none, 2 affirming, 32 warning, 96 contraindicated.
    status = models.PositiveSmallIntegerField()
    seconds_attested = models.PositiveIntegerField()
    leaf_hash = Hash32Field()

    class Meta:
        ordering = ["epoch_id", "index"]
        constraints = [models.UniqueConstraint(fields=["epoch", "index"], name="network_leaf_once")]

    def __str__(self) -> str:
        return f"leaf {self.index} of {self.epoch_id}"


class EpochRecord(models.Model):
    """What the ledger says of an epoch. Written by the ledger's projector.

    Of a voided epoch the voided figures stay until it is posted again, as on chain.
    """

    epoch = models.BigIntegerField(primary_key=True)
    root = Hash32Field()
    count = models.BigIntegerField()
    total_seconds = models.BigIntegerField()
    metadata_hash = Hash32Field()
    posted_at = models.DateTimeField()
    #: From then on it can be built on and never changes; no event marks it.
    usable_at = models.DateTimeField()
    posted_tx = Hash32Field()
    block_number = models.BigIntegerField()
    #: How often it was posted: more than once after it was voided.
    posted_count = models.PositiveIntegerField()
    #: Null where it stands.
    voided_at = models.DateTimeField(null=True)
    voided_by = AddressField(null=True)
    void_reason = models.CharField(max_length=66, blank=True)
    voided_tx = Hash32Field(null=True)

    class Meta:
        ordering = ["-epoch"]

    def __str__(self) -> str:
        return f"epoch {self.epoch} on chain"

    def status_at(self, at: datetime) -> str:
        """``posted``, ``usable`` or ``voided`` (``IAttestationLedger.EpochStatus``)."""
        if self.voided_at is not None:
            return "voided"
        return "posted" if at < self.usable_at else "usable"
