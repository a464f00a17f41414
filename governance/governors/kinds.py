"""What a governor can be, as enumerations and frozen records. No chain, no tables.

Amounts of votes are in the token's smallest unit; what a governor counts time in (blocks,
seconds, or something of its own) is said by its ``Clock``, and every number in that unit is
called ``*_clock``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qsl


class Family(StrEnum):
    """Whose line of code a governor is of: decides its ABI, ids and acts."""

    OZ_V4 = "oz_v4"
    OZ_V5 = "oz_v5"
    BRAVO = "bravo"
    COMPOUND_GOVERNOR = "compound_governor"
    ALTHING = "althing"


class Ballot(StrEnum):
    """What one vote can say."""

    #: Against, for or abstain, once, with the whole weight.
    SIMPLE = "simple"
    #: A weight may be split, and cast in parts: several events per voter, to be added.
    FRACTIONAL = "fractional"
    #: A holder may take its own tokens back from its delegate's vote: ``VoteReduced``.
    OVERRIDABLE = "overridable"
    #: As simple, with Governor Bravo's receipts; votes for alone reach the quorum.
    BRAVO = "bravo"


class ClockMode(StrEnum):
    """ERC-6372. ``CUSTOM`` is anything that is neither this chain's blocks nor its seconds."""

    BLOCK = "block"
    TIMESTAMP = "timestamp"
    CUSTOM = "custom"


class TimelockKind(StrEnum):
    """Through what a passed proposal acts."""

    NONE = "none"
    #: OpenZeppelin's TimelockController.
    CONTROLLER = "controller"
    #: Compound's Timelock: transactions one by one, with a grace period.
    COMPOUND = "compound"
    #: OpenZeppelin's AccessManager (GovernorTimelockAccess).
    ACCESS_MANAGER = "access_manager"
    UNKNOWN = "unknown"


class TimelockSalt(StrEnum):
    """From what a governor makes the salt of its TimelockController operations."""

    #: keccak256(description): OpenZeppelin 4.
    DESCRIPTION = "description"
    #: bytes20(governor) ^ keccak256(description): OpenZeppelin 5.
    GOVERNOR_XOR_DESCRIPTION = "governor_xor_description"


class TokenKind(StrEnum):
    """How the voting power of a past moment is asked for."""

    #: ``getPastVotes`` (ERC-5805).
    VOTES = "votes"
    #: ``getPriorVotes`` (COMP, UNI).
    COMP = "comp"
    UNKNOWN = "unknown"


class QuorumForm(StrEnum):
    """Which view says what a proposal must reach."""

    #: ``quorum(timepoint)``, a share of the supply of then (``quorumNumerator``).
    FRACTION = "fraction"
    #: ``quorum(timepoint)``, by a rule of the governor's own.
    TIMEPOINT = "timepoint"
    #: ``quorumVotes()``, one number for every proposal.
    VOTES = "votes"


class GuardianKind(StrEnum):
    """Who may cancel beside the proposer, or rules the governor."""

    #: GovernorProposalGuardian: cancels any proposal at any stage.
    PROPOSAL = "proposal_guardian"
    #: Governor Bravo and CompoundGovernor: cancels proposals of whitelisted proposers.
    WHITELIST = "whitelist_guardian"
    #: Governor Bravo: sets delays, periods, the threshold and the implementation.
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class CountingMode:
    """``COUNTING_MODE()``, read as the URL parameters it is (IGovernor).

    ``quorum`` names the supports that count towards the quorum: ``for``, ``abstain``, ``against``.
    """

    text: str
    support: tuple[str, ...] = ()
    quorum: tuple[str, ...] = ()
    params: tuple[str, ...] = ()
    overridable: bool = False


@dataclass(frozen=True, slots=True)
class Clock:
    """In what a governor counts time. ``text`` is ``CLOCK_MODE()`` as it stands ("" without
    one), ``unit`` a plain word for one step, ``now_clock`` its reading at the probed block."""

    mode: ClockMode
    text: str
    unit: str
    now_clock: int


@dataclass(frozen=True, slots=True)
class Timelock:
    """``address`` is 20 bytes, or None without one. Spans in seconds; ``grace_period_s`` is how
    long after its eta a queued proposal can be executed (None: for ever)."""

    kind: TimelockKind
    address: bytes | None = None
    delay_s: int | None = None
    grace_period_s: int | None = None
    salt: TimelockSalt | None = None


