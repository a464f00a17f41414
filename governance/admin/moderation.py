"""The moderators' queue. Every act goes through ``governance.services.moderation``, which writes
the public log with it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from governance.admin.base import ReadOnlyAdmin, act_on
from governance.models import (
    Comment,
    DiscussionBan,
    HiddenProposal,
    ModerationAction,
    Proposal,
    Report,
    UnhideRequest,
)
from governance.models.discussion import Reason, SubjectKind
from governance.services import moderation


class OpenReports(admin.SimpleListFilter):
    """Unsettled reports first: the queue."""

    title = "queue"
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("all", "All"), ("settled", "Settled")]

    def choices(self, changelist: Any) -> Any:
        yield {
            "selected": self.value() is None,
            "query_string": changelist.get_query_string(remove=[self.parameter_name]),
            "display": "Open",
        }
        for value, title in self.lookup_choices:
            yield {
                "selected": self.value() == value,
                "query_string": changelist.get_query_string({self.parameter_name: value}),
                "display": title,
            }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Report]) -> QuerySet[Report]:
        if self.value() == "all":
            return queryset
        return queryset.filter(settled_at__isnull=self.value() != "settled")


@admin.register(Report)
class ReportAdmin(ReadOnlyAdmin):
    """What people asked to look at."""

    list_display = [
        "created_at",
        "subject_kind",
        "subject",
        "words",
        "reason",
        "note",
        "reporter",
        "outcome",
    ]
    list_filter = [OpenReports, "reason", "subject_kind"]
    list_select_related = ["comment"]
    actions = ["hide", "hide_and_ban", "dismiss"]

    @admin.display(description="subject")
    def subject(self, row: Report) -> str:
        return f"comment {row.comment_id}" if row.comment_id else f"proposal {row.proposal_id}"

    @admin.display(description="words")
    def words(self, row: Report) -> str:
        if row.comment is not None:
            return row.comment.body[:200]
        title = Proposal.objects.filter(proposal_id=row.proposal_id).values_list("title", flat=True)
        return title.first() or ""

    @admin.action(description="Hide the words, for the reason reported", permissions=["moderate"])
    def hide(self, request: HttpRequest, rows: QuerySet[Report]) -> None:
        act_on(request, rows, lambda row: _hide_reported(request, row), "hidden")

    @admin.action(description="Hide the comment and ban its author", permissions=["moderate"])
    def hide_and_ban(self, request: HttpRequest, rows: QuerySet[Report]) -> None:
        def act(row: Report) -> None:
            _hide_reported(request, row)
            if row.comment is not None:
                moderation.account_ban(
                    moderator=request.user,  # type: ignore[arg-type]
                    account=bytes(row.comment.author),
                    reason=row.reason,
                )

        act_on(request, rows, act, "hidden, and the author banned")

    @admin.action(description="Dismiss the report", permissions=["moderate"])
    def dismiss(self, request: HttpRequest, rows: QuerySet[Report]) -> None:
        act_on(
            request,
            rows,
            lambda row: moderation.report_dismiss(
                moderator=request.user,  # type: ignore[arg-type]
                report_id=row.pk,
            ),
            "dismissed",
        )


def _hide_reported(request: HttpRequest, row: Report) -> None:
    if row.comment_id is not None:
        moderation.comment_hide(
            moderator=request.user,  # type: ignore[arg-type]
            comment_id=row.comment_id,
            reason=row.reason,
        )
    elif row.proposal_id is not None:
        moderation.proposal_hide(
            moderator=request.user,  # type: ignore[arg-type]
            proposal_id=row.proposal_id,
            reason=row.reason,
        )


def _hide_action(kind: str, reason: Reason) -> Any:
    """An action that hides for one reason: four of them, since an action takes no input."""

    @admin.action(description=f"Hide the words: {reason.label.lower()}", permissions=["moderate"])
    def hide(model_admin: Any, request: HttpRequest, rows: Any) -> None:
        def act(row: Any) -> None:
            if kind == SubjectKind.COMMENT:
                moderation.comment_hide(
                    moderator=request.user,  # type: ignore[arg-type]
                    comment_id=row.pk,
                    reason=reason,
                )
            else:
                moderation.proposal_hide(
                    moderator=request.user,  # type: ignore[arg-type]
                    proposal_id=row.proposal_id,
                    reason=reason,
                )

        act_on(request, rows, act, "hidden")

    hide.__name__ = f"hide_{reason.value}"
    return hide


def _unhide_action(kind: str) -> Any:
    @admin.action(
        description="Show the words again (a scam needs a second moderator)",
        permissions=["moderate"],
    )
    def unhide(model_admin: Any, request: HttpRequest, rows: Any) -> None:
        act_on(
            request,
            rows,
            lambda row: moderation.subject_unhide(
                moderator=request.user,  # type: ignore[arg-type]
                subject_kind=kind,
                subject_id=str(row.pk),
            ),
            "shown again, or waiting for a second moderator",
        )

    return unhide


@admin.register(Comment)
class CommentAdmin(ReadOnlyAdmin):
    list_display = ["id", "author", "body", "created_at", "hidden_reason", "deleted_at"]
    list_filter = ["hidden_reason"]
    actions = [
        *(_hide_action(SubjectKind.COMMENT, reason) for reason in Reason),
        _unhide_action(SubjectKind.COMMENT),
    ]


@admin.register(Proposal)
class ProposalAdmin(ReadOnlyAdmin):
    """Indexed: the chain's facts cannot be touched, only the words hidden."""

    list_display = ["number", "title", "kind", "proposer", "created_at", "is_hidden"]
    list_filter = ["kind", "is_constitutional", "state_mismatch"]
    search_fields = ["title"]
    actions = [
        *(_hide_action(SubjectKind.PROPOSAL, reason) for reason in Reason),
        _unhide_action(SubjectKind.PROPOSAL),
    ]

    @admin.display(boolean=True, description="hidden")
    def is_hidden(self, row: Proposal) -> bool:
        return row.hidden


