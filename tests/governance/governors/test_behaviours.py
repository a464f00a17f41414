"""What real governors do where a reader of events alone goes wrong: the facts, on the chain.

The projections are tested on the same governors (``test_projections.py``); here stands what the
contracts themselves say and emit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chain.contracts import codec_load
from config.embedded.anvil import RpcFailed
from tests.governance.governors.deploy import COMPOUND_DELAY_S, GUARDIAN_TERM_S
from tests.governance.governors.local import (
    ABSTAIN,
    AGAINST,
    FOR,
    GUARDIAN,
    HOLDER,
    HOLDER_TOKENS,
    PROPOSER,
    UNIT,
    WHALE,
    LocalGovernor,
)

pytestmark = pytest.mark.chain

PENDING, ACTIVE, CANCELED, DEFEATED, SUCCEEDED, QUEUED, EXPIRED, EXECUTED = range(8)
GRACE_S = 14 * 86_400
Factory = Callable[[str], LocalGovernor]


def names(governor: LocalGovernor, receipt: dict[str, Any]) -> list[str]:
    return [name for name, _ in governor.events(receipt)]


def test_bravo_cancels_again_and_emits_again(governor_factory: Factory) -> None:
    governor = governor_factory("bravo")
    proposal = governor.propose()
    governor.open_vote(proposal)
    for _ in range(3):
        assert names(governor, governor.cancel(proposal)) == ["ProposalCanceled"]
        assert governor.state(proposal) == CANCELED


def test_openzeppelin_cancels_once(governor_factory: Factory) -> None:
    for kind in ("oz4_timelock", "oz5_timelock"):
        governor = governor_factory(kind)
        proposal = governor.propose()
        assert names(governor, governor.cancel(proposal)) == ["ProposalCanceled"]
        with pytest.raises(RpcFailed):
            governor.cancel(proposal)
        assert governor.state(proposal) == CANCELED


@pytest.mark.parametrize("kind", ["oz4_timelock", "oz5_timelock", "oz5_fractional"])
def test_executed_at_the_timelock_the_governor_says_nothing(
    kind: str, governor_factory: Factory
) -> None:
    governor = governor_factory(kind)
    proposal = governor.queued()
    governor.wait_eta(proposal)
    receipt = governor.timelock_execute(proposal)
    assert names(governor, receipt) == []
    assert len(receipt["logs"]) >= 2
    assert governor.state(proposal) == EXECUTED
    assert governor.box_value() == 42


@pytest.mark.parametrize("kind", ["oz4_timelock", "oz5_timelock", "oz5_fractional"])
def test_cancelled_at_the_timelock_the_governor_says_nothing(
    kind: str, governor_factory: Factory
) -> None:
    governor = governor_factory(kind)
    proposal = governor.queued()
    receipt = governor.timelock_cancel(proposal)
    assert names(governor, receipt) == []
    assert governor.state(proposal) == CANCELED
    governor.chain.travel(10 * 86_400)
    assert governor.state(proposal) == CANCELED


@pytest.mark.parametrize("kind", ["oz4_timelock", "oz5_timelock", "compound_governor"])
def test_a_late_quorum_moves_the_deadline(kind: str, governor_factory: Factory) -> None:
    governor = governor_factory(kind)
    proposal = governor.propose()
    before = governor.deadline(proposal)
    governor.travel_to(before - 3)
    receipt = governor.vote(proposal)
    extended = [args for name, args in governor.events(receipt) if name == "ProposalExtended"]
    at = int(receipt["blockNumber"], 16)
    assert extended == [{"proposalId": proposal.id, "extendedDeadline": at + 20}]
    assert governor.deadline(proposal) == at + 20 > before
    governor.travel_to(before + 1)
    assert governor.state(proposal) == ACTIVE
    governor.close_vote(proposal)
    assert governor.state(proposal) == SUCCEEDED


def test_a_lowered_quorum_revives_a_defeated_proposal(governor_factory: Factory) -> None:
    """Neither event nor act touches the proposal itself."""
    governor = governor_factory("oz5_settable_quorum")
    proposal = governor.propose()
    governor.open_vote(proposal)
    governor.vote(proposal, who=3)
    governor.close_vote(proposal)
    assert governor.state(proposal) == DEFEATED
    setter = codec_load("GovernorOZ").events
    set_quorum = governor.chain.done(WHALE, governor.address, _set_quorum(100_000 * UNIT))
    assert names(governor, set_quorum) == ["QuorumUpdated"]
    assert len(setter) > 10
    assert governor.state(proposal) == SUCCEEDED
    governor.chain.done(WHALE, governor.address, _set_quorum(300_000 * UNIT))
    assert governor.state(proposal) == DEFEATED
    governor.chain.done(WHALE, governor.address, _set_quorum(1))
    governor.execute(proposal)
    assert governor.state(proposal) == EXECUTED


def _set_quorum(votes: int) -> bytes:
    from tests.governance.governors.compiled import compiled

    return compiled("OZ5SettableQuorum").codec.function("setQuorum").encode((votes,))


def test_a_super_quorum_ends_the_vote_and_emits_nothing(governor_factory: Factory) -> None:
    governor = governor_factory("oz5_super_quorum")
    proposal = governor.propose()
    governor.open_vote(proposal)
    governor.vote(proposal)
    assert governor.state(proposal) == ACTIVE
    receipt = governor.vote(proposal, who=WHALE)
    assert names(governor, receipt) == ["VoteCast"]
    assert governor.clock() < governor.deadline(proposal)
    assert governor.state(proposal) == SUCCEEDED


def test_a_holder_takes_its_tokens_back_from_a_delegates_vote(governor_factory: Factory) -> None:
    """The sum of VoteCast is wrong then: the delegate's vote counts less than it said."""
    governor = governor_factory("oz5_overridable")
    proposal = governor.propose()
    governor.open_vote(proposal)
    delegated = (300_000 + HOLDER_TOKENS) * UNIT
    cast = governor.events(governor.vote(proposal, who=2, support=FOR))
    assert cast[0][1]["weight"] == delegated
    receipt = governor.vote_override(proposal, HOLDER, AGAINST)
    assert names(governor, receipt) == ["VoteReduced", "OverrideVoteCast"]
    assert governor.tallies(proposal) == (HOLDER_TOKENS * UNIT, 300_000 * UNIT, 0)
    # Overridden before the delegate votes: then the vote itself is smaller.
    second = governor.propose(description="# Second")
    governor.open_vote(second)
    assert names(governor, governor.vote_override(second)) == ["OverrideVoteCast"]
    cast = governor.events(governor.vote(second, who=2))
    assert cast[0][1]["weight"] == 300_000 * UNIT
    assert governor.tallies(second) == (HOLDER_TOKENS * UNIT, 300_000 * UNIT, 0)


