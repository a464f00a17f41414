"""Moderation: hides words, never chain facts. Every act writes the public log with it."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from chain import clock
from chain.addresses import to_checksum
from governance.errors import Conflict, InputInvalid, NotAllowed, NotFound
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

Act = ModerationAction.Act


@transaction.atomic
def proposal_hide(
    *, moderator: User, proposal_id: int, reason: str, note: str = ""
) -> HiddenProposal:
    """Hide a proposal's words; its calls, votes and state stay.

    Raises:
        NotFound, InputInvalid
        Conflict: hidden already.
    """
    _check_reason(reason)
    if not Proposal.objects.filter(proposal_id=proposal_id).exists():
        raise NotFound("There is no such proposal.", code="proposal_unknown")
    hidden, created = HiddenProposal.objects.get_or_create(
        proposal_id=proposal_id, defaults={"reason": reason, "hidden_at": clock.now()}
    )
    if not created:
        raise Conflict("It is hidden already.", code="hidden_already")
    _log(
        Act.HIDE,
        SubjectKind.PROPOSAL,
        str(proposal_id),
        moderator,
        proposal_id=proposal_id,
        reason=reason,
        note=note,
    )
    _reports_settle(Act.HIDE, proposal_id=proposal_id, comment=None)
    return hidden


@transaction.atomic
def comment_hide(*, moderator: User, comment_id: int, reason: str, note: str = "") -> Comment:
    """Hide a comment's words; its place in the thread stays.

    Raises:
        NotFound, InputInvalid
        Conflict: hidden already.
    """
    _check_reason(reason)
    comment = _comment(comment_id)
    if comment.hidden_at is not None:
        raise Conflict("It is hidden already.", code="hidden_already")
    comment.hidden_at, comment.hidden_reason = clock.now(), reason
    comment.save(update_fields=["hidden_at", "hidden_reason"])
    _log(
        Act.HIDE,
        SubjectKind.COMMENT,
        str(comment_id),
        moderator,
        proposal_id=comment.proposal_id,
        reason=reason,
        note=note,
    )
    _reports_settle(Act.HIDE, proposal_id=comment.proposal_id, comment=comment)
    return comment


@transaction.atomic
def subject_unhide(*, moderator: User, subject_kind: str, subject_id: str, note: str = "") -> bool:
    """Show hidden words again; what was hidden as a scam takes two people.

    The first call for a scam only asks; the call of another moderator decides. Returns whether
    the words are shown now.

    Raises:
        NotFound: it is not hidden.
        NotAllowed: the same person asked; a second one has to decide.
    """
    reason, proposal_id = _hidden_reason(subject_kind, subject_id)
    if reason == Reason.SCAM:
        request = (
            UnhideRequest.objects.select_for_update()
            .filter(subject_kind=subject_kind, subject_id=subject_id)
            .first()
        )
        if request is None:
            _unhide_request(moderator, subject_kind, subject_id, proposal_id, note)
            return False
        if request.requested_by_id == moderator.pk:
            raise NotAllowed(
                "You asked for this yourself; a second moderator has to agree.",
                code="second_person_needed",
            )
        request.delete()
    _show(subject_kind, subject_id)
    _log(
        Act.UNHIDE,
        subject_kind,
        subject_id,
        moderator,
        proposal_id=proposal_id,
        reason=reason,
        note=note,
    )
    return True


@transaction.atomic
def account_ban(*, moderator: User, account: bytes, reason: str, note: str = "") -> DiscussionBan:
    """Ban an account from discussion. Its votes are none of our business.

    Raises:
        InputInvalid
        Conflict: banned already.
    """
    _check_reason(reason)
    ban, created = DiscussionBan.objects.get_or_create(
        account=account, defaults={"reason": reason, "banned_at": clock.now()}
    )
    if not created:
        raise Conflict("It is banned already.", code="banned_already")
    _log(Act.BAN, SubjectKind.ACCOUNT, to_checksum(account), moderator, reason=reason, note=note)
    return ban


@transaction.atomic
def account_unban(*, moderator: User, account: bytes, note: str = "") -> None:
    """Allow an account back.

    Raises:
        NotFound: it is not banned.
    """
    deleted, _ = DiscussionBan.objects.filter(account=account).delete()
    if not deleted:
        raise NotFound("This account is not banned.", code="not_banned")
    _log(Act.UNBAN, SubjectKind.ACCOUNT, to_checksum(account), moderator, note=note)


@transaction.atomic
def report_dismiss(*, moderator: User, report_id: int, note: str = "") -> Report:
    """Settle a report without doing anything.

    Raises:
        NotFound
        Conflict: settled already.
    """
    report = Report.objects.select_for_update().filter(pk=report_id).first()
    if report is None:
        raise NotFound("There is no such report.", code="report_unknown")
    if report.settled_at is not None:
        raise Conflict("This report is settled.", code="report_settled")
    report.settled_at, report.outcome = clock.now(), Act.DISMISS
    report.save(update_fields=["settled_at", "outcome"])
    subject_id = str(report.comment_id or report.proposal_id)
    _log(
        Act.DISMISS,
        report.subject_kind,
        subject_id,
        moderator,
        proposal_id=report.proposal_id,
        reason=report.reason,
        note=note,
    )
    return report


def _check_reason(reason: str) -> None:
    if reason not in Reason.values:
        raise InputInvalid("Choose scam, spam, offensive or duplicate.", code="reason_invalid")


def _comment(comment_id: int) -> Comment:
    comment = Comment.objects.select_for_update().filter(pk=comment_id).first()
    if comment is None:
        raise NotFound("There is no such comment.", code="comment_unknown")
    return comment


def _hidden_reason(subject_kind: str, subject_id: str) -> tuple[str, int | None]:
    if subject_kind == SubjectKind.PROPOSAL:
        hidden = (
            HiddenProposal.objects.select_for_update().filter(proposal_id=int(subject_id)).first()
        )
        if hidden is not None:
            return hidden.reason, hidden.proposal_id
    elif subject_kind == SubjectKind.COMMENT:
        comment = _comment(int(subject_id))
        if comment.hidden_at is not None:
            return comment.hidden_reason, comment.proposal_id
    raise NotFound("It is not hidden.", code="not_hidden")


def _unhide_request(
    moderator: User,
    subject_kind: str,
    subject_id: str,
    proposal_id: int | None,
    note: str,
) -> None:
    UnhideRequest.objects.create(
        subject_kind=subject_kind,
        subject_id=subject_id,
        requested_by=moderator,
        requested_at=clock.now(),
        note=note,
    )
    _log(
        Act.UNHIDE_REQUEST,
        subject_kind,
        subject_id,
        moderator,
        proposal_id=proposal_id,
        reason=Reason.SCAM,
        note=note,
    )


def _show(subject_kind: str, subject_id: str) -> None:
    if subject_kind == SubjectKind.PROPOSAL:
        HiddenProposal.objects.filter(proposal_id=int(subject_id)).delete()
    else:
        Comment.objects.filter(pk=int(subject_id)).update(hidden_at=None, hidden_reason="")


def _reports_settle(act: str, *, proposal_id: int, comment: Comment | None) -> None:
    Report.objects.filter(proposal_id=proposal_id, comment=comment, settled_at__isnull=True).update(
        settled_at=clock.now(), outcome=act
    )


def _log(act: str, subject_kind: str, subject_id: str, moderator: User, **fields: Any) -> None:
    ModerationAction.objects.create(
        act=act,
        subject_kind=subject_kind,
        subject_id=subject_id,
        moderator=moderator,
        created_at=clock.now(),
        **fields,
    )
