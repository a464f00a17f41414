"""A proposal's page: what it does, the vote, who may do what, the words around it."""

import json
import re
from datetime import timedelta
from html import unescape

import pytest

from chain.addresses import to_checksum
from chain.conf import chain_id
from chain.models import Signer
from governance.models import (
    GuardianTerm,
    HiddenProposal,
    KeeperNote,
    Proposal,
    TransactionSender,
)
from governance.state import ProposalState
from governance.views.actions import change_bp
from governance.views.power import Power, snapshot_power
from tests.governance.pages.conftest import ALT, NOW, account, digest

SET = {
    "kind": "parameter_set",
    "summary": "Set attest.ttl.",
    "parameters": [
        {
            "name": "attest.ttl",
            "key": "0x00",
            "expected": "2700",
            "proposed": "1800",
            "unit": "s",
        }
    ],
}


def html(response) -> str:
    assert response.status_code == 200
    return response.content.decode().replace("\xa0", " ").replace("\u202f", " ")


def text(response) -> str:
    """The page's words alone, with single spaces."""
    plain = re.sub(r"<[^>]+>", " ", html(response))
    return re.sub(r"\s+", " ", plain)


class TestWhatItDoes:
    def test_parameter_change_with_its_rules(self, client, make):
        before = make.proposal("executed")
        make.parameter(last_changed_tx=before.executed_tx, version=1)
        make.action(make.proposal("active"), **SET)
        words = text(client.get("/proposals/2/"))
        assert "2 700 s (45 min) 1 800 s (30 min) (\u221233.33 %)" in words
        assert "Bounds 120 s (2 min) to 604 800 s (7 d), step 60 s" in words
        assert "by #1 ." in words
        assert "Takes effect when executed." in words
        assert "would revert" not in words

    def test_what_it_does_comes_before_the_prose(self, client, make):
        make.action(make.proposal("active"), **SET)
        page = html(client.get("/proposals/1/"))
        assert page.index('id="actions"') < page.index('class="prose"')

    def test_a_value_that_has_moved_is_said_to_revert(self, client, make):
        make.parameter(voted_value="2400")
        make.action(make.proposal("active"), **SET)
        assert "executing it would revert" in text(client.get("/proposals/1/"))

    def test_an_executed_change_says_since_when(self, client, make):
        proposal = make.proposal("executed")
        parameter = make.parameter(voted_value="1800")
        make.change(parameter, proposal.executed_tx)
        make.action(proposal, **SET)
        words = text(client.get("/proposals/1/"))
        assert "What it did" in words
        assert "In effect from 2026-06-01 09:00 UTC" in words
        assert "would revert" not in words

    def test_sensitive_changes_name_their_delay(self, client, make):
        make.parameter(risk_class="S", activation="epoch")
        make.action(make.proposal("active"), **SET)
        assert (
            "epoch boundary at least an hour after execution, after the delay meta.s_extra_delay"
            in (text(client.get("/proposals/1/")))
        )

    def test_payment_as_a_share_of_the_treasury(self, client, make):
        eth = make.treasury("ETH", 200 * ALT)
        make.payment(eth, 20 * ALT, digest("x"))
        make.action(
            make.proposal("active"),
            kind="transfer_eth",
            recipient=account(5),
            amount_wei=3_600_000_000_000_000_000,
        )
        words = text(client.get("/proposals/1/"))
        assert "Sends 3.6 ETH" in words
        assert to_checksum(account(5)) in words
        assert "1.8 % of 200 ETH" in words
        assert "20 ETH → 23.6 ETH (9.09 % → 10.73 %)" in words

    def test_payment_of_more_than_there_is(self, client, make):
        make.treasury("ETH", ALT)
        make.action(
            make.proposal("active"), kind="transfer_eth", recipient=account(5), amount_wei=2 * ALT
        )
        assert "more than there is" in text(client.get("/proposals/1/"))

    def test_dangerous_calls_are_red_and_say_so(self, client, make):
        make.action(make.proposal("active"), is_dangerous=True)
        page = client.get("/proposals/1/")
        assert "card-danger" in html(page)
        assert "Changes who controls something." in text(page)

    def test_our_contracts_have_names_and_tokens_are_the_treasurys(self, client, make, deployed):
        make.treasury("ALT", 1000 * ALT)
        make.action(
            make.proposal("active"),
            target=deployed["AlthingToken"],
            kind="transfer_erc20",
            recipient=account(5),
            amount_wei=10 * ALT,
        )
        words = text(client.get("/proposals/1/"))
        assert "AlthingToken" in words
        assert "1 % of 1 000 ALT" in words
        assert "not one of this DAO" not in words

    def test_raw_bytes_are_there_in_full(self, client, make):
        make.action(
            make.proposal("active"), function="", calldata=bytes(range(100)), kind="unknown"
        )
        page = text(client.get("/proposals/1/"))
        assert f"0x{bytes(range(100)).hex()}" in page
        assert "only the raw bytes can be shown" in page

    def test_raw_tab_is_what_the_id_is_made_of(self, client, make):
        proposal = make.proposal("active")
        make.action(proposal, value_wei=7)
        page = client.get("/proposals/1/?tab=raw")
        shown = re.search(r"<pre[^>]*>(.*?)</pre>", page.content.decode(), re.S)[1]
        raw = json.loads(unescape(shown))
        assert raw["proposal_id"] == str(proposal.proposal_id)
        assert raw["values_wei"] == ["7"]
        assert raw["targets"] == [to_checksum(account(99))]


