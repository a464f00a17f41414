"""The story of the demo's DAO: what was proposed on which day, and how it ended.

`EPISODES` is the whole of it; `demo.history` lets it happen on a chain.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from web3 import Web3

from demo.chain import LocalChain

ALT = 10**18
DAY_S = 86_400
#: How far back the chain starts: the longest story below, and room to breathe.
HISTORY_DAYS = 60

Outcome = Literal[
    "executed", "defeated", "no_quorum", "canceled", "vetoed", "expired", "stuck", "open"
]
#: target, value_wei, calldata
Call = tuple[str, int, bytes]


@dataclass(frozen=True)
class Episode:
    """One proposal of the past: on which day, what it says, what it does, how it ended."""

    day: int
    title: str
    why: str
    calls: Callable[[LocalChain], list[Call]]
    outcome: Outcome = "executed"
    reasons: tuple[str, ...] = ()
    #: One delegate splits its power instead of voting as a whole.
    split: bool = False


# --- what a proposal may do -----------------------------------------------------
def key_of(name: str) -> bytes:
    """The registry's key: keccak256 of the name (PARAMETERS)."""
    return bytes(Web3.keccak(text=name))


def word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def parameter(
    name: str, value: int, *, expected: int | None = None
) -> Callable[[LocalChain], Call]:
    """Set one parameter; the expected value is the one in force when it is proposed."""

    def build(chain: LocalChain) -> Call:
        current = (
            bytes(chain.call("NetworkParameters", "getVoted", key_of(name)))
            if expected is None
            else word(expected)
        )
        data = chain.encode("NetworkParameters", "set", [key_of(name)], [current], [word(value)])
        return chain.address("NetworkParameters"), 0, data

    return build


def pay_alt(account: int, amount_alt: int) -> Callable[[LocalChain], Call]:
    """Pay ALT from the treasury to an account of the demo."""

    def build(chain: LocalChain) -> Call:
        data = chain.encode("AlthingToken", "transfer", chain.accounts[account], amount_alt * ALT)
        return chain.address("AlthingToken"), 0, data

    return build


def pay_eth(account: int, amount_wei: int) -> Callable[[LocalChain], Call]:
    """Pay ETH from the treasury to an account of the demo."""
    return lambda chain: (chain.accounts[account], amount_wei, b"")


def governor(function: str, *args: object) -> Callable[[LocalChain], Call]:
    """Change the governor's own settings: a constitutional act."""
    return lambda chain: (
        chain.address("AlthingGovernor"),
        0,
        chain.encode("AlthingGovernor", function, *args),
    )


def guardian_renew(days: int) -> Callable[[LocalChain], Call]:
    """Renew the guardian's term, counted from when it is proposed."""

    def build(chain: LocalChain) -> Call:
        guardian = Web3.to_checksum_address(chain.deployment["settings"]["guardian"])
        return governor("setGuardian", guardian, chain.now() + days * DAY_S)(chain)

    return build


def grant_proposer_role(account: int) -> Callable[[LocalChain], Call]:
    """Let an account schedule past every vote: an attack hidden in a clean-up."""
    return lambda chain: (
        chain.address("TimelockController"),
        0,
        chain.encode(
            "TimelockController",
            "grantRole",
            bytes(Web3.keccak(text="PROPOSER_ROLE")),
            chain.accounts[account],
        ),
    )


def calls(*builders: Callable[[LocalChain], Call]) -> Callable[[LocalChain], list[Call]]:
    return lambda chain: [build(chain) for build in builders]


