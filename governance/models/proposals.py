"""Proposals, what they call, and the votes on them."""

from __future__ import annotations

from django.db import models
from django.db.models import Exists, OuterRef

from chain.fields import AddressField, BytesField, Hash32Field, Uint256Field


class ProposalKind(models.TextChoices):
    """What a proposal mostly does, for lists and filters."""

    PARAMETER = "parameter", "Parameter"
    TREASURY = "treasury", "Treasury"
    CUSTOM = "custom", "Custom call"
    CONSTITUTIONAL = "constitutional", "Constitutional"


class ProposalManager(models.Manager["Proposal"]):
    """Adds ``hidden``: the moderators' word, kept apart from what the chain says."""

    def get_queryset(self) -> models.QuerySet[Proposal]:
        from governance.models.discussion import HiddenProposal

        hidden = HiddenProposal.objects.filter(proposal_id=OuterRef("proposal_id"))
        rows = super().get_queryset()
        return rows.annotate(hidden=Exists(hidden))  # type: ignore[no-redef]


class Proposal(models.Model):
    """One proposal of the governor.

    Written only by the projector ``governance.proposals``; emptied by a rebuild. People's words
    about it (comments, hiding) name it by ``proposal_id`` without a foreign key, so that they
    outlive a rebuild. The state is never stored: ``governance.state.proposal_state`` derives it.
    """

    proposal_id = Uint256Field(primary_key=True)
    #: 1, 2, 3 … in the order of creation on the canonical chain.
    number = models.PositiveIntegerField()
    proposer = AddressField(db_index=True)
    title = models.CharField(max_length=256, blank=True)
    description = models.TextField(blank=True)
    #: The exact bytes on chain where they are not plain UTF-8; null when ``description`` is exact.
    description_raw = BytesField(null=True)
    #: keccak256 of the exact bytes.
    description_hash = Hash32Field()
    kind = models.CharField(max_length=16, choices=ProposalKind)
    is_constitutional = models.BooleanField(default=False)

    snapshot_at = models.DateTimeField()
    deadline_at = models.DateTimeField(db_index=True)
    eta_at = models.DateTimeField(null=True)
    #: ``eta_at``, or ``eta_at`` + C_DELAY for a constitutional proposal.
    executable_at = models.DateTimeField(null=True)
    #: ``eta_at`` + C_DELAY + 14 days.
    expires_at = models.DateTimeField(null=True)

    created_at = models.DateTimeField()
    created_block = models.PositiveBigIntegerField()
    created_log_index = models.PositiveIntegerField()
    created_tx = Hash32Field(db_index=True)
    queued_at = models.DateTimeField(null=True)
    queued_tx = Hash32Field(null=True)
    executed_at = models.DateTimeField(null=True)
    executed_block = models.PositiveBigIntegerField(null=True)
    executed_tx = Hash32Field(null=True, db_index=True)
    canceled_at = models.DateTimeField(null=True)
    canceled_tx = Hash32Field(null=True)

    for_wei = Uint256Field(default=0)
    against_wei = Uint256Field(default=0)
    abstain_wei = Uint256Field(default=0)
    #: ``quorum(snapshot)``; null until the snapshot lies in the past.
    quorum_wei = Uint256Field(null=True)
    timelock_operation_id = Hash32Field(db_index=True)

    #: What ``state()`` answered last, when, and whether that differed from our derivation.
    chain_state = models.PositiveSmallIntegerField(null=True)
    chain_state_block = models.PositiveBigIntegerField(null=True)
    state_mismatch = models.BooleanField(default=False)
    #: When the derived state next changes by time alone; the projector then reads again.
    due_at = models.DateTimeField(null=True, db_index=True)

    #: Set by the default manager; see ``ProposalManager``.
    hidden: bool = False

    objects = ProposalManager()

    class Meta:
        ordering = ["-number"]
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(
                fields=["number"],
                name="proposal_number_unique",
                deferrable=models.Deferrable.DEFERRED,
            ),
        ]
        indexes = [
            models.Index(fields=["created_block", "created_log_index"]),
            models.Index(fields=["kind", "number"]),
            # Counted at every scrape of /metrics.
            models.Index(
                fields=["number"],
                condition=models.Q(state_mismatch=True),
                name="proposal_mismatch",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.number} {self.title}"

    def get_absolute_url(self) -> str:
        return f"/proposals/{self.number}/"

    @property
    def description_bytes(self) -> bytes:
        """The description exactly as on chain."""
        raw = self.description_raw
        return self.description.encode("utf-8") if raw is None else bytes(raw)

    @property
    def total_wei(self) -> int:
        """Everything cast, in wei of voting power."""
        return self.for_wei + self.against_wei + self.abstain_wei

    @property
    def counted_wei(self) -> int:
        """What counts towards the quorum: for + abstain (COUNTING_MODE of the governor)."""
        return self.for_wei + self.abstain_wei

    @property
    def executed_by(self) -> bytes | None:
        """Who sent the executing transaction (20 bytes); None until known."""
        from governance.models.transactions import TransactionSender

        if self.executed_tx is None:
            return None
        row = TransactionSender.objects.filter(transaction_hash=self.executed_tx).first()
        return row.sender if row else None


class ProposalAction(models.Model):
    """One call of a proposal, as raw bytes and as we decode them.

    Written only by the projector ``governance.proposals``. ``target``, ``value_wei`` and
    ``calldata`` are the raw bytes the proposal id is recomputed from before any execution; all
    other fields are for reading.
    """

    proposal = models.ForeignKey(Proposal, on_delete=models.CASCADE, related_name="actions")
    index = models.PositiveSmallIntegerField()
    target = AddressField(db_index=True)
    value_wei = Uint256Field(default=0)
    calldata = BytesField()

    #: "parameter_set", "transfer_eth", "transfer_erc20", "mint", "governance_setting",
    #: "role_change", "contract_call" or "unknown".
    kind = models.CharField(max_length=24)
    function = models.CharField(max_length=128, blank=True)
    args = models.JSONField(default=dict, blank=True)
    summary = models.TextField(blank=True)
    #: True: changes who controls something; pages show it in red.
    is_dangerous = models.BooleanField(default=False)
    is_routine = models.BooleanField(default=False)
    #: For a parameter set: [{"name", "key", "expected", "proposed", "unit"}, …]; values are
    #: decimal strings, or hex strings for BYTES32 kinds.
    parameters = models.JSONField(default=list, blank=True)
    recipient = AddressField(null=True)
    amount_wei = Uint256Field(null=True)

    class Meta:
        ordering = ["index"]
        constraints = [
            models.UniqueConstraint(fields=["proposal", "index"], name="action_index_unique")
        ]

    def __str__(self) -> str:
        return f"{self.index}: {self.summary}"


class Vote(models.Model):
    """One vote log. A voter who splits power has several rows for one proposal.

    Written only by the projector ``governance.votes``, together with the log: while the index
    catches up, a vote may stand here before its proposal does. ``support`` is what the log says:
    0 against, 1 for, 2 abstain, 255 fractional; the three amounts say how the weight was split.
    """

    # No constraint and no index of its own: the log vouches for the proposal, and an index below
    # begins with it.
    proposal = models.ForeignKey(
        Proposal,
        on_delete=models.DO_NOTHING,
        related_name="votes",
        db_constraint=False,
        db_index=False,
    )
    voter = AddressField()
    support = models.PositiveSmallIntegerField()
    weight_wei = Uint256Field()
    for_wei = Uint256Field(default=0)
    against_wei = Uint256Field(default=0)
    abstain_wei = Uint256Field(default=0)
    reason = models.TextField(blank=True)
    params = BytesField(blank=True, default=bytes)
    block_number = models.PositiveBigIntegerField()
    log_index = models.PositiveIntegerField()
    tx = Hash32Field()
    voted_at = models.DateTimeField()

    class Meta:
        ordering = ["block_number", "log_index"]
        constraints = [
            models.UniqueConstraint(fields=["block_number", "log_index"], name="vote_log_unique")
        ]
        indexes = [
            models.Index(fields=["proposal", "-weight_wei"]),
            models.Index(fields=["voter", "-block_number"]),
        ]

    def __str__(self) -> str:
        return f"{self.voter.hex()} on {self.proposal_id}"
