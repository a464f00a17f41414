"""Cases against nodes: what the chain says, what the tables, the API and the page say."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from chain.client import chain_call
from chain.contracts import contract
from chain.indexer.rebuild import projections_rebuild
from network.models import CaseKind, CaseStatus, NodeCase
from network.selectors.policy import policy_current
from tests.network.conftest import ALT, OPERATOR, World, node
from tests.network.test_pages import page, words

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
REPORTER, DAY_S = 4, 86_400
DOWNTIME, CHALLENGE_FAIL, SPOOF = range(3)


@pytest.fixture
def accused(indexed: World) -> bytes:
    """A node of two H100 in a network of 34, a day later."""
    indexed.register_node(b"\x11" * 32, gpu_count=16)
    indexed.register_node(b"\x12" * 32, gpu_count=16)
    node_id = indexed.register_node(b"\x01" * 32)
    registry = contract("NodeRegistry").address
    reporter = indexed.accounts[REPORTER].address
    indexed.send(reporter, "AlthingToken", "approve", (registry, 1_000 * ALT))
    indexed.pass_time(DAY_S)
    indexed.index()
    return node_id


def open_case(world: World, node_id: bytes, kind: int = SPOOF, evidence: bytes = b"\x0e") -> int:
    args = (node_id, kind, evidence * 32)
    world.send(world.accounts[REPORTER].address, "NodeRegistry", "openCase", args)
    return int(chain_call("NodeRegistry", "caseCount", ()))


def contest(world: World, case_id: int) -> None:
    operator = world.accounts[OPERATOR].address
    world.send(operator, "NodeRegistry", "contestCase", (case_id, b"\x0a" * 32))


def decide(world: World, case_id: int, upheld: bool, bps: int) -> bytes:
    return world.timelock("NodeRegistry", "decideCase", (case_id, upheld, bps))


def collect(world: World, case_id: int) -> None:
    world.send(world.accounts[5].address, "NodeRegistry", "collect", (case_id,))


def row(case_id: int) -> NodeCase:
    return NodeCase.objects.get(case_id=case_id)


def cases(node_id: bytes, query: str = "") -> list[dict[str, Any]]:
    answer = Client().get(f"/api/v1/nodes/0x{node_id.hex()}/cases/{query}")
    assert answer.status_code == 200, answer.content
    return list(answer.json()["results"])


def agrees_with_chain(case_id: int) -> None:
    """The row is what the contract says of the case."""
    found, said = row(case_id), chain_call("NodeRegistry", "nodeCase", (case_id,))
    words_of = ["", "open", "contested", "upheld", "rejected", "dismissed"]
    kinds = ["downtime", "challenge_fail", "spoof"]
    assert (found.node_id, found.opener) == (said["nodeId"], said["opener"])
    assert (found.status, found.kind) == (words_of[said["status"]], kinds[said["kind"]])
    assert (found.stake_wei, found.max_bps) == (said["stake"], said["maxBps"])
    assert (found.bond_wei, found.debt_wei) == (said["bond"], said["debt"])
    assert found.collected_wei == said["collected"]
    assert int(found.opened_at.timestamp()) == said["openedAt"]
    assert int(found.contestable_until.timestamp()) == said["contestableUntil"]
    expires = chain_call("NodeRegistry", "caseExpiresAt", (case_id,))
    assert int(found.expires_at.timestamp()) == expires
    assert found.evidence_hash == said["evidenceHash"]
    assert (found.answer_hash or bytes(32)) == said["answerHash"]


def test_a_case_from_its_opening_to_the_last_payment(indexed: World, accused: bytes) -> None:
    case_id = open_case(indexed, accused)
    indexed.settle()
    agrees_with_chain(case_id)
    (listed,) = cases(accused)
    assert (listed["case_id"], listed["status"], listed["kind"]) == (case_id, "open", "spoof")
    assert listed["locked_wei"] == str(420 * ALT)
    assert int(listed["locked_wei"]) == chain_call("NodeRegistry", "lockedStake", (accused,))
    assert listed["next_step"].startswith("The operator may answer.")
    assert (listed["answer_hash"], listed["decided_bps"]) == (None, None)

    contest(indexed, case_id)
    indexed.settle()
    agrees_with_chain(case_id)
    assert cases(accused)[0]["next_step"] == "A vote may decide it until it runs out."

    transaction = decide(indexed, case_id, True, 5_000)
    indexed.settle()
    agrees_with_chain(case_id)
    (listed,) = cases(accused)
    assert (listed["status"], listed["decided_bps"]) == ("upheld", 5_000)
    assert listed["ended_tx"] == f"0x{transaction.hex()}"
    assert (listed["debt_wei"], listed["collected_wei"]) == (str(420 * ALT), "0")
    assert (listed["locked_wei"], listed["has_run_out"]) == ("0", False)
    assert listed["next_step"].startswith("420 ALT are owed")

    # The cap of a day is 3 % of 34 GPUs' stake, a little more than the stake of one.
    collect(indexed, case_id)
    indexed.settle()
    agrees_with_chain(case_id)
    assert node(accused).stake_wei == 420 * ALT
    (listed,) = cases(accused)
    assert (listed["collected_wei"], listed["next_step"]) == (str(420 * ALT), "Paid.")
    assert [event.event for event in node(accused).events.order_by("position")] == [
        "NodeRegistered",
        "CaseOpened",
        "CaseContested",
        "CaseDecided",
        "DebtCollected",
    ]


def test_a_debt_that_is_paid_in_parts(indexed: World, accused: bytes) -> None:
    large = bytes(chain_call("NodeRegistry", "nodeIdAt", (0,)))
    case_id = open_case(indexed, large)
    contest(indexed, case_id)
    decide(indexed, case_id, True, 5_000)
    for _ in range(3):
        collect(indexed, case_id)
        indexed.settle()
        agrees_with_chain(case_id)
        indexed.pass_time(DAY_S)
    found = row(case_id)
    assert 0 < found.collected_wei < found.debt_wei
    assert found.owed_wei == chain_call("NodeRegistry", "debtOf", (large,))
    assert node(large).stake_wei == 16 * 420 * ALT - found.collected_wei


def test_cases_that_take_nothing(indexed: World, accused: bytes) -> None:
    frivolous, doubtful, late = (
        open_case(indexed, accused, kind, bytes([kind + 1]))
        for kind in (SPOOF, CHALLENGE_FAIL, DOWNTIME)
    )
    contest(indexed, frivolous)
    decide(indexed, frivolous, False, 0)
    indexed.pass_time(60 * DAY_S)
    indexed.index()
    at = row(late).expires_at
    assert row(late).has_run_out(at)
    assert row(late).locked_wei(at) == 0
    stranger = indexed.accounts[5].address
    indexed.send(stranger, "NodeRegistry", "dismissCase", (doubtful,))
    indexed.settle()
    for case_id in (frivolous, doubtful, late):
        agrees_with_chain(case_id)
    assert [row(case_id).status for case_id in (frivolous, doubtful, late)] == [
        CaseStatus.REJECTED,
        CaseStatus.DISMISSED,
        CaseStatus.OPEN,
    ]
    assert row(late).kind == CaseKind.DOWNTIME
    assert [case["case_id"] for case in cases(accused)] == [late, doubtful, frivolous]
    assert [case["case_id"] for case in cases(accused, "?status=rejected")] == [frivolous]
    assert "bond went to the treasury" in cases(accused, "?status=rejected")[0]["next_step"]


def test_a_reorganisation_takes_a_decision_and_a_case_back(indexed: World, accused: bytes) -> None:
    first = open_case(indexed, accused)
    contest(indexed, first)
    indexed.settle()
    snapshot = indexed.rpc("evm_snapshot")
    decide(indexed, first, True, 5_000)
    collect(indexed, first)
    second = open_case(indexed, accused, CHALLENGE_FAIL, b"\x02")
    indexed.rpc("anvil_mine", hex(1))
    indexed.index()
    assert (row(first).status, row(second).status) == (CaseStatus.UPHELD, CaseStatus.OPEN)
    indexed.rpc("evm_revert", snapshot)
    indexed.rpc("anvil_mine", hex(8))
    indexed.index()
    agrees_with_chain(first)
    assert row(first).status == CaseStatus.CONTESTED
    assert (row(first).debt_wei, row(first).ended_tx, row(first).decided_bps) == (0, None, None)
    assert not NodeCase.objects.filter(case_id=second).exists()
    assert node(accused).stake_wei == 840 * ALT


def test_a_rebuild_gives_the_same_cases(indexed: World, accused: bytes) -> None:
    for kind in (SPOOF, CHALLENGE_FAIL, DOWNTIME):
        case_id = open_case(indexed, accused, kind, bytes([kind + 1]))
    contest(indexed, case_id)
    decide(indexed, case_id, True, 0)
    indexed.settle()
    before = list(NodeCase.objects.values())
    assert len(before) == 3
    projections_rebuild()
    assert list(NodeCase.objects.values()) == before


def shown(path: str) -> str:
    """The words of a page; the first reader after a final block reads its policy for all others."""
    policy_current()
    return words(page(path))


def test_the_page_tells_every_state(indexed: World, accused: bytes) -> None:
    path = f"/nodes/0x{accused.hex()}/"
    empty = shown(path)
    assert "Nobody has accused this node before a vote." in empty
    assert "take the bond (100 ALT now)" in empty
    assert "within 7 d" in empty
    open_case(indexed, accused, DOWNTIME, b"\x01")
    case_id = open_case(indexed, accused)
    contest(indexed, case_id)
    indexed.settle()
    text = shown(path)
    assert "Faked hardware ● Contested A vote may decide it until it runs out." in text
    assert "Downtime ● Open The operator may answer." in text
    assert "420 ALT" in text
    decide(indexed, case_id, True, 2_500)
    indexed.settle()
    text = shown(path)
    assert "✕ Upheld by 0x" in text
    assert "210 ALT are owed" in text
    assert f"/api/v1/nodes/0x{accused.hex()}/cases/" in page(path)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("nodes/0x12/cases/", 400, "hex_length"),
        (f"nodes/0x{'ab' * 32}/cases/", 404, "node_unknown"),
        ("{node}?status=guilty", 400, "filter_invalid"),
        ("{node}?status=%00", 400, "query_malformed"),
        ("{node}?limit=0", 400, "limit_invalid"),
        ("{node}?cursor=damaged", 400, "cursor_invalid"),
    ],
)
def test_bad_questions(accused: bytes, path: str, status: int, code: str) -> None:
    asked = path.replace("{node}", f"nodes/0x{accused.hex()}/cases/")
    answer = Client().get(f"/api/v1/{asked}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
