"""Titles and bodies out of proposal descriptions. Pure."""

from __future__ import annotations

import re

TITLE_MAX = 200
_SUFFIX = re.compile(r"\s*#proposer=0x[0-9a-fA-F]{40}\s*\Z")
_HEADING = re.compile(r"^#{1,6}\s+|\s+#+\s*$")
#: Bidirectional controls and other invisible characters, which can make a title lie.
_INVISIBLE = re.compile(
    "[\u0000-\u001f\u007f\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]"
)


def proposal_title(description: str) -> str:
    """The first line that says something, without Markdown's marks, at most ``TITLE_MAX``."""
    for line in _SUFFIX.sub("", description[:20_000]).splitlines():
        title = " ".join(_INVISIBLE.sub(" ", _HEADING.sub("", line.strip())).split())
        if title:
            return title if len(title) <= TITLE_MAX else f"{title[: TITLE_MAX - 1]}…"
    return ""


def proposal_body(description: str) -> str:
    """The description without its title line and without the proposer's suffix."""
    text = _SUFFIX.sub("", description)
    head, _, rest = text.lstrip("\r\n ").partition("\n")
    return rest.lstrip("\r\n") if proposal_title(head) else text


def proposer_suffix(proposer_checksum: str) -> str:
    """What the governor's ``_isValidDescriptionForProposer`` looks for at the end: with it, only
    this account can propose the text (front-running protection of OpenZeppelin)."""
    return f"#proposer={proposer_checksum}"


def description_compose(title: str, body: str, proposer_checksum: str = "") -> str:
    """The text that goes on chain: title as a heading, the body, the proposer's suffix."""
    text = f"# {title.strip()}\n\n{body.strip()}\n"
    return f"{text}\n{proposer_suffix(proposer_checksum)}" if proposer_checksum else text
