"""The state of a proposal, derived from its facts and a time. Pure; no query, no clock.

The order of the tests is that of ``Governor.state`` and ``GovernorTimelockControl.state`` in
OpenZeppelin Contracts 5.7; the numbers are those of ``IGovernor.ProposalState``. ``EXPIRED``
is our governor's own rule: a queued proposal lapses after ``eta + C_DELAY + 14 days``.
"""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum
from typing import Protocol

#: Seconds a queued proposal stays executable after eta + C_DELAY (AlthingGovernor).
EXPIRY_S = 14 * 24 * 60 * 60


class ProposalState(IntEnum):
    """``IGovernor.ProposalState``."""

    PENDING = 0
    ACTIVE = 1
    CANCELED = 2
    DEFEATED = 3
    SUCCEEDED = 4
    QUEUED = 5
    EXPIRED = 6
    EXECUTED = 7

    @property
    def label(self) -> str:
        return self.name.capitalize()

    @property
    def slug(self) -> str:
        return self.name.lower()

    @property
    def is_final(self) -> bool:
        """No time and no transaction leads on from here."""
        return self in FINAL_STATES


FINAL_STATES = frozenset(
    {
        ProposalState.CANCELED,
        ProposalState.DEFEATED,
        ProposalState.EXPIRED,
        ProposalState.EXECUTED,
    }
)


class ProposalFacts(Protocol):
    """What the state depends on; ``governance.models.Proposal`` has it."""

    snapshot_at: datetime
    deadline_at: datetime
    eta_at: datetime | None
    expires_at: datetime | None
    executed_at: datetime | None
    canceled_at: datetime | None
    for_wei: int
    against_wei: int
    abstain_wei: int
    quorum_wei: int | None


def proposal_state(proposal: ProposalFacts, at: int) -> ProposalState:
    """The state at block time ``at`` (Unix seconds).

    The facts are those known now: asking for a time before the newest of them gives the state as
    if they had been known then. A quorum that is not read yet means the index has not passed the
    snapshot, so a proposal past its deadline stays ``ACTIVE`` until it is read.
    """
    if proposal.executed_at is not None:
        return ProposalState.EXECUTED
    if proposal.canceled_at is not None:
        return ProposalState.CANCELED
    if unix(proposal.snapshot_at) >= at:
        return ProposalState.PENDING
    if unix(proposal.deadline_at) >= at:
        return ProposalState.ACTIVE
    passed = vote_passed(proposal)
    if passed is None:
        return ProposalState.ACTIVE
    if not passed:
        return ProposalState.DEFEATED
    if proposal.eta_at is None:
        return ProposalState.SUCCEEDED
    if proposal.expires_at is not None and at > unix(proposal.expires_at):
        return ProposalState.EXPIRED
    return ProposalState.QUEUED


def vote_passed(proposal: ProposalFacts) -> bool | None:
    """Quorum reached (for + abstain) and for > against; None while the quorum is unknown."""
    if proposal.for_wei <= proposal.against_wei:
        return False
    if proposal.quorum_wei is None:
        return None
    return proposal.for_wei + proposal.abstain_wei >= proposal.quorum_wei


def next_change_at(proposal: ProposalFacts, at: int) -> int | None:
    """First block time (Unix seconds) after ``at`` at which time alone changes the state.

    None when only a transaction can. A boundary belongs to the earlier state, hence the + 1.
    """
    state = proposal_state(proposal, at)
    if state is ProposalState.PENDING:
        return unix(proposal.snapshot_at) + 1
    if state is ProposalState.ACTIVE:
        return max(unix(proposal.deadline_at) + 1, at + 1)
    if state is ProposalState.QUEUED and proposal.expires_at is not None:
        return unix(proposal.expires_at) + 1
    return None


def unix(moment: datetime) -> int:
    """Whole Unix seconds of an aware datetime."""
    return int(moment.timestamp())
