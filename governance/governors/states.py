"""What state a proposal of any governor is in, from its facts. Pure: no chain, no tables.

Sources: ``state`` of ``Governor``, ``GovernorTimelockControl`` and ``GovernorTimelockCompound`` in
OpenZeppelin Contracts 4 and 5, and of Compound's ``GovernorBravoDelegate``. The numbers are
``IGovernor.ProposalState``'s. Where a governor counts by a rule that is not known here, the answer
is None and the chain's own word stands alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from governance.governors.kinds import CountingMode, Family
from governance.state import ProposalState


class OperationState(StrEnum):
    """What a TimelockController's logs say of an operation."""

    NONE = "none"
    PENDING = "pending"
    DONE = "done"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class GovernorFacts:
    """What a state follows from. ``*_clock`` in the governor's clock, ``now_clock`` None where it
    is a custom one; votes in the token's smallest unit, None where unknown."""

    family: Family
    counting: CountingMode
    now_clock: int | None
    now_s: int
    snapshot_clock: int
    deadline_clock: int
    for_votes: int | None
    against_votes: int | None
    abstain_votes: int | None
    quorum_votes: int | None
    has_super_quorum: bool
    queued: bool
    eta_s: int | None
    grace_period_s: int | None
    executed: bool
    canceled: bool
    operation: OperationState


def governor_state(facts: GovernorFacts) -> ProposalState | None:
    """The state the facts give; None where they do not suffice."""
    ended = _ended(facts)
    if ended is not None:
        return ended
    if facts.now_clock is None:
        return None
    if facts.snapshot_clock >= facts.now_clock:
        return ProposalState.PENDING
    if facts.deadline_clock >= facts.now_clock:
        # A super quorum ends a vote early; by which votes, the governor alone says.
        return None if facts.has_super_quorum else ProposalState.ACTIVE
    if not facts.queued:
        passed = vote_passed(facts)
        if passed is None:
            return None
        return ProposalState.SUCCEEDED if passed else ProposalState.DEFEATED
    if facts.operation is OperationState.CANCELED:
        return ProposalState.CANCELED
    grace = facts.grace_period_s
    if facts.eta_s is not None and grace is not None and facts.now_s >= facts.eta_s + grace:
        return ProposalState.EXPIRED
    return ProposalState.QUEUED


def _ended(facts: GovernorFacts) -> ProposalState | None:
    # Bravo asks for "canceled" first; a proposal canceled after its execution cannot be.
    if facts.canceled and facts.family is Family.BRAVO:
        return ProposalState.CANCELED
    if facts.executed or facts.operation is OperationState.DONE:
        return ProposalState.EXECUTED
    return ProposalState.CANCELED if facts.canceled else None


def vote_passed(facts: GovernorFacts) -> bool | None:
    """More for than against, and the quorum reached by the votes that count towards it; None
    where the rule or a figure is not known."""
    in_favour, against = facts.for_votes, facts.against_votes
    if in_favour is None or against is None:
        return None
    if in_favour <= against:
        return False
    if facts.quorum_votes is None:
        return None
    sides = {"for": in_favour, "against": against, "abstain": facts.abstain_votes}
    counted = facts.counting.quorum or (("for",) if facts.family is Family.BRAVO else ())
    amounts = [sides.get(side) for side in counted]
    if not amounts or None in amounts:
        return None
    return sum(amount or 0 for amount in amounts) >= facts.quorum_votes
