"""What is to be sent to the chain: signers, intents, signed attempts and their history."""

import pgtrigger
from django.db import models

from chain.fields import AddressField, BytesField, Hash32Field, Uint256Field


class SendingAccount(models.TextChoices):
    """Who sends: each is an account of its own, with a key of its own. An intent's kind says whose
    it is (``chain.outbox``)."""

    KEEPER = "keeper", "Keeper: no role, does what anybody may do"
    ATTESTOR = "attestor", "Attestor: suspends nodes and anchors epochs"


class AccountNote(models.Model):
    """Whether this service has the key of an account, for the processes that must not see one.

    Written by chain.sender at every tick: the processes that plan, and /healthz, read it here.
    """

    class State(models.TextChoices):
        READY = "ready", "The key is there"
        NO_KEY = "no_key", "No key is configured"
        UNAVAILABLE = "unavailable", "The key cannot be used"

    chain_id = models.BigIntegerField()
    account = models.CharField(max_length=20, choices=SendingAccount)
    state = models.CharField(max_length=20, choices=State)
    address = AddressField(null=True, help_text="Of the key, where it opened.")
    sentence = models.TextField(blank=True, help_text="Why not, in plain words; empty when ready.")
    since = models.DateTimeField(help_text="Since when it is so.")
    checked_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["chain_id", "account"], name="chain_account_once"),
        ]

    def __str__(self) -> str:
        return f"{self.account}: {self.state}"


class Signer(models.Model):
    """A key that sends. Written by chain.sender; the pause switch by chain.outbox.

    ``next_nonce`` is allocated under this row's lock: one logical sender per
    (chain, address), however many workers there are. The limits are the settings', copied here
    at every tick so that the console and the other processes see what is in force.
    """

    class State(models.TextChoices):
        ACTIVE = "active", "Active"
        DRAINING = "draining", "Draining: finishes what is open, takes nothing new"
        QUARANTINED = "quarantined", "Quarantined: its nonce was used elsewhere"

    chain_id = models.BigIntegerField()
    address = AddressField()
    account = models.CharField(max_length=20, choices=SendingAccount, default=SendingAccount.KEEPER)
    next_nonce = models.BigIntegerField(default=0)
    state = models.CharField(max_length=20, choices=State, default=State.ACTIVE)
    paused = models.BooleanField(default=False)
    pause_reason = models.TextField(blank=True)
    max_fee_per_gas_wei = Uint256Field(help_text="Wei per gas: never offered more than this.")
    min_balance_wei = Uint256Field(help_text="Wei: below it nothing new is signed.")
    daily_gas_wei = Uint256Field(default=0, help_text="Wei for gas per UTC day of the chain.")
    balance_wei = Uint256Field(null=True, help_text="Wei, when last seen.")
    spent_wei = Uint256Field(default=0, help_text="Wei for gas today, when last seen: mined.")
    in_flight_wei = Uint256Field(
        default=0, help_text="Wei for gas that the unmined may cost at most, when last seen."
    )
    ticked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["chain_id", "address"], name="chain_signer_once"),
        ]

    def __str__(self) -> str:
        return f"0x{self.address.hex()}"


