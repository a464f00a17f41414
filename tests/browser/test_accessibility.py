"""axe finds nothing on any page, light and dark, phone and desktop."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe

from demo.build import World
from demo.visitor import Visitor

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
    "/epochs/",
    "/moderation/log/",
    "/how-voting-works/",
    "/no-such-page/",
    "/admin/login/",
)
SCREENS = {
    "phone-light": {"viewport": {"width": 360, "height": 740}, "color_scheme": "light"},
    "phone-dark": {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark"},
    "desktop-light": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "desktop-dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
}
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def violations(visitor: Visitor) -> list[str]:
    results = (
        Axe()
        .run(visitor.page, options={"runOnly": {"type": "tag", "values": TAGS}})
        .response["violations"]
    )
    return [
        f"{visitor.page.url}: {found['id']}: {found['help']}: {node['html'][:200]}"
        for found in results
        for node in found["nodes"]
    ]


@pytest.mark.parametrize("screen", SCREENS)
def test_every_page_is_accessible_signed_out(
    world: World, visit: Callable[..., Visitor], screen: str
) -> None:
    visitor = visit(world.parliament.delegates[0], **SCREENS[screen])
    found: list[str] = []
    for path in PAGES:
        visitor.visit(path)
        found += violations(visitor)
        overflow = visitor.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        if overflow > 0:
            found.append(f"{path}: the page scrolls sideways by {overflow} px")
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
        found += violations(visitor)
    assert not found, "\n" + "\n".join(found)
