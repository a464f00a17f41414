"""Everything about a governor whose line of code is known: clock, counting, timelock, guardians."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from chain.rpc.types import hex_bytes
from governance.governors.kinds import (
    Ballot,
    Clock,
    ClockMode,
    CountingMode,
    Family,
    GovernorReport,
    Guardian,
    GuardianKind,
    Limit,
    Quorum,
    QuorumForm,
    Timelock,
    TimelockKind,
    TimelockSalt,
    TokenKind,
    VotesToken,
    clock_mode_parse,
    clock_unit,
)
from governance.governors.reads import (
    Answer,
    Question,
    address_of,
    ask,
    int_of,
    questions_at,
    text_of,
    value_of,
)

if TYPE_CHECKING:
    from governance.governors.probe import Subject

#: An account for questions about anybody.
NOBODY = b"\x01" * 20
#: EVM code that returns the number of the block it runs in: what a clock of blocks would show.
BLOCK_NUMBER_CODE = "0x4360005260206000f3"
SYMBOL_MAX = 32
#: What GovernorStorage says of a proposal nobody made: GovernorNonexistentProposal(uint256).
NO_SUCH_PROPOSAL = bytes.fromhex("6ad06075")
#: TimelockController.PROPOSER_ROLE: keccak256("PROPOSER_ROLE").
PROPOSER_ROLE = bytes.fromhex("b09aa5aeb3702cfd50b6b62bc4532604938f21248a27a1d5ca736082b6819cc1")

OZ_VIEWS = (
    "name version CLOCK_MODE clock token timelock accessManager proposalThreshold quorumVotes "
    "quorumNumerator quorumDenominator lateQuorumVoteExtension latestProposalId proposalCount "
    "proposalGuardian whitelistGuardian"
).split()
BRAVO_VIEWS = (
    "name timelock comp uni proposalThreshold quorumVotes proposalCount admin whitelistGuardian"
).split()
#: What ``support`` may name where this index understands a vote.
SUPPORTS_KNOWN = {"bravo", "fractional", "override"}
PARAMS_KNOWN = {"fractional"}


@dataclass(slots=True)
class Findings:
    """What has been asked so far, and what will not be done."""

    subject: Subject
    family: Family
    answers: dict[str, Answer]
    limits: list[Limit]

    def limit(self, code: str, why: str) -> None:
        self.limits.append(Limit(code, why))

    def ask(self, questions: Mapping[str, Question]) -> dict[str, Answer]:
        return ask(self.subject.client, self.subject.head.hash, questions)


def report_build(
    subject: Subject, family: Family, counting: CountingMode, identity: Mapping[str, Answer]
) -> GovernorReport:
    """Ask everything else. ``creation_block`` is not known yet (0).

    Raises:
        RpcError: the node failed.
    """
    found = Findings(subject, family, dict(identity), [])
    found.answers |= found.ask(_questions(subject, family))
    found.family = family = _family_refine(found)
    clock = _clock(found)
    token = _token(found, clock)
    answers = found.answers
    sequential = family is Family.BRAVO or int_of(answers, "latestProposalId") is not None
    sequential = sequential or int_of(answers, "getNextProposalId") is not None
    signatures = isinstance(value_of(answers, "getActions"), tuple)
    storage = signatures or answers["proposalDetails"].raw[:4] == NO_SUCH_PROPOSAL
    return GovernorReport(
        address=subject.address,
        chain_id=subject.chain_id,
        block_number=subject.head.number,
        block_hash=subject.head.hash,
        creation_block=0,
        family=family,
        name=text_of(answers, "name"),
        version=text_of(answers, "version"),
        ballot=_ballot(found, counting),
        counting=counting,
        clock=clock,
        timelock=_timelock(found),
        token=token,
        quorum=_quorum(found, clock),
        guardians=_guardians(found),
        implementation=subject.implementation,
        storage=storage,
        sequential_ids=sequential,
        proposal_count=_count(answers, sequential=sequential, storage=storage),
        signatures=signatures,
        late_quorum_clock=int_of(answers, "lateQuorumVoteExtension"),
        voting_delay_clock=int_of(answers, "votingDelay") or 0,
        voting_period_clock=int_of(answers, "votingPeriod") or 0,
        proposal_threshold=int_of(answers, "proposalThreshold") or 0,
        limits=tuple(found.limits),
    )


def report_finish(
    report: GovernorReport, *, creation_block: int, limits: tuple[Limit, ...]
) -> GovernorReport:
    """Say where its history begins."""
    return replace(report, creation_block=creation_block, limits=report.limits + limits)


def _questions(subject: Subject, family: Family) -> dict[str, Question]:
    at = subject.address
    shared = {"getActions": Question(at, "GovernorOZ", "getActions", (0,))}
    if family is Family.BRAVO:
        shared["proposalDetails"] = Question(at, "GovernorOZ", "proposalDetails", (0,))
        return shared | questions_at(at, "GovernorBravo", BRAVO_VIEWS)
    return (
        shared
        | questions_at(at, "GovernorOZ", OZ_VIEWS)
        # No proposal has this id, under any way of numbering.
        | {"proposalDetails": Question(at, "GovernorOZ", "proposalDetails", (2**256 - 1,))}
        | questions_at(at, "AlthingGovernor", ["guardianUntil", "constitutionalDelay"])
    )


def _family_refine(found: Findings) -> Family:
    answers = found.answers
    if found.family is not Family.OZ_V5:
        return found.family
    if int_of(answers, "guardianUntil") is not None:
        if int_of(answers, "constitutionalDelay") is not None:
            found.limit(
                "althing_constitution",
                "The routine list and the constitutional delay of another Althing are not shown: "
                "a queued proposal may take longer than its eta says.",
            )
            return Family.ALTHING
    # Its guardian's term stands in a second word.
    with_term = len(answers["proposalGuardian"].raw) == 64
    if with_term and isinstance(value_of(answers, "whitelistGuardian"), bytes):
        return Family.COMPOUND_GOVERNOR
    return found.family


def _count(answers: Mapping[str, Answer], *, sequential: bool, storage: bool) -> int | None:
    latest = int_of(answers, "latestProposalId")
    if latest is not None:
        return latest
    return int_of(answers, "proposalCount") if sequential or storage else None


def _ballot(found: Findings, counting: CountingMode) -> Ballot:
    if found.family is Family.BRAVO or "quorum=bravo" in counting.text:
        return Ballot.BRAVO
    unknown = (set(counting.support) - SUPPORTS_KNOWN) | (set(counting.params) - PARAMS_KNOWN)
    if unknown:
        found.limit(
            "counting_unknown",
            f"It counts votes in a way of its own ({counting.text}): votes are shown as cast, and "
            "totals only where the governor says them.",
        )
    if counting.overridable:
        return Ballot.OVERRIDABLE
    if "fractional" in counting.params or "fractional" in counting.support:
        return Ballot.FRACTIONAL
    return Ballot.SIMPLE


def _clock(found: Findings) -> Clock:
    """Its mode by what it says, and by whether that is so at the probed block."""
    head, answers = found.subject.head, found.answers
    text = text_of(answers, "CLOCK_MODE")
    mode = clock_mode_parse(text)
    now = int_of(answers, "clock")
    if now is None:
        now = head.timestamp if mode is ClockMode.TIMESTAMP else _block_number(found)
    expected = {ClockMode.BLOCK: head.number, ClockMode.TIMESTAMP: head.timestamp}.get(mode)
    if expected is not None and now != expected:
        found.limit(
            "clock_differs",
            f"Its clock shows {now} where this chain's {clock_unit(mode, text)} show {expected}: "
            "it follows another chain's, and its times are shown as it counts them.",
        )
        return Clock(ClockMode.CUSTOM, text, f"{clock_unit(mode, text)} of its own", now)
    if mode is ClockMode.CUSTOM:
        found.limit(
            "clock_custom",
            f"It counts time in {clock_unit(mode, text)}: no date can be told for the begin and "
            "the end of a vote.",
        )
    return Clock(mode, text, clock_unit(mode, text), now)


def _block_number(found: Findings) -> int:
    """What ``block.number`` is to a contract: on some chains, that of the chain below."""
    head = found.subject.head
    block = {"blockHash": f"0x{head.hash.hex()}"}
    answer = found.subject.client.call("eth_call", {"data": BLOCK_NUMBER_CODE}, block)
    return int.from_bytes(hex_bytes(answer, 32), "big")


def _token(found: Findings, clock: Clock) -> VotesToken:
    names = ("comp", "uni") if found.family is Family.BRAVO else ("token",)
    at = next(filter(None, (address_of(found.answers, name) for name in names)), None)
    if at is None:
        found.limit("token_unknown", "It does not say which token votes: holders are not shown.")
        return VotesToken(TokenKind.UNKNOWN)
    # Not answered before a token's first moment has passed.
    before = max(clock.now_clock - 1, 0)
    answers = found.ask(
        {
            "past": Question(at, "VotesToken", "getPastVotes", (NOBODY, before)),
            "prior": Question(at, "VotesToken", "getPriorVotes", (NOBODY, before)),
            **questions_at(at, "VotesToken", ["symbol", "decimals"]),
        }
    )
    kind = TokenKind.UNKNOWN
    if int_of(answers, "past") is not None:
        kind = TokenKind.VOTES
    elif int_of(answers, "prior") is not None:
        kind = TokenKind.COMP
    else:
        found.limit(
            "token_votes",
            "Its token answers neither getPastVotes nor getPriorVotes: voting power is not shown.",
        )
    return VotesToken(
        kind, at, text_of(answers, "symbol")[:SYMBOL_MAX], int_of(answers, "decimals")
    )


def _quorum(found: Findings, clock: Clock) -> Quorum:
    at, answers = found.subject.address, found.answers
    if found.family is Family.BRAVO:
        return Quorum(QuorumForm.VOTES, int_of(answers, "quorumVotes"))
    before = max(clock.now_clock - 1, 0)
    asked = found.ask(
        {name: Question(at, "GovernorOZ", name, (before,)) for name in ("quorum", "superQuorum")}
    )
    votes, super_votes = int_of(asked, "quorum"), int_of(asked, "superQuorum")
    numerator = int_of(answers, "quorumNumerator")
    if votes is None:
        found.limit("quorum_unknown", "It did not say what quorum a proposal of now would need.")
    if numerator is None:
        return Quorum(QuorumForm.TIMEPOINT, votes, super_votes=super_votes)
    denominator = int_of(answers, "quorumDenominator")
    return Quorum(QuorumForm.FRACTION, votes, numerator, denominator, super_votes)


def _guardians(found: Findings) -> tuple[Guardian, ...]:
    answers, guardians = found.answers, list[Guardian]()
    proposal = address_of(answers, "proposalGuardian")
    if proposal is not None:
        raw = answers["proposalGuardian"].raw
        until = int.from_bytes(raw[32:64], "big") if len(raw) == 64 else None
        guardians.append(Guardian(GuardianKind.PROPOSAL, proposal, until))
    for name, kind in (
        ("whitelistGuardian", GuardianKind.WHITELIST),
        ("admin", GuardianKind.ADMIN),
    ):
        address = address_of(answers, name)
        if address is not None:
            guardians.append(Guardian(kind, address))
    return tuple(guardians)


def _timelock(found: Findings) -> Timelock:
    """By what stands at ``timelock()``: which of the two it answers as."""
    answers = found.answers
    at = address_of(answers, "timelock")
    if at is None:
        manager = address_of(answers, "accessManager")
        if manager is None:
            return Timelock(TimelockKind.NONE)
        found.limit(
            "access_manager",
            "Its delays are those of an AccessManager, each call's own: when a queued proposal "
            "can be executed is shown as the governor's eta alone.",
        )
        return Timelock(TimelockKind.ACCESS_MANAGER, manager)
    asked = found.ask(_timelock_questions(at, found.subject.address))
    if int_of(asked, "getMinDelay") is not None and value_of(asked, "isOperation") is False:
        return _controller(found, at, asked)
    grace, delay = int_of(asked, "GRACE_PERIOD"), int_of(asked, "delay")
    if None not in (grace, delay) and value_of(asked, "queuedTransactions") is False:
        _compound_check(found, asked)
        return Timelock(TimelockKind.COMPOUND, at, delay, grace)
    found.limit(
        "timelock_unknown",
        "Its timelock is neither OpenZeppelin's TimelockController nor Compound's Timelock: what "
        "is executed or cancelled there past the governor is not seen.",
    )
    return Timelock(TimelockKind.UNKNOWN, at)


def _timelock_questions(at: bytes, governor: bytes) -> dict[str, Question]:
    nothing: tuple[Any, ...] = (bytes(32),)
    return {
        "getMinDelay": Question(at, "TimelockOZ", "getMinDelay"),
        "isOperation": Question(at, "TimelockOZ", "isOperation", nothing),
        "hasRole": Question(at, "TimelockOZ", "hasRole", (PROPOSER_ROLE, governor)),
        "queuedTransactions": Question(at, "TimelockCompound", "queuedTransactions", nothing),
        **questions_at(at, "TimelockCompound", ["GRACE_PERIOD", "delay", "admin"]),
    }


def _controller(found: Findings, at: bytes, asked: Mapping[str, Answer]) -> Timelock:
    if value_of(asked, "hasRole") is False:
        found.limit(
            "timelock_not_proposer",
            "Its timelock does not let it propose, so nothing it passes can be queued now.",
        )
    v4 = found.family is Family.OZ_V4
    salt = TimelockSalt.DESCRIPTION if v4 else TimelockSalt.GOVERNOR_XOR_DESCRIPTION
    return Timelock(TimelockKind.CONTROLLER, at, int_of(asked, "getMinDelay"), None, salt)


def _compound_check(found: Findings, asked: Mapping[str, Answer]) -> None:
    if address_of(asked, "admin") != found.subject.address:
        found.limit(
            "timelock_not_admin",
            "It is not the admin of its timelock, so nothing it passes can be queued now.",
        )
