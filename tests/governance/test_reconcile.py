"""Reconcile finds seeded damage in every table, and a chain that lies; it repairs nothing."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, transaction

from chain import clock
from chain.contracts import contract
from chain.models import Cursor
from chain.rpc.client import RpcClient
from chain.rpc.transport import HttpTransport
from governance.models import (
    Delegate,
    GovernorSettingChange,
    GuardianTerm,
    Holder,
    Proposal,
    ProposalAction,
    ReconcileFinding,
    ReconcileRun,
    TimelockOperation,
    Vote,
)
from governance.reconcile import ReconcileRefused, Report, Scope, findings_open, reconcile_run
from governance.state import ProposalState
from tests.chain.conftest import FaultyTransport
from tests.governance.conftest import AGAINST, ALT, Dao, Proposed

pytestmark = pytest.mark.chain

ALL = Scope("all")


@pytest.fixture
def parliament(dao: Dao) -> tuple[Dao, Proposed, Proposed]:
    """One executed proposal, one that is open with two votes; everything indexed."""
    done = dao.propose(0, description="# Done")
    dao.pass_vote(done)
    dao.queue(done)
    dao.mine(60)
    dao.execute(done)
    dao.send(0, "AlthingToken", "transfer", (dao.accounts[1].address, 10 * ALT))
    dao.delegate(1)
    dao.mine()
    opened = dao.propose(0, description="# Open")
    dao.open_vote()
    dao.vote(0, opened)
    dao.vote(1, opened, AGAINST)
    dao.index()
    return dao, done, opened


def seen(report: Report) -> list[tuple[str, str, str]]:
    return [(i.claim.kind, i.claim.field, i.claim.read.function) for i in report.differing]


def test_what_was_indexed_from_the_chain_agrees_with_it(parliament: Any) -> None:
    report = reconcile_run(ALL)
    assert seen(report) == []
    assert report.unanswered == 0
    # Settings, two proposals, three votes, the operation, holders and delegates.
    kinds = {
        "settings": GovernorSettingChange.objects.exists(),
        "operation": TimelockOperation.objects.count() == 1,
        "votes": Vote.objects.count() == 3,
    }
    assert all(kinds.values()), kinds
    assert report.compared > 2 * 13 + 3 * 2 + 1 + 2 * Holder.objects.count()
    run = ReconcileRun.objects.get()
    assert (run.scope, run.differing, run.block_number) == ("all", 0, Cursor.objects.get().number)
    assert not ReconcileFinding.objects.exists()


def damage(name: str, parliament: tuple[Dao, Proposed, Proposed]) -> None:
    """Change one indexed value, as a bug or a hand in the database would."""
    dao, _, opened = parliament
    ada = Holder.objects.filter(address=dao.accounts[1].address)
    delegate = Delegate.objects.filter(address=dao.accounts[1].address)
    proposal = Proposal.objects.filter(proposal_id=opened.proposal_id)
    votes = Vote.objects.filter(proposal=opened.proposal_id, voter=dao.accounts[1].address)
    {
        "state": lambda: proposal.update(canceled_at=proposal.get().created_at),
        "tally": lambda: proposal.update(for_wei=7),
        "deadline": lambda: proposal.update(deadline_at=proposal.get().snapshot_at),
        "action": lambda: ProposalAction.objects.filter(proposal=opened.proposal_id).update(
            value_wei=1
        ),
        "vote split": lambda: votes.update(for_wei=1),
        "vote weight": lambda: votes.update(weight_wei=1),
        "vote lost": lambda: votes.delete(),
        "holder": lambda: ada.update(balance_wei=1),
        "holder's delegate": lambda: ada.update(delegate=b"\x09" * 20),
        "holder lost": lambda: ada.delete(),
        "delegate": lambda: delegate.update(power_wei=1),
        "delegate lost": lambda: delegate.delete(),
        "operation": lambda: TimelockOperation.objects.update(state="scheduled"),
        "setting": lambda: GovernorSettingChange.objects.filter(name="voting_period_s").update(
            new_value=1
        ),
        "guardian": lambda: GuardianTerm.objects.update(guardian=b"\x09" * 20),
    }[name]()


DAMAGES = {
    "state": [("proposal", "state", "state")],
    "tally": [("proposal", "for_wei", "proposalVotes")],
    "action": [("proposal", "actions", "hashProposal")],
    "vote split": [("proposal", "votes_for_wei", "proposalVotes")],
    "vote weight": [
        ("vote", "weight_wei", "usedVotes"),
        ("vote", "past_votes_wei", "getPastVotes"),
    ],
    "vote lost": [("proposal", "votes_against_wei", "proposalVotes")],
    "holder": [("holder", "total_wei", "totalSupply"), ("holder", "balance_wei", "balanceOf")],
    "holder's delegate": [("holder", "delegate", "delegates")],
    "holder lost": [("holder", "total_wei", "totalSupply")],
    "delegate": [("delegate", "power_wei", "getVotes")],
    "delegate lost": [("delegate", "power_wei", "getVotes")],
    "operation": [("operation", "ready_at", "getTimestamp")],
    "setting": [("setting", "value", "votingPeriod")],
    "guardian": [("setting", "address", "proposalGuardian")],
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_to_a_row_is_found_and_nothing_else(parliament: Any, name: str) -> None:
    damage(name, parliament)
    report = reconcile_run(ALL)
    assert seen(report) == DAMAGES[name]
    assert report.opened == findings_open().count() == len(DAMAGES[name])
    again = reconcile_run(ALL)
    assert (again.opened, again.closed, seen(again)) == (0, 0, DAMAGES[name])


def test_a_finding_is_closed_when_it_is_over_and_never_deleted(parliament: Any) -> None:
    opened = parliament[2]
    damage("tally", parliament)
    reconcile_run(Scope("proposal", proposal=2))
    finding = ReconcileFinding.objects.get()
    assert (finding.indexed, finding.chain) == ("7", str(99_990 * ALT))
    assert finding.proposal_id == opened.proposal_id
    assert bytes(finding.contract) == contract("AlthingGovernor").address
    Proposal.objects.filter(proposal_id=opened.proposal_id).update(for_wei=8)
    reconcile_run(Scope())
    finding.refresh_from_db()
    assert finding.closed_at is not None, "other values are another finding"
    assert findings_open().get().indexed == "8"
    Proposal.objects.filter(proposal_id=opened.proposal_id).update(for_wei=99_990 * ALT)
    report = reconcile_run(Scope())
    assert (report.closed, findings_open().count()) == (1, 0)
    assert ReconcileFinding.objects.count() == 2
    for act in (ReconcileFinding.objects.all().delete, lambda: finding_change(finding)):
        with pytest.raises(ProgrammingError, match="pgtrigger"), transaction.atomic():
            act()


def finding_change(finding: ReconcileFinding) -> None:
    ReconcileFinding.objects.filter(pk=finding.pk).update(chain="1")


def test_a_finding_of_a_row_that_left_the_index_is_closed(parliament: Any) -> None:
    damage("delegate", parliament)
    reconcile_run(ALL)
    TimelockOperation.objects.update(state="scheduled")
    reconcile_run(ALL)
    assert findings_open().count() == 2
    TimelockOperation.objects.all().delete()
    reconcile_run(Scope())
    assert findings_open().get().kind == "delegate"


def test_the_tick_comes_round_to_every_row(parliament: Any, monkeypatch: Any) -> None:
    from governance.reconcile import scopes

    monkeypatch.setattr(scopes, "PART", 2)
    damage("holder's delegate", parliament)
    rounds = Holder.objects.count() // 2 + 1
    for _ in range(rounds):
        reconcile_run(Scope())
    assert findings_open().get().field == "delegate"


@pytest.fixture
def liar(anvil_url: str) -> Any:
    """A client whose node answers some reads wrongly: ``lie(selector, word)``."""
    transport = FaultyTransport(HttpTransport(anvil_url))
    lies: dict[str, str] = {}
    send = transport.send

    def remember(body: bytes, *, timeout_s: float | None = None) -> bytes:
        request = json.loads(body)
        transport.asked = request if isinstance(request, list) else [request]  # type: ignore[attr-defined]
        return send(body, timeout_s=timeout_s)

    def spoil(methods: list[str], answer: Any) -> Any:
        answers = answer if isinstance(answer, list) else [answer]
        for request, item in zip(transport.asked, answers, strict=True):  # type: ignore[attr-defined]
            if request["method"] == "eth_call":
                item["result"] = lies.get(request["params"][0]["data"][:10], item.get("result"))
        return answer

    transport.send = remember  # type: ignore[method-assign]
    transport.spoil = spoil
    client = RpcClient(transport)
    client.deployless = False

    def lie(function: str, value: int) -> RpcClient:
        selector = contract("AlthingGovernor").selector(function)
        lies[f"0x{selector.hex()}"] = f"0x{value:064x}"
        return client

    yield lie
    transport.close()


def test_an_answer_of_the_chain_that_differs_is_found_whoever_is_wrong(
    parliament: Any, liar: Any
) -> None:
    report = reconcile_run(ALL, client=liar("proposalDeadline", 12345))
    assert seen(report) == [("proposal", "deadline_at", "proposalDeadline")] * 2
    assert {finding.chain for finding in findings_open()} == {"12345"}
    assert reconcile_run(ALL).closed == 2


def test_the_state_is_judged_at_the_block_and_not_by_the_clock(parliament: Any) -> None:
    dao, _, opened = parliament
    dao.close_vote()
    # The index has not seen the block that closed the vote: at its own block all agrees.
    assert seen(reconcile_run(ALL)) == []
    dao.index()
    assert dao.state(opened) is ProposalState.SUCCEEDED
    assert seen(reconcile_run(ALL)) == []


def test_at_an_older_block_only_what_has_not_changed_since(parliament: Any) -> None:
    dao = parliament[0]
    number = Cursor.objects.get().number
    dao.send(0, "AlthingToken", "transfer", (dao.accounts[2].address, ALT))
    dao.index()
    report = reconcile_run(Scope("all", block=number))
    assert report.block is not None
    assert report.block.number == number
    assert seen(report) == []
    full = reconcile_run(ALL)
    assert full.compared > report.compared
    with pytest.raises(ReconcileRefused) as caught:
        reconcile_run(Scope("all", block=10**7))
    assert caught.value.code == "reconcile_block_unknown"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"state": "halted_deep_reorg"}, "reconcile_halted"),
        ({"head_number": 10**6}, "reconcile_catching_up"),
        ({"hash": b"\x13" * 32}, "reconcile_block_gone"),
        (None, "reconcile_nothing_indexed"),
    ],
)
def test_where_nothing_can_be_compared_it_says_what_to_do(
    parliament: Any, change: dict[str, Any] | None, code: str
) -> None:
    if change is None:
        Cursor.objects.all().delete()
    else:
        Cursor.objects.update(**change)
    with pytest.raises(CommandError, match=code) as caught:
        call_command("reconcile", "--all", stdout=StringIO())
    assert str(caught.value).count(".") >= 2
    assert not ReconcileFinding.objects.exists()


def test_the_command_prints_what_differs_and_fails(parliament: Any) -> None:
    out = StringIO()
    call_command("reconcile", "--all", stdout=out)
    assert "0 differ" in out.getvalue()
    damage("tally", parliament)
    with pytest.raises(CommandError, match="1 values differ"):
        call_command("reconcile", "--proposal", "2", "--json", stdout=(out := StringIO()))
    found = json.loads(out.getvalue())
    assert found["differing"][0]["function"] == "proposalVotes"
    with pytest.raises(CommandError, match="reconcile_proposal_unknown"):
        call_command("reconcile", "--proposal", "99", stdout=StringIO())


def test_the_tick_runs_and_keeps_quiet_where_it_cannot(parliament: Any, settings: Any) -> None:
    from governance.tasks import reconcile_tick

    reconcile_tick()
    assert ReconcileRun.objects.get().scope == "open"
    Cursor.objects.update(state="halted_deep_reorg")
    reconcile_tick()
    settings.RPC_URL = "http://127.0.0.1:9"
    Cursor.objects.update(state="running")
    reconcile_tick()
    assert ReconcileRun.objects.count() == 1


def test_runs_that_found_nothing_are_forgotten_after_a_while(parliament: Any) -> None:
    from governance.reconcile import runs_expire

    damage("tally", parliament)
    reconcile_run(Scope())
    Proposal.objects.filter(proposal_id=parliament[2].proposal_id).update(for_wei=99_990 * ALT)
    for _ in range(3):
        reconcile_run(Scope())
    later = clock.now() + timedelta(minutes=1)
    assert runs_expire(before=later) == 2
    kept = ReconcileRun.objects.order_by("pk")
    assert [run.differing for run in kept] == [1, 0], "what differed, and where to go on"
