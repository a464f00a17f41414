"""The pages of nodes that have reported: several tiers, a failure, a preview, claims and energy."""

import threading
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from playwright.sync_api import expect

from demo.build import World
from demo.episodes import EPISODES
from demo.fleet import Fleet
from demo.visitor import Visitor
from tests.browser.axe import SCREENS, faults

pytestmark = [pytest.mark.browser, pytest.mark.chain]

#: A window of energy is a minute long, or it is none.
WINDOW_S = 61


@pytest.fixture(scope="module")
def fleet(world: World) -> Iterator[Fleet]:
    """All nodes, each with two reports that are a window apart."""
    fleet = Fleet(world.folder, world.url, world.environment["RPC_URL"])
    fleet.prove_all()
    fleet.attest_all(threading.Event())
    time.sleep(WINDOW_S)
    fleet.attest_all(threading.Event())
    yield fleet
    for _spec, node in fleet.nodes:
        node.client.close()


def node_path(fleet: Fleet, name: str) -> str:
    (node,) = (node for spec, node in fleet.nodes if spec.name == name)
    return f"/nodes/{node.node_id}/"


@pytest.mark.parametrize("screen", ["phone-light", "desktop-dark"])
def test_pages_of_nodes_are_accessible(
    world: World, visit: Callable[..., Visitor], fleet: Fleet, screen: str
) -> None:
    visitor = visit(world.parliament.delegates[0], **SCREENS[screen])
    vote = f"/proposals/{len(EPISODES)}/"
    found: list[str] = []
    for path in (
        *(node_path(fleet, name) for name in ("luleaa-1", "pune-1", "leipzig-1", "rented-1")),
        "/nodes/",
        vote,
        f"{vote}preview/?outcome=all",
        "/trust/",
    ):
        visitor.visit(path)
        if path == vote:
            visitor.page.get_by_text("Judged from each node's last report").wait_for()
        found += faults(visitor.page)
    assert not found, "\n" + "\n".join(found)
    assert not visitor.complaints


def test_what_a_visitor_reads_of_a_fleet(
    world: World, visit: Callable[..., Visitor], fleet: Fleet
) -> None:
    visitor = visit(world.parliament.delegates[0])
    page = visitor.page
    visitor.visit(node_path(fleet, "luleaa-1"))
    expect(page.get_by_role("heading", name="What the node says")).to_be_visible()
    expect(page.get_by_role("img", name="Energy of the GPUs by the hour")).to_be_visible()
    page.get_by_text("Energy by day as a table").click()
    expect(page.get_by_role("cell", name="kWh").first).to_be_visible()
    page.get_by_role("link", name="How this is computed").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("How energy and carbon are computed")
    visitor.visit(node_path(fleet, "pune-1"))
    expect(page.get_by_text("meas.mismatch").first).to_be_visible()
    visitor.visit(node_path(fleet, "rented-1"))
    expect(page.get_by_text("energy.implausible").first).to_be_visible()
    assert not visitor.complaints


def test_the_open_votes_preview_names_the_node_that_would_fall_out(
    world: World, visit: Callable[..., Visitor], fleet: Fleet
) -> None:
    """One node claims three times what its cards can draw; the open vote would refuse that."""
    answer = httpx.get(
        f"{world.url}/api/v1/policy/preview/", params={"set": "attest.enforce_energy:1"}, timeout=60
    ).json()
    assert [row["code"] for row in answer["results"]] == ["energy.implausible"]
    visitor = visit(world.parliament.delegates[0])
    visitor.visit(f"/proposals/{len(EPISODES)}/")
    card = visitor.page.locator("#policy-preview")
    expect(card).to_contain_text("1 would fall out")
    expect(card).to_contain_text("energy.implausible")
    assert not visitor.complaints
