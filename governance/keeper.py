"""The keeper: queues and executes what the vote decided, through the outbox.

It decides nothing: the chain checks every step again, and anyone else may take it first. One
tick looks at every passed proposal, submits the step that is due once, and writes down why the
others wait. Nothing is sent on the database's word alone: the proposal's id is recomputed from
the stored raw bytes, and ``preflight`` asks the chain just before signing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chain import clock, conf
from chain.addresses import to_checksum
from chain.client import call_simulate, chain_call
from chain.contracts import contract, deployment
from chain.errors_text import revert_sentence
from chain.formatting import duration_text
from chain.models import Signer, TxAttempt, TxIntent
from chain.outbox import (
    AlreadyDone,
    Go,
    Reject,
    Wait,
    intent_kind_register,
    intent_submit,
)
from chain.proposal_id import proposal_id
from chain.rpc.errors import ContractReverted, RpcError
from chain.status import freshness
from governance.models import KeeperNote, Proposal, TransactionSender
from governance.selectors import chain_time, proposals_in
from governance.services.keeper_switch import keeper_switch_current
from governance.state import ProposalState, proposal_state, unix

GOVERNOR = "AlthingGovernor"
#: Full signatures: the governor has a ``queue(uint256)`` too, which trusts what it stored.
SIGNATURES = {
    "queue": "queue(address[],uint256[],bytes[],bytes32)",
    "execute": "execute(address[],uint256[],bytes[],bytes32)",
}
#: Times one step is submitted again after an intent ended without its effect (a reorganisation
#: took back somebody else's execution, or ours was mined and failed).
RETRIES_MAX = 5

_CLOSED_WITHOUT_EFFECT = (
    TxIntent.State.FINALIZED_REVERTED,
    TxIntent.State.FINALIZED_CANCELED,
    TxIntent.State.REJECTED,
    TxIntent.State.SATISFIED_EXTERNALLY,
    TxIntent.State.NONCE_STOLEN,
)
_STEP_DONE = {
    "queue": (ProposalState.QUEUED, ProposalState.EXECUTED),
    "execute": (ProposalState.EXECUTED,),
}
_STEP_FROM = {"queue": ProposalState.SUCCEEDED, "execute": ProposalState.QUEUED}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the keeper found for one proposal; becomes its ``KeeperNote``."""

    step: str
    code: str
    sentence: str
    wait_until: datetime | None = None


def register_intent_kinds() -> None:
    """Tell the outbox what the keeper may send, and how to check it. Called when apps are ready."""
    for step, signature in SIGNATURES.items():
        intent_kind_register(name=step, preflight=preflight, calls=((GOVERNOR, signature),))


def keeper_tick() -> int:
    """Look at every passed proposal once; return how many intents were submitted."""
    at = chain_time()
    submitted = 0
    due = proposals_in((ProposalState.SUCCEEDED, ProposalState.QUEUED), at)
    for proposal in due.prefetch_related("actions").order_by("number"):
        judgement, is_new = _consider(proposal, at)
        submitted += is_new
        _note(proposal, judgement)
    _notes_settle(at)
    return submitted


def _consider(proposal: Proposal, at: int) -> tuple[Judgement, bool]:
    state = proposal_state(proposal, at)
    step = "queue" if state is ProposalState.SUCCEEDED else "execute"
    if stored_id(proposal) != proposal.proposal_id:
        sentence = (
            "The stored calls do not hash to this proposal's id. Nothing is sent until a person "
            "has looked."
        )
        return Judgement(step, "id_mismatch", sentence), False
    if proposal.state_mismatch:
        sentence = "The chain reports another state than this service derives. Nothing is sent."
        return Judgement(step, "state_differs", sentence), False
    if step == "execute" and proposal.executable_at is not None:
        if unix(proposal.executable_at) > at:
            return _waiting(proposal, proposal.executable_at, at), False
    paused = pause_sentence()
    if paused:
        return Judgement(step, "paused", paused), False
    intent, is_new = _submit(proposal, step)
    return _progress(step, intent), is_new


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


def pause_sentence() -> str:
    """Why the keeper stands still; empty while it runs."""
    known = freshness()
    if known.state == "halted":
        return known.detail
    switch = keeper_switch_current()
    if switch is None or not switch.paused:
        return ""
    return f"Paused by {switch.changed_by.get_username()}: {switch.reason}"


def idem_key(proposal: Proposal, step: str, retry: int = 0) -> str:
    """One effect, one key; ``retry`` counts intents that ended without the effect."""
    governor = deployment().address(GOVERNOR).hex()
    prefix = {"queue": "queue", "execute": "exec"}[step]
    key = f"{prefix}:{conf.chain_id()}:{governor}:{proposal.proposal_id}"
    return f"{key}:{retry}" if retry else key


def _submit(proposal: Proposal, step: str) -> tuple[TxIntent, bool]:
    """The intent in force for a step: the open one, or a new one where none has the effect."""
    keys = [idem_key(proposal, step, retry) for retry in range(RETRIES_MAX + 1)]
    known = {row.idem_key: row for row in TxIntent.objects.filter(idem_key__in=keys)}
    wanted = keys[0]
    for key in keys:
        wanted = key
        row = known.get(key)
        if row is None or row.state not in _CLOSED_WITHOUT_EFFECT:
            break
    if wanted in known:
        return known[wanted], False
    if known and not _still_due(proposal, step):
        # The index has not caught up with what ended the last intent: no new one for that.
        return max(known.values(), key=lambda row: row.pk), False
    intent = intent_submit(
        idem_key=wanted,
        kind=step,
        to=deployment().address(GOVERNOR),
        data=step_calldata(proposal, step),
        deadline=proposal.expires_at if step == "execute" else None,
    )
    return intent, True


