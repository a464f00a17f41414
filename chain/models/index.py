"""What was seen on the chain: blocks, raw logs, reads, and how far the index has come."""

import pgtrigger
from django.db import models

from chain.fields import AddressField, BytesField, Hash32Field


class Block(models.Model):
    """A block header. Written by chain.indexer alone.

    Every header of the last ``CHAIN_REORG_WINDOW`` blocks is kept, below that only
    those something refers to. ``canonical`` is false once a reorganisation left it.
    """

    chain_id = models.BigIntegerField()
    number = models.BigIntegerField()
    hash = Hash32Field()
    parent_hash = Hash32Field()
    timestamp = models.BigIntegerField(help_text="Unix seconds, as the block says.")
    canonical = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["chain_id", "hash"], name="chain_block_hash"),
            models.UniqueConstraint(
                fields=["chain_id", "number"],
                condition=models.Q(canonical=True),
                name="chain_block_canonical",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number} (0x{self.hash.hex()[:8]})"


class Log(models.Model):
    """A raw event log of one of our contracts. Written by chain.indexer; never deleted.

    ``event`` is empty where the log could not be decoded; ``undecoded_reason`` says
    why. Only ``canonical``, ``event`` and ``undecoded_reason`` ever change.
    """

    chain_id = models.BigIntegerField()
    block_number = models.BigIntegerField()
    block_hash = Hash32Field()
    block_timestamp = models.BigIntegerField(help_text="Unix seconds.")
    transaction_hash = Hash32Field()
    transaction_index = models.IntegerField()
    log_index = models.IntegerField()
    address = AddressField()
    topics = BytesField(help_text="The topics, 32 bytes each, joined.")
    data = BytesField()
    contract = models.CharField(max_length=100)
    event = models.CharField(max_length=100, blank=True)
    undecoded_reason = models.TextField(blank=True)
    canonical = models.BooleanField(default=True)

    class Meta:
        constraints = [
            # The number comes first, so that new rows go to the end of the index.
            models.UniqueConstraint(
                fields=["chain_id", "block_number", "log_index", "block_hash"],
                name="chain_log_place",
            ),
            models.UniqueConstraint(
                fields=["chain_id", "block_number", "log_index"],
                condition=models.Q(canonical=True),
                name="chain_log_canonical",
            ),
        ]
        indexes = [
            models.Index(
                fields=["chain_id", "block_number"],
                condition=models.Q(event=""),
                name="chain_log_undecoded",
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="log_no_delete", operation=pgtrigger.Delete),
            pgtrigger.ReadOnly(
                name="log_read_only",
                fields=["block_hash", "block_number", "log_index", "address", "topics", "data"],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.contract}.{self.event or '?'} {self.block_number}/{self.log_index}"


class LogKey(models.Model):
    """A log in the history of a projection's key. Written by chain.indexer, from the log alone.

    Logs that only say "read this key again" (``Projector.touch_only``) have no row.
    """

    chain_id = models.BigIntegerField()
    projector = models.CharField(max_length=100)
    key = models.CharField(max_length=300)
    log = models.ForeignKey(Log, on_delete=models.PROTECT, related_name="keys")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["projector", "key", "log"], name="chain_logkey_once"),
        ]
        indexes = [
            models.Index(fields=["chain_id", "projector", "key"], name="chain_logkey_key"),
        ]

    def __str__(self) -> str:
        return f"{self.projector}:{self.key}"


