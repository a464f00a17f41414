"""What the probe says of a real governor of every kind, exactly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from chain.rpc.client import RpcClient
from chain.rpc.transport import HttpTransport
from governance.governors.kinds import (
    Ballot,
    ClockMode,
    Family,
    GovernorReport,
    Guardian,
    GuardianKind,
    QuorumForm,
    TimelockKind,
    TimelockSalt,
    TokenKind,
)
from governance.governors.probe import governor_probe
from governance.governors.report import report_json, report_lines
from tests.governance.governors.deploy import (
    BRAVO_LAST_ID,
    COMPOUND_DELAY_S,
    COMPOUND_LAST_ID,
    CONTROLLER_DELAY_S,
    GUARDIAN_TERM_S,
    KINDS,
)
from tests.governance.governors.local import (
    COUNCIL,
    GUARDIAN,
    UNIT,
    WHITELISTER,
    LocalGovernor,
)

pytestmark = pytest.mark.chain

CHAIN_ID = 31337
GRACE_S = 14 * 86_400
SIMPLE = "support=bravo&quorum=for,abstain"
FRACTIONAL = "support=bravo,fractional&quorum=for,abstain&params=fractional"
BLOCKS = (ClockMode.BLOCK, "mode=blocknumber&from=default", "blocks")
SECONDS = (ClockMode.TIMESTAMP, "mode=timestamp", "seconds")
XOR, PLAIN = TimelockSalt.GOVERNOR_XOR_DESCRIPTION, TimelockSalt.DESCRIPTION

#: What every governor here has unless its kind says otherwise.
USUAL: dict[str, Any] = {
    "family": Family.OZ_V5,
    "version": "1",
    "ballot": Ballot.SIMPLE,
    "counting": SIMPLE,
    "counted": ("for", "abstain"),
    "clock": BLOCKS,
    "timelock": (TimelockKind.NONE, None, None, None),
    "token": (TokenKind.VOTES, "LOC"),
    "quorum": (QuorumForm.FRACTION, 400_000 * UNIT, 4, 100, None),
    "guardians": (),
    "storage": False,
    "ids": (False, None),
    "signatures": False,
    "late": None,
    "voting": (2, 30),
    "limits": (),
}
FIXED: dict[str, Any] = {"quorum": (QuorumForm.TIMEPOINT, 400_000 * UNIT, None, None, None)}
CONTROLLER = (TimelockKind.CONTROLLER, CONTROLLER_DELAY_S, None, XOR)
COMPOUND = (TimelockKind.COMPOUND, COMPOUND_DELAY_S, GRACE_S, None)
COMP: dict[str, Any] = {"token": (TokenKind.COMP, "UNI"), "timelock": COMPOUND}

EXPECTED: dict[str, dict[str, Any]] = {
    "oz5_timelock": {"timelock": CONTROLLER, "late": 20},
    "oz5_fractional": {
        "ballot": Ballot.FRACTIONAL,
        "counting": FRACTIONAL,
        "clock": SECONDS,
        "timelock": CONTROLLER,
        "guardians": ((GuardianKind.PROPOSAL, GUARDIAN),),
        "storage": True,
        "ids": (True, 0),
        "voting": (60, 600),
    },
    "oz5_overridable": {
        "ballot": Ballot.OVERRIDABLE,
        "counting": "support=bravo,override&quorum=for,abstain&overridable=true",
    },
    "oz5_super_quorum": {
        "clock": SECONDS,
        "quorum": (QuorumForm.FRACTION, 400_000 * UNIT, 4, 100, 5_000_000 * UNIT),
    },
    "oz5_compound_timelock": {"timelock": COMPOUND},
    "oz5_settable_quorum": FIXED,
    "oz5_rounds": {
        **FIXED,
        "clock": (ClockMode.CUSTOM, "mode=local_round", "local_round"),
        "limits": ("clock_custom",),
    },
    "oz5_access": {
        "timelock": (TimelockKind.ACCESS_MANAGER, None, None, None),
        "limits": ("access_manager",),
    },
    "compound_governor": {
        **COMP,
        **FIXED,
        "family": Family.COMPOUND_GOVERNOR,
        "ballot": Ballot.FRACTIONAL,
        "counting": FRACTIONAL,
        "guardians": ((GuardianKind.PROPOSAL, GUARDIAN), (GuardianKind.WHITELIST, WHITELISTER)),
        "storage": True,
        "ids": (True, COMPOUND_LAST_ID),
        "late": 20,
    },
    "oz4_timelock": {
        "family": Family.OZ_V4,
        "timelock": (TimelockKind.CONTROLLER, CONTROLLER_DELAY_S, None, PLAIN),
        "token": (TokenKind.VOTES, "LO4"),
        "late": 20,
    },
    "oz4_bravo_compatible": {
        **COMP,
        **FIXED,
        "family": Family.OZ_V4,
        "ballot": Ballot.BRAVO,
        "counting": "support=bravo&quorum=bravo",
        "counted": ("for",),
        "storage": True,
        "signatures": True,
    },
    "bravo": {
        **COMP,
        "family": Family.BRAVO,
        "version": "",
        "ballot": Ballot.BRAVO,
        "counting": "",
        "counted": ("for",),
        "clock": (ClockMode.BLOCK, "", "blocks"),
        "quorum": (QuorumForm.VOTES, 400_000 * UNIT, None, None, None),
        "guardians": ((GuardianKind.WHITELIST, WHITELISTER),),
        "storage": True,
        "ids": (True, BRAVO_LAST_ID),
        "signatures": True,
    },
}


@pytest.fixture
def client(anvil_url: str) -> Iterator[RpcClient]:
    transport = HttpTransport(anvil_url)
    yield RpcClient(transport)
    transport.close()


def probe(client: RpcClient, governor: LocalGovernor, **options: Any) -> GovernorReport:
    return governor_probe(client=client, address=governor.address, chain_id=CHAIN_ID, **options)


def found(report: GovernorReport, governor: LocalGovernor) -> dict[str, Any]:
    """A report in the terms of ``EXPECTED``."""
    accounts = {account.address: account.index for account in governor.chain.accounts}
    quorum, clock, lock = report.quorum, report.clock, report.timelock
    return {
        "family": report.family,
        "version": report.version,
        "ballot": report.ballot,
        "counting": report.counting.text,
        "counted": report.counting.quorum,
        "clock": (clock.mode, clock.text, clock.unit),
        "timelock": (lock.kind, lock.delay_s, lock.grace_period_s, lock.salt),
        "token": (report.token.kind, report.token.symbol),
        "quorum": (
            quorum.form,
            quorum.votes,
            quorum.numerator,
            quorum.denominator,
            quorum.super_votes,
        ),
        "guardians": tuple(
            (one.kind, accounts[one.address])
            for one in report.guardians
            if one.kind is not GuardianKind.ADMIN
        ),
        "storage": report.storage,
        "ids": (report.sequential_ids, report.proposal_count),
        "signatures": report.signatures,
        "late": report.late_quorum_clock,
        "voting": (report.voting_delay_clock, report.voting_period_clock),
        "limits": tuple(limit.code for limit in report.limits),
    }


def test_every_kind_is_expected() -> None:
    assert set(EXPECTED) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_report_of_each_kind(kind: str, governor_factory: Any, client: RpcClient) -> None:
    governor = governor_factory(kind)
    governor.chain.mine(40)
    report = probe(client, governor)
    assert found(report, governor) == USUAL | EXPECTED[kind]
    number, _ = governor.chain.block()
    assert (report.address, report.chain_id) == (governor.address, CHAIN_ID)
    assert (report.block_number, report.clock.now_clock) == (number, governor.clock())
    assert report.block_hash == client.header(number).hash
    assert report.creation_block == governor.created_at
    assert report.timelock.address == governor.others.get("manager", governor.timelock)
    assert report.token.address == governor.token
    assert report.token.decimals == 18
    assert report.proposal_threshold == 10 * UNIT
    assert report.implementation == governor.others.get("implementation")
    assert report.abi == ("GovernorBravo" if kind == "bravo" else "GovernorOZ")
    assert report.timelock_abi == {
        TimelockKind.CONTROLLER: "TimelockOZ",
        TimelockKind.COMPOUND: "TimelockCompound",
    }.get(report.timelock.kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_proposal_does_not_change_what_it_is(
    kind: str, governor_factory: Any, client: RpcClient
) -> None:
    governor = governor_factory(kind)
    before = probe(client, governor, from_block=governor.created_at)
    governor.propose()
    after = probe(client, governor, from_block=governor.created_at)
    counted = before.proposal_count
    # The numbers and what moves with the chain aside, the two are one.
    assert after.proposal_count == (None if counted is None else counted + 1)
    assert (
        replace(
            after,
            proposal_count=counted,
            block_number=before.block_number,
            block_hash=before.block_hash,
            clock=before.clock,
        )
        == before
    )


def test_the_guardian_of_compound_leaves_and_bravo_has_an_admin(
    governor_factory: Any, client: RpcClient
) -> None:
    compound = governor_factory("compound_governor")
    deployed = client.header(compound.created_at - 1).timestamp
    guardian = probe(client, compound).guardians[0]
    assert guardian.until_s == deployed + GUARDIAN_TERM_S
    bravo = governor_factory("bravo")
    admin = Guardian(GuardianKind.ADMIN, bravo.timelock)
    assert admin in probe(client, bravo).guardians


def test_the_report_reads_as_words_and_as_json(governor_factory: Any, client: RpcClient) -> None:
    for kind in ("compound_governor", "oz5_access", "bravo"):
        report = probe(client, governor_factory(kind))
        lines = report_lines(report)
        begins = {line.split("  ")[0]: line for line in lines if line and line[0] != " "}
        assert begins["Ballot"].endswith(
            {
                "compound_governor": "fractional: a vote may be split and cast in parts",
                "oz5_access": "simple: against, for or abstain",
                "bravo": "Bravo: against, for or abstain",
            }[kind]
        )
        told = [line for line in lines if line.startswith("  access_manager: ")]
        assert len(told) == (kind == "oz5_access")
        plain = json.loads(json.dumps(report_json(report)))
        assert plain["family"] == report.family.value
        assert plain["proposal_threshold"] == str(10 * UNIT)
        assert plain["abi"] == report.abi
        assert plain["quorum"]["votes"] == str(400_000 * UNIT)
        terms = [one["until_s"] for one in plain["guardians"]]
        assert all(term is None or term.isdecimal() for term in terms)
        assert any(terms) == (kind == "compound_governor")


def test_a_minimal_proxy_is_seen_through(
    governor_factory: Any, local_chain: Any, client: RpcClient
) -> None:
    governor = governor_factory("oz5_overridable")
    # ERC-1167 before the real one; it has no storage of its own, and answers what needs none.
    code = bytes.fromhex("363d3d373d3d3d363d73") + governor.address
    code += bytes.fromhex("5af43d82803e903d91602b57fd5bf3")
    receipt = local_chain.done(COUNCIL, None, bytes.fromhex("3d602d80600a3d3981f3") + code)
    place = bytes.fromhex(receipt["contractAddress"][2:])
    report = governor_probe(client=client, address=place, chain_id=CHAIN_ID)
    assert report.implementation == governor.address
    assert report.family is Family.OZ_V5


def test_compounds_way_of_numbering_is_known(
    governor_factory: Any, local_chain: Any, client: RpcClient
) -> None:
    governor = governor_factory("compound_governor")
    shown = local_chain.deploy("Numbering", governor.address)
    report = governor_probe(client=client, address=shown, chain_id=CHAIN_ID)
    assert report.family is Family.COMPOUND_GOVERNOR
    assert report.sequential_ids


def test_what_it_does_its_own_way_is_told(
    governor_factory: Any, local_chain: Any, client: RpcClient
) -> None:
    """A foreign clock, votes by a module, a timelock that does not know it, a hostile name."""
    governor = governor_factory("compound_governor")
    counting = "support=bravo&quorum=against,for,abstain&params=modules"
    shown = local_chain.deploy("Disguised", governor.address, 5, counting)
    report = governor_probe(client=client, address=shown, chain_id=CHAIN_ID)
    codes = {limit.code for limit in report.limits}
    assert {"clock_differs", "counting_unknown", "timelock_not_admin"} <= codes
    assert report.clock.mode is ClockMode.CUSTOM
    assert report.clock.now_clock == 5
    assert report.ballot is Ballot.SIMPLE
    assert report.counting.quorum == ("against", "for", "abstain")
    assert report.name == "Nice [2J Name\ufffd"
    lines = report_lines(report)
    assert all(line.isprintable() for line in lines)
    assert "Not supported:" in lines


def test_a_timelock_that_does_not_let_it_propose_is_told(
    governor_factory: Any, local_chain: Any, client: RpcClient
) -> None:
    governor = governor_factory("oz5_timelock")
    stranger = local_chain.deploy("OZ5Timelock", governor.token, governor.timelock)
    report = governor_probe(client=client, address=stranger, chain_id=CHAIN_ID)
    assert [limit.code for limit in report.limits] == ["timelock_not_proposer"]


def test_a_timelock_of_no_known_kind_is_told(
    governor_factory: Any, local_chain: Any, client: RpcClient
) -> None:
    token = governor_factory("oz5_overridable").token
    silent = local_chain.deploy("Silent")
    stranger = local_chain.deploy("OZ5Timelock", token, silent)
    report = governor_probe(client=client, address=stranger, chain_id=CHAIN_ID)
    assert report.timelock.kind is TimelockKind.UNKNOWN
    assert [limit.code for limit in report.limits] == ["timelock_unknown"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_node_that_takes_no_call_without_a_target_gives_the_same(
    kind: str, governor_factory: Any, client: RpcClient
) -> None:
    governor = governor_factory(kind)
    options = {"from_block": governor.created_at}
    together = probe(client, governor, **options)
    client.deployless = False
    assert probe(client, governor, **options) == together


def test_uniswaps_name_for_its_token_is_known(
    governor_factory: Any, local_chain: Any, client: RpcClient
) -> None:
    governor = governor_factory("bravo")
    shown = local_chain.deploy("BravoOfUniswap", governor.address, governor.token)
    report = governor_probe(client=client, address=shown, chain_id=CHAIN_ID)
    assert report.family is Family.BRAVO
    assert report.token.address == governor.token
    assert "token_unknown" not in {limit.code for limit in report.limits}


def test_a_governor_without_a_token_and_a_token_without_votes_are_told(
    governor_factory: Any, local_chain: Any, client: RpcClient
) -> None:
    governor = governor_factory("bravo")
    told = [(bytes(20), "token_unknown"), (governor.box, "token_votes")]
    for hostile in ("Silent", "Burning", "Megabyte"):
        told.append((local_chain.deploy(hostile), "token_votes"))
    for token, code in told:
        shown = local_chain.deploy("BravoOfUniswap", governor.address, token)
        report = governor_probe(client=client, address=shown, chain_id=CHAIN_ID)
        assert report.token.kind is TokenKind.UNKNOWN
        assert code in {limit.code for limit in report.limits}


def test_another_althing_is_known(deployment: dict[str, Any], client: RpcClient) -> None:
    """Our own governor, looked at as if it were somebody else's."""
    at = bytes.fromhex(deployment["contracts"]["AlthingGovernor"]["address"][2:])
    report = governor_probe(client=client, address=at, chain_id=CHAIN_ID)
    assert report.family is Family.ALTHING
    assert report.abi == "GovernorOZ"
    assert report.clock.mode is ClockMode.TIMESTAMP
    assert (report.timelock.kind, report.timelock.salt) == (TimelockKind.CONTROLLER, XOR)
    assert report.creation_block == deployment["contracts"]["AlthingGovernor"]["block_number"]
    assert [limit.code for limit in report.limits] == ["althing_constitution"]


@pytest.mark.parametrize(
    ("counting", "ballot"),
    [
        ("support=bravo&quorum=for,abstain&params=fractional", Ballot.FRACTIONAL),
        ("support=bravo&quorum=bravo", Ballot.BRAVO),
        ("support=bravo&quorum=for,abstain&overridable=true", Ballot.OVERRIDABLE),
        ("support=bravo&quorum=for&later=yes", Ballot.SIMPLE),
    ],
)
def test_the_ballot_follows_from_the_counting_mode(
    counting: str, ballot: Ballot, governor_factory: Any, local_chain: Any, client: RpcClient
) -> None:
    governor = governor_factory("compound_governor")
    shown = local_chain.deploy("Disguised", governor.address, 5, counting)
    report = governor_probe(client=client, address=shown, chain_id=CHAIN_ID)
    assert report.ballot is ballot
    assert "counting_unknown" not in {limit.code for limit in report.limits}
