"""What the keeper says about each proposal, in words; kept as ``KeeperNote``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chain import clock
from chain.addresses import to_checksum
from chain.formatting import duration_text
from chain.models import TxAttempt, TxIntent
from governance.keeper.overdue import overdue_of
from governance.models import KeeperNote, Proposal, TransactionSender
from governance.state import ProposalState, proposal_state, unix

State = TxIntent.State

_SETTLED = ("executed_here", "executed_elsewhere", "nothing_to_do")
_ENDED = (State.REJECTED, State.FINALIZED_REVERTED, State.FINALIZED_CANCELED, State.NONCE_STOLEN)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the keeper found for one proposal; becomes its ``KeeperNote``."""

    step: str
    code: str
    sentence: str
    wait_until: datetime | None = None


def judge_waiting(proposal: Proposal, until: datetime, at: int) -> Judgement:
    """It waits for its time: the timelock's, or the constitutional delay."""
    span = duration_text(unix(until) - at)
    in_timelock = proposal.eta_at is not None and unix(proposal.eta_at) > at
    if proposal.is_constitutional and not in_timelock:
        sentence = f"Constitutional: waits until {until:%Y-%m-%d %H:%M:%S} UTC, {span} from now."
        return Judgement("execute", "waiting_constitutional", sentence, until)
    return Judgement("execute", "waiting_delay", f"Executes in {span}.", until)


def judge_progress(step: str, intent: TxIntent, *, failed: TxIntent | None = None) -> Judgement:
    """How the step's intent stands; ``failed`` is the last one before it that reverted."""
    judgement = _progress(step, intent)
    if failed is None or failed.pk == intent.pk or not failed.revert_reason:
        return judgement
    before = f"The last attempt was mined and reverted: {failed.revert_reason}"
    return Judgement(step, judgement.code, f"{judgement.sentence} {before}", judgement.wait_until)


def _progress(step: str, intent: TxIntent) -> Judgement:
    state = State(intent.state)
    if state is State.PLANNED:
        code = intent.wait_code or "planned"
        return Judgement(step, code, intent.why_waiting or f"About to {step} it.")
    if state is State.FEE_CAPPED:
        return Judgement(step, "fee_capped", intent.why_waiting)
    if state in (State.SIGNED, State.BROADCAST):
        under_way = f"The transaction to {step} it is on its way."
        return Judgement(step, "submitted", f"{under_way} {intent.why_waiting}".strip())
    if intent.mined_ok is False:
        sentence = (
            f"The transaction to {step} it was mined and reverted: {intent.revert_reason} Only the "
            "gas was spent."
        )
        return Judgement(step, "reverted" if state is State.MINED else "gave_up", sentence)
    if state in (State.MINED, State.FINALIZED_OK):
        return Judgement(step, "mined", f"The transaction to {step} it is in a block.")
    if state is State.SATISFIED_EXTERNALLY:
        return Judgement(step, "elsewhere", "Somebody else did it; the index will follow.")
    return _gave_up(step, intent, state)


def _gave_up(step: str, intent: TxIntent, state: State) -> Judgement:
    last = intent.history.order_by("-pk").first()
    why = f"{state.label}: {last.detail}" if last and last.detail else f"{state.label}."
    sentence = f"The keeper could not {step} it. {why} Anyone may do it from a wallet."
    return Judgement(step, "gave_up", sentence)


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


def note_write(proposal: Proposal, judgement: Judgement, at: int) -> None:
    """Keep what was found, with the alarm where the step is overdue at block time ``at``."""
    late = overdue_of(proposal, at)
    KeeperNote.objects.update_or_create(
        proposal_id=proposal.proposal_id,
        defaults={
            "step": judgement.step,
            "code": judgement.code,
            "sentence": judgement.sentence,
            "wait_until": judgement.wait_until,
            "overdue_since": late.since if late else None,
            "checked_at": clock.now(),
        },
    )


def notes_settle(at: int) -> None:
    """Bring the notes of proposals that moved on to their last word."""
    for note in KeeperNote.objects.exclude(code__in=_SETTLED):
        proposal = Proposal.objects.filter(proposal_id=note.proposal_id).first()
        if proposal is None:
            note.delete()
            continue
        state = proposal_state(proposal, at)
        if state is ProposalState.EXECUTED:
            judgement = executed_judgement(proposal)
            if judgement is not None:
                note_write(proposal, judgement, at)
        elif state not in (ProposalState.SUCCEEDED, ProposalState.QUEUED):
            sentence = f"Nothing to do: the proposal is {state.label}."
            note_write(proposal, Judgement("", "nothing_to_do", sentence), at)
