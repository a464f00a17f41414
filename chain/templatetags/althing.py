"""Tags and filters of every page: addresses, amounts, times, states, bars.

``{% load althing %}``; each has an example in frontend/README.md. Nothing here reads the
database, and nothing writes a style attribute: the Content-Security-Policy refuses it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django import template
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from chain.addresses import parse_address, to_checksum
from chain.formatting import (
    DASH,
    amount_text,
    duration_text,
    group_digits,
    percent_text,
    quantity_text,
)

register = template.Library()

#: State word -> (tone of the badge, glyph, label). One table for every kind of state, so that
#: a word never wears two colours.
STATES: Mapping[str, tuple[str, str, str]] = {
    # proposals
    "pending": ("info", "◷", "Pending"),
    "active": ("active", "●", "Active"),
    "succeeded": ("good", "✓", "Succeeded"),
    "defeated": ("bad", "✕", "Defeated"),
    "queued": ("info", "◷", "Queued"),
    "executed": ("good", "✓", "Executed"),
    "canceled": ("neutral", "⊘", "Canceled"),
    "expired": ("neutral", "⌛", "Expired"),
    # timelock operations, transactions, intents
    "waiting": ("info", "◷", "Waiting"),
    "ready": ("active", "●", "Ready"),
    "done": ("good", "✓", "Done"),
    "mined": ("info", "◷", "Mined"),
    "indexed": ("good", "✓", "Indexed"),
    "finalized": ("good", "✓", "Finalised"),
    "reverted": ("bad", "✕", "Reverted"),
    "replaced": ("warn", "⚠", "Replaced"),
    # nodes
    "registered": ("good", "✓", "Registered"),
    "suspended": ("bad", "✕", "Suspended"),
    "exiting": ("warn", "⚠", "Exiting"),
    "exited": ("neutral", "⊘", "Exited"),
    # verdicts (the tiers of trust of an EAR token)
    "affirming": ("good", "✓", "Affirming"),
    "warning": ("warn", "⚠", "Warning"),
    "contraindicated": ("bad", "✕", "Contraindicated"),
    "none": ("neutral", DASH, "None"),
    "fresh": ("good", "✓", "Fresh"),
    "stale": ("warn", "⌛", "Stale"),
    # epochs of verdicts
    "cut": ("info", "◷", "On its way"),
    "posted": ("info", "◷", "Posted"),
    "usable": ("good", "✓", "Anchored"),
    "voided": ("warn", "⊘", "Voided"),
    "differs": ("bad", "✕", "Differs"),
    # parameter changes
    "scheduled": ("info", "◷", "Scheduled"),
    "effective": ("good", "✓", "In force"),
    "vetoed": ("bad", "✕", "Vetoed"),
    "withdrawn": ("neutral", "⊘", "Withdrawn"),
    # votes
    "for": ("good", "✓", "For"),
    "against": ("bad", "✕", "Against"),
    "abstain": ("neutral", DASH, "Abstain"),
    "split": ("info", "⊞", "Split"),
}
SUPPORT = {0: "against", 1: "for", 2: "abstain", 255: "split"}


def _hex(value: bytes | memoryview | str | None) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else f"0x{bytes(value).hex()}"


def _checksum(value: bytes | memoryview | str) -> str:
    raw = parse_address(value) if isinstance(value, str) else bytes(value)
    return to_checksum(raw)


@register.filter
def checksum(value: bytes | memoryview | str | None) -> str:
    """Write an address (20 bytes, or its text) in EIP-55 form; empty for None."""
    return "" if value is None or value == "" else _checksum(value)


@register.filter(name="hex")
def hex_filter(value: bytes | memoryview | str | None) -> str:
    """Write bytes as ``0x…``; for the address of a page about a node or a transaction."""
    return _hex(value)


@register.filter
def short(value: bytes | memoryview | str | int | None) -> str:
    """Shorten a hash, an address or a big number: ``0x1234…abcd``. For dense lists only."""
    if value is None:
        return ""
    text = str(value) if isinstance(value, int) else _hex(value)
    if text.startswith("0x") and len(text) == 42:
        text = _checksum(text)
    return text if len(text) <= 13 else f"{text[:6]}…{text[-4:]}"


@register.inclusion_tag("components/address.html")
def address(
    value: bytes | memoryview | str | None,
    kind: str = "short",
    label: str = "",
    url: str = "",
) -> dict[str, Any]:
    """Show an address with a copy button.

    Args:
        value: 20 bytes or text; None shows a dash.
        kind: ``short`` in dense lists only; ``full`` in actions, confirmations and forms.
        label: a known name, shown before it.
        url: where a click leads.
    """
    full = checksum(value)
    shown = full if kind == "full" else short(full)
    return {"full": full, "shown": shown, "label": label, "url": url, "is_short": shown != full}


@register.inclusion_tag("components/hash.html", name="hash")
def hash_tag(
    value: bytes | memoryview | str | int | None, kind: str = "short", name: str = "hash"
) -> dict[str, Any]:
    """Show a hash, a transaction or a proposal's id with a copy button."""
    full = str(value) if isinstance(value, int) else _hex(value)
    return {"full": full, "shown": full if kind == "full" else short(full), "name": name}


@register.filter
def amount(value: int | None, symbol: str = "ALT") -> str:
    """Write wei as ``1 234.5 ALT`` (four places, cut). An empty symbol leaves it out."""
    if value is None:
        return DASH
    return f"{amount_text(int(value))}\u00a0{symbol}" if symbol else amount_text(int(value))


