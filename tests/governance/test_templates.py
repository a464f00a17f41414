"""What the Content-Security-Policy would refuse must not be in any template."""

import re
from pathlib import Path

import pytest

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
PAGES = sorted(path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.html"))

FORBIDDEN = {
    "a style attribute": re.compile(r"<[^>]+\sstyle\s*="),
    "a style element": re.compile(r"<style\b"),
    "a script with a body": re.compile(r"<script(?![^>]*\bsrc=)[^>]*>"),
    "an event handler": re.compile(r"<[^>]+\son[a-z]+\s*="),
    "htmx code": re.compile(r"\shx-on|hx-vals\s*=\s*['\"]js:"),
    "another host": re.compile(r"(?:src|srcset|action)\s*=\s*['\"](?:https?:)?//"),
}


@pytest.mark.parametrize("page", PAGES)
def test_template_is_inert(page: str) -> None:
    source = (TEMPLATES / page).read_text(encoding="utf-8")
    assert [what for what, pattern in FORBIDDEN.items() if pattern.search(source)] == []


def test_the_patterns_find_what_they_are_for() -> None:
    samples = {
        "a style attribute": '<p class="x" style="color:red">',
        "a style element": "<style>p{}</style>",
        "a script with a body": "<script>alert(1)</script>",
        "an event handler": '<a href="#" onclick="x()">',
        "htmx code": '<a hx-on:click="x()">',
        "another host": '<img src="//tracker.example/x.png">',
    }
    for what, sample in samples.items():
        assert FORBIDDEN[what].search(sample), what
