"""The two steps the keeper takes, as bytes: queue, then execute."""

from __future__ import annotations

from chain import conf
from chain.contracts import contract, deployment
from chain.proposal_id import proposal_id
from chain.signatures import keccak
from governance.models import Proposal
from governance.state import ProposalState

GOVERNOR, TIMELOCK = "AlthingGovernor", "TimelockController"
#: Full signatures: the governor has a ``queue(uint256)`` too, which trusts what it stored.
SIGNATURES = {
    "queue": "queue(address[],uint256[],bytes[],bytes32)",
    "execute": "execute(address[],uint256[],bytes[],bytes32)",
}
#: The state a step is taken from, and those in which it is done.
STEP_FROM = {"queue": ProposalState.SUCCEEDED, "execute": ProposalState.QUEUED}
STEP_DONE = {
    "queue": (ProposalState.QUEUED, ProposalState.EXECUTED),
    "execute": (ProposalState.EXECUTED,),
}


def stored_id(proposal: Proposal) -> int:
    """The proposal id, recomputed from the stored raw bytes."""
    actions = sorted(proposal.actions.all(), key=lambda action: action.index)
    return proposal_id(
        targets=[bytes(action.target) for action in actions],
        values_wei=[action.value_wei for action in actions],
        calldatas=[bytes(action.calldata) for action in actions],
        description=proposal.description_bytes,
    )


def step_calldata(proposal: Proposal, step: str) -> bytes:
    """``queue`` or ``execute`` with the proposal's whole content, so that only it can be meant."""
    actions = sorted(proposal.actions.all(), key=lambda action: action.index)
    return contract(GOVERNOR).encode(
        SIGNATURES[step],
        (
            tuple(bytes(action.target) for action in actions),
            tuple(action.value_wei for action in actions),
            tuple(bytes(action.calldata) for action in actions),
            bytes(proposal.description_hash),
        ),
    )


def calldata_id(data: bytes) -> int:
    """The id of the proposal that a step's calldata takes on.

    The arguments of both steps are ABI-encoded exactly as ``Governor.hashProposal`` encodes what
    it hashes, so the bytes after the selector hash to the id, and any other bytes do not.
    """
    return int.from_bytes(keccak(bytes(data[4:])), "big")


def idem_key(proposal: Proposal, step: str, retry: int = 0) -> str:
    """One effect, one key; ``retry`` counts intents that ended without the effect."""
    governor = deployment().address(GOVERNOR).hex()
    prefix = {"queue": "queue", "execute": "exec"}[step]
    key = f"{prefix}:{conf.chain_id()}:{governor}:{proposal.proposal_id}"
    return f"{key}:{retry}" if retry else key


def key_proposal_id(key: str) -> int:
    """The proposal id in an ``idem_key``."""
    return int(key.split(":")[3])
