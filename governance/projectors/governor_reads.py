"""What is read from a governor that is not ours, by family and clock."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chain.contracts import contract_at_name
from chain.projections import BlockHeader, Read
from governance.governors.kinds import Ballot, ClockMode, Family, QuorumForm
from governance.models import IndexedGovernor


def governor_read(governor: IndexedGovernor, function: str, *args: Any) -> Read:
    return Read(contract_at_name(governor.abi, bytes(governor.address)), function, args)


def has_bravo_views(governor: IndexedGovernor) -> bool:
    """Whether ``proposals(id)`` has a proposal's votes and times: Governor Bravo, and what is
    compatible with it (which has no ``proposalVotes``)."""
    return governor.family == Family.BRAVO or governor.ballot == Ballot.BRAVO


def quorum_read(governor: IndexedGovernor, snapshot: int) -> Read:
    if governor.quorum_form == QuorumForm.VOTES:
        return governor_read(governor, "quorumVotes")
    return governor_read(governor, "quorum", snapshot)


def proposal_reads(
    governor: IndexedGovernor, proposal_id: int, snapshot: int | None, block: BlockHeader
) -> Iterable[Read]:
    yield governor_read(governor, "state", proposal_id)
    if has_bravo_views(governor):
        yield governor_read(governor, "proposals", proposal_id)
    else:
        for function in ("proposalVotes", "proposalDeadline", "proposalEta"):
            yield governor_read(governor, function, proposal_id)
    now = clock_at(governor, block)
    # Before its snapshot a proposal has no quorum: the governor refuses to look ahead.
    if snapshot is not None and (now is None or snapshot < now):
        yield quorum_read(governor, snapshot)


def clock_at(governor: IndexedGovernor, block: BlockHeader) -> int | None:
    if governor.clock_mode == ClockMode.BLOCK:
        return block.number
    return block.timestamp if governor.clock_mode == ClockMode.TIMESTAMP else None
