"""A probe's findings in words, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from chain.addresses import to_checksum
from governance.governors.kinds import (
    Ballot,
    Family,
    GovernorReport,
    Guardian,
    GuardianKind,
    QuorumForm,
    TimelockKind,
    TimelockSalt,
    TokenKind,
)

FAMILIES = {
    Family.OZ_V4: "OpenZeppelin Governor, version 4",
    Family.OZ_V5: "OpenZeppelin Governor, version 5",
    Family.BRAVO: "Governor Bravo",
    Family.COMPOUND_GOVERNOR: "CompoundGovernor",
    Family.ALTHING: "another Althing's governor",
}
BALLOTS = {
    Ballot.SIMPLE: "simple: against, for or abstain",
    Ballot.FRACTIONAL: "fractional: a vote may be split and cast in parts",
    Ballot.OVERRIDABLE: "overridable: holders may take their tokens back from a delegate's vote",
    Ballot.BRAVO: "Bravo: against, for or abstain",
}
TIMELOCKS = {
    TimelockKind.NONE: "none",
    TimelockKind.CONTROLLER: "OpenZeppelin TimelockController",
    TimelockKind.COMPOUND: "Compound Timelock",
    TimelockKind.ACCESS_MANAGER: "OpenZeppelin AccessManager",
    TimelockKind.UNKNOWN: "of an unknown kind",
}
SALTS = {
    TimelockSalt.DESCRIPTION: "salt: hash of the description",
    TimelockSalt.GOVERNOR_XOR_DESCRIPTION: "salt: governor and hash of the description",
}
GUARDIANS = {
    GuardianKind.PROPOSAL: "proposal guardian",
    GuardianKind.WHITELIST: "whitelist guardian",
    GuardianKind.ADMIN: "admin",
}
TOKENS = {
    TokenKind.VOTES: "getPastVotes",
    TokenKind.COMP: "getPriorVotes",
    TokenKind.UNKNOWN: "no past votes",
}
#: Of every governor that is not ours.
NO_ACTING = (
    "Its proposals, votes and states are read; the keeper queues and executes for our own governor "
    "alone."
)
#: The last second of the year 9999.
CALENDAR_END_S = 253_402_300_799
#: Where a JSON reader would lose digits, numbers are text.
_TEXT_NUMBERS = frozenset(
    "votes super_votes proposal_threshold numerator denominator proposal_count now_clock until_s "
    "late_quorum_clock voting_delay_clock voting_period_clock delay_s grace_period_s".split()
)


def report_json(report: GovernorReport) -> dict[str, Any]:
    """JSON-safe: addresses EIP-55, hashes 0x text, amounts and clock readings decimal text."""
    plain = _plain(asdict(report))
    return {**plain, "abi": report.abi, "timelock_abi": report.timelock_abi}


def _plain(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _plain(item, key) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return to_checksum(value) if len(value) == 20 else f"0x{value.hex()}"
    if isinstance(value, Enum):
        return value.value
    if name in _TEXT_NUMBERS and isinstance(value, int):
        return str(value)
    return value


def report_rows(report: GovernorReport) -> list[tuple[str, str]]:
    """The report in plain words: what a row is about, and what was found."""
    return list(_rows(report))


def report_lines(report: GovernorReport) -> list[str]:
    """The report in plain words, aligned, and below it what is not supported, and why."""
    rows = list(_rows(report))
    width = max(len(label) for label, _ in rows)
    lines = [f"{label.ljust(width)}  {text}" for label, text in rows]
    lines += ["", "Not supported:"]
    lines += [f"  {limit.code}: {limit.why}" for limit in report.limits]
    return [*lines, f"  acting: {NO_ACTING}"]


def _rows(report: GovernorReport) -> Iterator[tuple[str, str]]:
    unit = report.clock.unit
    yield "Governor", f"{to_checksum(report.address)} on chain {report.chain_id}"
    yield (
        "Name",
        " ".join(
            filter(
                None, (report.name or "(none)", report.version and f"(version {report.version})")
            )
        ),
    )
    yield "Kind", FAMILIES[report.family]
    if report.implementation is not None:
        yield "Proxy of", to_checksum(report.implementation)
    yield "Since block", f"{report.creation_block:,}"
    yield "Asked at", f"block {report.block_number:,}, 0x{report.block_hash.hex()}"
    yield "Ballot", BALLOTS[report.ballot]
    yield "Counting", report.counting.text or "(Governor Bravo has none)"
    yield (
        "Clock",
        f"{unit}: {report.clock.text or '(no CLOCK_MODE)'}, now {report.clock.now_clock:,}",
    )
    yield (
        "Voting",
        (
            f"begins {report.voting_delay_clock:,} {unit} after the proposal, "
            f"lasts {report.voting_period_clock:,} {unit}"
        ),
    )
    yield (
        "Late quorum",
        (
            "no"
            if report.late_quorum_clock is None
            else f"at least {report.late_quorum_clock:,} {unit} remain"
        ),
    )
    yield "Threshold", _amount(report.proposal_threshold, report) + " to propose"
    yield "Quorum", _quorum(report)
    yield "Token", _token(report)
    yield "Timelock", _timelock(report)
    yield "Guardians", "; ".join(map(_guardian, report.guardians)) or "none"
    yield "Ids", _ids(report)
    yield "Calls stored", "yes, in the contract" if report.storage else "no, in the event alone"
    yield "Signatures", "yes, as Governor Bravo's" if report.signatures else "no"


def _quorum(report: GovernorReport) -> str:
    quorum = report.quorum
    counted = ", ".join(report.counting.quorum) or "as the governor counts"
    text = "unknown now" if quorum.votes is None else _amount(quorum.votes, report)
    if quorum.form is QuorumForm.FRACTION:
        text += f" ({quorum.numerator} of {quorum.denominator or '?'} of the supply)"
    if quorum.form is QuorumForm.VOTES:
        text += " (one number for every proposal)"
    if quorum.super_votes is not None:
        text += f"; ends the vote early at {_amount(quorum.super_votes, report)}"
    return f"{text}; counted: {counted}"


def _token(report: GovernorReport) -> str:
    token = report.token
    if token.address is None:
        return "unknown"
    return f"{token.symbol or '(no symbol)'} {to_checksum(token.address)}, {TOKENS[token.kind]}"


def _timelock(report: GovernorReport) -> str:
    timelock = report.timelock
    parts = [TIMELOCKS[timelock.kind]]
    if timelock.address is not None:
        parts[0] += f" {to_checksum(timelock.address)}"
    if timelock.delay_s is not None:
        parts.append(f"delay {timelock.delay_s:,} s")
    if timelock.grace_period_s is not None:
        parts.append(f"expires {timelock.grace_period_s:,} s after its eta")
    if timelock.salt is not None:
        parts.append(SALTS[timelock.salt])
    return ", ".join(parts)


def _guardian(guardian: Guardian) -> str:
    text = f"{GUARDIANS[guardian.kind]} {to_checksum(guardian.address)}"
    if guardian.until_s is None:
        return text
    # A contract may name a time no calendar has.
    if guardian.until_s > CALENDAR_END_S:
        return f"{text} for ever"
    return f"{text} until {datetime.fromtimestamp(guardian.until_s, UTC):%Y-%m-%d %H:%M} UTC"


def _ids(report: GovernorReport) -> str:
    count = "" if report.proposal_count is None else f", {report.proposal_count:,} so far"
    how = "counted" if report.sequential_ids else "hash of the content"
    return how + count


def _amount(amount: int, report: GovernorReport) -> str:
    """Whole tokens where the token's decimals are known."""
    decimals = report.token.decimals
    if decimals is None or decimals > 36:
        return f"{amount:,} of the token's smallest unit"
    whole, rest = divmod(amount, 10**decimals)
    digits = f"{rest:0{decimals}d}"[:4].rstrip("0") if decimals else ""
    return f"{whole:,}{'.' + digits if digits else ''} {report.token.symbol}".rstrip()
