"""What is wrong with a page for somebody who reads it: by axe, and beyond the screen's edge."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

SCREENS = {
    "phone-light": {"viewport": {"width": 360, "height": 740}, "color_scheme": "light"},
    "phone-dark": {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark"},
    "desktop-light": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "desktop-dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
}
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

#: How far the page is wider than the screen, in px.
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
#: What stands out over the right edge, for whoever has to mend it.
WIDE = """[...document.querySelectorAll("main *")]
    .filter((e) => e.getBoundingClientRect().right > document.documentElement.clientWidth)
    .filter((e) => !e.closest(".table-box, pre"))
    .map((e) => `${e.tagName}.${e.className}`).slice(0, 8).join(" ")"""


def violations(page: Page) -> list[str]:
    """What axe finds on the page, a line each."""
    results = Axe().run(page, options={"runOnly": {"type": "tag", "values": TAGS}})
    return [
        f"{page.url}: {found['id']}: {found['help']}: {node['html'][:200]}"
        for found in results.response["violations"]
        for node in found["nodes"]
    ]


def faults(page: Page) -> list[str]:
    """What axe finds, and whether the page scrolls sideways."""
    found = violations(page)
    overflow = page.evaluate(OVERFLOW)
    if overflow > 0:
        wide = page.evaluate(WIDE)
        found.append(f"{page.url}: the page scrolls sideways by {overflow} px: {wide}")
    return found
