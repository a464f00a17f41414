"""AlthingGovernor: the way of a proposal and the rules beyond OpenZeppelin's."""

from __future__ import annotations

import ape
import pytest
from support import (
    ALT,
    CONSTITUTIONAL_DELAY_S,
    DAY_S,
    FOR,
    LATE_EXTENSION_S,
    TIMELOCK_DELAY_S,
    VOTING_DELAY_S,
    VOTING_PERIOD_S,
    State,
    World,
    decide,
    parameter_call,
    payment_call,
    wait,
    wait_until,
)

EXPIRY_S = CONSTITUTIONAL_DELAY_S + 14 * DAY_S


pytestmark = pytest.mark.usefixtures("voters")


def test_nominal_way_changes_a_parameter(world: World):
    proposal = world.propose(parameter_call(world), sender=world.holder)
    assert world.state(proposal) is State.PENDING
    wait(VOTING_DELAY_S + 1)
    assert world.state(proposal) is State.ACTIVE
    world.governor.castVote(proposal.id, FOR, sender=world.holder)
    wait(VOTING_PERIOD_S + LATE_EXTENSION_S)
    assert world.state(proposal) is State.SUCCEEDED
    world.governor.queue(*proposal.arguments, sender=world.stranger)
    assert world.state(proposal) is State.QUEUED
    wait(TIMELOCK_DELAY_S)
    receipt = world.execute(proposal)
    assert world.state(proposal) is State.EXECUTED
    assert world.value("attest.ttl") == 2400
    names = [log.event_name for log in receipt.decode_logs()]
    assert names.index("ParameterChanged") < names.index("ProposalExecuted")


def test_execute_reverts_the_second_time(world: World):
    proposal = world.propose(parameter_call(world), sender=world.holder)
    world.pass_and_queue(proposal, world.holder)
    wait(TIMELOCK_DELAY_S)
    world.execute(proposal)
    with ape.reverts(world.governor.GovernorUnexpectedProposalState):
        world.execute(proposal)


def test_propose_reverts_below_the_threshold(world: World):
    with ape.reverts(world.governor.GovernorInsufficientProposerVotes, votes=0, threshold=ALT):
        world.propose(payment_call(world), sender=world.stranger)


def test_propose_reverts_for_another_than_the_named_proposer(world: World):
    description = f"Mine #proposer={world.holder.address}"
    with ape.reverts(world.governor.GovernorRestrictedProposer, proposer=world.accounts[0].address):
        world.propose(payment_call(world), sender=world.accounts[0], description=description)
    world.propose(payment_call(world), sender=world.holder, description=description)


# Routine and constitutional


def test_parameter_set_is_routine(world: World):
    proposal = world.propose(parameter_call(world), sender=world.holder)
    assert not world.governor.isConstitutional(proposal.id)


def test_one_other_call_makes_a_proposal_constitutional(world: World):
    proposal = world.propose(parameter_call(world), payment_call(world), sender=world.holder)
    assert world.governor.isConstitutional(proposal.id)


@pytest.mark.parametrize("data", [b"", b"\x70\x19\x52"])
def test_plain_payment_is_constitutional(world: World, data: bytes):
    # Not even the start of a routine selector makes a call routine.
    proposal = world.propose((world.parameters, 0, data), sender=world.holder)
    assert world.governor.isConstitutional(proposal.id)


def test_constitutional_proposal_waits_longer(world: World):
    proposal = world.propose(payment_call(world), sender=world.holder)
    world.pass_and_queue(proposal, world.holder)
    eta = world.governor.proposalEta(proposal.id)
    executable_at = eta + CONSTITUTIONAL_DELAY_S
    assert world.governor.proposalExecutableAt(proposal.id) == executable_at
    wait(TIMELOCK_DELAY_S + 1)
    with ape.reverts(
        world.governor.AlthingGovernorConstitutionalDelay,
        proposalId=proposal.id,
        executableAt=executable_at,
    ):
        world.execute(proposal)
    wait(CONSTITUTIONAL_DELAY_S)
    world.execute(proposal)
    assert world.token.balanceOf(world.stranger) == ALT


def test_routine_proposal_waits_for_the_timelock_only(world: World):
    proposal = world.propose(parameter_call(world), sender=world.holder)
    world.pass_and_queue(proposal, world.holder)
    eta = world.governor.proposalEta(proposal.id)
    assert world.governor.proposalExecutableAt(proposal.id) == eta
    with ape.reverts(world.timelock.TimelockUnexpectedOperationState):
        world.execute(proposal)
    wait(TIMELOCK_DELAY_S)
    world.execute(proposal)


def test_set_routine_is_decided_by_vote(world: World):
    selector = world.token.transfer.encode_input(world.stranger, 1)[:4]
    arguments = (world.token.address, selector, True)
    with ape.reverts(world.governor.GovernorOnlyExecutor, account=world.holder.address):
        world.governor.setRoutine(*arguments, sender=world.holder)
    decide(world, (world.governor, 0, world.governor.setRoutine.encode_input(*arguments)))
    assert world.governor.routine(world.token, selector)


@pytest.mark.parametrize("guard", ["governor", "timelock"])
def test_set_routine_never_takes_the_guards(world: World, guard: str):
    target = getattr(world, guard).address
    data = world.governor.setRoutine.encode_input(target, b"\1\2\3\4", True)
    with ape.reverts(world.governor.AlthingGovernorNeverRoutine, target=target):
        decide(world, (world.governor, 0, data))


# Expiry


def test_queued_proposal_expires(world: World):
    proposal = world.propose(parameter_call(world), sender=world.holder)
    world.pass_and_queue(proposal, world.holder)
    expires_at = world.governor.proposalEta(proposal.id) + EXPIRY_S
    assert world.governor.proposalExpiresAt(proposal.id) == expires_at
    wait_until(expires_at)
    assert world.state(proposal) is State.QUEUED
    wait_until(expires_at + 1)
    assert world.state(proposal) is State.EXPIRED
    with ape.reverts(world.governor.GovernorUnexpectedProposalState):
        world.execute(proposal)


def test_succeeded_proposal_does_not_expire(world: World):
    proposal = world.propose(parameter_call(world), sender=world.holder)
    world.vote(proposal, world.holder)
    wait(VOTING_PERIOD_S + EXPIRY_S + 1)
    assert world.state(proposal) is State.SUCCEEDED