EPISODES: tuple[Episode, ...] = (
    Episode(
        1,
        "Report every eight minutes",
        "Fifteen minutes between reports leave a failed GPU unseen for too long. Eight minutes "
        "cost a node less than a kilobyte a minute.",
        calls(parameter("attest.report_interval", 480)),
        reasons=("Cheap and useful.", "My racks report every five minutes anyway."),
    ),
    Episode(
        3,
        "Fund the onboarding guide",
        "A written guide and two workshops for new operators, paid on delivery of both. The "
        "budget was discussed in three calls.",
        calls(pay_alt(30, 25_000)),
        reasons=("We lose operators in the first hour. Worth it.",),
    ),
    Episode(
        11,
        "Halve the time a verdict lasts",
        "With a report every eight minutes, a verdict of 45 minutes outlives five missed "
        "reports. 23 minutes still forgive one reboot.",
        calls(parameter("attest.ttl", 1380)),
    ),
    Episode(
        13,
        "Allow at most eight GPUs per node",
        "Small nodes are more honest nodes.",
        calls(parameter("attest.max_gpus_per_node", 8)),
        outcome="defeated",
        reasons=("This punishes eight-way boards for being boards.", "No evidence given."),
    ),
    Episode(
        15,
        "Report every four minutes",
        "The first step caused no complaint and found two dead fans.",
        calls(parameter("attest.report_interval", 240)),
    ),
    Episode(
        17,
        "Pay the auditors (wrong amount)",
        "Withdrawn: the amount is off by a factor of ten.",
        calls(pay_alt(31, 400_000)),
        outcome="canceled",
    ),
    Episode(
        18,
        "Pay the auditors",
        "First half of the audit of the node registry, as agreed in the engagement letter.",
        calls(pay_alt(31, 40_000)),
    ),
    Episode(
        20,
        "A verdict lasts twelve minutes",
        "Three reports of four minutes each.",
        calls(parameter("attest.ttl", 720)),
    ),
    Episode(
        22,
        "Shorten the challenge's life to 90 seconds",
        "The registry's own rule needs sixty seconds and the permitted clock skew: 90 is the "
        "floor today.",
        calls(parameter("attest.nonce_ttl", 90)),
    ),
    Episode(
        24,
        "Report every two minutes",
        "Last but one step of the plan.",
        calls(parameter("attest.report_interval", 120)),
    ),
    Episode(
        25,
        "Sponsor a meet-up",
        "Food and a room for sixty people.",
        calls(pay_alt(32, 5_000)),
        outcome="no_quorum",
    ),
    Episode(
        27,
        "Routine maintenance of the timelock",
        "Clean-up of old settings. Nothing changes for holders.",
        calls(parameter("attest.clock_skew", 35), grant_proposer_role(33)),
        outcome="vetoed",
        reasons=("The second call hands the treasury to one account. Read the actions.",),
    ),
    Episode(
        28,
        "Renew the guardian until summer",
        "The term ends on day 30. The guardian used its veto once, yesterday, and said why "
        "within the hour.",
        calls(guardian_renew(150)),
    ),
    Episode(
        29,
        "A verdict lasts six minutes",
        "Three reports of two minutes each, as before.",
        calls(parameter("attest.ttl", 360)),
    ),
    Episode(
        30,
        "Pay for the status page until spring",
        "Hosting, paid in ETH to the provider's account.",
        calls(pay_eth(34, 2 * 10**18)),
    ),
    Episode(
        31,
        "A grant nobody collected",
        "Ten thousand ALT for a plug-in. The grantee left before it was carried out.",
        calls(pay_alt(35, 10_000)),
        outcome="expired",
    ),
    Episode(
        34,
        "Report every minute",
        "The end of the plan of day one.",
        calls(parameter("attest.report_interval", 60)),
    ),
    Episode(
        38,
        "Raise the stake of consumer cards",
        "Seventy ALT cover nine days of rent at last month's prices.",
        calls(parameter("stake.per_gpu_consumer_24g", 70 * ALT)),
    ),
    Episode(
        41,
        "Enforce firmware measurements",
        "Eight weeks of observing: one node in fifty differs, and each was an unsigned "
        "firmware. From now on a mismatch fails the report.",
        calls(parameter("attest.enforce_measurements", 1)),
        reasons=("Observe first, then enforce: as promised.",),
    ),
    Episode(
        45,
        "Extend a vote by two and a half minutes when quorum comes late",
        "Two minutes were too short to answer a late whale.",
        calls(governor("setLateQuorumVoteExtension", 150)),
    ),
    Episode(
        50,
        "Second half of the audit, and a wider clock",
        "Pays the auditors the rest and lets node clocks differ by twenty seconds, not thirty.",
        calls(pay_alt(31, 40_000), parameter("attest.clock_skew", 20)),
        split=True,
    ),
    Episode(
        57,
        "Let node clocks differ by twenty-five seconds",
        "Written before the last proposal was carried out; it still expects the old value, so "
        "it can no longer take effect.",
        calls(parameter("attest.clock_skew", 25, expected=30)),
        outcome="stuck",
    ),
    Episode(
        59,
        "Refuse reports that claim impossible power",
        "One node claims three times the energy that its cards can draw. So far that is only "
        "marked; from now on it fails the report. The preview below says which node that is.",
        calls(parameter("attest.enforce_energy", 1)),
        outcome="open",
        reasons=("Carbon figures are worth nothing otherwise.", "It was announced a month ago."),
    ),
)
