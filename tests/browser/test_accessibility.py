"""axe finds nothing on any page, light and dark, phone and desktop."""

from collections.abc import Callable

import pytest

from demo.build import World
from demo.visitor import Visitor
from tests.browser.axe import SCREENS, faults, violations

pytestmark = [pytest.mark.browser, pytest.mark.chain]

PAGES = (
    "/",
    "/proposals/",
    "/proposals/?tab=executed",
    "/proposals/?q=nothing-has-this-name",
    "/proposals/1/",
    "/proposals/1/?tab=votes",
    "/proposals/1/?tab=discussion",
    "/proposals/12/",
    "/proposals/22/",
    "/proposals/new/",
    "/proposals/new/?parameter=attest.ttl",
    "/delegates/",
    "/treasury/",
    "/parameters/",
    "/parameters/attest.ttl/",
    "/parameters/stake.unbonding_period/",
    "/nodes/",
    "/nodes/energy/method/",
    "/epochs/",
    "/trust/",
    "/api/docs/",
    "/moderation/log/",
    "/how-voting-works/",
    "/no-such-page/",
    "/admin/login/",
)


@pytest.mark.parametrize("screen", SCREENS)
def test_every_page_is_accessible_signed_out(
    world: World, visit: Callable[..., Visitor], screen: str
) -> None:
    visitor = visit(world.parliament.delegates[0], **SCREENS[screen])
    found: list[str] = []
    for path in PAGES:
        visitor.visit(path)
        found += faults(visitor.page)
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize("screen", ["phone-dark", "desktop-light"])
def test_every_page_is_accessible_signed_in(
    world: World, visit: Callable[..., Visitor], open_vote: int, screen: str
) -> None:
    visitor = visit(world.parliament.delegates[1], **SCREENS[screen])
    visitor.sign_in()
    found: list[str] = []
    account = world.parliament.delegates[1]
    for path in (
        *PAGES[:1],
        f"/proposals/{open_vote}/",
        f"/delegates/{account}/",
        "/proposals/new/",
    ):
        visitor.visit(path)
        found += violations(visitor.page)
    assert not found, "\n" + "\n".join(found)
