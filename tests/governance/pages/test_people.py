"""Delegates, the overview's personal part, discussion: pages about and by people."""

import re
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.addresses import to_checksum
from governance.models import Comment, DiscussionBan, ModerationAction, Report
from governance.views.delegates import SENTINEL, concentration, weighted_shuffle
from tests.governance.pages.conftest import ALT, NOW, account
from tests.governance.pages.test_proposal_detail import html, text


def listed(response) -> list[str]:
    return re.findall(
        r'<th scope="row">\s*<span class="address"><a href="/delegates/([^/]+)/', html(response)
    )


class TestDelegateList:
    @pytest.fixture
    def forty(self, make):
        for number in range(40):
            make.delegate(account(number), (number + 1) * ALT, delegators_count=40 - number)
            make.holder(account(number), (number + 1) * ALT)
        return make

    def test_without_a_seed_one_is_put_into_the_address(self, client, forty):
        response = client.get("/delegates/")
        assert response.status_code == 302
        assert re.fullmatch(r"/delegates/\?seed=[0-9a-f]{8}", response["Location"])

    def test_a_seed_fixes_the_order_over_pages(self, client, forty):
        first = listed(client.get("/delegates/?seed=s1"))
        second = listed(client.get("/delegates/?seed=s1&page=2"))
        assert len(first) == 25
        assert len(second) == 15
        assert set(first + second) == {to_checksum(account(n)) for n in range(40)}
        assert listed(client.get("/delegates/?seed=s1")) == first
        assert listed(client.get("/delegates/?seed=s2")) != first

    def test_sorts(self, client, forty):
        by_power = listed(client.get("/delegates/?sort=power"))
        assert by_power[0] == to_checksum(account(39))
        by_delegators = listed(client.get("/delegates/?sort=delegators"))
        assert by_delegators[0] == to_checksum(account(0))

    def test_search_by_the_beginning_of_an_address(self, client, forty):
        wanted = to_checksum(account(5))
        assert listed(client.get(f"/delegates/?q={wanted[:9]}")) == [wanted]
        assert listed(client.get(f"/delegates/?q={wanted}")) == [wanted]
        assert "Nobody found" in text(client.get("/delegates/?q=hello"))

    def test_who_cannot_vote_is_not_listed(self, client, forty):
        forty.delegate(SENTINEL, 10**9 * ALT)
        forty.delegate(account(77), 0)
        page = client.get("/delegates/?sort=power")
        assert to_checksum(SENTINEL) not in html(page)
        assert to_checksum(account(77)) not in html(page)
        assert "Power that can vote 820 ALT" in text(page)

    def test_participation_counts_the_last_ten_closed(self, client, forty):
        for number in range(12):
            closed = forty.proposal("executed", deadline_at=NOW - timedelta(days=20 - number))
            if number % 2:
                forty.vote(closed, account(39))
        forty.vote(forty.proposal("active"), account(39))
        page = text(client.get("/delegates/?sort=power"))
        assert "5 of the last 10" in page

    @pytest.mark.parametrize(
        "query", ["sort=x", "seed=!", "page=0", "page=x", "sort=power&cursor=x"]
    )
    def test_what_cannot_be_asked_is_a_400(self, client, forty, query):
        assert client.get(f"/delegates/?{query}").status_code == 400

    def test_undelegated_holders_are_told(self, sign_in, forty):
        forty.holder(account(80), 9 * ALT)
        page = sign_in(account(80)).get("/delegates/?sort=power")
        assert "Your 9 ALT are not delegated" in text(page)
        assert f'data-to="{to_checksum(account(80))}"' in html(page)


class TestFigures:
    def test_concentration(self):
        found = concentration([50, 30, 20])
        assert (found.top10_bp, found.nakamoto, found.power_wei) == (10_000, 2, 100)
        assert concentration([51, 49]).nakamoto == 1
        assert concentration([1] * 20).nakamoto == 11
        assert concentration([1] * 20).top10_bp == 5000
        assert concentration([]).nakamoto == 0
        assert concentration([]).top10_bp is None

    @given(st.lists(st.integers(min_value=0, max_value=10**27), max_size=40), st.text(max_size=16))
    def test_shuffle_is_a_permutation(self, powers, seed):
        rows = [(account(number), power) for number, power in enumerate(powers)]
        order = weighted_shuffle(rows, seed)
        assert sorted(order) == sorted(address for address, _ in rows)
        assert order == weighted_shuffle(list(reversed(rows)), seed)

    def test_shuffle_puts_power_first_as_often_as_its_share(self):
        rows = [(account(0), 900), (account(1), 100)]
        first = Counter(weighted_shuffle(rows, str(seed))[0] for seed in range(2000))
        assert 0.87 < first[account(0)] / 2000 < 0.93


