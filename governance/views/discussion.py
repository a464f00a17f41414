"""What people say on a proposal: threads to read, forms to write, reply and report."""

from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from governance.errors import GovernanceError, InputInvalid, SignInRequired
from governance.markdown import render_markdown
from governance.models import Comment, DiscussionBan, Proposal
from governance.models.discussion import Reason
from governance.services.comments import BODY_MAX, comment_add, comment_delete, report_make
from governance.views.common import page_render, viewer

#: Comments shown on one page; older threads come on the next.
COMMENTS_MAX = 200
#: Replies are indented so deep; below that they stand beside each other.
DEPTH_MAX = 4


@dataclass(slots=True)
class Thread:
    """A comment and its replies, oldest first."""

    comment: Comment
    depth: int
    is_own: bool
    body: SafeString
    replies: list["Thread"] = field(default_factory=list)


def comment_threads(request: HttpRequest, proposal: Proposal) -> dict[str, Any]:
    """Build the threads of a proposal. One query, one more when signed in or very long."""
    account = viewer(request)
    comments = Comment.objects.filter(proposal_id=proposal.pk).order_by("created_at", "pk")
    shown_first = list(comments[:COMMENTS_MAX])
    total = len(shown_first) if len(shown_first) < COMMENTS_MAX else comments.count()
    roots: list[Thread] = []
    by_pk: dict[int | None, Thread] = {}
    for comment in shown_first:
        parent = by_pk.get(comment.parent_id)
        depth = min(parent.depth + 1, DEPTH_MAX) if parent else 0
        shown = "" if comment.hidden_at or comment.deleted_at else comment.body
        thread = Thread(comment, depth, comment.author == account, render_markdown(shown))
        by_pk[comment.pk] = thread
        (parent.replies if parent else roots).append(thread)
    return {
        "threads": roots,
        "body_max": BODY_MAX,
        "reasons": Reason.choices,
        "comments_total": total,
        "comments_left_out": max(total - COMMENTS_MAX, 0),
        "ban": DiscussionBan.objects.filter(account=account).first() if account else None,
    }


class WordsForm(forms.Form):
    """A comment as the page's form posts it."""

    body = forms.CharField(required=False)
    parent = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)


class ReportForm(forms.Form):
    """A report as the page's form posts it."""

    reason = forms.CharField(required=False, max_length=12)
    note = forms.CharField(required=False)
    comment = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)


@require_POST
def comment_post(request: HttpRequest, number: int) -> HttpResponse:
    """Write a comment or a reply, then show the discussion. Nothing typed is lost on an error."""
    proposal = get_object_or_404(Proposal, number=number)
    form = WordsForm(request.POST)
    wanted = form.cleaned_data if form.is_valid() else {}
    try:
        _readable(form)
        comment = comment_add(
            account=_account(request),
            proposal_id=proposal.pk,
            body=wanted.get("body", ""),
            parent_id=wanted.get("parent"),
        )
    except GovernanceError as error:
        kept = {"body": request.POST.get("body", ""), "parent": wanted.get("parent")}
        return _refused(request, proposal, error, kept)
    return _discussion_redirect(proposal, f"comment-{comment.pk}")


@require_POST
def comment_delete_post(request: HttpRequest, number: int, comment: int) -> HttpResponse:
    """Take one's own comment back."""
    proposal = get_object_or_404(Proposal, number=number)
    try:
        comment_delete(account=_account(request), comment_id=comment)
    except GovernanceError as error:
        return _refused(request, proposal, error, {})
    messages.success(request, "Your comment was taken back.")
    return _discussion_redirect(proposal, "discussion")


@require_POST
def report_post(request: HttpRequest, number: int) -> HttpResponse:
    """Ask the moderators to look at a comment, or at the proposal's words."""
    proposal = get_object_or_404(Proposal, number=number)
    form = ReportForm(request.POST)
    wanted = form.cleaned_data if form.is_valid() else {}
    comment = wanted.get("comment")
    try:
        _readable(form)
        report_make(
            account=_account(request),
            reason=wanted.get("reason", ""),
            note=wanted.get("note", ""),
            comment_id=comment,
            proposal_id=None if comment else proposal.pk,
        )
    except GovernanceError as error:
        return _refused(request, proposal, error, {})
    messages.success(request, "Thank you. The moderators will look; what they do is in the log.")
    return _discussion_redirect(proposal, "discussion")


def _readable(form: forms.Form) -> None:
    """Refuse a form with a field that cannot be read: guessing would post somewhere else."""
    for name, errors in form.errors.items():
        raise InputInvalid(f"{name}: {errors[0]}", code="form_invalid")


def _account(request: HttpRequest) -> bytes:
    account = viewer(request)
    if account is None:
        raise SignInRequired("Sign in to take part in the discussion.")
    return account


def _discussion_redirect(proposal: Proposal, anchor: str) -> HttpResponse:
    address = reverse("governance:proposal_detail", args=[proposal.number])
    return redirect(f"{address}?tab=discussion#{anchor}")


def _refused(
    request: HttpRequest, proposal: Proposal, error: GovernanceError, kept: dict[str, Any]
) -> HttpResponse:
    """Show the discussion alone with the reason and what was typed, under the error's status."""
    context = {
        "proposal": proposal,
        "refused": error,
        "kept": kept,
        **comment_threads(request, proposal),
    }
    return page_render(
        request, "governance/discussion_refused.html", context, status=error.http_status
    )
