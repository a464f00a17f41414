"""Governors that are not ours, added by people; their proposals and votes, indexed."""

from __future__ import annotations

from enum import StrEnum

import pgtrigger
from django.db import models

from chain.fields import AddressField, BytesField, Hash32Field, Uint256Field
from governance.governors.kinds import (
    Ballot,
    ClockMode,
    Family,
    QuorumForm,
    TimelockKind,
    TimelockSalt,
)


def _choices(kinds: type[StrEnum]) -> list[tuple[str, str]]:
    return [(kind.value, kind.value.replace("_", " ")) for kind in kinds]


class IndexedGovernor(models.Model):
    """A governor that somebody added, as its probe found it.

    Written by ``governance.services.governors`` alone, each act with its ``GovernorAct`` in the
    same transaction. Never deleted: ``removed_at`` stops the indexing, and it may come back.
    The columns are what the projector judges by; ``report`` is all that the probe found.
    """

    address = AddressField(primary_key=True)
    chain_id = models.BigIntegerField()
    #: What people here call it; the contract's own name stands in ``report``.
    name = models.CharField(max_length=100)
    abi = models.CharField(max_length=100)
    family = models.CharField(max_length=24, choices=_choices(Family))
    ballot = models.CharField(max_length=16, choices=_choices(Ballot))
    counting_mode = models.CharField(max_length=200, blank=True)
    clock_mode = models.CharField(max_length=12, choices=_choices(ClockMode))
    #: The plain word for one step of its clock: "blocks", "seconds".
    clock_unit = models.CharField(max_length=60)
    quorum_form = models.CharField(max_length=12, choices=_choices(QuorumForm))
    timelock_kind = models.CharField(max_length=16, choices=_choices(TimelockKind))
    timelock = AddressField(null=True)
    #: Name in ``chain/abi`` by which the timelock's logs are read; empty where none is read.
    timelock_abi = models.CharField(max_length=100, blank=True)
    token = AddressField(null=True)
    token_symbol = models.CharField(max_length=32, blank=True)
    token_decimals = models.PositiveSmallIntegerField(null=True)
    timelock_salt = models.CharField(max_length=32, choices=_choices(TimelockSalt), blank=True)
    #: Seconds after its eta for which a queued proposal can be executed; null: for ever.
    grace_period_s = models.PositiveBigIntegerField(null=True)
    #: It counts its proposals, so their ids say nothing of their content.
    sequential_ids = models.BooleanField(default=False)
    #: Enough votes end a vote before its deadline.
    has_super_quorum = models.BooleanField(default=False)
    creation_block = models.BigIntegerField()
    report = models.JSONField(default=dict)
    added_at = models.DateTimeField()
    added_by = models.CharField(max_length=150)
    removed_at = models.DateTimeField(null=True)
    removed_by = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ["name", "address"]

    def __str__(self) -> str:
        return f"{self.name} 0x{self.address.hex()}"

    def get_absolute_url(self) -> str:
        from chain.addresses import to_checksum

        return f"/governors/{to_checksum(self.address)}/"


class GovernorAct(models.Model):
    """Who added or removed a governor, and what was known of it: append-only.

    Written by ``governance.services.governors`` in the transaction of the act.
    """

    class Act(models.TextChoices):
        ADD = "add", "Added"
        UPDATE = "update", "Probed again"
        REMOVE = "remove", "Removed"
        RESTORE = "restore", "Added back"

    governor = AddressField(db_index=True)
    act = models.CharField(max_length=8, choices=Act)
    actor = models.CharField(max_length=150)
    acted_at = models.DateTimeField()
    report = models.JSONField(default=dict)

    class Meta:
        ordering = ["-pk"]
        triggers = [
            pgtrigger.Protect(
                name="governor_act_append_only", operation=pgtrigger.Update | pgtrigger.Delete
            )
        ]

    def __str__(self) -> str:
        return f"{self.act} 0x{self.governor.hex()}"


