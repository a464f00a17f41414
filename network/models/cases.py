"""Slashing cases against nodes, as indexed."""

from datetime import datetime

from django.db import models

from chain.fields import AddressField, Hash32Field, Uint256Field
from network.models.nodes import Node

BASIS_POINTS = 10_000


class CaseKind(models.TextChoices):
    """What a node is accused of (``INodeCases.CaseKind``)."""

    DOWNTIME = "downtime", "Downtime"
    CHALLENGE_FAIL = "challenge_fail", "Failed challenges"
    SPOOF = "spoof", "Faked hardware"


class CaseStatus(models.TextChoices):
    """What the registry says of a case (``INodeCases.CaseStatus``)."""

    OPEN = "open", "Open"
    CONTESTED = "contested", "Contested"
    UPHELD = "upheld", "Upheld"
    REJECTED = "rejected", "Rejected"
    DISMISSED = "dismissed", "Dismissed"


class NodeCase(models.Model):
    """One case against a node. Written by the cases' projector.

    All terms are those of the opening. A case that ran out stays open until somebody dismisses
    it, which no log foretells: ask with a time.
    """

    #: As the registry numbers them, from one.
    case_id = models.BigIntegerField(primary_key=True)
    node = models.ForeignKey(Node, on_delete=models.CASCADE, related_name="cases")
    opener = AddressField(db_index=True)
    kind = models.CharField(max_length=14, choices=CaseKind.choices)
    status = models.CharField(max_length=9, choices=CaseStatus.choices, db_index=True)
    #: The opener's and the operator's commitments; the documents are published elsewhere.
    evidence_hash = Hash32Field()
    answer_hash = Hash32Field(null=True)
    #: What the node held and did not owe when the case was opened.
    stake_wei = Uint256Field()
    #: The largest part of it that a decision may take.
    max_bps = models.PositiveIntegerField()
    bond_wei = Uint256Field()
    opened_at = models.DateTimeField()
    opened_tx = Hash32Field()
    contestable_until = models.DateTimeField()
    expires_at = models.DateTimeField()
    #: Decided or dismissed. The proposal that decided it is joined by ``ended_tx``.
    ended_at = models.DateTimeField(null=True)
    ended_tx = Hash32Field(null=True)
    #: What the decision took; null where no vote upheld the case.
    decided_bps = models.PositiveIntegerField(null=True)
    debt_wei = Uint256Field(default=0)
    #: How much of the debt has been paid.
    collected_wei = Uint256Field(default=0)
    #: The block of the opening.
    block_number = models.BigIntegerField()

    class Meta:
        ordering = ["-case_id"]

    def __str__(self) -> str:
        return f"case {self.case_id}"

    @property
    def is_open(self) -> bool:
        """Whether it has not ended, run out or not."""
        return self.status in (CaseStatus.OPEN, CaseStatus.CONTESTED)

    @property
    def owed_wei(self) -> int:
        """What is left to collect."""
        return int(self.debt_wei) - int(self.collected_wei)

    def has_run_out(self, at: datetime) -> bool:
        """Whether nobody decided it in time and anybody may dismiss it."""
        return self.is_open and at >= self.expires_at

    def locked_wei(self, at: datetime) -> int:
        """The most it may still take, while it is running; the open cases of one node share this:
        together they lock as much as the largest of them."""
        if not self.is_open or self.has_run_out(at):
            return 0
        return int(self.stake_wei) * self.max_bps // BASIS_POINTS
