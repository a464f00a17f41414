"""People's words on proposals, and what moderators did about them."""

from __future__ import annotations

import pgtrigger
from django.conf import settings
from django.db import models

from chain.fields import AddressField, Uint256Field


class Reason(models.TextChoices):
    """Why a moderator hides words or bans; the same four everywhere."""

    SCAM = "scam", "Scam"
    SPAM = "spam", "Spam"
    OFFENSIVE = "offensive", "Offensive"
    DUPLICATE = "duplicate", "Duplicate"


class SubjectKind(models.TextChoices):
    PROPOSAL = "proposal", "Proposal"
    COMMENT = "comment", "Comment"
    ACCOUNT = "account", "Account"


class Comment(models.Model):
    """A comment on a proposal. Written by ``governance.services.comments`` (authors) and
    ``governance.services.moderation`` (hiding). Names its proposal by id, without a foreign key:
    comments outlive a rebuild of the projections."""

    proposal_id = Uint256Field(db_index=True)
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="replies")
    author = AddressField(db_index=True)
    body = models.TextField()
    created_at = models.DateTimeField()
    edited_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)
    hidden_reason = models.CharField(max_length=12, choices=Reason, blank=True)
    hidden_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["created_at", "pk"]
        indexes = [models.Index(fields=["proposal_id", "created_at"])]

    def __str__(self) -> str:
        return f"comment {self.pk} on {self.proposal_id}"


class HiddenProposal(models.Model):
    """A proposal whose words are hidden; its calls, votes and state never are.

    Written by ``governance.services.moderation``."""

    proposal_id = Uint256Field(primary_key=True)
    reason = models.CharField(max_length=12, choices=Reason)
    hidden_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.proposal_id} ({self.reason})"


class Report(models.Model):
    """Somebody asks the moderators to look. Written by ``governance.services.comments`` (made) and
    ``governance.services.moderation`` (settled)."""

    subject_kind = models.CharField(max_length=12, choices=SubjectKind)
    proposal_id = Uint256Field(null=True)
    comment = models.ForeignKey(
        Comment, null=True, on_delete=models.PROTECT, related_name="reports"
    )
    reporter = AddressField()
    reason = models.CharField(max_length=12, choices=Reason)
    note = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, db_index=True)
    outcome = models.CharField(max_length=12, blank=True)

    class Meta:
        ordering = ["created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["comment", "reporter"],
                condition=models.Q(comment__isnull=False),
                name="report_comment_once",
            ),
            models.UniqueConstraint(
                fields=["proposal_id", "reporter"],
                condition=models.Q(comment__isnull=True),
                name="report_proposal_once",
            ),
        ]

    def __str__(self) -> str:
        return f"report {self.pk} ({self.reason})"


class DiscussionBan(models.Model):
    """An account that may not comment. Written by ``governance.services.moderation``."""

    account = AddressField(primary_key=True)
    reason = models.CharField(max_length=12, choices=Reason)
    banned_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.account.hex()


class UnhideRequest(models.Model):
    """The first of the two people who must agree before a scam is shown again.

    Written by ``governance.services.moderation``; deleted when decided (the log keeps both acts).
    """

    subject_kind = models.CharField(max_length=12, choices=SubjectKind)
    subject_id = models.CharField(max_length=80)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    requested_at = models.DateTimeField()
    note = models.CharField(max_length=500)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["subject_kind", "subject_id"], name="unhide_request_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.subject_kind} {self.subject_id}"


class ModerationAction(models.Model):
    """One act of a moderator: the public log. Append-only, by a trigger in the database.

    Written by ``governance.services.moderation``, in the same transaction as the act.
    """

    class Act(models.TextChoices):
        HIDE = "hide", "Hidden"
        UNHIDE_REQUEST = "unhide_request", "Asked to show again"
        UNHIDE = "unhide", "Shown again"
        BAN = "ban", "Banned from discussion"
        UNBAN = "unban", "Allowed back"
        DISMISS = "dismiss", "Report dismissed"

    act = models.CharField(max_length=16, choices=Act)
    subject_kind = models.CharField(max_length=12, choices=SubjectKind)
    #: Decimal proposal id, comment's number, or 0x address.
    subject_id = models.CharField(max_length=80, db_index=True)
    proposal_id = Uint256Field(null=True)
    reason = models.CharField(max_length=12, choices=Reason, blank=True)
    note = models.CharField(max_length=500, blank=True)
    moderator = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["-created_at", "-pk"]
        permissions = [("moderate", "Can moderate the discussion")]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)
        ]

    def __str__(self) -> str:
        return f"{self.act} {self.subject_kind} {self.subject_id}"