@pytest.mark.parametrize(
    ("expected", "proposed", "change"),
    [
        ("2700", "1800", -3333),
        ("100", "350", 25_000),
        ("0", "5", None),
        ("0x" + "00" * 32, "0x" + "11" * 32, None),
        (str(2**255), str(2**254), -5000),
    ],
)
def test_change_in_basis_points(expected, proposed, change):
    assert change_bp(expected, proposed) == change


class TestVote:
    def test_totals_and_the_rule(self, client, make):
        make.proposal("active", for_wei=5 * ALT, against_wei=2 * ALT, abstain_wei=ALT)
        words = text(client.get("/proposals/1/"))
        assert "The quorum of 10 ALT lacks 4 ALT." in words
        assert "It would fail as it stands." in words
        assert "For and Abstain count to the quorum; it passes when" in words

    def test_signed_out_is_asked_to_sign_in(self, client, make):
        make.proposal("active")
        page = html(client.get("/proposals/1/"))
        assert "Sign in to vote" in page
        assert "<form" not in page.split('id="vote-heading"')[1].split("</section>")[0]

    def test_with_power_there_is_a_form(self, sign_in, make, monkeypatch):
        monkeypatch.setattr("governance.views.power._past_votes", lambda a, at: 1234 * ALT)
        proposal = make.proposal("active")
        page = html(sign_in(account(3)).get("/proposals/1/"))
        assert f'data-proposal-id="{proposal.proposal_id}"' in page
        assert "Vote with 1 234 ALT" in page

    def test_who_has_voted_is_not_asked_again(self, sign_in, make, monkeypatch):
        monkeypatch.setattr("governance.views.power._past_votes", lambda a, at: 5 * ALT)
        make.vote(make.proposal("active"), account(3), support=0)
        page = sign_in(account(3)).get("/proposals/1/")
        assert "data-vote" not in html(page)
        assert "✕ Against with 5 ALT" in text(page)

    def test_pending_says_when_it_opens(self, sign_in, make):
        make.proposal("pending")
        make.delegate(account(3), 7 * ALT)
        page = sign_in(account(3)).get("/proposals/1/")
        assert "Voting has not opened yet." in text(page)
        assert "7 ALT" in text(page)
        assert "data-vote" not in html(page)

    def test_a_node_that_does_not_answer_is_no_missing_power(self, sign_in, make, monkeypatch):
        monkeypatch.setattr(
            "governance.views.proposal_detail.snapshot_power",
            lambda *a: Power(None, "The node could not be asked."),
        )
        make.proposal("active")
        page = sign_in(account(3)).get("/proposals/1/")
        assert "The node could not be asked." in text(page)
        assert "cannot vote" not in text(page)


