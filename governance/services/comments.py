"""Discussion on proposals: written by signed-in accounts, hidden only by moderators."""

from __future__ import annotations

from datetime import timedelta

from django.db import IntegrityError, transaction

from chain import clock
from governance.errors import Conflict, InputInvalid, NotAllowed, NotFound, TooManyRequests
from governance.models import Comment, DiscussionBan, Proposal, Report
from governance.models.discussion import Reason, SubjectKind

#: Characters of a comment.
BODY_MAX = 5_000
#: Seconds in which an author may still change the words; answers refer to them.
EDIT_WINDOW_S = 15 * 60
#: Comments an account may write within a minute, and within an hour.
PER_MINUTE, PER_HOUR = 5, 40
#: Reports an account may make within an hour.
REPORTS_PER_HOUR = 20
#: Levels of answers to answers.
DEPTH_MAX = 8


def comment_add(
    *, account: bytes, proposal_id: int, body: str, parent_id: int | None = None
) -> Comment:
    """Write a comment, or an answer to one on the same proposal.

    Raises:
        NotFound: no such proposal or parent.
        NotAllowed: banned from discussion.
        InputInvalid: empty, too long, or nested too deeply.
        TooManyRequests
    """
    text = _checked(body)
    if not Proposal.objects.filter(proposal_id=proposal_id).exists():
        raise NotFound("There is no such proposal.", code="proposal_unknown")
    _require_welcome(account)
    _require_slow(account)
    parent = _parent(proposal_id, parent_id)
    return Comment.objects.create(
        proposal_id=proposal_id,
        parent=parent,
        author=account,
        body=text,
        created_at=clock.now(),
    )


def comment_edit(*, account: bytes, comment_id: int, body: str) -> Comment:
    """Change one's own comment within ``EDIT_WINDOW_S``.

    Raises:
        NotFound, NotAllowed, InputInvalid
        Conflict: deleted, hidden, or the window is over.
    """
    text = _checked(body)
    _require_welcome(account)
    with transaction.atomic():
        comment = _own(account, comment_id)
        if clock.now() - comment.created_at > timedelta(seconds=EDIT_WINDOW_S):
            raise Conflict(
                f"A comment can be changed for {EDIT_WINDOW_S // 60} minutes; "
                "write another one instead.",
                code="edit_window_over",
            )
        comment.body = text
        comment.edited_at = clock.now()
        comment.save(update_fields=["body", "edited_at"])
    return comment


def comment_delete(*, account: bytes, comment_id: int) -> Comment:
    """Take one's own words back. The place stays, so that answers keep their thread.

    Raises:
        NotFound, NotAllowed
        Conflict: deleted already, or hidden by moderators (then it is evidence).
    """
    with transaction.atomic():
        comment = _own(account, comment_id)
        comment.body = ""
        comment.deleted_at = clock.now()
        comment.save(update_fields=["body", "deleted_at"])
    return comment


def report_make(
    *,
    account: bytes,
    reason: str,
    note: str = "",
    comment_id: int | None = None,
    proposal_id: int | None = None,
) -> Report:
    """Ask the moderators to look at a comment or at a proposal's words.

    Raises:
        NotFound, InputInvalid, TooManyRequests
        Conflict: this account reported it already.
    """
    if reason not in Reason.values:
        raise InputInvalid("Choose scam, spam, offensive or duplicate.", code="reason_invalid")
    if len(note) > 500:
        raise InputInvalid("A note has at most 500 characters.", code="note_too_long")
    comment = _reported(comment_id, proposal_id)
    hour = clock.now() - timedelta(hours=1)
    if Report.objects.filter(reporter=account, created_at__gt=hour).count() >= REPORTS_PER_HOUR:
        raise TooManyRequests("That is many reports. Try again later.", retry_after_s=600)
    try:
        with transaction.atomic():
            return Report.objects.create(
                subject_kind=SubjectKind.COMMENT if comment else SubjectKind.PROPOSAL,
                proposal_id=comment.proposal_id if comment else proposal_id,
                comment=comment,
                reporter=account,
                reason=reason,
                note=note,
                created_at=clock.now(),
            )
    except IntegrityError as error:
        raise Conflict("You reported this already.", code="reported_already") from error


def _reported(comment_id: int | None, proposal_id: int | None) -> Comment | None:
    if comment_id is not None:
        comment = Comment.objects.filter(pk=comment_id, deleted_at=None).first()
        if comment is None:
            raise NotFound("There is no such comment.", code="comment_unknown")
        return comment
    if proposal_id is None or not Proposal.objects.filter(proposal_id=proposal_id).exists():
        raise NotFound("There is no such proposal.", code="proposal_unknown")
    return None


def _checked(body: str) -> str:
    text = body.replace("\r\n", "\n").strip()
    if not text:
        raise InputInvalid("Write something first.", code="comment_empty")
    if len(text) > BODY_MAX:
        raise InputInvalid(
            f"A comment has at most {BODY_MAX} characters; this one has {len(text)}.",
            code="comment_too_long",
        )
    return text


def _parent(proposal_id: int, parent_id: int | None) -> Comment | None:
    if parent_id is None:
        return None
    parent = Comment.objects.filter(pk=parent_id, proposal_id=proposal_id).first()
    if parent is None or parent.deleted_at or parent.hidden_at:
        raise NotFound("The comment you answer is gone.", code="parent_unknown")
    depth, above = 1, parent
    while above.parent is not None:
        depth, above = depth + 1, above.parent
        if depth >= DEPTH_MAX:
            raise InputInvalid(
                "This thread is deep enough. Answer further up.", code="thread_too_deep"
            )
    return parent


def _own(account: bytes, comment_id: int) -> Comment:
    comment = Comment.objects.select_for_update().filter(pk=comment_id).first()
    if comment is None:
        raise NotFound("There is no such comment.", code="comment_unknown")
    if bytes(comment.author) != account:
        raise NotAllowed("This is somebody else's comment.", code="comment_not_yours")
    if comment.deleted_at is not None or comment.hidden_at is not None:
        raise Conflict("This comment was removed.", code="comment_removed")
    return comment


def _require_welcome(account: bytes) -> None:
    ban = DiscussionBan.objects.filter(account=account).first()
    if ban is not None:
        raise NotAllowed(
            f"Moderators have banned this account from discussion ({ban.reason}). "
            "It may vote as before.",
            code="discussion_banned",
            reason=ban.reason,
        )


def _require_slow(account: bytes) -> None:
    moment = clock.now()
    mine = Comment.objects.filter(author=account)
    if mine.filter(created_at__gt=moment - timedelta(minutes=1)).count() >= PER_MINUTE:
        raise TooManyRequests("You write fast. Wait a minute.", retry_after_s=60)
    if mine.filter(created_at__gt=moment - timedelta(hours=1)).count() >= PER_HOUR:
        raise TooManyRequests("You wrote a lot this hour. Come back later.", retry_after_s=900)
