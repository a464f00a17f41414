"""Nodes and their keys."""

from datetime import datetime

from django.db import models

from chain.fields import AddressField, BytesField, Hash32Field, Uint256Field


class NodeStatus(models.TextChoices):
    """What the registry says of a node (``INodeRegistry.NodeStatus``)."""

    REGISTERED = "registered", "Registered"
    SUSPENDED = "suspended", "Suspended"
    EXITING = "exiting", "Exiting"
    EXITED = "exited", "Exited"


class Node(models.Model):
    """A node as registered on chain. Written by the nodes' projector.

    Capacity, stake and the rest are read from the contract at a block's hash;
    logs only say when to read.
    """

    node_id = Hash32Field(primary_key=True)
    operator = AddressField(db_index=True)
    keys_hash = Hash32Field()
    gpu_class = models.CharField(max_length=32, db_index=True)
    gpu_count = models.PositiveIntegerField()
    region = models.CharField(max_length=32, db_index=True)
    metadata_uri = models.TextField(blank=True)
    #: Bonded now; unbonding stake is not part of it.
    stake_wei = Uint256Field()
    unbonding_wei = Uint256Field(default=0)
    status = models.CharField(max_length=10, choices=NodeStatus.choices, db_index=True)
    #: A suspension ends by time alone; no log marks it.
    suspended_until = models.DateTimeField(null=True, db_index=True)
    suspended_reason = models.CharField(max_length=32, blank=True)
    exit_requested_at = models.DateTimeField(null=True)
    withdrawable_at = models.DateTimeField(null=True)
    registered_at = models.DateTimeField()
    registered_tx = Hash32Field()
    #: block number * 2**20 + log index of the registration: the chain's order in one number.
    position = models.BigIntegerField(unique=True)
    #: The block whose state this row shows.
    block_number = models.BigIntegerField()

    class Meta:
        ordering = ["-position"]

    def __str__(self) -> str:
        return f"0x{self.node_id.hex()}"

    def status_at(self, at: datetime) -> str:
        """Return the :class:`NodeStatus` value at a time: a suspension runs out by itself."""
        if self.status == NodeStatus.SUSPENDED and (
            self.suspended_until is not None and self.suspended_until <= at
        ):
            return NodeStatus.REGISTERED
        return self.status


class NodeEvent(models.Model):
    """What happened to a node on chain. Written by the nodes' projector."""

    position = models.BigIntegerField(primary_key=True)
    node = models.ForeignKey(Node, on_delete=models.CASCADE, related_name="events")
    #: The contract's event name, for example ``NodeSuspended``.
    event = models.CharField(max_length=40)
    #: The event's arguments: integers as decimal text, bytes as 0x hex.
    args = models.JSONField(default=dict)
    occurred_at = models.DateTimeField()
    block_number = models.BigIntegerField()
    transaction_hash = Hash32Field()

    class Meta:
        ordering = ["-position"]

    def __str__(self) -> str:
        return f"{self.event} at {self.block_number}"


class NodeKeyStatus(models.TextChoices):
    """Whether a key may sign requests. ``retired``: replaced by the registry's newer keys hash."""

    ACTIVE = "active", "Active"
    RETIRED = "retired", "Retired"
    REVOKED = "revoked", "Revoked"


class NodeKey(models.Model):
    """A node's signing key, proven by its operator and by itself.

    Written by ``network.services.keys``. It signs requests only while it is
    active and its ``keys_hash`` is the one the registry holds for the node.
    """

    #: Lowercase hex of the Ed25519 public key: the RFC 9421 keyid. Unique over all nodes.
    key_id = models.CharField(max_length=64, primary_key=True)
    node = models.ForeignKey(
        Node, on_delete=models.DO_NOTHING, db_constraint=False, related_name="keys"
    )
    operator = AddressField()
    ed25519 = Hash32Field(unique=True)
    #: FIPS 204 ML-DSA-65 public key; empty where the node has none.
    ml_dsa_65 = BytesField(default=b"", blank=True)
    #: keccak256(abi.encode(operator, ed25519, keccak256(ml_dsa) or zero)), as in the registry.
    keys_hash = Hash32Field()
    status = models.CharField(
        max_length=7, choices=NodeKeyStatus.choices, default=NodeKeyStatus.ACTIVE
    )
    #: The proof: the EIP-712 digest and every key's signature over it.
    proof_digest = Hash32Field()
    operator_signature = BytesField()
    node_signature = BytesField()
    #: Empty without an ML-DSA-65 key.
    ml_dsa_signature = BytesField(default=b"", blank=True)
    verified_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-verified_at"]
        indexes = [models.Index(fields=["node", "status"])]

    def __str__(self) -> str:
        return self.key_id


class NodeKeyAction(models.TextChoices):
    REGISTERED = "registered", "Registered"
    RETIRED = "retired", "Retired"
    REVOKED = "revoked", "Revoked"


class NodeKeyEvent(models.Model):
    """What was done to a key, by whom and why. Append-only.

    Written by ``network.services.keys`` in the transaction of the act itself.
    """

    key = models.ForeignKey(NodeKey, on_delete=models.PROTECT, related_name="events")
    action = models.CharField(max_length=10, choices=NodeKeyAction.choices)
    #: ``operator 0x..``, ``staff <name>`` or ``registry``.
    actor = models.CharField(max_length=200)
    reason = models.CharField(max_length=500, blank=True)
    occurred_at = models.DateTimeField()

    class Meta:
        ordering = ["-occurred_at", "-id"]

    def __str__(self) -> str:
        return f"{self.action} {self.key_id} by {self.actor}"
