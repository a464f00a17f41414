"""The on-chain parameter registry, as indexed. Written by ``network.projectors.parameters`` alone.

Values are text: a decimal integer for the numeric kinds, ``0x`` and 64 digits
for ``BYTES32``. A uint256 does not fit any JSON or database integer, and text
is the same everywhere.
"""

from datetime import datetime
from typing import Any

from django.db import models

from chain.fields import Hash32Field, Uint256Field
from network.catalogue import UNITS


class ParameterKind(models.TextChoices):
    """What a value means, in the contract's order (``INetworkParameters.Kind``)."""

    UINT = "UINT", "Number"
    BPS = "BPS", "Basis points"
    SECONDS = "SECONDS", "Duration"
    TOKEN_WEI = "TOKEN_WEI", "Token amount"
    ENUM = "ENUM", "Choice"
    BITMASK = "BITMASK", "Bit mask"
    BYTES32 = "BYTES32", "Merkle root"


#: Units by kind; a choice, a mask and a root have none.
_UNITS: dict[str, str] = {
    ParameterKind.UINT: "count",
    ParameterKind.BPS: "bps",
    ParameterKind.SECONDS: "s",
    ParameterKind.TOKEN_WEI: "wei",
}


class ParameterClass(models.TextChoices):
    """How long a change waits after execution (``INetworkParameters.Class``)."""

    ROUTINE = "R", "Routine"
    SENSITIVE = "S", "Sensitive"
    CONSTITUTIONAL = "C", "Constitutional"


class ActivationKind(models.TextChoices):
    """When a change takes effect (``INetworkParameters.Activation``)."""

    NOW = "now", "At once"
    EPOCH = "epoch", "At an epoch boundary"
    NEW = "new", "For agreements made afterwards"


class TightenDirection(models.TextChoices):
    """The direction in which the guardian may move a key for a while."""

    NONE = "none", "Not by the guardian"
    UP = "up", "Up"
    DOWN = "down", "Down"


class SetStatus(models.TextChoices):
    """Where a set of changes stands. ``scheduled`` becomes ``effective`` by time alone."""

    SCHEDULED = "scheduled", "Scheduled"
    EFFECTIVE = "effective", "Effective"
    VETOED = "vetoed", "Vetoed"
    WITHDRAWN = "withdrawn", "Withdrawn"
    UNDONE = "undone", "Undone"


