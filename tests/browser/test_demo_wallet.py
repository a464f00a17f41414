"""The wallet that the pages offer in demo mode: public keys of the local chain, and it says so."""

import pytest
from playwright.sync_api import Browser, expect

from demo.build import World
from demo.visitor import TIMEOUT_MS

pytestmark = [pytest.mark.browser, pytest.mark.chain]


def test_signs_in_with_an_account_of_the_local_chain(world: World, browser: Browser) -> None:
    account = world.parliament.delegates[0]
    page = browser.new_context().new_page()
    page.goto(world.url)
    page.get_by_role("button", name="Sign in", exact=True).first.click()
    page.get_by_role("button", name="Demo wallet").click()
    chooser = page.locator("dialog[open]").last
    expect(chooser).to_contain_text("local chain only", timeout=TIMEOUT_MS)
    chooser.get_by_role("button").filter(has_text=account).click()
    page.get_by_role("button", name="Sign", exact=True).click()
    expect(page.get_by_text(f"Account {account[:6]}")).to_be_visible(timeout=TIMEOUT_MS)
    page.context.close()


def test_its_way_to_the_chain_moves_no_clock(world: World, browser: Browser) -> None:
    page = browser.new_context().new_page()
    page.goto(world.url)
    answer = page.request.post(
        f"{world.url}/demo/rpc",
        data={"jsonrpc": "2.0", "id": 1, "method": "evm_increaseTime", "params": [3600]},
    )
    assert answer.status == 403
    assert answer.json()["code"] == "rpc_method_refused"
    page.context.close()
