"""Comments, reports, moderation: words can go, facts cannot, and every act is public."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import DatabaseError, transaction
from django.test import Client

from chain import clock
from governance.errors import Conflict, InputInvalid, NotAllowed, NotFound, TooManyRequests
from governance.models import Comment, HiddenProposal, ModerationAction, Proposal, Report
from governance.services import comments, moderation
from tests.governance.conftest import Dao
from tests.governance.wallets import JSON, sign_in

pytestmark = [pytest.mark.chain, pytest.mark.django_db]


@pytest.fixture
def proposal(dao: Dao) -> Proposal:
    return dao.indexed(dao.propose(description="# Talk\n\nAbout this."))


@pytest.fixture
def ada(db: None) -> Any:
    return get_user_model().objects.create_user("ada", is_staff=True)


@pytest.fixture
def bob(db: None) -> Any:
    return get_user_model().objects.create_user("bob", is_staff=True)


def add(proposal: Proposal, who: bytes, body: str = "Hello", parent: int | None = None) -> Comment:
    return comments.comment_add(
        account=who, proposal_id=proposal.proposal_id, body=body, parent_id=parent
    )


def test_signed_in_accounts_talk(dao: Dao, proposal: Proposal, client: Client) -> None:
    path = "/api/v1/proposals/1/comments/"
    answer = client.post(path, {"body": "Hi"}, content_type=JSON)
    assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_required")
    sign_in(client, dao.accounts[3])
    first = client.post(path, {"body": "**Hi** <script>x</script>"}, content_type=JSON).json()
    assert "<strong>Hi</strong>" in first["html"]
    assert "<script>" not in first["html"]
    reply = {"body": "Answer", "parent_id": first["id"]}
    assert client.post(path, reply, content_type=JSON).status_code == 201
    listed = client.get(path).json()["results"]
    assert [row["parent_id"] for row in listed] == [None, first["id"]]
    one = f"/api/v1/comments/{first['id']}/"
    assert client.patch(one, {"body": "Better"}, content_type=JSON).json()["body"] == "Better"
    stranger = Client()
    sign_in(stranger, dao.accounts[4])
    answer = stranger.delete(one)
    assert (answer.status_code, answer.json()["code"]) == (403, "comment_not_yours")
    assert client.delete(one).status_code == 200
    gone = client.get(path).json()["results"][0]
    assert (gone["deleted"], gone["body"], gone["html"]) == (True, "", "")
    answer = client.patch(one, {"body": "Back"}, content_type=JSON)
    assert (answer.status_code, answer.json()["code"]) == (409, "comment_removed")


def test_limits_of_comments(dao: Dao, proposal: Proposal) -> None:
    who = dao.accounts[3].address
    with pytest.raises(InputInvalid, match="Write something"):
        add(proposal, who, " \n ")
    with pytest.raises(InputInvalid, match="at most 5000"):
        add(proposal, who, "x" * 5001)
    with pytest.raises(NotFound):
        comments.comment_add(account=who, proposal_id=7, body="x")
    comment = add(proposal, who)
    for _ in range(4):
        comment = add(proposal, who, parent=comment.pk)
    with pytest.raises(TooManyRequests):
        add(proposal, who)
    later = clock.now() + timedelta(minutes=20)
    with clock.clock_override(lambda: later):
        for _ in range(3):
            comment = add(proposal, who, parent=comment.pk)
        with pytest.raises(InputInvalid, match="deep enough"):
            add(proposal, who, parent=comment.pk)
        with pytest.raises(Conflict, match="15 minutes"):
            comments.comment_edit(
                account=who, comment_id=Comment.objects.earliest("pk").pk, body="y"
            )


def test_comments_outlive_a_reorg(dao: Dao, rpc: Any) -> None:
    dao.index()
    snapshot = rpc("evm_snapshot")
    proposed = dao.propose(description="# Reorg")
    comment = add(dao.indexed(proposed), dao.accounts[3].address)
    rpc("evm_revert", snapshot)
    dao.mine(2)
    dao.index()
    assert not Proposal.objects.exists()
    again = dao.propose(description="# Reorg")
    assert again.proposal_id == proposed.proposal_id
    assert Comment.objects.get(proposal_id=dao.indexed(again).proposal_id) == comment


def test_reports_once_each(dao: Dao, proposal: Proposal, client: Client) -> None:
    comment = add(proposal, dao.accounts[3].address)
    sign_in(client, dao.accounts[4])
    for path in (f"/api/v1/comments/{comment.pk}/report/", "/api/v1/proposals/1/report/"):
        body = {"reason": "spam", "note": "look"}
        assert client.post(path, body, content_type=JSON).status_code == 201
        answer = client.post(path, body, content_type=JSON)
        assert (answer.status_code, answer.json()["code"]) == (409, "reported_already")
        assert client.post(path, {"reason": "dull"}, content_type=JSON).status_code == 400
    assert Report.objects.count() == 2


def test_hiding_hides_words_and_never_facts(
    dao: Dao, proposal: Proposal, ada: Any, client: Client
) -> None:
    comments.report_make(
        account=dao.accounts[4].address, reason="scam", proposal_id=proposal.proposal_id
    )
    moderation.proposal_hide(
        moderator=ada, proposal_id=proposal.proposal_id, reason="scam", note="Fake airdrop"
    )
    shown = client.get("/api/v1/proposals/1/").json()
    assert (shown["hidden"], shown["title"], shown["description"]) == (True, "", "")
    assert shown["actions"][0]["summary"].startswith("Change attest.ttl")
    assert shown["proposal_id"] == str(proposal.proposal_id)
    assert Report.objects.get().outcome == "hide"
    dao.mine(1)
    dao.index()
    assert Proposal.objects.get().hidden is True
    log = client.get("/api/v1/moderation/log/").json()["results"]
    assert [(row["act"], row["reason"], row["note"], row["moderator"]) for row in log] == [
        ("hide", "scam", "Fake airdrop", "ada")
    ]
    with pytest.raises(Conflict):
        moderation.proposal_hide(moderator=ada, proposal_id=proposal.proposal_id, reason="spam")


def test_a_scam_is_shown_again_by_two_people(
    dao: Dao, proposal: Proposal, ada: Any, bob: Any
) -> None:
    def unhide(who: Any) -> bool:
        return moderation.subject_unhide(
            moderator=who, subject_kind="proposal", subject_id=str(proposal.proposal_id)
        )

    moderation.proposal_hide(moderator=ada, proposal_id=proposal.proposal_id, reason="scam")
    assert unhide(ada) is False
    with pytest.raises(NotAllowed, match="second moderator"):
        unhide(ada)
    assert HiddenProposal.objects.exists()
    assert unhide(bob) is True
    assert not HiddenProposal.objects.exists()
    acts = ModerationAction.objects.order_by("pk").values_list("act", "moderator__username")
    assert list(acts) == [("hide", "ada"), ("unhide_request", "ada"), ("unhide", "bob")]
    with pytest.raises(NotFound):
        unhide(bob)


def test_other_reasons_take_one_person(dao: Dao, proposal: Proposal, ada: Any) -> None:
    comment = add(proposal, dao.accounts[3].address)
    moderation.comment_hide(moderator=ada, comment_id=comment.pk, reason="offensive")
    with pytest.raises(Conflict):
        comments.comment_delete(account=dao.accounts[3].address, comment_id=comment.pk)
    assert moderation.subject_unhide(
        moderator=ada, subject_kind="comment", subject_id=str(comment.pk)
    )
    comment.refresh_from_db()
    assert comment.hidden_at is None


def test_bans_are_from_discussion_only(dao: Dao, proposal: Proposal, ada: Any) -> None:
    who = dao.accounts[3].address
    moderation.account_ban(moderator=ada, account=who, reason="spam")
    with pytest.raises(NotAllowed, match="may vote as before"):
        add(proposal, who)
    moderation.account_unban(moderator=ada, account=who)
    add(proposal, who)
    with pytest.raises(NotFound):
        moderation.account_unban(moderator=ada, account=who)


def test_the_log_cannot_be_changed(dao: Dao, proposal: Proposal, ada: Any) -> None:
    moderation.proposal_hide(moderator=ada, proposal_id=proposal.proposal_id, reason="spam")
    for change in (
        lambda: ModerationAction.objects.update(note="nothing happened"),
        lambda: ModerationAction.objects.all().delete(),
    ):
        with (
            pytest.raises(DatabaseError, match="pgtrigger: Cannot update or delete"),
            transaction.atomic(),
        ):
            change()
    assert ModerationAction.objects.get().note == ""
