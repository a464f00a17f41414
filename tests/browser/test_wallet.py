"""What goes wrong between a page and a wallet, and what the page says then."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from demo.build import World
from demo.visitor import TIMEOUT_MS, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.chain]

Visit = Callable[..., Visitor]


def vote_start(visitor: Visitor, number: int) -> None:
    """Choose For and press the button; the dialog is open then."""
    visitor.visit(f"/proposals/{number}/")
    form = visitor.page.locator("form[data-vote]")
    form.get_by_label("For", exact=True).check()
    form.locator("button[data-write]").click()


def test_signs_in_and_out(world: World, visit: Visit) -> None:
    visitor = visit(world.parliament.delegates[4])
    visitor.sign_in()
    assert visitor.wallet.requests.count("personal_sign") == 1
    visitor.page.get_by_text("Account 0x").click()
    visitor.page.get_by_role("button", name="Sign out").click()
    expect(visitor.page.get_by_role("button", name="Sign in", exact=True).first).to_be_visible()


def test_votes_with_a_reason(world: World, visit: Visit, open_vote: int) -> None:
    visitor = visit(world.parliament.delegates[4])
    visitor.sign_in()
    visitor.vote(open_vote, 1, reason="It is <b>small</b>.")
    visitor.visit(f"/proposals/{open_vote}/")
    expect(visitor.page.get_by_text("You voted")).to_be_visible(timeout=TIMEOUT_MS)
    expect(visitor.page.get_by_text("It is <b>small</b>.").first).to_be_visible()


def test_rejected_signature_of_the_sign_in(world: World, visit: Visit) -> None:
    visitor = visit(world.parliament.delegates[4])
    visitor.wallet.rejects.add("personal_sign")
    visitor.visit("/")
    visitor.page.get_by_role("button", name="Sign in", exact=True).first.click()
    visitor.wallet_choose()
    expect(visitor.dialog).to_contain_text("You rejected the request")
    visitor.wallet.rejects.clear()
    visitor.dialog.get_by_role("button", name="Try again").click()
    visitor.page.get_by_text("Account 0x").wait_for()


def test_rejected_transaction(world: World, visit: Visit, open_vote: int) -> None:
    visitor = visit(world.parliament.delegates[5])
    visitor.sign_in()
    visitor.wallet.rejects.add("eth_sendTransaction")
    vote_start(visitor, open_vote)
    expect(visitor.status).to_have_text("You rejected the request. Nothing was sent.")
    visitor.wallet.rejects.clear()
    visitor.dialog.get_by_role("button", name="Try again").click()
    visitor.transaction_finish()


def test_wrong_network(world: World, visit: Visit, open_vote: int) -> None:
    visitor = visit(world.parliament.delegates[6])
    visitor.sign_in()
    visitor.wallet.chain_id = 11155111
    vote_start(visitor, open_vote)
    expect(visitor.status).to_contain_text("Your wallet is on")
    assert "eth_sendTransaction" not in visitor.wallet.requests
    visitor.dialog.get_by_role("button", name=re.compile("^Switch to")).click()
    visitor.transaction_finish()
    assert visitor.wallet.chain_id == 31337


def test_no_voting_power(world: World, visit: Visit, open_vote: int) -> None:
    stranger = world.chain.accounts[-1]
    visitor = visit(stranger)
    visitor.sign_in()
    visitor.visit(f"/proposals/{open_vote}/")
    expect(visitor.page.get_by_text("nobody had delegated to it").first).to_be_visible()
    expect(visitor.page.locator("form[data-vote]")).to_have_count(0)


def test_reverted_transaction_is_a_sentence(world: World, visit: Visit, open_vote: int) -> None:
    """The account votes elsewhere while the page is open: the chain would revert."""
    account = world.parliament.delegates[7]
    visitor = visit(account)
    visitor.sign_in()
    visitor.visit(f"/proposals/{open_vote}/")
    form = visitor.page.locator("form[data-vote]")
    form.get_by_label("For", exact=True).check()
    proposal_id = int(form.get_attribute("data-proposal-id") or 0)
    world.chain.send("AlthingGovernor", "castVote", proposal_id, 0, sender=account)
    form.locator("button[data-write]").click()
    expect(visitor.status).to_contain_text("already voted", timeout=TIMEOUT_MS)
    assert "eth_sendTransaction" not in visitor.wallet.requests


def test_switched_wallet_is_told_and_blocked(world: World, visit: Visit, open_vote: int) -> None:
    visitor = visit(world.parliament.delegates[8])
    visitor.sign_in()
    visitor.visit(f"/proposals/{open_vote}/")
    other = world.parliament.delegates[9]
    visitor.wallet.switch_account(visitor.page, other)
    expect(visitor.page.get_by_text("is not the signed-in account").first).to_be_visible()
    form = visitor.page.locator("form[data-vote]")
    form.get_by_label("For", exact=True).check()
    form.locator("button[data-write]").click(force=True)
    visitor.page.wait_for_timeout(500)
    assert "eth_sendTransaction" not in visitor.wallet.requests


def test_second_tab_follows_the_sign_in_and_the_sign_out(world: World, visit: Visit) -> None:
    visitor = visit(world.parliament.delegates[10])
    second = visitor.page.context.new_page()
    second.goto(world.url + "/proposals/")
    visitor.sign_in()
    expect(second.get_by_text("Account 0x")).to_be_visible(timeout=TIMEOUT_MS)
    visitor.page.get_by_text("Account 0x").click()
    visitor.page.get_by_role("button", name="Sign out").click()
    expect(second.get_by_role("button", name="Sign in", exact=True).first).to_be_visible(
        timeout=TIMEOUT_MS
    )