@admin.register(HiddenProposal)
class HiddenProposalAdmin(ReadOnlyAdmin):
    list_display = ["proposal_id", "reason", "hidden_at"]
    actions = [_unhide_action(SubjectKind.PROPOSAL)]


@admin.register(UnhideRequest)
class UnhideRequestAdmin(ReadOnlyAdmin):
    """Asked by one moderator; another one agrees here."""

    list_display = ["subject_kind", "subject_id", "requested_by", "requested_at", "note"]
    list_select_related = ["requested_by"]
    actions = ["agree"]

    @admin.action(description="Agree: show the words again", permissions=["moderate"])
    def agree(self, request: HttpRequest, rows: QuerySet[UnhideRequest]) -> None:
        act_on(
            request,
            rows,
            lambda row: moderation.subject_unhide(
                moderator=request.user,  # type: ignore[arg-type]
                subject_kind=row.subject_kind,
                subject_id=row.subject_id,
            ),
            "shown again",
        )


@admin.register(DiscussionBan)
class DiscussionBanAdmin(ReadOnlyAdmin):
    list_display = ["account", "reason", "banned_at"]
    actions = ["unban"]

    @admin.action(description="Allow back", permissions=["moderate"])
    def unban(self, request: HttpRequest, rows: QuerySet[DiscussionBan]) -> None:
        act_on(
            request,
            rows,
            lambda row: moderation.account_unban(
                moderator=request.user,  # type: ignore[arg-type]
                account=bytes(row.account),
            ),
            "allowed back",
        )


@admin.register(ModerationAction)
class ModerationActionAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "act", "subject_kind", "subject_id", "reason", "moderator"]
    list_filter = ["act", "reason"]
    list_select_related = ["moderator"]
