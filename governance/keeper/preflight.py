"""The last look at the chain before a step is signed, at one block for all questions."""

from __future__ import annotations

from chain import conf
from chain.client import call_simulate, chain_call, chain_head
from chain.contracts import deployment
from chain.errors_text import revert_sentence
from chain.models import Signer, TxIntent
from chain.outbox import AlreadyDone, Go, Reject, Wait, intent_kind_register
from chain.rpc.errors import ContractReverted
from chain.status import freshness
from governance.keeper.steps import (
    GOVERNOR,
    SIGNATURES,
    STEP_DONE,
    STEP_FROM,
    TIMELOCK,
    calldata_id,
    key_proposal_id,
)
from governance.models import Proposal
from governance.services.keeper_switch import keeper_switch_current
from governance.state import ProposalState

Verdict = Go | AlreadyDone | Wait | Reject


def register_intent_kinds() -> None:
    """Tell the outbox what the keeper may send, and how to check it. Called when apps are ready."""
    for step, signature in SIGNATURES.items():
        intent_kind_register(name=step, preflight=preflight, calls=((GOVERNOR, signature),))


def pause_sentence() -> str:
    """Why the keeper stands still; empty while it runs."""
    known = freshness()
    if known.state == "halted":
        return known.detail
    switch = keeper_switch_current()
    if switch is None or not switch.paused:
        return ""
    return f"Paused by {switch.changed_by.get_username()}: {switch.reason}"


def preflight(intent: TxIntent) -> Verdict:
    """Ask the chain, at its newest block, whether the step is still wanted and would work.

    Raises:
        RpcError: the node could not be asked; the outbox asks again.
    """
    paused = pause_sentence()
    if paused:
        return Wait(paused, TxIntent.Wait.PAUSED)
    step, number = intent.kind, key_proposal_id(intent.idem_key)
    if calldata_id(bytes(intent.data)) != number:
        return Reject("Its bytes are not those of the proposal. A person has to look.")
    # One block for every question: two answers of different blocks may contradict each other.
    block = chain_head().hash
    try:
        state = ProposalState(chain_call(GOVERNOR, "state", (number,), block))
    except ContractReverted as error:
        return Wait(revert_sentence(error))
    if state in STEP_DONE[step]:
        return AlreadyDone(f"Somebody else did it first: the proposal is {state.label}.")
    if state is not STEP_FROM[step]:
        return Reject(f"The proposal is {state.label}.")
    if step == "execute" and not _timelock_ready(number, block):
        return Wait("The timelock does not let it through yet.")
    try:
        call_simulate(
            to=intent.to,
            data=intent.data,
            sender=_sender(),
            value_wei=intent.value_wei,
            block=block,
        )
    except ContractReverted as error:
        reason = f"The simulation would revert: {revert_sentence(error)}"
        return Wait(reason, TxIntent.Wait.WOULD_REVERT)
    return Go()


def _timelock_ready(number: int, block: bytes) -> bool:
    proposal = Proposal.objects.filter(proposal_id=number).first()
    if proposal is None:
        return False  # a rebuild is under way
    operation = bytes(proposal.timelock_operation_id)
    return bool(chain_call(TIMELOCK, "isOperationReady", (operation,), block))


def _sender() -> bytes:
    """Any account may take the step, so without a signer yet the simulation may use any too."""
    signer = Signer.objects.filter(chain_id=conf.chain_id()).order_by("-ticked_at", "pk").first()
    return bytes(signer.address) if signer else deployment().address(GOVERNOR)