class GovernorProposal(models.Model):
    """One proposal of an added governor.

    Written only by the projector ``governance.governors``; emptied by a rebuild. Votes, deadline,
    eta and ``chain_state`` are read from the governor at one block's hash, never summed from logs.
    Moments in the governor's own clock are called ``*_clock`` and counted in ``clock_mode``.
    """

    governor = AddressField()
    proposal_id = Uint256Field()
    proposer = AddressField()
    title = models.CharField(max_length=256, blank=True)
    description = models.TextField(blank=True)
    #: The exact bytes on chain where they are not plain UTF-8; null when ``description`` is exact.
    description_raw = BytesField(null=True)
    #: [{"target", "value_wei", "signature", "calldata"}, …]: hex and decimal text;
    #: ``signature_raw`` (hex) stands beside a signature whose bytes are not plain UTF-8.
    calls = models.JSONField(default=list)
    #: The id made anew from the raw bytes; null for governors that count their proposals.
    recomputed_id = Uint256Field(null=True)
    id_matches = models.BooleanField(null=True)

    clock_mode = models.CharField(max_length=12)
    snapshot_clock = Uint256Field()
    deadline_clock = Uint256Field()
    extended_count = models.PositiveIntegerField(default=0)
    #: Unix seconds from which it can be executed, as the governor says, or said when it queued it;
    #: null before that.
    eta_s = Uint256Field(null=True)

    created_at = models.DateTimeField()
    created_block = models.PositiveBigIntegerField()
    created_log_index = models.PositiveIntegerField()
    created_tx = Hash32Field()
    queued_at = models.DateTimeField(null=True)
    queued_tx = Hash32Field(null=True)
    executed_at = models.DateTimeField(null=True)
    executed_tx = Hash32Field(null=True)
    canceled_at = models.DateTimeField(null=True)
    canceled_tx = Hash32Field(null=True)
    canceled_count = models.PositiveIntegerField(default=0)
    #: The execution or cancelling stands in the timelock's logs alone, not in the governor's.
    timelock_direct = models.BooleanField(default=False)

    #: In the token's smallest unit; null where the governor does not say.
    for_votes = Uint256Field(null=True)
    against_votes = Uint256Field(null=True)
    abstain_votes = Uint256Field(null=True)
    quorum_votes = Uint256Field(null=True)

    #: What follows from the facts above at the block judged; null where the rule is not known.
    state = models.PositiveSmallIntegerField(null=True)
    #: What ``state()`` answered last, and at which block.
    chain_state = models.PositiveSmallIntegerField(null=True)
    chain_state_block = models.PositiveBigIntegerField(null=True)
    state_mismatch = models.BooleanField(default=False)
    #: When time alone may change the state next: a block number, or Unix seconds.
    due_block = models.BigIntegerField(null=True, db_index=True)
    due_time_s = models.BigIntegerField(null=True, db_index=True)

    class Meta:
        ordering = ["-created_block", "-created_log_index"]
        constraints = [
            models.UniqueConstraint(fields=["governor", "proposal_id"], name="governor_proposal")
        ]
        indexes = [
            models.Index(
                fields=["governor", "-created_block", "-created_log_index"],
                name="governor_proposal_newest",
            ),
            models.Index(fields=["governor", "chain_state"], name="governor_proposal_state"),
        ]

    def __str__(self) -> str:
        return f"{self.proposal_id} {self.title}"

    @property
    def description_bytes(self) -> bytes:
        """The description exactly as on chain."""
        raw = self.description_raw
        return self.description.encode("utf-8") if raw is None else bytes(raw)


class GovernorOperation(models.Model):
    """Under which id a timelock holds a proposal (or one of its calls).

    Written only by the projector ``governance.governors``, with the proposal. A timelock's logs
    name this id alone: by it, a log of the timelock finds the proposal it touches.
    """

    timelock = AddressField()
    operation_id = Hash32Field()
    governor = AddressField()
    proposal_id = Uint256Field()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["timelock", "operation_id", "governor", "proposal_id"],
                name="governor_operation",
            )
        ]
        indexes = [
            models.Index(fields=["governor", "proposal_id"], name="governor_operation_of"),
        ]

    def __str__(self) -> str:
        return self.operation_id.hex()


class GovernorVote(models.Model):
    """One vote log of an added governor. A voter may have several on one proposal.

    Written only by the projector ``governance.governors.votes``, with the log itself. ``support``
    and ``weight`` are what the log says: with a fractional ballot ``params`` holds the split, and
    with an overridable one ``event`` tells a holder's own vote (``OverrideVoteCast``) and the
    weight it takes from its delegate (``VoteReduced``). Their sum is no result: the proposal has
    that.
    """

    governor = AddressField()
    proposal_id = Uint256Field()
    event = models.CharField(max_length=32)
    voter = AddressField()
    support = models.PositiveSmallIntegerField()
    weight = Uint256Field()
    reason = models.TextField(blank=True)
    #: The exact bytes where they are not plain UTF-8; null when ``reason`` is exact.
    reason_raw = BytesField(null=True)
    params = BytesField(blank=True, default=bytes)
    block_number = models.PositiveBigIntegerField()
    log_index = models.PositiveIntegerField()
    tx = Hash32Field()
    voted_at = models.DateTimeField()

    class Meta:
        ordering = ["-block_number", "-log_index"]
        constraints = [
            models.UniqueConstraint(fields=["block_number", "log_index"], name="governor_vote_log")
        ]
        indexes = [
            models.Index(
                fields=["governor", "proposal_id", "-block_number", "-log_index"],
                name="governor_vote_newest",
            ),
            models.Index(
                fields=["governor", "proposal_id", "-weight"], name="governor_vote_weight"
            ),
            models.Index(fields=["voter"], name="governor_vote_voter"),
        ]

    def __str__(self) -> str:
        return f"0x{self.voter.hex()} on {self.proposal_id}"
