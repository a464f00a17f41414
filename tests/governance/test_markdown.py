"""Hostile text is inert."""

from __future__ import annotations

import re
import time

import pytest

from governance.markdown import RENDER_LIMIT, punycode_note, render_markdown
from governance.text import description_compose, proposal_body, proposal_title

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:x)",
    "![x](https://tracker.example/p.png)",
    "![x](javascript:alert(1))",
    '[x](https://a.example/"onmouseover="alert(1))',
    "<a href='javascript:1'>x</a>",
    "<style>*{display:none}</style>",
    "<form action=https://evil.example><input></form>",
    "`</code><script>alert(1)</script>`",
    "<https://a.example/<script>>",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_inert(text: str) -> None:
    html = str(render_markdown(text))
    without_text = re.sub(r">[^<]*<", "><", html)
    assert not re.search(
        r"<(script|img|svg|style|form|input|iframe)|[\s\"']on\w+\s*=|javascript:|data:|vbscript:",
        without_text,
        re.IGNORECASE,
    ), html


def test_links_say_where_they_go() -> None:
    html = str(render_markdown("[bank](https://xn--pple-43d.com/) and https://example.org"))
    assert 'rel="nofollow ugc noopener noreferrer"' in html
    assert "(xn--pple-43d.com)" in html
    assert "(example.org)" not in html
    assert punycode_note("xn--pple-43d.com") == "xn--pple-43d.com"
    assert punycode_note("\u0430pple.com") == "xn--pple-43d.com"


def test_headings_leave_h1_to_the_page() -> None:
    assert str(render_markdown("# A\n\n###### B")) == "<h2>A</h2>\n<h6>B</h6>\n"


@pytest.mark.parametrize(
    "text",
    [
        "- " * 5_000 + "x",
        ">" * 20_000,
        "[" * 20_000,
        "*a " * 20_000,
        "|a" * 10_000 + "\n|-",
        "`" * 9_999,
    ],
)
def test_bombs_end_soon(text: str) -> None:
    started = time.monotonic()
    render_markdown(text)
    assert time.monotonic() - started < 5


def test_long_text_is_cut_and_says_so() -> None:
    html = str(render_markdown("a " * RENDER_LIMIT))
    assert "longer than is shown" in html
    assert len(html) < 2 * RENDER_LIMIT


def test_titles() -> None:
    assert proposal_title("\n\n## Lower *it* ##\n\nText") == "Lower *it*"
    assert proposal_title("") == ""
    assert proposal_title("#proposer=0x" + "1" * 40) == ""
    assert proposal_title("a\u202eb\u200bc") == "a b c"
    assert len(proposal_title("x" * 1_000_000)) == 200
    text = description_compose("T", "Body\n\nMore", "0x" + "1" * 40)
    assert proposal_title(text) == "T"
    assert proposal_body(text) == "Body\n\nMore"
    assert text.endswith("#proposer=0x" + "1" * 40)


def test_code_that_scrolls_is_reachable_by_keyboard() -> None:
    html = render_markdown("```\n<pre> x\n```")
    assert html.startswith('<pre tabindex="0"><code>')
    assert "&lt;pre&gt; x" in html
