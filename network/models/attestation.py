"""Challenges, evidence and verdicts: what nodes prove and how it was judged."""

from django.db import models

from chain.fields import AddressField, Hash32Field
from network.models.nodes import Node


class ChallengePurpose(models.TextChoices):
    ATTEST = "attest", "Attest"
    KEYS = "keys", "Register keys"


class Challenge(models.Model):
    """A nonce of the service, for one node, one purpose and one use.

    Written by ``network.services.challenges`` (issue) and used up by the service
    that accepts the answer.
    """

    #: 32 bytes from the operating system's generator.
    nonce = Hash32Field(primary_key=True)
    purpose = models.CharField(max_length=6, choices=ChallengePurpose.choices)
    node = models.ForeignKey(
        Node, on_delete=models.DO_NOTHING, db_constraint=False, related_name="challenges"
    )
    #: Who may answer: the operator for ``keys``; null for ``attest``.
    operator = AddressField(null=True)
    #: The keys hash the proof must name, for ``keys``.
    keys_hash = Hash32Field(null=True)
    #: Identities (64 hex digits, sorted) of the devices that the report has to name, for
    #: ``attest``; null for ``keys``.
    devices = models.JSONField(null=True)
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-issued_at"]
        indexes = [models.Index(fields=["node", "purpose", "-issued_at"])]

    def __str__(self) -> str:
        return f"{self.purpose} 0x{self.nonce.hex()}"


class Attestation(models.Model):
    """One report of a node, as received. Never changed.

    Written by ``network.services.attestations``. ``report_hash`` is what the next
    report must name as ``previous_hash``: a node cannot rewrite its past.
    """

    node = models.ForeignKey(
        Node, on_delete=models.DO_NOTHING, db_constraint=False, related_name="attestations"
    )
    key = models.ForeignKey(
        "network.NodeKey", on_delete=models.PROTECT, related_name="attestations"
    )
    challenge = models.OneToOneField(
        Challenge, on_delete=models.PROTECT, related_name="attestation"
    )
    #: Grows by one with every accepted report of the node, from 1.
    seq = models.BigIntegerField()
    #: report_hash of the report before; null for the first.
    previous_hash = Hash32Field(null=True)
    report_hash = Hash32Field(unique=True)
    #: Of the request body, which lies in AttestationEvidence for as long as evidence is kept.
    evidence_sha256 = Hash32Field(db_index=True)
    device_count = models.PositiveIntegerField()
    received_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["node", "seq"], name="attestation_seq_once_a_node")
        ]

    def __str__(self) -> str:
        return f"report {self.seq} of 0x{self.node_id.hex()}"


class VerdictStatus(models.TextChoices):
    """The tiers of an Attestation Result (draft-ietf-rats-ar4si, EAR ``ear.status``)."""

    NONE = "none", "No evidence"
    AFFIRMING = "affirming", "Affirming"
    WARNING = "warning", "Warning"
    CONTRAINDICATED = "contraindicated", "Contraindicated"


class Verdict(models.Model):
    """How one report was judged, and by which policy. Never changed: judging again adds a row.

    Written by ``network.services.verdicts``. ``policy`` holds the values the report
    was judged by; whether the verdict still counts is asked of the policy in force
    NOW (``network.selectors.standing``).
    """

    attestation = models.ForeignKey(Attestation, on_delete=models.PROTECT, related_name="verdicts")
    node = models.ForeignKey(
        Node, on_delete=models.DO_NOTHING, db_constraint=False, related_name="verdicts"
    )
    status = models.CharField(max_length=15, choices=VerdictStatus.choices, db_index=True)
    #: Assurance tier reached, T0..T5 as 0..5, and the one the policy asked of the node's class.
    tier = models.PositiveSmallIntegerField()
    required_tier = models.PositiveSmallIntegerField()
    #: The n-th policy since genesis, and the values it was made of.
    policy_version = models.BigIntegerField()
    policy_hash = Hash32Field()
    policy_block = models.BigIntegerField()
    policy = models.JSONField()
    #: The verifier's whole answer: per device, every check with its outcome.
    findings = models.JSONField()
    #: What it was judged with besides the evidence (``network.services.collateral_inputs``).
    inputs = models.JSONField(default=dict)
    #: One plain sentence: why this verdict.
    sentence = models.CharField(max_length=500)
    emulated = models.BooleanField(default=False)
    judged_at = models.DateTimeField(db_index=True)
    #: When the report was received: freshness counts from here, however late it is judged.
    evidence_at = models.DateTimeField()
    #: evidence_at + attest.ttl of the policy it was judged by.
    fresh_until = models.DateTimeField()
    #: keccak-256 of what is published of the verdict (``network.epochs.digest``): what an epoch
    #: anchors on chain.
    verdict_hash = Hash32Field(db_index=True)
    #: The Attestation Result as a signed JWT (EAR); empty when the service has no key.
    ear_jwt = models.TextField(blank=True)
    #: The verdict that this one replaces after a change of policy.
    rejudge_of = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="rejudged_by"
    )

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["node", "-id"])]

    def __str__(self) -> str:
        return f"{self.status} under policy {self.policy_version}"


class FindingSeverity(models.TextChoices):
    """How much a finding weighs (``network.attestation.errors.Severity``)."""

    ERROR = "error", "Refused"
    WARNING = "warning", "Warning"
    INFO = "info", "Note"


class DeviceFinding(models.Model):
    """One failed or remarkable check in one verdict. Written with its verdict.

    Rows beside the verdict's own JSON, so that reasons can be counted over nodes.
    """

    verdict = models.ForeignKey(Verdict, on_delete=models.PROTECT, related_name="device_findings")
    #: Position of the device in the report, from 0; null for a check of the whole report.
    device_index = models.PositiveSmallIntegerField(null=True)
    device_id = models.CharField(max_length=80, blank=True)
    #: Machine-readable reason, for example ``report.nonce_mismatch``.
    code = models.CharField(max_length=64, db_index=True)
    severity = models.CharField(max_length=7, choices=FindingSeverity.choices)
    detail = models.CharField(max_length=500, blank=True)
    data = models.JSONField(default=dict)

    class Meta:
        ordering = ["verdict_id", "device_index", "id"]

    def __str__(self) -> str:
        return f"{self.code}: {self.severity}"


class AttestationState(models.Model):
    """Where a node's chain of reports stands: one row a node, the lock of its reports.

    Written by ``network.services.attestations``, ``network.services.verdicts`` and
    ``network.services.strikes``, always under ``SELECT ... FOR UPDATE``.
    """

    node = models.OneToOneField(
        Node,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        primary_key=True,
        related_name="attestation_state",
    )
    last_seq = models.BigIntegerField(default=0)
    last_report_hash = Hash32Field(null=True)
    latest_verdict = models.ForeignKey(
        Verdict, on_delete=models.PROTECT, null=True, related_name="latest_of"
    )
    #: What the node's standing rests on: the newest accepted verdict, or, where none ever was
    #: accepted, the newest. Old verdicts are dropped, so it may name one that is gone.
    basis_verdict = models.ForeignKey(
        Verdict,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        null=True,
        related_name="basis_of",
    )
    #: Refused reports that count against the node (``network.models.Strike``), since the last cure.
    strikes = models.PositiveSmallIntegerField(default=0)
    #: Accepted reports since the last strike.
    good_in_row = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["node_id"]

    def __str__(self) -> str:
        return f"0x{self.node_id.hex()} at {self.last_seq}"
