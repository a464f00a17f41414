"""Contracts that people added to the index, and how far each has been caught up."""

from django.db import models

from chain.fields import AddressField, Hash32Field


class WatchedContract(models.Model):
    """A contract outside the deployment whose logs are indexed.

    Added and removed by ``chain.watch`` (``contract_watch``, ``contract_unwatch``); its progress is
    written by ``chain.indexer.join`` by compare-and-swap on (indexed_to, indexed_hash, generation).
    Never deleted: what was indexed stays, and a contract that comes back goes on where it stopped.

    Until ``joined`` it has a lane of its own, from ``first_block`` up to the main cursor; from then
    on its logs come with every batch of the main lane, and ``indexed_to`` stands still.
    """

    chain_id = models.BigIntegerField()
    address = AddressField()
    abi = models.CharField(max_length=100, help_text="A name in chain/abi.")
    label = models.CharField(max_length=200, blank=True)
    first_block = models.BigIntegerField(help_text="Where its logs begin.")
    indexed_to = models.BigIntegerField(help_text="Every log up to and in this block is stored.")
    #: Of the block ``indexed_to``; null before the first window.
    indexed_hash = Hash32Field(null=True)
    #: Counts the reorganisations met while not joined: what was fetched before one is refused.
    generation = models.IntegerField(default=0)
    window_blocks = models.IntegerField(
        default=500, help_text="Blocks per eth_getLogs while catching up; adapts."
    )
    joined = models.BooleanField(default=False)
    joined_number = models.BigIntegerField(null=True, help_text="The main cursor when it joined.")
    #: False from joining until every key its older logs touch has been recomputed.
    settled = models.BooleanField(default=False)
    #: The last key that was, while that goes on.
    settled_projector = models.CharField(max_length=100, blank=True)
    settled_key = models.CharField(max_length=300, blank=True)
    error = models.TextField(blank=True, help_text="Why it does not advance.")
    added_at = models.DateTimeField()
    added_by = models.CharField(max_length=150)
    removed_at = models.DateTimeField(null=True)
    removed_by = models.CharField(max_length=150, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["chain_id", "address"], name="chain_watch_once"),
        ]

    def __str__(self) -> str:
        return f"{self.label or self.abi} 0x{self.address.hex()}"