def _still_due(proposal: Proposal, step: str) -> bool:
    try:
        state = chain_call(GOVERNOR, "state", (proposal.proposal_id,))
    except RpcError:
        return False
    return int(state) == _STEP_FROM[step]


def preflight(intent: TxIntent) -> Go | AlreadyDone | Wait | Reject:
    """Ask the chain, at its newest block, whether the step is still wanted and would work.

    Raises:
        RpcError: the node could not be asked; the outbox asks again.
    """
    paused = pause_sentence()
    if paused:
        return Wait(paused)
    step = intent.kind
    number = int(intent.idem_key.split(":")[3])
    try:
        state = ProposalState(chain_call(GOVERNOR, "state", (number,)))
    except ContractReverted as error:
        return Wait(revert_sentence(error))
    if state in _STEP_DONE[step]:
        return AlreadyDone(f"Somebody else did it first: the proposal is {state.label}.")
    if state is not _STEP_FROM[step]:
        return Reject(f"The proposal is {state.label}.")
    try:
        call_simulate(to=intent.to, data=intent.data, sender=_sender(), value_wei=intent.value_wei)
    except ContractReverted as error:
        return Wait(f"The simulation would revert: {revert_sentence(error)}")
    return Go()


def _sender() -> bytes:
    """Any account may take the step, so without a signer yet the simulation may use any too."""
    signer = Signer.objects.filter(chain_id=conf.chain_id()).order_by("pk").first()
    return bytes(signer.address) if signer else deployment().address(GOVERNOR)


# --- why it waits -------------------------------------------------------------------


def _waiting(proposal: Proposal, until: datetime, at: int) -> Judgement:
    span = duration_text(unix(until) - at)
    in_timelock = proposal.eta_at is not None and unix(proposal.eta_at) > at
    if proposal.is_constitutional and not in_timelock:
        sentence = f"Constitutional: waits until {until:%Y-%m-%d %H:%M:%S} UTC, {span} from now."
        return Judgement("execute", "waiting_constitutional", sentence, until)
    return Judgement("execute", "waiting_delay", f"Executes in {span}.", until)


def _progress(step: str, intent: TxIntent) -> Judgement:
    state = TxIntent.State(intent.state)
    if state is TxIntent.State.PLANNED:
        code = "would_revert" if "would revert" in intent.why_waiting else "planned"
        return Judgement(step, code, intent.why_waiting or f"About to {step} it.")
    if state is TxIntent.State.FEE_CAPPED:
        return Judgement(step, "fee_capped", "Gas costs more than the keeper may pay; it waits.")
    if state in (TxIntent.State.SIGNED, TxIntent.State.BROADCAST):
        return Judgement(step, "submitted", f"The transaction to {step} it is on its way.")
    if state in (TxIntent.State.MINED, TxIntent.State.FINALIZED_OK):
        return Judgement(step, "mined", f"The transaction to {step} it is in a block.")
    if state is TxIntent.State.SATISFIED_EXTERNALLY:
        return Judgement(step, "elsewhere", "Somebody else did it; the index will follow.")
    return Judgement(
        step,
        "gave_up",
        f"The keeper could not {step} it ({state.label}). Anyone may do it from a wallet.",
    )


def _notes_settle(at: int) -> None:
    """Bring the notes of proposals that moved on to their last word."""
    settled = ("executed_here", "executed_elsewhere", "nothing_to_do")
    for note in KeeperNote.objects.exclude(code__in=settled):
        proposal = Proposal.objects.filter(proposal_id=note.proposal_id).first()
        if proposal is None:
            note.delete()
            continue
        state = proposal_state(proposal, at)
        if state is ProposalState.EXECUTED:
            judgement = executed_judgement(proposal)
            if judgement is not None:
                _note(proposal, judgement)
        elif state not in (ProposalState.SUCCEEDED, ProposalState.QUEUED):
            sentence = f"Nothing to do: the proposal is {state.label}."
            _note(proposal, Judgement("", "nothing_to_do", sentence))


def executed_judgement(proposal: Proposal) -> Judgement | None:
    """Who executed it: this server, or somebody else. None while the sender is not known yet."""
    if proposal.executed_tx is None:
        return None
    row = TransactionSender.objects.filter(transaction_hash=proposal.executed_tx).first()
    if TxAttempt.objects.filter(hash=bytes(proposal.executed_tx)).exists():
        by = f" ({to_checksum(bytes(row.sender))})" if row else ""
        return Judgement("", "executed_here", f"Executed by this server{by}.")
    if row is None:
        return None
    whom = to_checksum(bytes(row.sender))
    return Judgement("", "executed_elsewhere", f"Executed by {whom}, not this server.")


def _note(proposal: Proposal, judgement: Judgement) -> None:
    KeeperNote.objects.update_or_create(
        proposal_id=proposal.proposal_id,
        defaults={
            "step": judgement.step,
            "code": judgement.code,
            "sentence": judgement.sentence,
            "wait_until": judgement.wait_until,
            "checked_at": clock.now(),
        },
    )