class TestDelegateDetail:
    def test_votes_alignment_and_delegators(self, sign_in, make):
        make.delegate(account(1), 30 * ALT, delegators_count=1)
        make.holder(account(2), 30 * ALT, delegate=account(1), delegated_at=NOW - timedelta(days=3))
        for number in range(3):
            proposal = make.proposal("executed")
            make.vote(proposal, account(1), 1, reason="Because it is right")
            make.vote(proposal, account(3), 0 if number else 1)
        page = sign_in(account(3)).get(f"/delegates/{to_checksum(account(1))}/")
        words = text(page)
        assert "Voted like you 1 of 3" in words
        assert "Because it is right" in words
        assert to_checksum(account(2)) in html(page)
        assert "Took part 3 of 3" in words

    def test_an_address_written_otherwise_leads_to_its_one_form(self, client, make):
        lower = f"/delegates/0x{account(1).hex()}/"
        response = client.get(lower)
        assert response.status_code == 301
        assert response["Location"] == f"/delegates/{to_checksum(account(1))}/"

    @pytest.mark.parametrize("path", ["0x12", "nonsense", "0x" + "aB" * 20, "0x" + "ff" * 21])
    def test_no_address_is_a_404(self, client, make, path):
        assert client.get(f"/delegates/{path}/").status_code == 404

    def test_an_unknown_account_has_an_empty_page(self, client, make):
        page = text(client.get(f"/delegates/{to_checksum(account(50))}/"))
        assert "Has not voted yet" in page
        assert "Nobody delegates to this account." in page

    def test_the_sentinel_is_explained(self, client, make):
        page = text(client.get(f"/delegates/{to_checksum(SENTINEL)}/"))
        assert "nobody has a key for" in page


class TestDashboard:
    def test_what_waits_for_me(self, sign_in, make):
        make.holder(account(3), 5 * ALT, delegate=account(3))
        make.delegate(account(3), 5 * ALT)
        voted, waiting = make.proposal("active"), make.proposal("active", title="Still to vote on")
        make.vote(voted, account(3))
        make.proposal("succeeded", title="Passed and idle")
        make.proposal("queued", title="Ready to run", executable_at=NOW)
        page = sign_in(account(3)).get("/")
        block = html(page).split('id="attention-heading"')[1].split("</section>")[0]
        assert waiting.title in block
        assert voted.title not in block
        assert "Passed and idle" in block
        assert "Ready to run" in block
        assert "Vote with 5 ALT" in block

    def test_whose_delegate_votes_for_them(self, sign_in, make):
        make.holder(account(3), 5 * ALT, delegate=account(4))
        make.vote(make.proposal("active"), account(4), 0)
        make.proposal("active")
        words = text(sign_in(account(3)).get("/"))
        assert "your delegate voted ✕ Against" in words
        assert "your delegate has not voted" in words

    def test_nothing_waits(self, sign_in, make):
        assert "Nothing waits for you." in text(sign_in(account(3)).get("/"))

    def test_signed_out_has_no_such_block(self, client, make):
        make.proposal("active")
        page = client.get("/")
        assert "attention-heading" not in html(page)
        assert "Sign in with your wallet to see what waits" in text(page)

    def test_tiles_and_changes(self, client, make):
        proposal = make.proposal("executed")
        make.change(make.parameter(), proposal.executed_tx)
        make.treasury("ETH", 12 * ALT)
        make.proposal("active")
        words = text(client.get("/"))
        assert "Treasury, ETH 12 ETH" in words
        assert "Active proposals 1" in words
        assert "attest.ttl ✓ In force 2 700 s (45 min) 1 800 s (30 min)" in words
        assert "by #1" in words

    def test_turnout_is_of_the_power_that_can_vote(self, client, make):
        make.delegate(account(1), 100 * ALT)
        make.delegate(SENTINEL, 10**6 * ALT)
        make.proposal("executed", for_wei=20 * ALT, against_wei=5 * ALT)
        make.proposal("defeated", for_wei=ALT, against_wei=4 * ALT)
        assert "Turnout 15 %" in text(client.get("/"))

    def test_no_votes_names_what_comes_next(self, client, make):
        make.proposal("queued")
        assert "The next queued change, #1 , can execute" in text(client.get("/"))


