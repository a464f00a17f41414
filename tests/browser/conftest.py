"""One running site for all browser tests: the demo's world with real engines, workers and pages."""

import os
import shutil
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from playwright.sync_api import Browser

from demo.browser import Wallet, browser_open, chromium_path
from demo.build import World, engines_run, world_build
from demo.episodes import Episode, calls, pay_alt
from demo.history import Proposal
from demo.processes import Processes, start_site
from demo.settings import BASE_DIR, DemoFolder, web_port
from demo.visitor import Visitor

# Seconds. A slow machine indexes slowly; nothing here measures time.
INDEX_TIMEOUT_S = 60


@pytest.fixture(scope="session")
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """The site at `world.url`, its chain at wall time with a block a second.

    Each run has a folder of its own; it stays, with the logs, when a test failed.
    """
    if chromium_path() is None:
        pytest.skip("No Chromium on this machine: install it or set CHROMIUM_BIN.")
    folder = DemoFolder(BASE_DIR / "var" / f"browser-tests-{os.getpid()}")
    with engines_run(folder, given={}) as engines:
        port = web_port()
        world = world_build(folder, engines, port=port)
        processes = Processes(folder.logs, world.environment)
        try:
            start_site(processes, port=port, state=folder.root)
            yield world
        finally:
            processes.stop()
            if not request.session.testsfailed:
                engines.remove()
                shutil.rmtree(folder.root, ignore_errors=True)


@pytest.fixture(scope="session")
def browser(world: World) -> Iterator[Browser]:
    with browser_open() as opened:
        yield opened


@pytest.fixture
def visit(world: World, browser: Browser) -> Iterator[Callable[..., Visitor]]:
    """Open a visitor with a wallet; every one of them must leave the console silent."""
    visitors: list[Visitor] = []

    def open_visitor(account: str, **options: object) -> Visitor:
        wallet = Wallet(world.environment["RPC_URL"], account)
        visitor = Visitor.open(browser, wallet, world.url, **options)
        visitors.append(visitor)
        return visitor

    yield open_visitor
    complaints = [complaint for visitor in visitors for complaint in visitor.complaints]
    for visitor in visitors:
        visitor.close()
    assert complaints == []


@pytest.fixture
def open_vote(world: World) -> int:
    """Propose a payment and open its vote; returns the proposal's number."""
    return vote_open(world)[0]


def vote_open(world: World) -> tuple[int, Proposal]:
    parliament, chain = world.parliament, world.chain
    amount = chain.call("AlthingGovernor", "proposalCount") + 1
    episode = Episode(0, f"Pay {amount} ALT", "For the browser tests.", calls(pay_alt(40, amount)))
    proposal = parliament.propose(episode, proposer=parliament.delegates[3])
    chain.advance(parliament.setting("voting_delay_s") + 1)
    wait_until_active(world, amount)
    return amount, proposal


def wait_until_active(world: World, number: int) -> None:
    """Return once the site has indexed the vote's opening: a page shows what it was built from."""
    deadline = time.monotonic() + INDEX_TIMEOUT_S
    seen = None
    while seen != "active":
        assert time.monotonic() < deadline, f"proposal {number} is still {seen!r} on the site"
        time.sleep(0.2)
        answer = httpx.get(f"{world.url}/api/v1/proposals/{number}/", trust_env=False)
        seen = answer.json().get("state")