@dataclass(frozen=True, slots=True)
class Guardian:
    """``until_s`` is when its power ends, in Unix seconds; None: never."""

    kind: GuardianKind
    address: bytes
    until_s: int | None = None


@dataclass(frozen=True, slots=True)
class VotesToken:
    """``address`` is 20 bytes; ``decimals`` None where the token says none."""

    kind: TokenKind
    address: bytes | None = None
    symbol: str = ""
    decimals: int | None = None


@dataclass(frozen=True, slots=True)
class Quorum:
    """``votes`` is what a proposal of now would need; None where the governor would not say."""

    form: QuorumForm
    votes: int | None
    numerator: int | None = None
    denominator: int | None = None
    super_votes: int | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """One thing Althing does not do for this governor. ``why`` is a sentence."""

    code: str
    why: str


@dataclass(frozen=True, slots=True)
class GovernorReport:
    """What a probe found, all at one block. Addresses and hashes are bytes.

    ``abi`` names the ABI in ``chain/abi`` its logs are read by, ``timelock_abi`` its timelock's
    (None without one that can be read). ``creation_block`` is the first block with its code, or
    the start that was given.
    """

    address: bytes
    chain_id: int
    block_number: int
    block_hash: bytes
    creation_block: int
    family: Family
    name: str
    version: str
    ballot: Ballot
    counting: CountingMode
    clock: Clock
    timelock: Timelock
    token: VotesToken
    quorum: Quorum
    guardians: tuple[Guardian, ...]
    implementation: bytes | None
    storage: bool
    sequential_ids: bool
    proposal_count: int | None
    signatures: bool
    late_quorum_clock: int | None
    voting_delay_clock: int
    voting_period_clock: int
    proposal_threshold: int
    limits: tuple[Limit, ...] = ()

    @property
    def abi(self) -> str:
        return "GovernorBravo" if self.family is Family.BRAVO else "GovernorOZ"

    @property
    def timelock_abi(self) -> str | None:
        return TIMELOCK_ABIS.get(self.timelock.kind)


TIMELOCK_ABIS = {TimelockKind.CONTROLLER: "TimelockOZ", TimelockKind.COMPOUND: "TimelockCompound"}
#: Characters of what a contract calls its clock's steps.
UNIT_MAX = 60
_UNITS = {ClockMode.BLOCK: "blocks", ClockMode.TIMESTAMP: "seconds"}


def counting_mode_parse(text: str) -> CountingMode:
    """Read ``COUNTING_MODE()``; keys it does not know are left in ``text``.

    >>> counting_mode_parse("support=bravo,fractional&quorum=for,abstain&params=fractional").params
    ('fractional',)
    """
    found = dict(parse_qsl(text, keep_blank_values=True))
    support, quorum, params = (
        tuple(part for part in found.get(key, "").split(",") if part)
        for key in ("support", "quorum", "params")
    )
    # GovernorCompatibilityBravo: what Governor Bravo does, which is to count votes for alone.
    if quorum == ("bravo",):
        quorum = ("for",)
    overridable = found.get("overridable") == "true" or "override" in support
    return CountingMode(text, support, quorum, params, overridable)


def clock_mode_parse(text: str) -> ClockMode:
    """Read ``CLOCK_MODE()`` (ERC-6372). Absent text means blocks, as before the standard.

    Block numbers "from" another chain are not ours and so CUSTOM.
    """
    if not text:
        return ClockMode.BLOCK
    found = dict(parse_qsl(text, keep_blank_values=True))
    if found.get("mode") == "blocknumber" and found.get("from", "default") == "default":
        return ClockMode.BLOCK
    return ClockMode.TIMESTAMP if found.get("mode") == "timestamp" else ClockMode.CUSTOM


def clock_unit(mode: ClockMode, text: str) -> str:
    """The plain word for a clock's steps: "blocks", "seconds", or what CLOCK_MODE calls them."""
    if mode in _UNITS:
        return _UNITS[mode]
    return dict(parse_qsl(text)).get("mode", "")[:UNIT_MAX] or "units of its own"
