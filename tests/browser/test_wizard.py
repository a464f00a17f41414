"""The new-proposal form: what it refuses, what it keeps, and what it sends."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from demo.build import World
from demo.visitor import TIMEOUT_MS, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.chain]

Visit = Callable[..., Visitor]
#: A parameter that no episode of the demo's history changes.
PARAMETER = "stake.max_pending_unbonds"


def value_enter(page: Page, value: str) -> None:
    page.get_by_label(f"New value of {PARAMETER}").fill(value)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("51", "50"),
        ("0", "1"),
        ("10", "already"),
        ("3,5", ""),
        ("ten", ""),
        ("-1", ""),
        ("1e3", ""),
    ],
)
def test_refuses_values_in_words(world: World, visit: Visit, value: str, said: str) -> None:
    page = visit(world.chain.accounts[-1]).page
    page.goto(f"{world.url}/proposals/new/?parameter={PARAMETER}")
    value_enter(page, value)
    entry = page.get_by_label(f"New value of {PARAMETER}")
    expect(entry).to_have_attribute("aria-invalid", "true", timeout=TIMEOUT_MS)
    problem = page.locator(".field .error").filter(has_text=said or ".").first
    expect(problem).not_to_be_empty(timeout=TIMEOUT_MS)
    page.get_by_role("button", name="Add to the proposal").click()
    expect(page.locator("[data-actions] > li")).to_have_count(0)


def test_a_draft_survives_a_reload_and_holds_several_actions(world: World, visit: Visit) -> None:
    visitor = visit(world.parliament.delegates[11])
    visitor.sign_in()
    page = visitor.page
    page.goto(f"{world.url}/proposals/new/?parameter={PARAMETER}")
    value_enter(page, "12")
    page.get_by_role("button", name="Add to the proposal").click()
    page.locator("[data-actions] > li").first.wait_for()
    page.get_by_role("button", name="Pay from the treasury").click()
    page.get_by_label("Recipient").fill(world.chain.accounts[40])
    page.get_by_label("Amount").fill("12.5")
    page.get_by_role("button", name="Add to the proposal").click()
    expect(page.locator("[data-actions] > li")).to_have_count(2, timeout=TIMEOUT_MS)
    page.get_by_role("button", name="Next: text").click()
    page.get_by_label("Title", exact=True).fill("A draft of two actions")
    page.get_by_label("Text", exact=True).fill("Pays 12.5 ALT and allows 12 withdrawals.")
    page.get_by_role("button", name="Next: check").click()
    expect(page.locator("[data-draft-status]")).to_contain_text("aved", timeout=TIMEOUT_MS)
    page.goto(f"{world.url}/proposals/new/")
    page.get_by_role("link", name="A draft of two actions").first.click()
    page.locator("[data-wizard][data-ready]").wait_for()
    page.get_by_role("button", name="Actions").click()
    expect(page.locator("[data-actions] > li")).to_have_count(2, timeout=TIMEOUT_MS)