class TestWhyNoPower:
    @pytest.fixture(autouse=True)
    def zero(self, monkeypatch):
        monkeypatch.setattr("governance.views.power._past_votes", lambda a, at: 0)

    def why(self, make) -> str:
        proposal = make.proposal("active")
        return snapshot_power(account(3), proposal, ProposalState.ACTIVE).why

    def test_never_held_any(self, make):
        assert "held no tokens and nobody had delegated" in self.why(make)

    def test_not_delegated(self, make):
        make.holder(account(3), 5 * ALT)
        assert "your 5 ALT are not delegated" in self.why(make)

    def test_delegated_too_late(self, make):
        make.holder(
            account(3),
            5 * ALT,
            delegate=account(3),
            delegated_at=NOW - timedelta(hours=1),
            delegated_block=990,
        )
        assert "you delegated at block 990, after the snapshot" in self.why(make)

    def test_delegated_to_somebody_else(self, make):
        make.holder(account(3), 5 * ALT, delegate=account(4), delegated_at=NOW - timedelta(days=30))
        assert f"delegated to {to_checksum(account(4))}, who votes" in self.why(make)

    def test_bought_too_late(self, make):
        make.holder(account(3), 5 * ALT, delegate=account(3), delegated_at=NOW - timedelta(days=30))
        assert "What came later counts from the next proposal on" in self.why(make)


class TestVotesTable:
    @pytest.fixture
    def voted(self, make) -> Proposal:
        proposal = make.proposal("active")
        for number in range(30):
            make.vote(proposal, account(number), number % 3, weight_wei=(number + 1) * ALT)
        return proposal

    def voters(self, response) -> list[str]:
        table = html(response).split('id="votes"')[1].split("</section>")[0]
        return re.findall(r'href="/delegates/(0x[0-9a-fA-F]{40})/"', table)

    def test_most_power_first_and_paged(self, client, voted):
        first = client.get("/proposals/1/")
        assert self.voters(first) == [to_checksum(account(n)) for n in range(29, 4, -1)]
        link = re.search(r'rel="next" href="([^"#]+)', first.content.decode())[1]
        rest = client.get("/proposals/1/" + link.replace("&amp;", "&"))
        assert self.voters(rest) == [to_checksum(account(n)) for n in range(4, -1, -1)]

    def test_filters(self, client, voted):
        against = client.get("/proposals/1/?show=against")
        assert len(self.voters(against)) == 10
        one = client.get(f"/proposals/1/?voter={account(7).hex()[:8]}")
        assert self.voters(one) == [to_checksum(account(7))]
        none = client.get("/proposals/1/?voter=0x00000000000000000000000000000000000000ff")
        assert "No such votes" in html(none)

    def test_who_has_not_voted(self, client, voted, make):
        make.delegate(account(7), 50 * ALT)
        make.delegate(account(70), 40 * ALT)
        make.delegate(account(71), 0)
        missing = client.get("/proposals/1/?show=missing")
        assert self.voters(missing) == [to_checksum(account(70))]

    @pytest.mark.parametrize("query", ["tab=x", "show=x", "sort=x", "voter=zz", "cursor=x"])
    def test_what_cannot_be_asked_is_a_400(self, client, voted, query):
        assert client.get(f"/proposals/1/?{query}").status_code == 400


class TestNextStep:
    def test_anyone_may_queue(self, client, make):
        make.proposal("succeeded")
        page = html(client.get("/proposals/1/"))
        assert 'data-tx="queue"' in page
        assert "Anyone may queue it" in page

    def test_queued_waits_and_the_keeper_says_why(self, client, make):
        proposal = make.proposal("queued")
        KeeperNote.objects.create(
            proposal_id=proposal.pk,
            step="execute",
            code="waiting_delay",
            sentence="Waits for the timelock.",
            checked_at=NOW,
        )
        page = client.get("/proposals/1/")
        assert "data-tx=" not in html(page)
        assert "It waits in the timelock" in text(page)
        assert "This server's keeper: Waits for the timelock." in text(page).replace("&#x27;", "'")

    def test_anyone_may_execute_when_it_is_time(self, client, make):
        make.proposal("queued", executable_at=NOW)
        assert 'data-tx="execute"' in html(client.get("/proposals/1/"))

    @pytest.mark.parametrize("ours", [True, False])
    def test_executed_by_whom(self, client, make, ours):
        proposal = make.proposal("executed")
        TransactionSender.objects.create(transaction_hash=proposal.executed_tx, sender=account(8))
        if ours:
            Signer.objects.create(
                chain_id=chain_id(), address=account(8), max_fee_per_gas_wei=1, min_balance_wei=1
            )
        words = text(client.get("/proposals/1/"))
        assert f"Executed by {to_checksum(account(8))}" in words
        assert ("this server's keeper" if ours else "not this server") in words.replace(
            "&#x27;", "'"
        )

    def test_only_who_may_is_offered_to_cancel(self, sign_in, make):
        make.proposal("pending")
        make.proposal("active")
        GuardianTerm.objects.create(
            guardian=account(6),
            until=NOW + timedelta(days=1),
            block_number=1,
            log_index=0,
            tx=digest("guardian"),
            changed_at=NOW,
        )
        cancel = 'data-tx="cancel"'
        proposer = sign_in(account(1))
        assert cancel in html(proposer.get("/proposals/1/"))
        assert cancel not in html(proposer.get("/proposals/2/"))
        guardian = sign_in(account(6))
        assert cancel in html(guardian.get("/proposals/2/"))
        GuardianTerm.objects.update(until=NOW)
        assert cancel not in html(guardian.get("/proposals/2/"))

    def test_a_mismatch_with_the_chain_is_said_loudly(self, client, make):
        make.proposal("active", state_mismatch=True)
        assert "Trust the chain" in text(client.get("/proposals/1/"))