class KeyTouch(models.Model):
    """Which keys were recomputed as of which block. Written by chain.indexer, append-only.

    The row covers the blocks from ``from_number`` to ``block_number``. It holds what stored logs
    alone do not say (keys that fell due by time), so that a rebuild gives every key the same "as
    of" block as the live index did, and where the newest log was that touched the key.
    """

    chain_id = models.BigIntegerField()
    projector = models.CharField(max_length=100)
    key = models.CharField(max_length=300)
    from_number = models.BigIntegerField()
    block_number = models.BigIntegerField()
    block_hash = Hash32Field()
    log_number = models.BigIntegerField(null=True, help_text="Null: touched by time, not by a log.")
    log_index = models.IntegerField(null=True)
    log_timestamp = models.BigIntegerField(null=True, help_text="Unix seconds.")
    canonical = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["chain_id", "projector", "key", "block_number", "block_hash"],
                name="chain_touch_once",
            ),
        ]
        indexes = [
            models.Index(fields=["chain_id", "block_number"], name="chain_touch_block"),
        ]
        triggers = [pgtrigger.Protect(name="touch_no_delete", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.projector}:{self.key} at {self.block_number}"


class ChainRead(models.Model):
    """The answer to one ``eth_call`` at one block's hash. Written by chain.indexer, append-only.

    Stored because a node forgets old state: a rebuild replays these. ``ok`` is false
    where the call reverted; ``value`` then holds the revert data.
    """

    chain_id = models.BigIntegerField()
    address = AddressField()
    calldata = BytesField()
    calldata_hash = Hash32Field(help_text="keccak-256 of calldata; an index key of fixed size.")
    block_number = models.BigIntegerField()
    block_hash = Hash32Field()
    ok = models.BooleanField()
    value = BytesField()
    canonical = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["chain_id", "address", "calldata_hash", "block_hash"],
                name="chain_read_once",
            ),
        ]
        indexes = [
            # No index mentions ``canonical``: then to change it changes none, where there is room
            # in the page (a migration leaves it).
            models.Index(
                fields=["chain_id", "address", "calldata_hash", "-block_number"],
                name="chain_read_newest",
            ),
            models.Index(fields=["chain_id", "block_number"], name="chain_read_block"),
        ]
        triggers = [
            pgtrigger.Protect(name="read_no_delete", operation=pgtrigger.Delete),
            pgtrigger.ReadOnly(
                name="read_read_only",
                fields=["address", "calldata", "block_hash", "block_number", "ok", "value"],
            ),
        ]

    def __str__(self) -> str:
        return f"0x{self.address.hex()[:8]} {self.calldata.hex()[:8]} at {self.block_number}"


class Cursor(models.Model):
    """How far the index has come: lock, fence and checkpoint in one row per chain.

    Written by chain.indexer by compare-and-swap on (number, hash), and by the
    ``resolve_reorg`` command.
    """

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        HALTED_DEEP_REORG = "halted_deep_reorg", "Halted: reorganisation deeper than the window"

    chain_id = models.BigIntegerField(unique=True)
    number = models.BigIntegerField()
    hash = Hash32Field()
    timestamp = models.BigIntegerField(help_text="Unix seconds, of the block at the cursor.")
    finalized_number = models.BigIntegerField(default=0)
    head_number = models.BigIntegerField(default=0)
    head_timestamp = models.BigIntegerField(default=0, help_text="Unix seconds.")
    projected_number = models.BigIntegerField(
        default=0,
        help_text="Keys touched after this block wait for the end of a catch-up to be recomputed.",
    )
    window_blocks = models.IntegerField(
        default=100, help_text="Blocks per eth_getLogs in the finalized lane; adapts."
    )
    state = models.CharField(max_length=20, choices=State, default=State.RUNNING)
    #: ``chain.watch.WatchList.digest`` of the contracts that batches must hold the logs of.
    watch_digest = BytesField(default=bytes, blank=True)
    error = models.TextField(blank=True)
    indexed_at = models.DateTimeField(help_text="Wall time of the last committed block.")
    seen_at = models.DateTimeField(help_text="Wall time of the node's last good answer.")

    def __str__(self) -> str:
        return f"chain {self.chain_id} at {self.number} ({self.state})"


class ReorgEvent(models.Model):
    """A reorganisation the index met. Written by chain.indexer, append-only."""

    chain_id = models.BigIntegerField()
    detected_at = models.DateTimeField()
    old_number = models.BigIntegerField()
    old_hash = Hash32Field()
    ancestor_number = models.BigIntegerField(null=True, help_text="Null: none in the window.")
    depth = models.IntegerField(help_text="Blocks left behind; -1 where no ancestor was found.")
    keys_recomputed = models.IntegerField(default=0)
    crossed_finality = models.BooleanField(default=False)
    halted = models.BooleanField(default=False)
    resolved_by = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ["-pk"]
        triggers = [pgtrigger.Protect(name="reorg_no_delete", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"depth {self.depth} at {self.old_number}"