@register.filter
def amount_exact(value: int | None, symbol: str = "ALT") -> str:
    """Write wei with every digit: for actions and confirmations."""
    if value is None:
        return DASH
    figure = amount_text(int(value), places=None)
    return f"{figure}\u00a0{symbol}" if symbol else figure


@register.filter
def grouped(value: int | None) -> str:
    """Write an integer with grouped digits; a dash for None."""
    return DASH if value is None else group_digits(int(value))


@register.filter
def duration(seconds: int | None) -> str:
    """Write seconds as ``2 d 3 h``; a dash for None."""
    return DASH if seconds is None else duration_text(int(seconds))


@register.filter
def percent_of(part: int | None, whole: int | None) -> str:
    """Write ``part`` of ``whole`` as ``62.5 %``."""
    return DASH if part is None or not whole else percent_text(int(part), int(whole))


@register.filter
def quantity(value: int | str | bytes | None, unit: str = "") -> str:
    """Write a parameter's value with its unit: ``2 700 s (45 min)``, ``25 % (2 500 bps)``."""
    return DASH if value is None else quantity_text(value, unit)


@register.simple_tag
def moment(value: datetime | int | None, style: str = "both") -> SafeString:
    """Show a time: relative by the browser's clock, absolute in UTC, local on hover.

    Args:
        value: an aware datetime or Unix seconds; None shows a dash.
        style: ``both``, ``relative`` or ``absolute``.
    """
    if value is None:
        return SafeString(DASH)
    at = datetime.fromtimestamp(value, UTC) if isinstance(value, int) else value.astimezone(UTC)
    return format_html(
        '<time datetime="{}" data-time="{}">{} UTC</time>',
        at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        style,
        at.strftime("%Y-%m-%d %H:%M"),
    )


@register.simple_tag
def icon(name: str) -> SafeString:
    """Show an icon of the sprite. It says nothing to a screen reader: words stand beside it."""
    return format_html(
        '<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        static("althing/icons.svg"),
        name,
    )


@register.simple_tag
def badge(state: object, text: str = "") -> SafeString:
    """Show a state as glyph, word and colour. An unknown word is shown as it is."""
    word = str(getattr(state, "slug", None) or getattr(state, "value", state)).lower()
    tone, glyph, label = STATES.get(word, ("neutral", "○", str(state)))
    return format_html(
        '<span class="badge badge-{}"><span aria-hidden="true">{}</span>{}</span>',
        tone,
        glyph,
        text or label,
    )


@register.simple_tag
def vote_choice(support: int) -> SafeString:
    """Show what a vote chose: 0 Against, 1 For, 2 Abstain, 255 split."""
    return badge(SUPPORT.get(support, str(support)))


@dataclass(frozen=True, slots=True)
class BarPart:
    """One part of a bar. ``start`` and ``width`` in percent of the whole bar."""

    name: str
    glyph: str
    wei: int
    start: float
    width: float


@register.inclusion_tag("components/vote_bar.html")
def vote_bar(
    for_wei: int,
    against_wei: int,
    abstain_wei: int,
    quorum_wei: int | None = None,
    size: str = "",
    key: object = "",
) -> dict[str, Any]:
    """Draw the votes against the quorum, with words beside it.

    The bar's whole is what was cast or the quorum, whichever is larger, so the empty part is
    what the quorum still lacks. For + Abstain count to the quorum (``COUNTING_MODE()`` says
    ``quorum=for,abstain``), so they come first and the tick is read against them.

    Args:
        size: ``lg`` for the proposal's page.
        key: makes the pattern's id unique where a page has several bars.
    """
    cast = for_wei + against_wei + abstain_wei
    quorum = quorum_wei or 0
    whole = max(cast, quorum, 1)
    parts, start = [], 0.0
    for name, glyph, wei in (
        ("for", "✓", for_wei),
        ("abstain", DASH, abstain_wei),
        ("against", "✕", against_wei),
    ):
        width = round(wei * 10_000 / whole) / 100
        parts.append(BarPart(name, glyph, wei, start, width))
        start = round(start + width, 2)
    return {
        "parts": parts,
        "cast_wei": cast,
        "quorum_wei": quorum_wei,
        "quorum_at": round(quorum * 10_000 / whole) / 100,
        "quorum_share": percent_text(for_wei + abstain_wei, quorum) if quorum else "",
        "reached": bool(quorum) and for_wei + abstain_wei >= quorum,
        "size": size,
        "key": key,
    }


@register.inclusion_tag("components/meter.html")
def meter(value: int, low: int, high: int, text: str = "") -> dict[str, Any]:
    """Draw where ``value`` lies between ``low`` and ``high``; ``text`` says it in words."""
    span = max(high - low, 1)
    width = min(max((value - low) * 100 / span, 0), 100)
    return {"width": round(width, 2), "text": text or f"{value} of {low} to {high}"}


@register.inclusion_tag("components/sparkline.html")
def sparkline(values: Sequence[int | float], label: str) -> dict[str, Any]:
    """Draw a line over ``values``, oldest first; ``label`` says in words what it shows."""
    numbers = [float(value) for value in values]
    low, high = (min(numbers), max(numbers)) if numbers else (0.0, 0.0)
    span = (high - low) or 1.0
    step = 100 / max(len(numbers) - 1, 1)
    points = " ".join(
        f"{i * step:.2f},{38 - (value - low) / span * 36:.2f}" for i, value in enumerate(numbers)
    )
    return {"points": points, "label": label, "empty": len(numbers) < 2}


@register.inclusion_tag("components/timeline.html")
def timeline(steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Show steps in time. Keys: ``label``, ``at`` (datetime or None), ``done`` (True, False or
    ``"bad"``), and optionally ``detail``, ``block``, ``tx``, ``by``."""
    return {"steps": steps}
