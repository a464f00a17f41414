"""What is to be sent to the chain: signers, intents, signed attempts and their history."""

import pgtrigger
from django.db import models

from chain.fields import AddressField, BytesField, Hash32Field, Uint256Field


class Signer(models.Model):
    """A key that sends. Written by chain.sender; the pause switch by chain.outbox.

    ``next_nonce`` is allocated under this row's lock: one logical sender per
    (chain, address), however many workers there are.
    """

    class State(models.TextChoices):
        ACTIVE = "active", "Active"
        DRAINING = "draining", "Draining: finishes what is open, takes nothing new"
        QUARANTINED = "quarantined", "Quarantined: its nonce was used elsewhere"

    chain_id = models.BigIntegerField()
    address = AddressField()
    next_nonce = models.BigIntegerField(default=0)
    state = models.CharField(max_length=20, choices=State, default=State.ACTIVE)
    paused = models.BooleanField(default=False)
    pause_reason = models.TextField(blank=True)
    max_fee_per_gas_wei = Uint256Field(help_text="Wei per gas: never offered more than this.")
    min_balance_wei = Uint256Field(help_text="Wei: below it nothing new is signed.")
    balance_wei = Uint256Field(null=True, help_text="Wei, when last seen.")
    alarm = models.TextField(blank=True, help_text="What a person should look at now.")
    ticked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["chain_id", "address"], name="chain_signer_once"),
        ]

    def __str__(self) -> str:
        return f"0x{self.address.hex()}"


class SignerEvent(models.Model):
    """Who paused or resumed a signer, and what quarantined it. Append-only."""

    signer = models.ForeignKey(Signer, on_delete=models.PROTECT, related_name="events")
    action = models.CharField(max_length=30)
    reason = models.TextField(blank=True)
    actor = models.CharField(max_length=150)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-pk"]
        triggers = [
            pgtrigger.Protect(
                name="signerevent_append_only", operation=pgtrigger.Update | pgtrigger.Delete
            )
        ]

    def __str__(self) -> str:
        return f"{self.action} by {self.actor}"


class TxIntent(models.Model):
    """A transaction someone wants on chain, once. Submitted through chain.outbox, moved by
    chain.sender.

    ``idem_key`` makes it one effect; the nonce makes it one transaction.
    """

    class State(models.TextChoices):
        PLANNED = "planned", "Planned"
        SIGNED = "signed", "Signed"
        BROADCAST = "broadcast", "Broadcast"
        FEE_CAPPED = "fee_capped", "Waiting: fees above the cap"
        MINED = "mined", "Mined"
        FINALIZED_OK = "finalized_ok", "Final"
        FINALIZED_REVERTED = "finalized_reverted", "Final: reverted"
        FINALIZED_CANCELED = "finalized_canceled", "Final: cancelled"
        SATISFIED_EXTERNALLY = "satisfied_externally", "Done by someone else"
        REJECTED = "rejected", "Rejected"
        NONCE_STOLEN = "nonce_stolen", "Nonce used elsewhere"

    OPEN_STATES = (State.SIGNED, State.BROADCAST, State.FEE_CAPPED, State.MINED)
    UNMINED_STATES = (State.SIGNED, State.BROADCAST, State.FEE_CAPPED)

    idem_key = models.CharField(max_length=200, unique=True)
    kind = models.CharField(max_length=60)
    chain_id = models.BigIntegerField()
    signer = models.ForeignKey(Signer, on_delete=models.PROTECT, null=True, related_name="intents")
    to = AddressField()
    value_wei = Uint256Field(default=0)
    data = BytesField()
    data_hash = Hash32Field()
    not_before = models.DateTimeField(null=True)
    deadline = models.DateTimeField(null=True)
    state = models.CharField(max_length=30, choices=State, default=State.PLANNED)
    why_waiting = models.TextField(blank=True, help_text="In plain words; empty once under way.")
    nonce = models.BigIntegerField(null=True)
    gas_limit = models.BigIntegerField(null=True, help_text="Gas units.")
    mined_number = models.BigIntegerField(null=True)
    mined_hash = Hash32Field(null=True)
    mined_ok = models.BooleanField(null=True)
    mined_attempt = models.ForeignKey(
        "chain.TxAttempt", on_delete=models.PROTECT, null=True, related_name="+"
    )
    obsolete_reason = models.TextField(
        blank=True, help_text="Why the effect is no longer wanted; a cancel takes its nonce."
    )
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["chain_id", "signer", "nonce"],
                condition=models.Q(nonce__isnull=False),
                name="chain_intent_nonce",
            ),
        ]
        indexes = [models.Index(fields=["chain_id", "state"], name="chain_intent_state")]

    def __str__(self) -> str:
        return f"{self.kind} {self.idem_key} ({self.state})"


class TxAttempt(models.Model):
    """One signed transaction for an intent. Written by chain.sender, before any broadcast.

    The bytes are stored because the same bytes are sent again after a crash: some
    signers do not sign the same way twice.
    """

    class Kind(models.TextChoices):
        NORMAL = "normal", "First"
        BUMP = "bump", "Higher fee"
        CANCEL = "cancel", "Cancels"

    intent = models.ForeignKey(TxIntent, on_delete=models.PROTECT, related_name="attempts")
    seq = models.IntegerField()
    kind = models.CharField(max_length=10, choices=Kind)
    hash = Hash32Field(unique=True)
    raw = BytesField()
    max_priority_fee_wei = Uint256Field(help_text="Wei per gas.")
    max_fee_wei = Uint256Field(help_text="Wei per gas.")
    created_at = models.DateTimeField()
    first_sent_at = models.DateTimeField(null=True)
    last_sent_at = models.DateTimeField(null=True)
    sends = models.IntegerField(default=0)
    accepted = models.BooleanField(default=False, help_text="A node took it into its pool.")
    last_error = models.TextField(blank=True)

    class Meta:
        ordering = ["seq"]
        constraints = [
            models.UniqueConstraint(fields=["intent", "seq"], name="chain_attempt_seq"),
        ]
        triggers = [
            pgtrigger.Protect(name="attempt_no_delete", operation=pgtrigger.Delete),
            pgtrigger.ReadOnly(name="attempt_bytes", fields=["raw", "hash", "intent", "seq"]),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.seq} 0x{self.hash.hex()[:8]}"


class TxEvent(models.Model):
    """Every change of an intent's state, with the reason. Append-only by trigger."""

    intent = models.ForeignKey(TxIntent, on_delete=models.PROTECT, related_name="history")
    from_state = models.CharField(max_length=30, blank=True)
    to_state = models.CharField(max_length=30)
    detail = models.TextField(blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]
        triggers = [
            pgtrigger.Protect(
                name="txevent_append_only", operation=pgtrigger.Update | pgtrigger.Delete
            )
        ]

    def __str__(self) -> str:
        return f"{self.from_state} -> {self.to_state}"
