"""AlthingGovernor: the way of a proposal and the rules beyond OpenZeppelin's."""

from __future__ import annotations

import ape
import pytest
from support import (
    ABSTAIN,
    AGAINST,
    ALT,
    CONSTITUTIONAL_DELAY_S,
    DAY_S,
    FOR,
    FRACTIONAL,
    LATE_EXTENSION_S,
    TIMELOCK_DELAY_S,
    VOTING_DELAY_S,
    VOTING_PERIOD_S,
    State,
    World,
    now,
    set_arguments,
    wait,
    wait_until,
    word,
)

EXPIRY_S = CONSTITUTIONAL_DELAY_S + 14 * DAY_S


@pytest.fixture
def world(world: World) -> World:
    """With three holders who vote."""
    world.delegate(world.accounts[0], world.holder, world.accounts[9])
    return world


def parameter_call(world: World, name: str = "attest.ttl", value: int = 2400):
    keys, values = set_arguments({name: value})
    before = [world.parameters.getVoted(key) for key in keys]
    return world.parameters, 0, world.parameters.set.encode_input(keys, before, values)


def payment_call(world: World):
    return world.token, 0, world.token.transfer.encode_input(world.stranger, ALT)


def guardian_call(world: World, guardian: str, until: int):
    return world.governor, 0, world.governor.setGuardian.encode_input(guardian, until)


def decide(world: World, *calls):
    """Have a proposal pass and execute it as soon as any may be."""
    proposal = world.propose(*calls, sender=world.holder, description=f"at {now()}")
    world.pass_and_queue(proposal, world.holder, world.accounts[0])
    wait(TIMELOCK_DELAY_S + CONSTITUTIONAL_DELAY_S)
    world.execute(proposal)


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
    with ape.reverts(
        world.governor.GovernorRestrictedProposer, proposer=world.accounts[0].address
    ):
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


# The guardian and cancelling


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


# Counting and quorum


def test_quorum_leaves_out_what_cannot_vote(world: World):
    # 750,000 exist, of which the treasury's 200,000 cannot vote.
    wait(1)
    assert world.governor.quorum(now() - 1) == 550_000 * ALT * 4 // 100


def test_quorum_leaves_out_stakes(world: World):
    world.fund(world.accounts[8], 1_000)
    before = world.governor.quorum(now() - 1)
    world.register(world.accounts[8], gpus=2)
    wait(2)
    assert world.governor.quorum(now() - 1) == before - 2 * 420 * ALT * 4 // 100


def test_abstaining_reaches_the_quorum_but_decides_nothing(world: World):
    proposal = world.propose(payment_call(world), sender=world.holder)
    world.vote(proposal, world.accounts[0], support=ABSTAIN)
    wait(VOTING_PERIOD_S + LATE_EXTENSION_S)
    assert world.state(proposal) is State.DEFEATED


def test_proposal_without_quorum_is_defeated(world: World):
    # Account 9 has 10,000 of the 22,000 needed.
    proposal = world.propose(payment_call(world), sender=world.holder)
    world.vote(proposal, world.accounts[9])
    wait(VOTING_PERIOD_S + LATE_EXTENSION_S)
    assert world.state(proposal) is State.DEFEATED


def test_late_quorum_extends_the_vote(world: World):
    proposal = world.propose(payment_call(world), sender=world.holder)
    deadline = world.governor.proposalDeadline(proposal.id)
    wait(VOTING_DELAY_S + VOTING_PERIOD_S - 3)
    receipt = world.governor.castVote(proposal.id, FOR, sender=world.holder)
    extended = world.governor.proposalDeadline(proposal.id)
    assert extended == receipt.timestamp + LATE_EXTENSION_S > deadline
    assert [log.extendedDeadline for log in receipt.events.filter(world.governor.ProposalExtended)]


def test_fractional_vote_splits_the_power(world: World):
    proposal = world.propose(payment_call(world), sender=world.holder)
    wait(VOTING_DELAY_S + 1)
    power = 70_000 * ALT
    parts = (power * 3 // 10, power * 6 // 10, power // 10)
    params = b"".join(part.to_bytes(16, "big") for part in parts)
    world.governor.castVoteWithReasonAndParams(
        proposal.id, FRACTIONAL, "split", params, sender=world.holder
    )
    assert tuple(world.governor.proposalVotes(proposal.id)) == parts
    with ape.reverts(world.governor.GovernorAlreadyCastVote):
        world.governor.castVote(proposal.id, AGAINST, sender=world.holder)


def test_vote_counts_at_the_snapshot(world: World):
    proposal = world.propose(payment_call(world), sender=world.holder)
    wait(VOTING_DELAY_S + 1)
    world.token.transfer(world.stranger, 70_000 * ALT, sender=world.holder)
    world.governor.castVote(proposal.id, FOR, sender=world.holder)
    assert world.governor.proposalVotes(proposal.id)[1] == 70_000 * ALT


def test_ballot_nonces_are_kept_per_proposal(world: World):
    proposal = world.propose(payment_call(world), sender=world.holder)
    key = proposal.id % 2**192
    assert world.governor.nonces(world.holder, key) >> 64 == key
    wait(VOTING_DELAY_S + 1)
    voter = world.accounts[0]
    signature = sign_ballot(world, voter, proposal.id, FOR)
    world.governor.castVoteBySig(proposal.id, FOR, voter, signature, sender=world.stranger)
    assert world.governor.hasVoted(proposal.id, voter)
    with ape.reverts(world.governor.GovernorInvalidSignature, voter=voter.address):
        world.governor.castVoteBySig(proposal.id, FOR, voter, signature, sender=world.stranger)


def sign_ballot(world: World, voter, proposal_id: int, support: int) -> bytes:
    """Sign Governor's EIP-712 ballot with the voter's nonce for this proposal."""
    from eth_account import Account

    domain = world.governor.eip712Domain()
    signed = Account.sign_typed_data(
        voter.private_key,
        domain_data={
            "name": domain[1],
            "version": domain[2],
            "chainId": domain[3],
            "verifyingContract": world.governor.address,
        },
        message_types={
            "Ballot": [
                {"name": "proposalId", "type": "uint256"},
                {"name": "support", "type": "uint8"},
                {"name": "voter", "type": "address"},
                {"name": "nonce", "type": "uint256"},
            ]
        },
        message_data={
            "proposalId": proposal_id,
            "support": support,
            "voter": voter.address,
            "nonce": world.governor.nonces(voter, proposal_id % 2**192),
        },
    )
    return bytes(signed.signature)


def test_timelock_executes_for_the_governor_alone(world: World):
    proposal = world.propose(parameter_call(world), sender=world.holder)
    world.pass_and_queue(proposal, world.holder)
    wait(TIMELOCK_DELAY_S)
    salt = bytes(
        a ^ b
        for a, b in zip(
            bytes.fromhex(world.governor.address[2:]).ljust(32, b"\0"),
            proposal.arguments[3],
            strict=True,
        )
    )
    arguments = (proposal.targets, proposal.values, proposal.calldatas, word(0), salt)
    for sender in (world.holder, world.guardian, world.accounts[0]):
        with ape.reverts(world.timelock.AccessControlUnauthorizedAccount):
            world.timelock.executeBatch(*arguments, sender=sender)
