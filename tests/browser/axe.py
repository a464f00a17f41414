"""axe, and the screens that pages are looked at on."""

from axe_playwright_python.sync_playwright import Axe

from demo.visitor import Visitor

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
