"""NodeRegistry: slashing as cases, from the bond to the payment."""

from __future__ import annotations

import ape
import pytest
from support import ALT, DAY_S, World, decide, now, short, wait, wait_until

DOWNTIME, CHALLENGE_FAIL, SPOOF = 0, 1, 2
OPEN, CONTESTED, UPHELD, REJECTED, DISMISSED = 1, 2, 3, 4, 5
BOND_ALT = 100
WINDOW_S, LIFETIME_S, UNBONDING_S = 7 * DAY_S, 60 * DAY_S, 14 * DAY_S
STAKE_WEI = 8 * 420 * ALT
TOTAL_WEI = (8 + 4 * 16) * 420 * ALT
ZERO = b"\0" * 32


@pytest.fixture
def operator(world: World):
    account = world.accounts[20]
    world.fund(account, 90_000)
    return account


@pytest.fixture
def reporter(world: World):
    account = world.accounts[21]
    world.fund(account, 5_000)
    return account


@pytest.fixture
def node(world: World, operator) -> bytes:
    """A node of eight H100 in a network of 72, a day later: the epoch began with all of them."""
    for index in range(4):
        world.register(operator, gpus=16, keys=b"other%d" % index)
    made = world.register(operator, gpus=8)
    next_epoch(world)
    return made


