"""The local governors themselves: each kind lives a whole life before anything is told of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.governance.governors.deploy import KINDS

PENDING, ACTIVE, CANCELED, DEFEATED, SUCCEEDED, QUEUED, EXPIRED, EXECUTED = range(8)
pytestmark = pytest.mark.chain


@pytest.mark.parametrize("kind", KINDS)
def test_a_proposal_of_every_kind_is_carried_out(kind: str, governor_factory: Any) -> None:
    governor = governor_factory(kind)
    proposal = governor.propose()
    assert governor.state(proposal) == PENDING
    governor.open_vote(proposal)
    assert governor.state(proposal) == ACTIVE
    governor.vote(proposal, reason="yes")
    governor.close_vote(proposal)
    assert governor.state(proposal) == SUCCEEDED
    if governor.timelock is not None:
        governor.queue(proposal)
        assert governor.state(proposal) == QUEUED
        governor.wait_eta(proposal)
    governor.execute(proposal)
    assert governor.state(proposal) == EXECUTED
    assert governor.box_value() == 42
    assert governor.tallies(proposal) == (0, 500_000 * 10**18, 0)
