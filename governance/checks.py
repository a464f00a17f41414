"""What can be said of a proposal before anybody signs it. Pure: no Django, no chain, no clock.

Callers fetch what the checks compare with (known addresses, pending proposals, answers of
``NetworkParameters.validate``) and hand it in. A finding never blocks by itself; the wizard
blocks on the severity ``error``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["error", "warning", "info"]

#: Actions in one proposal: what a reader can still check, and far from the block gas limit.
ACTIONS_MAX = 10
#: Bytes of UTF-8: the description is emitted in a log that everybody stores.
DESCRIPTION_MAX_BYTES = 20 * 1024
#: Equal hex digits at either end from which two addresses look alike (Safe's thresholds).
LOOKALIKE_DIGITS = 4
ZERO_ADDRESS = bytes(20)

_ADDRESS = re.compile(r"(?<![0-9a-zA-Z])0x[0-9a-fA-F]{40}(?![0-9a-zA-Z])")
#: A figure as people write it: 1,800 or 1 800 or 1800.5, with what stands right after it.
_FIGURE = re.compile(
    r"(?<![\w.,#/-])(\d{1,3}(?:[,  \u202f']\d{3})+|\d+)(\.\d+)?(?![\w,/]*\d)\s*([A-Za-z%]*)"
)
_PROPOSER_SUFFIX = re.compile(r"#proposer=0x[0-9a-fA-F]{40}\s*\Z")


@dataclass(frozen=True, slots=True)
class Finding:
    """One remark. ``action_index`` is None when it is about the whole proposal."""

    code: str
    severity: Severity
    sentence: str
    action_index: int | None = None


@dataclass(frozen=True, slots=True)
class CheckedAction:
    """What the checks need of an action. ``figures`` are the numbers it would put into effect, as
    plain decimal strings in every unit a person may write them in."""

    index: int
    target: bytes
    value_wei: int
    calldata: bytes
    kind: str
    addresses: tuple[bytes, ...] = ()
    figures: tuple[str, ...] = ()
    parameter_keys: tuple[bytes, ...] = ()
    is_dangerous: bool = False


@dataclass(frozen=True, slots=True)
class CheckContext:
    """What the actions are compared with.

    ``known`` names addresses (label by address); ``pending_keys`` gives, per parameter key, the
    numbers of open proposals that would set it too; ``units`` are words that make a figure in
    prose worth checking.
    """

    known: Mapping[bytes, str] = field(default_factory=dict)
    pending_keys: Mapping[bytes, Sequence[int]] = field(default_factory=dict)
    duplicates: Sequence[int] = ()
    units: frozenset[str] = frozenset()


def check_proposal(
    actions: Sequence[CheckedAction], description: str, context: CheckContext
) -> list[Finding]:
    """Every check, errors first."""
    findings = [
        *check_size(actions, description),
        *check_duplicates(actions, context.duplicates),
        *check_addresses(actions, context.known),
        *check_conflicts(actions, context.pending_keys),
        *check_danger(actions),
        *check_mentioned_addresses(actions, description, context.known),
        *check_mentioned_figures(actions, description, context.units),
    ]
    rank = {"error": 0, "warning": 1, "info": 2}
    return sorted(findings, key=lambda found: rank[found.severity])


def check_size(actions: Sequence[CheckedAction], description: str) -> Iterable[Finding]:
    """At least one action, at most ``ACTIONS_MAX``; a text within ``DESCRIPTION_MAX_BYTES``."""
    if not actions:
        yield Finding("no_actions", "error", "Add at least one action.")
    if len(actions) > ACTIONS_MAX:
        yield Finding(
            "too_many_actions",
            "error",
            f"A proposal holds at most {ACTIONS_MAX} actions; this one has {len(actions)}.",
        )
    size = len(description.encode("utf-8", "surrogatepass"))
    if size > DESCRIPTION_MAX_BYTES:
        yield Finding(
            "description_too_long",
            "error",
            f"The text is {size} bytes; at most {DESCRIPTION_MAX_BYTES} fit.",
        )
    if not description.strip():
        yield Finding("description_empty", "error", "Write what the proposal is for.")


def check_duplicates(
    actions: Sequence[CheckedAction], duplicates: Sequence[int]
) -> Iterable[Finding]:
    """The same call twice, or the same calls in an open proposal."""
    seen: dict[tuple[bytes, int, bytes], int] = {}
    for action in actions:
        identity = (action.target, action.value_wei, action.calldata)
        if identity in seen:
            yield Finding(
                "duplicate_action",
                "warning",
                f"Action {action.index + 1} repeats action {seen[identity] + 1}.",
                action.index,
            )
        seen.setdefault(identity, action.index)
    for number in duplicates:
        yield Finding(
            "duplicate_proposal",
            "warning",
            f"Proposal #{number} is open and makes exactly the same calls.",
        )


def check_addresses(
    actions: Sequence[CheckedAction], known: Mapping[bytes, str]
) -> Iterable[Finding]:
    """Zero addresses, and addresses that look like a known one but are another."""
    for action in actions:
        for address in dict.fromkeys((action.target, *action.addresses)):
            if address == ZERO_ADDRESS:
                yield Finding(
                    "zero_address",
                    "error",
                    f"Action {action.index + 1} names the zero address; nobody holds its key.",
                    action.index,
                )
                continue
            like = lookalike(address, known)
            if like is not None:
                yield Finding(
                    "lookalike_address",
                    "warning",
                    f"0x{address.hex()} in action {action.index + 1} looks like "
                    f"{known[like]} (0x{like.hex()}) but is another address.",
                    action.index,
                )


def lookalike(address: bytes, known: Iterable[bytes]) -> bytes | None:
    """The first known address that shares ``LOOKALIKE_DIGITS`` at either end but differs."""
    known = set(known)
    if address in known:
        return None
    text = address.hex()
    for other in sorted(known):
        candidate = other.hex()
        if (
            text[:LOOKALIKE_DIGITS] == candidate[:LOOKALIKE_DIGITS]
            or text[-LOOKALIKE_DIGITS:] == candidate[-LOOKALIKE_DIGITS:]
        ):
            return other
    return None


def check_conflicts(
    actions: Sequence[CheckedAction], pending_keys: Mapping[bytes, Sequence[int]]
) -> Iterable[Finding]:
    """Open proposals that would set the same parameter: the second to execute fails."""
    for action in actions:
        for key in action.parameter_keys:
            for number in pending_keys.get(key, ()):
                yield Finding(
                    "conflicting_proposal",
                    "warning",
                    f"Proposal #{number} is open and changes the same parameter; whichever "
                    "executes second will fail, because the current value it expects is gone.",
                    action.index,
                )


def check_danger(actions: Sequence[CheckedAction]) -> Iterable[Finding]:
    """Calls that change who controls something, and calls nobody can read."""
    for action in actions:
        if action.is_dangerous:
            yield Finding(
                "changes_control",
                "warning",
                f"Action {action.index + 1} changes who controls the DAO's contracts.",
                action.index,
            )
        if action.kind == "unknown":
            yield Finding(
                "unknown_call",
                "warning",
                f"Action {action.index + 1} calls a contract whose functions are not known "
                "here. Voters will see raw bytes.",
                action.index,
            )


def check_mentioned_addresses(
    actions: Sequence[CheckedAction], description: str, known: Mapping[bytes, str]
) -> Iterable[Finding]:
    """Addresses in the text that no action touches."""
    touched = {address for action in actions for address in (action.target, *action.addresses)}
    text = _PROPOSER_SUFFIX.sub("", description)
    for mention in dict.fromkeys(_ADDRESS.findall(text)):
        address = bytes.fromhex(mention[2:])
        if address not in touched and address not in known:
            yield Finding(
                "address_not_in_actions",
                "warning",
                f"The text mentions {mention}, which no action touches.",
            )


def check_mentioned_figures(
    actions: Sequence[CheckedAction], description: str, units: frozenset[str]
) -> Iterable[Finding]:
    """Figures with a unit in the text that no action contains, and the other way round."""
    in_actions = {figure for action in actions for figure in action.figures}
    text = _PROPOSER_SUFFIX.sub("", description)
    mentioned = {figure for figure, _ in figures_in(text)}
    for figure, unit in figures_in(text):
        if unit.lower() in units and figure not in in_actions:
            yield Finding(
                "figure_not_in_actions",
                "warning",
                f"The text says {figure} {unit}, which is in no action.",
            )
    for action in actions:
        if action.figures and not mentioned.intersection(action.figures):
            yield Finding(
                "figure_not_in_text",
                "info",
                f"The text does not mention the figure action {action.index + 1} puts into "
                f"effect ({action.figures[0]}).",
                action.index,
            )


def figures_in(text: str) -> list[tuple[str, str]]:
    """(plain decimal figure, the word right after it) for each figure in the text, in order."""
    found = []
    for whole, fraction, unit in _FIGURE.findall(_ADDRESS.sub(" ", text)):
        digits = re.sub(r"\D", "", whole).lstrip("0") or "0"
        tail = fraction.rstrip("0").rstrip(".") if fraction else ""
        found.append((digits + tail, unit))
    return list(dict.fromkeys(found))