class SignerAlarm(models.Model):
    """Something about a signer that a person should look at, while it lasts.

    Written only by chain.sender: raised when it begins, deleted when it is over. What happened
    is in ``SignerEvent`` and the log. Without a signer: this service's key does not open, so its
    address is not known.
    """

    signer = models.ForeignKey(Signer, on_delete=models.PROTECT, null=True, related_name="alarms")
    account = models.CharField(max_length=20, choices=SendingAccount, default=SendingAccount.KEEPER)
    code = models.CharField(max_length=40)
    sentence = models.TextField()
    since = models.DateTimeField()

    class Meta:
        ordering = ["since"]
        constraints = [
            models.UniqueConstraint(
                fields=["signer", "account", "code"],
                name="chain_signer_alarm_once",
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code}: {self.sentence}"


class SignerEvent(models.Model):
    """Who paused, resumed or drained a signer, and what quarantined it. Append-only."""

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


#: From each state, the states it may be left for; a state left for itself (a replacement in
#: SIGNED, another block in MINED) is one too, though no trigger can tell it from a mere update.
TRANSITIONS: dict[str, tuple[str, ...]] = {
    "planned": ("signed", "satisfied_externally", "rejected"),
    "signed": ("signed", "broadcast", "fee_capped", "mined", "nonce_stolen"),
    "broadcast": ("signed", "fee_capped", "mined", "nonce_stolen"),
    "fee_capped": ("signed", "broadcast", "mined", "nonce_stolen"),
    "mined": (
        "mined",
        "broadcast",
        "finalized_ok",
        "finalized_reverted",
        "finalized_canceled",
    ),
    # Finality by depth may be undone by a deeper reorganisation.
    "finalized_ok": ("broadcast", "mined"),
    "finalized_reverted": ("broadcast", "mined"),
    "finalized_canceled": ("broadcast", "mined"),
    "satisfied_externally": (),
    "rejected": (),
    "nonce_stolen": (),
}


class TxIntent(models.Model):
    """A transaction someone wants on chain, once. Submitted through chain.outbox, moved by
    chain.sender.

    ``idem_key`` makes it one effect; the nonce makes it one transaction. Every change of state
    is one UPDATE guarded by (``state``, ``revision``), and a trigger refuses any that
    ``TRANSITIONS`` does not list.
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

    class Wait(models.TextChoices):
        """Why an intent does not move on, for programs; ``why_waiting`` says it to people."""

        NONE = "", "-"
        NOT_BEFORE = "not_before", "Too early"
        DEPENDENCY = "dependency", "Waits for another"
        PREFLIGHT = "preflight", "The chain says: not yet"
        WOULD_REVERT = "would_revert", "Would revert"
        NO_KEY = "no_key", "No key"
        KEY_UNAVAILABLE = "key_unavailable", "The key cannot be used"
        PAUSED = "paused", "Paused"
        DRAINING = "draining", "Draining"
        QUARANTINED = "quarantined", "Quarantined"
        DRY_RUN = "dry_run", "Dry run"
        LOW_BALANCE = "low_balance", "Low balance"
        FEE_CAP = "fee_cap", "Gas above the cap"
        BUDGET = "budget", "Daily budget used up"
        IN_FLIGHT = "in_flight", "Too many in flight"
        SEND_UNKNOWN = "send_unknown", "The node did not confirm"
        NONCE_GAP = "nonce_gap", "An earlier one is missing at the node"
        NONCE_SPENT = "nonce_spent", "The nonce is spent"
        REFUSED = "refused", "The node refuses it"
        REORGANISED = "reorganised", "Reorganised away"
        STOLEN = "stolen", "Nonce used elsewhere"

    OPEN_STATES = (State.SIGNED, State.BROADCAST, State.FEE_CAPPED, State.MINED)
    UNMINED_STATES = (State.SIGNED, State.BROADCAST, State.FEE_CAPPED)
    FINAL_STATES = (State.FINALIZED_OK, State.FINALIZED_REVERTED, State.FINALIZED_CANCELED)

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
    depends_on = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="dependents"
    )
    depends_on_final = models.BooleanField(
        default=False, help_text="Waits until the other is final; else until it is in a block."
    )
    state = models.CharField(max_length=30, choices=State, default=State.PLANNED)
    revision = models.IntegerField(default=0, help_text="Transitions made; guards the next.")
    wait_code = models.CharField(max_length=20, choices=Wait, blank=True)
    why_waiting = models.TextField(blank=True, help_text="In plain words; empty once under way.")
    waiting_since = models.DateTimeField(null=True, help_text="Since when for this wait_code.")
    checked_at = models.DateTimeField(null=True, help_text="When last considered for signing.")
    nonce = models.BigIntegerField(null=True)
    gas_limit = models.BigIntegerField(null=True, help_text="Gas units.")
    mined_number = models.BigIntegerField(null=True)
    mined_hash = Hash32Field(null=True)
    mined_at = models.DateTimeField(null=True, help_text="The block's time.")
    mined_ok = models.BooleanField(null=True)
    spent_wei = Uint256Field(null=True, help_text="Wei paid for gas, from the receipt.")
    revert_reason = models.TextField(
        blank=True, help_text="Why the chain refused it in its block, in plain words."
    )
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
        triggers = [
            pgtrigger.FSM(
                name="intent_transitions",
                field="state",
                transitions=[(old, new) for old in TRANSITIONS for new in TRANSITIONS[old]],
            ),
            pgtrigger.Protect(name="intent_no_delete", operation=pgtrigger.Delete),
        ]

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