class Parameter(models.Model):
    """One key of the registry: its rules and its value. Written by the parameters' projector.

    ``value`` is the value in force at ``valued_at``; a pending change becomes
    current by time alone, so ask ``network.selectors.parameters`` with a time
    where the second matters.
    """

    #: keccak256 of the name.
    key = Hash32Field(primary_key=True)
    name = models.CharField(max_length=128, unique=True)
    #: The part of the name before the dot.
    group = models.CharField(max_length=64, db_index=True)
    kind = models.CharField(max_length=9, choices=ParameterKind.choices)
    risk_class = models.CharField(max_length=1, choices=ParameterClass.choices)
    activation = models.CharField(max_length=5, choices=ActivationKind.choices)
    tighten = models.CharField(max_length=4, choices=TightenDirection.choices)
    #: Hard bounds, in the unit of the kind (s, bps, wei, ...).
    min = Uint256Field()
    max = Uint256Field()
    step = Uint256Field()
    #: One change may move the value by max(max_abs, ceil(value * max_rel_bps / 10000), step).
    max_abs = Uint256Field()
    max_rel_bps = models.BigIntegerField()
    #: Seconds between two changes of this key.
    min_interval_s = models.BigIntegerField()
    #: In force at ``valued_at``, guardian tightenings included.
    value = models.CharField(max_length=80)
    #: In force by vote at ``valued_at``: what a new set must expect.
    voted_value = models.CharField(max_length=80)
    valued_at = models.DateTimeField()
    #: What ``get(key)`` answered at the block that follows: the check of our own arithmetic.
    chain_value = models.CharField(max_length=80, default="")
    chain_value_block = models.BigIntegerField(null=True)
    #: The set whose change is in force; 0 for the value it was defined with.
    version = models.BigIntegerField(default=0)
    #: When the value last took effect.
    last_changed_at = models.DateTimeField()
    last_changed_tx = Hash32Field()
    #: When the value changes by time alone (a pending set, a lapsing tightening); null: never.
    next_change_at = models.DateTimeField(null=True, db_index=True)
    defined_value = models.CharField(max_length=80)
    defined_at = models.DateTimeField()
    defined_block = models.BigIntegerField()
    defined_tx = Hash32Field()
    #: When the rules were last replaced by a constitutional act; null: never.
    redefined_at = models.DateTimeField(null=True)
    redefined_tx = Hash32Field(null=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_numeric(self) -> bool:
        return self.kind != ParameterKind.BYTES32

    @property
    def unit(self) -> str:
        """The unit of its figures: ``s``, ``bps``, ``wei``, ``wei per GPU``, ``count`` or none.

        Words may follow that say of what (``bps of total stake``).
        """
        if self.name.startswith("stake.per_gpu_"):
            return "wei per GPU"
        return UNITS.get(self.name) or _UNITS.get(self.kind, "")

    @property
    def matches_chain(self) -> bool | None:
        """Whether our value equals the one read from the contract; None while unread."""
        return None if self.chain_value_block is None else self.chain_value == self.value


class ParameterSet(models.Model):
    """One atomic set of changes made by vote. Written by the parameter sets' projector."""

    set_id = models.BigIntegerField(primary_key=True)
    #: The registry's version() after this set was accepted.
    version = models.BigIntegerField()
    scheduled_at = models.DateTimeField()
    effective_at = models.DateTimeField()
    block_number = models.BigIntegerField()
    transaction_hash = Hash32Field(db_index=True)
    vetoed_at = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True)
    #: The transaction of the veto or withdrawal.
    dropped_tx = Hash32Field(null=True)
    #: The set that undid this one, and when that was decided; the value before returns when
    #: the undoing set takes effect.
    undone_by = models.BigIntegerField(null=True)
    undone_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-set_id"]

    def __str__(self) -> str:
        return f"set {self.set_id}"

    @property
    def is_dropped(self) -> bool:
        """Whether the set never takes effect."""
        return self.vetoed_at is not None or self.withdrawn_at is not None

    def status_at(self, at: datetime) -> str:
        """Return the :class:`SetStatus` value at a time."""
        if self.vetoed_at is not None and self.vetoed_at <= at:
            return SetStatus.VETOED
        if self.withdrawn_at is not None and self.withdrawn_at <= at:
            return SetStatus.WITHDRAWN
        if self.undone_at is not None and self.undone_at <= at:
            return SetStatus.UNDONE
        return SetStatus.EFFECTIVE if self.effective_at <= at else SetStatus.SCHEDULED


class ParameterChange(models.Model):
    """One key's part in a set. Written by the parameter sets' projector.

    The proposal that made it is joined by ``transaction_hash``: the registry
    knows no proposals.
    """

    position = models.BigIntegerField(primary_key=True)
    parameter = models.ForeignKey(Parameter, on_delete=models.CASCADE, related_name="changes")
    set = models.ForeignKey(ParameterSet, on_delete=models.CASCADE, related_name="changes")
    version = models.BigIntegerField()
    old = models.CharField(max_length=80)
    new = models.CharField(max_length=80)
    scheduled_at = models.DateTimeField()
    effective_at = models.DateTimeField()
    block_number = models.BigIntegerField()
    transaction_hash = Hash32Field(db_index=True)

    class Meta:
        ordering = ["-position"]
        constraints = [
            models.UniqueConstraint(fields=["set", "parameter"], name="parameter_change_once_a_set")
        ]

    def __str__(self) -> str:
        return f"{self.parameter_id.hex()}: {self.old} -> {self.new}"

    def status_at(self, at: datetime) -> str:
        """Return the status of its set at a time."""
        return self.set.status_at(at)


class ParameterTightening(models.Model):
    """A guardian's temporary move of a key. Written by the parameters' projector."""

    position = models.BigIntegerField(primary_key=True)
    parameter = models.ForeignKey(Parameter, on_delete=models.CASCADE, related_name="tightenings")
    from_value = models.CharField(max_length=80)
    to_value = models.CharField(max_length=80)
    tightened_at = models.DateTimeField()
    lapses_at = models.DateTimeField()
    block_number = models.BigIntegerField()
    transaction_hash = Hash32Field()

    class Meta:
        ordering = ["-position"]

    def __str__(self) -> str:
        return f"{self.from_value} -> {self.to_value} until {self.lapses_at:%Y-%m-%d %H:%M}"

    def in_force_at(self, at: datetime) -> bool:
        return self.tightened_at <= at < self.lapses_at


def value_text(kind: str, raw: Any) -> str:
    """Write a bytes32 value as text: decimal for numeric kinds, 0x hex for ``BYTES32``."""
    data = bytes(raw)
    if kind == ParameterKind.BYTES32:
        return f"0x{data.hex()}"
    return str(int.from_bytes(data, "big"))
