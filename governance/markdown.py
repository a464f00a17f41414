"""People's text as safe HTML: CommonMark without raw HTML, then an allow-list.

Two walls, each enough alone: markdown-it-py never passes raw HTML through, and nh3 (ammonia)
drops whatever is not on the list. Images never load: a remote image tells its host who reads.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

#: Characters rendered at most; the raw text stays available beside the rendering.
RENDER_LIMIT = 65_536
#: Levels of nested blocks; deeper lists are an attack on the reader or the server.
NESTING_LIMIT = 20

_TAGS = {
    "p", "br", "hr", "h2", "h3", "h4", "h5", "h6", "em", "strong", "s", "code", "pre",
    "blockquote", "ul", "ol", "li", "a", "table", "thead", "tbody", "tr", "th", "td", "span",
}  # fmt: skip
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}, "span": {"class"}, "code": {"class"}}
_SCHEMES = {"http", "https", "mailto"}
_REL = "nofollow ugc noopener noreferrer"


def render_markdown(text: str) -> SafeString:
    """Render untrusted Markdown to HTML that is safe to place in a page.

    Text beyond ``RENDER_LIMIT`` characters is cut, with a sentence saying so. Headings start at
    ``<h2>``, since ``<h1>`` is the page's own.
    """
    body = text[:RENDER_LIMIT]
    html = _parser().render(body)
    clean = nh3.clean(html, tags=_TAGS, attributes=_ATTRIBUTES, url_schemes=_SCHEMES, link_rel=_REL)
    # What scrolls must be reachable by keyboard (WCAG 2.1.1); the tag is the cleaner's own.
    clean = clean.replace("<pre>", '<pre tabindex="0">')
    if len(text) > RENDER_LIMIT:
        clean += (
            "<p><em>The text is longer than is shown here; the raw text has all of it.</em></p>"
        )
    return mark_safe(clean)  # noqa: S308 - nh3 has just cleaned it


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    parser = MarkdownIt(
        "commonmark", {"html": False, "linkify": True, "maxNesting": NESTING_LIMIT}
    ).enable(["table", "strikethrough", "linkify"])
    parser.add_render_rule("image", _render_image)
    parser.add_render_rule("heading_open", _render_heading)
    parser.add_render_rule("heading_close", _render_heading)
    parser.add_render_rule("link_close", _render_link_close)
    return parser


def _render_image(self: RendererHTML, tokens: list[Token], idx: int, options: Any, env: Any) -> str:
    """An image becomes a link to it: nothing is fetched until the reader asks."""
    token = tokens[idx]
    alt = escapeHtml(token.content or "image")
    source = escapeHtml(str(token.attrGet("src") or ""))
    return f'<a href="{source}">[image: {alt}]</a>'


def _render_heading(
    self: RendererHTML, tokens: list[Token], idx: int, options: Any, env: Any
) -> str:
    token = tokens[idx]
    token.tag = f"h{min(6, int(token.tag[1]) + 1)}"
    return self.renderToken(tokens, idx, options, env)


def _render_link_close(
    self: RendererHTML, tokens: list[Token], idx: int, options: Any, env: Any
) -> str:
    """Say where a link goes when its host could be mistaken for another (punycode)."""
    host = _opening_host(tokens, idx)
    note = punycode_note(host)
    return f'</a> <span class="link-host">({escapeHtml(note)})</span>' if note else "</a>"


def _opening_host(tokens: list[Token], idx: int) -> str:
    for token in reversed(tokens[:idx]):
        if token.type == "link_open":
            try:
                return urlsplit(str(token.attrGet("href") or "")).hostname or ""
            except ValueError:
                return ""
    return ""


def punycode_note(host: str) -> str:
    """The ASCII form of a host that is not plain ASCII, or is written in punycode; else ''."""
    if host.isascii():
        return host if "xn--" in host else ""
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return host.encode("unicode_escape").decode("ascii")