class TestDiscussion:
    @pytest.fixture
    def proposal(self, make):
        return make.proposal("active")

    def test_comment_reply_and_thread(self, sign_in, proposal):
        client = sign_in(account(3))
        response = client.post("/proposals/1/comments/", {"body": "First **words**"})
        first = Comment.objects.get()
        assert response["Location"] == f"/proposals/1/?tab=discussion#comment-{first.pk}"
        client.post("/proposals/1/comments/", {"body": "An answer", "parent": first.pk})
        page = html(client.get("/proposals/1/?tab=discussion"))
        assert "<strong>words</strong>" in page
        outer = page.split(f'id="comment-{first.pk}"')[1]
        assert "An answer" in outer.split("</article>")[0]
        assert "2 comments" in page

    def test_signed_out_may_read_and_not_write(self, client, proposal):
        page = text(client.get("/proposals/1/?tab=discussion"))
        assert "Sign in with your wallet to comment" in page
        response = client.post("/proposals/1/comments/", {"body": "words"})
        assert response.status_code == 401
        assert not Comment.objects.exists()

    @pytest.mark.parametrize(("body", "status"), [("", 400), ("   ", 400), ("x" * 5001, 400)])
    def test_refused_words_are_kept(self, sign_in, proposal, body, status):
        response = sign_in(account(3)).post("/proposals/1/comments/", {"body": body})
        assert response.status_code == status
        assert f">{body}</textarea>" in response.content.decode()
        assert "Nothing was posted." in response.content.decode()

    def test_a_banned_account_is_told(self, sign_in, proposal):
        DiscussionBan.objects.create(account=account(3), reason="spam", banned_at=NOW)
        client = sign_in(account(3))
        assert "banned this account from discussion (spam)" in text(
            client.get("/proposals/1/?tab=discussion")
        )
        assert client.post("/proposals/1/comments/", {"body": "words"}).status_code == 403

    def test_hidden_and_withdrawn_words_are_gone(self, client, proposal):
        for name, change in (
            ("hidden", {"hidden_at": NOW, "hidden_reason": "offensive"}),
            ("withdrawn", {"deleted_at": NOW}),
        ):
            Comment.objects.create(
                proposal_id=proposal.pk,
                author=account(4),
                body=f"secret {name}",
                created_at=NOW,
                **change,
            )
        page = text(client.get("/proposals/1/?tab=discussion"))
        assert "secret" not in page
        assert "Hidden by moderators (offensive)." in page
        assert "Taken back by its author." in page

    def test_take_back_only_ones_own(self, sign_in, proposal):
        comment = Comment.objects.create(
            proposal_id=proposal.pk, author=account(4), body="mine", created_at=NOW
        )
        path = f"/proposals/1/comments/{comment.pk}/delete/"
        assert sign_in(account(3)).post(path).status_code == 403
        assert sign_in(account(4)).post(path).status_code == 302
        comment.refresh_from_db()
        assert comment.deleted_at is not None

    def test_report_once(self, sign_in, proposal):
        client = sign_in(account(3))
        assert client.post("/proposals/1/report/", {"reason": "scam"}).status_code == 302
        assert client.post("/proposals/1/report/", {"reason": "scam"}).status_code == 409
        assert client.post("/proposals/1/report/", {"reason": "boring"}).status_code == 400
        assert Report.objects.get().reporter == account(3)

    @pytest.mark.parametrize("parent", ["x", "-1", "0", "9" * 30])
    def test_a_reply_to_nothing_readable_is_not_posted_elsewhere(self, sign_in, proposal, parent):
        client = sign_in(account(3))
        response = client.post("/proposals/1/comments/", {"body": "words", "parent": parent})
        assert response.status_code == 400
        assert ">words</textarea>" in response.content.decode()
        assert not Comment.objects.exists()
        report = client.post("/proposals/1/report/", {"reason": "scam", "comment": parent})
        assert report.status_code == 400
        assert not Report.objects.exists()

    def test_posting_needs_the_csrf_token(self, proposal, sign_in):
        client = sign_in(account(3))
        client.handler.enforce_csrf_checks = True
        assert client.post("/proposals/1/comments/", {"body": "words"}).status_code == 403
        assert not Comment.objects.exists()


class TestModerationLog:
    def test_acts_are_public(self, client, make, django_user_model):
        moderator = django_user_model.objects.create_user("mod")
        proposal = make.proposal("active")
        ModerationAction.objects.create(
            act="hide",
            subject_kind="proposal",
            subject_id=str(proposal.pk),
            proposal_id=proposal.pk,
            reason="scam",
            note="<b>phishing</b>",
            moderator=moderator,
            created_at=NOW,
        )
        ModerationAction.objects.create(
            act="ban",
            subject_kind="account",
            subject_id=to_checksum(account(4)),
            reason="spam",
            moderator=moderator,
            created_at=NOW - timedelta(hours=1),
        )
        page = client.get("/moderation/log/")
        assert "<b>phishing" not in html(page)
        assert f'href="/proposals/{proposal.pk}/"' in html(page)
        assert to_checksum(account(4)) in html(page)
        assert text(page).index("Hidden") < text(page).index("Banned from discussion")

    def test_empty(self, client, make):
        assert "Nothing was ever hidden" in text(client.get("/moderation/log/"))
