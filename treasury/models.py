"""What the treasury holds and what moved. Written by ``treasury.projections`` alone."""

from django.db import models

from chain.fields import AddressField, Hash32Field, Uint256Field


class Asset(models.Model):
    """An asset of the allow-list as deployed. Written by the treasury's projector.

    ``address`` is null for the chain's own coin.
    """

    code = models.CharField(max_length=16, primary_key=True)
    name = models.CharField(max_length=64)
    address = AddressField(null=True)
    decimals = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return self.code


class TransferDirection(models.TextChoices):
    """Seen from the treasury. ``self`` moves nothing: sender and recipient are the treasury."""

    IN = "in", "In"
    OUT = "out", "Out"
    SELF = "self", "To itself"


class Transfer(models.Model):
    """One movement that left a log: an ERC-20 Transfer or a timelock call with value.

    Written by the treasury's projector. Plain ETH sent to the treasury leaves no
    log and is therefore no row here; ``treasury.selectors`` shows it as the
    difference between the balance and the sum of these rows.
    ``position`` is block number * 2**20 + log index: the chain's order in one number.
    """

    position = models.BigIntegerField(primary_key=True)
    asset = models.ForeignKey(Asset, on_delete=models.CASCADE, related_name="transfers")
    direction = models.CharField(max_length=4, choices=TransferDirection.choices)
    sender = AddressField()
    recipient = AddressField()
    #: The other side: whom the treasury paid, or who paid it.
    counterparty = AddressField()
    #: In the asset's smallest unit.
    amount_wei = Uint256Field()
    block_number = models.BigIntegerField()
    log_index = models.PositiveIntegerField()
    transaction_hash = Hash32Field()
    #: The block's timestamp.
    transferred_at = models.DateTimeField()

    class Meta:
        ordering = ["-position"]
        indexes = [
            models.Index(fields=["asset", "-position"]),
            models.Index(fields=["asset", "counterparty"]),
            models.Index(fields=["transaction_hash"]),
            models.Index(fields=["transferred_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.direction} {self.amount_wei} {self.asset_id} at {self.block_number}"


class Balance(models.Model):
    """What the treasury held of an asset, as read at one block's hash.

    Written by the treasury's projector.
    """

    asset = models.OneToOneField(
        Asset, on_delete=models.CASCADE, primary_key=True, related_name="balance"
    )
    #: In the asset's smallest unit.
    amount_wei = Uint256Field()
    #: The block whose state was read.
    block_number = models.BigIntegerField()

    class Meta:
        ordering = ["asset_id"]

    def __str__(self) -> str:
        return f"{self.amount_wei} {self.asset_id} at {self.block_number}"
