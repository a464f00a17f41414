"""AlthingGovernor: quorum, kinds of votes and who executes."""

from __future__ import annotations

import ape
import pytest
from support import (
    ABSTAIN,
    AGAINST,
    ALT,
    FOR,
    FRACTIONAL,
    LATE_EXTENSION_S,
    TIMELOCK_DELAY_S,
    VOTING_DELAY_S,
    VOTING_PERIOD_S,
    State,
    World,
    now,
    parameter_call,
    payment_call,
    wait,
    word,
)

pytestmark = pytest.mark.usefixtures("voters")


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