def next_epoch(world: World, count: int = 1) -> None:
    genesis = world.parameters.genesisAt()
    wait_until(genesis + ((now() - genesis) // DAY_S + count) * DAY_S)


def open_case(world: World, reporter, node: bytes, kind: int = SPOOF, evidence: str = "e") -> int:
    world.registry.openCase(node, kind, short(evidence), sender=reporter)
    return world.registry.caseCount()


def contest(world: World, case: int, operator, answer: str = "answer"):
    return world.registry.contestCase(case, short(answer), sender=operator)


def rule(world: World, case: int, *, upheld: bool = True, bps: int = 0):
    return world.registry.decideCase(case, upheld, bps, sender=world.as_timelock)


def upheld_case(world: World, reporter, operator, node: bytes, bps: int = 5_000) -> int:
    case = open_case(world, reporter, node)
    contest(world, case, operator)
    rule(world, case, bps=bps)
    return case


def held(world: World) -> int:
    return world.registry.totalStake() + world.registry.totalUnbonding()


# Opening


def test_opening_takes_the_bond_and_locks_the_kinds_share(world: World, reporter, node: bytes):
    before = world.token.balanceOf(reporter)
    receipt = world.registry.openCase(node, SPOOF, short("e"), sender=reporter)
    (event,) = receipt.events.filter(world.registry.CaseOpened)
    assert (event.caseId, event.nodeId, event.opener) == (1, node, reporter.address)
    assert (event.kind, event.evidenceHash) == (SPOOF, short("e"))
    assert (event.stake, event.maxBps, event.bond) == (STAKE_WEI, 5_000, BOND_ALT * ALT)
    assert event.contestableUntil == receipt.timestamp + WINDOW_S
    assert event.expiresAt == receipt.timestamp + LIFETIME_S == world.registry.caseExpiresAt(1)
    assert before - world.token.balanceOf(reporter) == BOND_ALT * ALT == world.registry.totalBonds()
    assert world.registry.lockedStake(node) == STAKE_WEI // 2
    assert world.registry.hasOpenCase(node)
    case = world.registry.nodeCase(1)
    assert (case.status, case.openedAt, case.reporterCutBps) == (OPEN, receipt.timestamp, 1_000)
    assert (case.debt, case.collected, case.answerHash) == (0, 0, ZERO)


@pytest.mark.parametrize(("kind", "share"), [(DOWNTIME, 0), (CHALLENGE_FAIL, 100), (SPOOF, 5_000)])
def test_each_kind_locks_its_own_share(world: World, reporter, node: bytes, kind: int, share: int):
    case = open_case(world, reporter, node, kind)
    assert world.registry.nodeCase(case).maxBps == share
    assert world.registry.lockedStake(node) == STAKE_WEI * share // 10_000


def test_opening_needs_a_node_that_exists(world: World, reporter):
    with ape.reverts(world.registry.NodeUnknown):
        open_case(world, reporter, short("nothing"))


def test_opening_needs_the_bond(world: World, node: bytes):
    with ape.reverts(world.token.ERC20InsufficientAllowance):
        open_case(world, world.holder, node)
    world.token.approve(world.registry, 10**30, sender=world.stranger)
    with ape.reverts(world.token.ERC20InsufficientBalance):
        open_case(world, world.stranger, node)


def test_evidence_is_used_once_by_its_opener(world: World, reporter, operator, node: bytes):
    open_case(world, reporter, node)
    with ape.reverts(world.registry.CaseEvidenceUsed, opener=reporter.address):
        open_case(world, reporter, node, CHALLENGE_FAIL)
    assert world.registry.evidenceUsed(reporter, short("e"))
    # A copy under another name is another case and leaves the original alone.
    assert not world.registry.evidenceUsed(operator, short("e"))
    open_case(world, operator, node)


def test_evidence_must_be_named(world: World, reporter, operator, node: bytes):
    with ape.reverts(world.registry.CaseHashInvalid):
        world.registry.openCase(node, SPOOF, ZERO, sender=reporter)
    case = open_case(world, reporter, node)
    with ape.reverts(world.registry.CaseHashInvalid):
        world.registry.contestCase(case, ZERO, sender=operator)


def test_many_cases_lock_no_more_than_the_largest(world: World, reporter, node: bytes):
    open_case(world, reporter, node, CHALLENGE_FAIL, "small")
    assert world.registry.lockedStake(node) == STAKE_WEI // 100
    for index in range(4):
        open_case(world, reporter, node, SPOOF, f"large{index}")
    assert world.registry.lockedStake(node) == STAKE_WEI // 2


def test_terms_are_those_of_the_opening(world: World, reporter, operator, node: bytes):
    case = open_case(world, reporter, node)
    world.set({"slash.spoof": 4_000, "slash.dispute_deposit": 125 * ALT})
    next_epoch(world, 5)
    contest(world, case, operator)
    rule(world, case, bps=5_000)
    assert world.registry.debtOf(node) == STAKE_WEI // 2
    assert world.registry.nodeCase(case).bond == BOND_ALT * ALT
    assert world.registry.nodeCase(open_case(world, reporter, node, evidence="f")).maxBps == 4_000


def test_unknown_case_is_refused(world: World, node: bytes):
    for call in (
        lambda: world.registry.contestCase(1, short("a"), sender=world.holder),
        lambda: rule(world, 1),
        lambda: world.registry.dismissCase(1, sender=world.holder),
        lambda: world.registry.collect(1, sender=world.holder),
    ):
        with ape.reverts(world.registry.CaseUnknown, caseId=1):
            call()
    with ape.reverts(world.registry.CaseUnknown):
        world.registry.nodeCase(0)


# Contesting


def test_operator_answers_once(world: World, reporter, operator, node: bytes):
    case = open_case(world, reporter, node)
    receipt = contest(world, case, operator)
    (event,) = receipt.events.filter(world.registry.CaseContested)
    assert (event.caseId, event.nodeId, event.answerHash) == (case, node, short("answer"))
    assert world.registry.nodeCase(case).status == CONTESTED
    with ape.reverts(world.registry.CaseAlreadyContested, caseId=case):
        contest(world, case, operator, "another")


@pytest.mark.parametrize("who", ["reporter", "attestor", "guardian"])
def test_answer_belongs_to_the_operator(world: World, reporter, node: bytes, who: str):
    case = open_case(world, reporter, node)
    caller = reporter if who == "reporter" else getattr(world, who)
    with ape.reverts(world.registry.CaseUnauthorized, caseId=case, caller=caller.address):
        contest(world, case, caller)


def test_answer_comes_inside_the_window(world: World, reporter, operator, node: bytes):
    first, second = (open_case(world, reporter, node, evidence=text) for text in "ab")
    wait_until(world.registry.nodeCase(first).contestableUntil - 2)
    contest(world, first, operator)
    until = world.registry.nodeCase(second).contestableUntil
    wait_until(until)
    with ape.reverts(world.registry.CaseWindowClosed, caseId=second, closedAt=until):
        contest(world, second, operator)


# Deciding


@pytest.mark.parametrize("who", ["attestor", "guardian", "holder"])
def test_decision_belongs_to_the_timelock(world: World, reporter, operator, node: bytes, who: str):
    case = open_case(world, reporter, node)
    contest(world, case, operator)
    with ape.reverts(world.registry.CaseUnauthorized, caseId=case):
        world.registry.decideCase(case, True, 1, sender=getattr(world, who))


def test_decision_waits_for_the_answer_or_the_window(world: World, reporter, node: bytes):
    case = open_case(world, reporter, node)
    until = world.registry.nodeCase(case).contestableUntil
    with ape.reverts(world.registry.CaseWindowOpen, caseId=case, until=until):
        rule(world, case, bps=1)
    wait_until(until - 1)
    rule(world, case, bps=1)
    assert world.registry.nodeCase(case).status == UPHELD


def test_upheld_case_makes_a_debt_and_pays_the_bond_back(
    world: World, reporter, operator, node: bytes
):
    case = open_case(world, reporter, node)
    contest(world, case, operator)
    before = world.token.balanceOf(reporter)
    receipt = rule(world, case, bps=2_500)
    (event,) = receipt.events.filter(world.registry.CaseDecided)
    assert (event.upheld, event.bps, event.debt) == (True, 2_500, STAKE_WEI // 4)
    assert world.token.balanceOf(reporter) - before == BOND_ALT * ALT
    assert world.registry.totalBonds() == 0
    # Only the debt stays locked; the stake is not touched yet.
    assert world.registry.lockedStake(node) == world.registry.debtOf(node) == STAKE_WEI // 4
    assert world.registry.node(node).stake == STAKE_WEI
    assert not world.registry.hasOpenCase(node)


def test_decision_takes_at_most_the_share_of_the_opening(
    world: World, reporter, operator, node: bytes
):
    case = open_case(world, reporter, node, CHALLENGE_FAIL)
    contest(world, case, operator)
    with ape.reverts(world.registry.CaseShareInvalid, bps=101, maxBps=100):
        rule(world, case, bps=101)
    rule(world, case, bps=100)
    assert world.registry.debtOf(node) == STAKE_WEI // 100


def test_downtime_can_be_upheld_and_takes_nothing(world: World, reporter, operator, node: bytes):
    case = open_case(world, reporter, node, DOWNTIME)
    contest(world, case, operator)
    rule(world, case)
    assert world.registry.nodeCase(case).status == UPHELD
    with ape.reverts(world.registry.CaseNothingOwed, caseId=case):
        world.registry.collect(case, sender=world.stranger)


def test_frivolous_case_loses_its_bond_to_the_treasury(
    world: World, reporter, operator, node: bytes
):
    case = open_case(world, reporter, node)
    contest(world, case, operator)
    with ape.reverts(world.registry.CaseShareInvalid, bps=1, maxBps=0):
        rule(world, case, upheld=False, bps=1)
    before = world.token.balanceOf(world.timelock)
    rule(world, case, upheld=False)
    assert world.token.balanceOf(world.timelock) - before == BOND_ALT * ALT
    assert world.registry.nodeCase(case).status == REJECTED
    assert world.registry.lockedStake(node) == world.registry.totalBonds() == 0


def test_ended_case_is_ended(world: World, reporter, operator, node: bytes):
    case = upheld_case(world, reporter, operator, node)
    wait(LIFETIME_S)
    for call in (
        lambda: contest(world, case, operator),
        lambda: rule(world, case),
        lambda: world.registry.dismissCase(case, sender=world.stranger),
    ):
        with ape.reverts(world.registry.CaseClosed, caseId=case, status=UPHELD):
            call()


def test_two_upheld_cases_take_no_more_than_what_was_locked(
    world: World, reporter, operator, node: bytes
):
    cases = [open_case(world, reporter, node, evidence=text) for text in "ab"]
    for case in cases:
        contest(world, case, operator)
        rule(world, case, bps=4_000)
    # 40 % and what was left of the 50 %.
    assert [world.registry.nodeCase(case).debt for case in cases] == [
        STAKE_WEI * 4 // 10,
        STAKE_WEI // 10,
    ]
    assert world.registry.debtOf(node) == STAKE_WEI // 2


def test_case_after_a_decision_is_a_share_of_what_is_not_owed(
    world: World, reporter, operator, node: bytes
):
    upheld_case(world, reporter, operator, node)
    case = open_case(world, reporter, node, evidence="next")
    assert world.registry.nodeCase(case).stake == STAKE_WEI // 2
    assert world.registry.lockedStake(node) == STAKE_WEI * 3 // 4


def test_decision_by_a_vote_is_routine(world: World, reporter, operator, node: bytes, voters):
    case = open_case(world, reporter, node)
    contest(world, case, operator)
    data = world.registry.decideCase.encode_input(case, True, 5_000)
    proposal = world.propose((world.registry, 0, data), sender=world.holder)
    assert not world.governor.isConstitutional(proposal.id)
    decide(world, (world.registry, 0, data))
    assert world.registry.nodeCase(case).status == UPHELD


# Running out


def test_case_that_nobody_decides_is_dismissed_by_anyone(world: World, reporter, node: bytes):
    case = open_case(world, reporter, node)
    expires_at = world.registry.caseExpiresAt(case)
    wait_until(expires_at - 2)
    with ape.reverts(world.registry.CaseNotExpired, caseId=case, until=expires_at):
        world.registry.dismissCase(case, sender=world.stranger)
    wait_until(expires_at - 1)
    before = world.token.balanceOf(reporter)
    world.registry.dismissCase(case, sender=world.stranger)
    assert world.token.balanceOf(reporter) - before == BOND_ALT * ALT
    assert world.registry.nodeCase(case).status == DISMISSED
    assert world.registry.lockedStake(node) == 0


def test_case_that_ran_out_is_not_decided_any_more(world: World, reporter, operator, node: bytes):
    first, second = (open_case(world, reporter, node, evidence=text) for text in "ab")
    wait_until(world.registry.caseExpiresAt(first) - 2)
    rule(world, first, bps=1)
    expires_at = world.registry.caseExpiresAt(second)
    wait_until(expires_at)
    with ape.reverts(world.registry.CaseExpired, caseId=second, closedAt=expires_at):
        rule(world, second, bps=1)


def test_lock_ends_even_when_nobody_dismisses(world: World, reporter, node: bytes):
    case = open_case(world, reporter, node)
    wait_until(world.registry.caseExpiresAt(case))
    assert world.registry.lockedStake(node) == 0
    assert not world.registry.hasOpenCase(node)
    # The next case begins anew, and ending the old one leaves it alone.
    open_case(world, reporter, node, CHALLENGE_FAIL, "next")
    assert world.registry.lockedStake(node) == STAKE_WEI // 100
    world.registry.dismissCase(case, sender=world.stranger)
    assert world.registry.lockedStake(node) == STAKE_WEI // 100


# Collecting


def test_collecting_pays_treasury_and_reporter(world: World, reporter, operator, node: bytes):
    case = upheld_case(world, reporter, operator, node, bps=2_000)
    debt = STAKE_WEI // 5
    treasury, cut = world.token.balanceOf(world.timelock), world.token.balanceOf(reporter)
    receipt = world.registry.collect(case, sender=world.stranger)
    (event,) = receipt.events.filter(world.registry.DebtCollected)
    assert (event.amount, event.cut, event.owed) == (debt, debt // 10, 0)
    assert world.token.balanceOf(world.timelock) - treasury == debt - debt // 10
    assert world.token.balanceOf(reporter) - cut == debt // 10
    assert world.registry.node(node).stake == STAKE_WEI - debt
    assert world.registry.totalStake() == TOTAL_WEI - debt
    assert world.registry.debtOf(node) == world.registry.lockedStake(node) == 0
    assert not world.registry.isCovered(node)
    with ape.reverts(world.registry.CaseNothingOwed, caseId=case):
        world.registry.collect(case, sender=world.stranger)


def test_nothing_is_owed_before_a_decision(world: World, reporter, node: bytes):
    case = open_case(world, reporter, node)
    with ape.reverts(world.registry.CaseNothingOwed, caseId=case):
        world.registry.collect(case, sender=world.stranger)


def test_collecting_keeps_to_the_cap_of_an_epoch(world: World, reporter, operator, node: bytes):
    case = upheld_case(world, reporter, operator, node)
    cap = TOTAL_WEI * 3 // 100
    debt = STAKE_WEI // 2
    assert cap < debt < 2 * cap
    assert world.registry.collectable() == cap
    world.registry.collect(case, sender=world.stranger)
    assert world.registry.debtOf(node) == debt - cap
    assert world.registry.collectable() == 0
    with ape.reverts(world.registry.CaseCapReached, caseId=case):
        world.registry.collect(case, sender=world.stranger)
    next_epoch(world)
    world.registry.collect(case, sender=world.stranger)
    assert world.registry.debtOf(node) == 0
    assert world.registry.nodeCase(case).collected == debt


def test_cap_is_of_what_was_held_when_the_epoch_began(
    world: World, reporter, operator, node: bytes
):
    cap = world.registry.collectable()
    assert cap == TOTAL_WEI * 3 // 100
    world.register(operator, gpus=16, keys=b"late")
    world.registry.requestExit(world.registry.nodeIdAt(0), sender=operator)
    assert world.registry.collectable() == cap
    next_epoch(world)
    # What is unbonding is held still.
    assert world.registry.collectable() == (TOTAL_WEI + 16 * 420 * ALT) * 3 // 100
    wait(UNBONDING_S)
    before = world.registry.collectable()
    world.registry.withdraw(world.registry.nodeIdAt(0), operator, sender=operator)
    assert world.registry.collectable() == before
    next_epoch(world)
    assert world.registry.collectable() == TOTAL_WEI * 3 // 100


def test_nothing_is_collected_in_the_first_epoch(world: World, reporter, operator):
    node = world.register(operator, gpus=8)
    case = upheld_case(world, reporter, operator, node)
    with ape.reverts(world.registry.CaseCapReached, caseId=case, epoch=0):
        world.registry.collect(case, sender=world.stranger)


def test_collecting_keeps_to_the_cap_of_thirty_days(world: World, reporter, operator, node: bytes):
    others = [world.registry.nodeIdAt(index) for index in range(4)]
    cases = [
        upheld_case_of(world, reporter, operator, other, f"case{index}")
        for index, other in enumerate(others)
    ]
    total, taken, first_at = TOTAL_WEI, 0, now()
    for _ in range(8):
        taken += collect_what_may(world, cases)
        next_epoch(world)
    # Three, three, ... hundredths of ever less, until fifteen hundredths of what is left.
    left = held(world)
    assert left == total - taken
    assert left * 15 // 100 - 3 * ALT <= taken <= total * 15 // 100
    assert world.registry.collectable() == 0
    next_epoch(world, 31 - (now() - first_at) // DAY_S)
    assert world.registry.collectable() > 0


def upheld_case_of(world: World, reporter, operator, node: bytes, evidence: str) -> int:
    case = open_case(world, reporter, node, evidence=evidence)
    contest(world, case, operator)
    rule(world, case, bps=5_000)
    return case


def collect_what_may(world: World, cases: list[int]) -> int:
    before = held(world)
    for case in cases:
        if world.registry.collectable() == 0:
            break
        entry = world.registry.nodeCase(case)
        if entry.debt > entry.collected:
            world.registry.collect(case, sender=world.stranger)
    return before - held(world)


# Leaving under a case


def test_exit_under_a_case_pays_what_is_not_locked(world: World, reporter, operator, node: bytes):
    case = open_case(world, reporter, node)
    world.registry.requestExit(node, sender=operator)
    wait(UNBONDING_S)
    before = world.token.balanceOf(operator)
    world.registry.withdraw(node, operator, sender=operator)
    assert world.token.balanceOf(operator) - before == STAKE_WEI // 2
    assert world.registry.status(node) == 3
    with ape.reverts(world.registry.NodeStakeLocked, nodeId=node, stake=STAKE_WEI // 2):
        world.registry.withdraw(node, operator, sender=operator)
    # Nobody decides and nobody dismisses: the rest is free all the same.
    wait_until(world.registry.caseExpiresAt(case))
    world.registry.withdraw(node, operator, sender=operator)
    assert world.token.balanceOf(operator) - before == STAKE_WEI
    assert world.registry.status(node) == 4


def test_exit_with_a_debt_pays_the_rest(world: World, reporter, operator, node: bytes):
    case = upheld_case(world, reporter, operator, node)
    world.registry.requestExit(node, sender=operator)
    wait(UNBONDING_S)
    before = world.token.balanceOf(operator)
    world.registry.withdraw(node, operator, sender=operator)
    assert world.token.balanceOf(operator) - before == STAKE_WEI // 2
    while world.registry.debtOf(node):
        world.registry.collect(case, sender=world.stranger)
        next_epoch(world)
    # What was left of the queue went to the treasury, so the node is gone.
    assert world.registry.status(node) == 4
    assert world.registry.unbonds(node) == []
    with ape.reverts(world.registry.NodeNothingToWithdraw, withdrawableAt=0):
        world.registry.withdraw(node, operator, sender=operator)


def test_debt_is_taken_from_the_newest_unbonding_first(
    world: World, reporter, operator, node: bytes
):
    world.registry.addStake(node, 900 * ALT, sender=operator)
    for amount in (500, 400):
        world.registry.requestUnstake(node, amount * ALT, sender=operator)
    case = open_case(world, reporter, node)
    contest(world, case, operator)
    debt = (STAKE_WEI + 900 * ALT) * 1_500 // 10_000
    rule(world, case, bps=1_500)
    assert 400 * ALT < debt < 900 * ALT
    world.registry.collect(case, sender=world.stranger)
    (left,) = world.registry.unbonds(node)
    assert left.amount == 900 * ALT - debt
    assert world.registry.node(node).stake == STAKE_WEI
    assert world.registry.totalUnbonding() == 900 * ALT - debt


def test_unstaking_under_a_case_leaves_the_lock(world: World, reporter, operator, node: bytes):
    world.registry.addStake(node, 5_000 * ALT, sender=operator)
    case = open_case(world, reporter, node)
    locked = (STAKE_WEI + 5_000 * ALT) // 2
    world.registry.requestUnstake(node, 5_000 * ALT, sender=operator)
    wait(UNBONDING_S)
    before = world.token.balanceOf(operator)
    world.registry.withdraw(node, operator, sender=operator)
    assert world.token.balanceOf(operator) - before == STAKE_WEI + 5_000 * ALT - locked
    wait_until(world.registry.caseExpiresAt(case))
    world.registry.withdraw(node, operator, sender=operator)
    assert world.token.balanceOf(operator) - before == 5_000 * ALT


def test_case_can_be_opened_until_the_stake_is_free(world: World, reporter, operator, node: bytes):
    receipt = world.registry.requestExit(node, sender=operator)
    free_at = receipt.timestamp + UNBONDING_S
    wait_until(free_at - 2)
    case = open_case(world, reporter, node)
    assert world.registry.lockedStake(node) == STAKE_WEI // 2
    with ape.reverts(world.registry.CaseNodeGone, nodeId=node, closedAt=free_at):
        open_case(world, reporter, node, evidence="late")
    wait_until(free_at + LIFETIME_S)
    world.registry.withdraw(node, operator, sender=operator)
    assert world.registry.status(node) == 4
    with ape.reverts(world.registry.CaseNodeGone):
        open_case(world, reporter, node, evidence="late")
    # The bond still comes back.
    world.registry.dismissCase(case, sender=world.stranger)
    assert world.registry.totalBonds() == 0


def test_node_that_lost_everything_can_leave(world: World, reporter, operator, node: bytes):
    everything_at_stake(world)
    case = open_case(world, reporter, node)
    contest(world, case, operator)
    rule(world, case, bps=10_000)
    while world.registry.debtOf(node):
        if world.registry.collectable():
            world.registry.collect(case, sender=world.stranger)
        next_epoch(world)
    assert world.registry.node(node).stake == 0
    world.registry.requestExit(node, sender=operator)
    with ape.reverts(world.registry.NodeNothingToWithdraw):
        world.registry.withdraw(node, operator, sender=operator)
    wait(UNBONDING_S)
    world.registry.withdraw(node, operator, sender=operator)
    assert world.registry.status(node) == 4


def everything_at_stake(world: World) -> None:
    """Vote by vote, until one case may take all of a node's stake."""
    for share in range(6_000, 10_001, 1_000):
        wait(30 * DAY_S)
        world.set({"slash.case_max": share})
        wait(30 * DAY_S)
        world.set({"slash.spoof": share})
    wait(30 * DAY_S)
    next_epoch(world)


# Suspension


def suspend(world: World, node: bytes):
    receipt = world.registry.suspend(node, short("spoof"), short("e"), sender=world.attestor)
    (event,) = receipt.events.filter(world.registry.NodeSuspended)
    wait_until(event.until)
    return event.until - receipt.timestamp


def test_accused_node_may_be_suspended_for_longer(world: World, reporter, operator):
    for index in range(8):
        world.register(operator, gpus=16, keys=b"large%d" % index)
    node = world.register(operator, gpus=2)
    case = open_case(world, reporter, node)
    assert [suspend(world, node) for _ in range(4)] == [72 * 3_600] * 4
    rule(world, case, upheld=False)
    with ape.reverts(world.registry.NodeSuspensionTimeExceeded, used=12 * DAY_S, max=7 * DAY_S):
        suspend(world, node)