@pytest.mark.parametrize("kind", ["oz5_fractional", "compound_governor"])
def test_a_split_vote_is_cast_in_parts(kind: str, governor_factory: Factory) -> None:
    governor = governor_factory(kind)
    proposal = governor.propose()
    governor.open_vote(proposal)
    first = governor.vote_split(proposal, 2, 10 * UNIT, 20 * UNIT, 30 * UNIT)
    assert [(name, args["weight"]) for name, args in governor.events(first)] == [
        ("VoteCastWithParams", 60 * UNIT)
    ]
    governor.vote_split(proposal, 2, 0, 5 * UNIT, 0)
    assert governor.tallies(proposal) == (10 * UNIT, 25 * UNIT, 30 * UNIT)
    governor.vote(proposal, who=2, support=ABSTAIN)
    rest = (300_000 + HOLDER_TOKENS - 65 + 30) * UNIT
    assert governor.tallies(proposal) == (10 * UNIT, 25 * UNIT, rest)


@pytest.mark.parametrize(
    "kind", ["bravo", "oz4_bravo_compatible", "oz5_compound_timelock", "compound_governor"]
)
def test_compounds_timelock_lets_a_proposal_expire(kind: str, governor_factory: Factory) -> None:
    governor = governor_factory(kind)
    proposal = governor.queued()
    _, queued_at = governor.chain.block()
    eta = governor.eta(proposal)
    assert abs(eta - queued_at - COMPOUND_DELAY_S) <= 1
    governor.chain.travel(eta + GRACE_S - 1 - governor.chain.block()[1])
    assert governor.state(proposal) == QUEUED
    governor.chain.travel(1)
    assert governor.state(proposal) == EXPIRED


@pytest.mark.parametrize("kind", ["oz4_timelock", "oz5_timelock"])
def test_openzeppelins_timelock_never_does(kind: str, governor_factory: Factory) -> None:
    governor = governor_factory(kind)
    proposal = governor.queued()
    governor.chain.travel(5 * 365 * 86_400)
    assert governor.state(proposal) == QUEUED


def test_guardians_cancel_at_any_stage_and_compounds_until_its_term_ends(
    governor_factory: Factory,
) -> None:
    guarded = governor_factory("oz5_fractional")
    proposal = guarded.queued()
    guarded.cancel(proposal, who=GUARDIAN)
    assert guarded.state(proposal) == CANCELED
    compound = governor_factory("compound_governor")
    first = compound.queued()
    compound.cancel(first, who=GUARDIAN)
    assert compound.state(first) == CANCELED
    compound.chain.travel(GUARDIAN_TERM_S + 60)
    second = compound.propose(description="# After the guardian")
    with pytest.raises(RpcFailed):
        compound.cancel(second, who=GUARDIAN)
    compound.cancel(second, who=PROPOSER)
    assert compound.state(second) == CANCELED


def test_votes_for_alone_reach_bravos_quorum(governor_factory: Factory) -> None:
    """300,000 for and 500,000 abstaining: enough where both count, too few for Bravo."""
    for kind, state in (
        ("bravo", DEFEATED),
        ("oz4_bravo_compatible", DEFEATED),
        ("oz4_timelock", SUCCEEDED),
        ("oz5_timelock", SUCCEEDED),
    ):
        governor = governor_factory(kind)
        proposal = governor.propose()
        governor.open_vote(proposal)
        governor.vote(proposal, who=3, support=FOR)
        governor.vote(proposal, who=1, support=ABSTAIN)
        governor.close_vote(proposal)
        assert governor.state(proposal) == state, kind
