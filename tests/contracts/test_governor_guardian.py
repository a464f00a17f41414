"""AlthingGovernor: the guardian, its term, and who may cancel what."""

from __future__ import annotations

import ape
import pytest
from support import (
    CONSTITUTIONAL_DELAY_S,
    DAY_S,
    TIMELOCK_DELAY_S,
    VOTING_DELAY_S,
    State,
    World,
    decide,
    guardian_call,
    now,
    payment_call,
    wait,
    wait_until,
)

pytestmark = pytest.mark.usefixtures("voters")


def test_proposer_cancels_while_pending(world: World):
    proposal = world.propose(payment_call(world), sender=world.holder)
    world.governor.cancel(*proposal.arguments, sender=world.holder)
    assert world.state(proposal) is State.CANCELED


def test_proposer_cannot_cancel_an_open_vote(world: World):
    proposal = world.propose(payment_call(world), sender=world.holder)
    wait(VOTING_DELAY_S + 1)
    with ape.reverts(world.governor.GovernorUnableToCancel):
        world.governor.cancel(*proposal.arguments, sender=world.holder)


def test_proposer_cannot_cancel_even_without_a_guardian(world: World):
    # OpenZeppelin's module would allow it.
    decide(world, guardian_call(world, "0x" + "00" * 20, 0))
    proposal = world.propose(payment_call(world), sender=world.holder)
    wait(VOTING_DELAY_S + 1)
    with ape.reverts(world.governor.GovernorUnableToCancel):
        world.governor.cancel(*proposal.arguments, sender=world.holder)


def test_guardian_cancels_a_queued_proposal_and_its_operation(world: World):
    proposal = world.propose(payment_call(world), sender=world.holder)
    world.pass_and_queue(proposal, world.holder)
    world.governor.cancel(*proposal.arguments, sender=world.guardian)
    assert world.state(proposal) is State.CANCELED
    wait(TIMELOCK_DELAY_S + CONSTITUTIONAL_DELAY_S)
    with ape.reverts(world.governor.GovernorUnexpectedProposalState):
        world.execute(proposal)


def test_stranger_cannot_cancel(world: World):
    proposal = world.propose(payment_call(world), sender=world.holder)
    with ape.reverts(world.governor.GovernorUnableToCancel):
        world.governor.cancel(*proposal.arguments, sender=world.stranger)


def test_guardian_cannot_stop_its_replacement(world: World):
    until = now() + 90 * DAY_S
    proposal = world.propose(
        guardian_call(world, world.accounts[7].address, until), sender=world.holder
    )
    world.pass_and_queue(proposal, world.holder)
    with ape.reverts(world.governor.GovernorUnableToCancel):
        world.governor.cancel(*proposal.arguments, sender=world.guardian)
    wait(TIMELOCK_DELAY_S + CONSTITUTIONAL_DELAY_S)
    world.execute(proposal)
    assert world.governor.isGuardian(world.accounts[7])
    assert not world.governor.isGuardian(world.guardian)
    assert world.governor.guardianUntil() == until


def test_guardian_stops_a_replacement_that_does_more(world: World):
    call = guardian_call(world, world.accounts[7].address, now() + DAY_S)
    proposal = world.propose(call, payment_call(world), sender=world.holder)
    world.governor.cancel(*proposal.arguments, sender=world.guardian)
    assert world.state(proposal) is State.CANCELED


def test_lapsed_guardian_is_none(world: World):
    until = world.governor.guardianUntil()
    wait_until(until - 1)
    assert world.governor.isGuardian(world.guardian)
    wait_until(until)
    assert not world.governor.isGuardian(world.guardian)
    proposal = world.propose(payment_call(world), sender=world.holder)
    with ape.reverts(world.governor.GovernorUnableToCancel):
        world.governor.cancel(*proposal.arguments, sender=world.guardian)


def test_nobody_is_the_guardian_when_none_is_set(world: World):
    decide(world, guardian_call(world, "0x" + "00" * 20, 0))
    assert not world.governor.isGuardian("0x" + "00" * 20)
    assert not world.governor.isGuardian(world.guardian)


@pytest.mark.parametrize("days", [-1, 367])
def test_guardian_term_has_an_end_within_a_year(world: World, days: int):
    call = guardian_call(world, world.accounts[7].address, now() + days * DAY_S)
    with ape.reverts(world.governor.AlthingGovernorGuardianTermInvalid):
        decide(world, call)


def test_inherited_guardian_setter_is_closed(world: World):
    data = world.governor.setProposalGuardian.encode_input(world.accounts[7])
    with ape.reverts(world.governor.AlthingGovernorGuardianNeedsTerm):
        decide(world, (world.governor, 0, data))
