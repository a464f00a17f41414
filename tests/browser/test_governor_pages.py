"""The pages of added governors in a browser: accessible, no wider than the screen, silent."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page

from chain.addresses import to_checksum
from demo.browser import browser_open, chromium_path
from tests.browser.axe import SCREENS, faults
from tests.governance.governors.test_index_pages import governor, proposal, vote
from tests.governance.pages.conftest import account

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

#: No text that breaks by itself, as long as a line may be on chain.
LONG = "W" * 400


@pytest.fixture(params=SCREENS)
def page(request: pytest.FixtureRequest, paths: list[str], live_server: Any) -> Iterator[Page]:
    """A page of a screen's size. Its console must stay empty. The rows are made before it opens:
    while a browser is driven, this thread has an event loop, and Django no database."""
    if chromium_path() is None:
        pytest.skip("No Chromium on this machine: install it or set CHROMIUM_BIN.")
    complaints: list[str] = []
    with browser_open() as browser:
        context = browser.new_context(**SCREENS[request.param])
        opened = context.new_page()
        opened.on("console", lambda message: complaints.append(message.text))
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        yield opened
        context.close()
    assert complaints == []


@pytest.fixture
def paths(transactional_db: None) -> list[str]:
    """A governor with everything that can be long, wrong or missing; the paths of its pages."""
    owner = governor(name=f"A governor {LONG[:80]}", timelock=account(900), timelock_kind="unknown")
    governor(2, removed_at=owner.added_at)
    usual = {"target": f"0x{'11' * 20}", "value_wei": "5", "calldata": f"0x{'ab' * 300}"}
    odd = {"signature": f"f{LONG}(uint256)", "signature_raw": "0xff"}
    first = proposal(
        owner,
        2**255,
        title=LONG[:200],
        description=f"# {LONG}\n\n{LONG}\n\n```\n{LONG}\n```\n\n| a | b |\n|-|-|\n| {LONG} | c |",
        description_raw=b"\xff",
        created_block=5,
        for_votes=2**256 - 1,
        calls=[usual | {"signature": ""}, usual | odd],
        state=3,
        chain_state=4,
        state_mismatch=True,
        id_matches=False,
        canceled_at=owner.added_at,
        canceled_tx=bytes(32),
        canceled_count=3,
    )
    proposal(owner, 2, title="", chain_state=200, state=None)
    for number in range(1, 60):
        vote(first, number, reason=LONG if number % 2 else "", support=number % 4)
    place = f"/governors/{to_checksum(owner.address)}/"
    return ["/governors/", place, f"{place}?state=expired", f"{place}{first.proposal_id}/"]


def test_they_are_accessible_and_fit(page: Page, live_server: Any, paths: list[str]) -> None:
    found: list[str] = []
    for path in paths:
        page.goto(f"{live_server.url}{path}")
        found += faults(page)
    assert not found, "\n" + "\n".join(found)