class TestLive:
    def test_304_until_a_vote_comes(self, client, make):
        proposal = make.proposal("active")
        first = client.get("/proposals/1/live/?state=active")
        again = client.get(
            "/proposals/1/live/?state=active", headers={"If-None-Match": first["ETag"]}
        )
        assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
        Proposal.objects.filter(pk=proposal.pk).update(for_wei=6 * ALT)
        changed = client.get(
            "/proposals/1/live/?state=active", headers={"If-None-Match": first["ETag"]}
        )
        assert changed.status_code == 200
        assert changed["Cache-Control"] == "private, no-cache"

    def test_a_new_state_reloads_the_page(self, client, make):
        make.proposal("succeeded")
        assert "HX-Refresh" in client.get("/proposals/1/live/?state=active").headers
        assert "HX-Refresh" not in client.get("/proposals/1/live/?state=succeeded").headers

    def test_closed_votes_are_not_asked_for_again(self, client, make):
        make.proposal("executed")
        make.proposal("active")
        assert "every 12s" not in html(client.get("/proposals/1/live/"))
        assert "every 12s" in html(client.get("/proposals/2/live/"))


class TestWords:
    def test_hidden_words_need_a_click_and_warn(self, client, make):
        proposal = make.proposal(
            "active", title="Claim your airdrop", description="at evil.example"
        )
        make.action(proposal)
        HiddenProposal.objects.create(proposal_id=proposal.pk, reason="scam", hidden_at=NOW)
        page = text(client.get("/proposals/1/"))
        assert "airdrop" not in page
        assert "evil.example" not in page
        assert "Hidden by moderators (scam)" in page
        assert "Call doIt." in page
        shown = text(client.get("/proposals/1/?show"))
        assert "Claim your airdrop" in shown
        assert "Follow nothing it asks of you" in shown

    def test_full_id_leads_to_the_number(self, client, make):
        proposal = make.proposal("active")
        response = client.get(f"/proposals/{proposal.proposal_id}/")
        assert (response.status_code, response["Location"]) == (301, "/proposals/1/")
        assert client.get(f"/proposals/{2**256}/").status_code == 404
        assert client.get("/proposals/99/").status_code == 404


class TestLookTwice:
    def test_a_lookalike_of_a_delegate(self, client, make, deployed):
        make.delegate(bytes.fromhex("abcd" + "11" * 16 + "2233"), ALT)
        make.action(
            make.proposal("active"),
            kind="transfer_eth",
            recipient=bytes.fromhex("abcd" + "77" * 16 + "9999"),
            amount_wei=ALT,
        )
        words = text(client.get("/proposals/1/"))
        assert "Look twice" in words
        assert "looks like delegate 0x" in words

    def test_prose_that_says_something_else(self, client, make):
        proposal = make.proposal("active", description="We send 5 ETH for the audit.")
        make.action(proposal, kind="transfer_eth", recipient=account(5), amount_wei=50 * ALT)
        assert "The text says 5 ETH, which is in no action." in text(client.get("/proposals/1/"))

    def test_two_open_changes_of_one_parameter(self, client, make):
        make.action(make.proposal("active"), **SET)
        make.action(make.proposal("pending"), **SET)
        make.action(make.proposal("executed"), **SET)
        assert "Proposal #2 is open and changes the same parameter" in (
            text(client.get("/proposals/1/"))
        )
        assert "Look twice" not in text(client.get("/proposals/3/"))
