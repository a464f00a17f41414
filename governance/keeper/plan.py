"""One look at every passed proposal: what is due is submitted once, what waits is explained."""

from __future__ import annotations

from chain import clock, conf
from chain.client import chain_call
from chain.contracts import deployment
from chain.models import Cursor, TxAttempt, TxIntent
from chain.outbox import intent_submit
from chain.rpc.errors import RpcError
from chain.sender.rehearsal import intent_rehearse
from chain.signatures import keccak
from governance.keeper.notes import (
    Judgement,
    judge_progress,
    judge_waiting,
    note_write,
    notes_settle,
)
from governance.keeper.preflight import pause_sentence
from governance.keeper.steps import GOVERNOR, STEP_FROM, idem_key, step_calldata, stored_id
from governance.models import Proposal
from governance.selectors import chain_time, proposals_in
from governance.state import ProposalState, proposal_state, unix

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


def keeper_tick() -> int:
    """Look at every passed proposal once; return how many intents were submitted."""
    at = chain_time()
    submitted = 0
    for proposal in _passed(at):
        judgement = _not_due(proposal, at)
        if judgement is None:
            judgement, is_new = _submit(proposal, _step(proposal, at))
            submitted += is_new
        note_write(proposal, judgement, at)
    notes_settle(at)
    return submitted


def keeper_rehearse() -> list[tuple[Proposal, Judgement]]:
    """What a tick of keeper and sender would do now, with all questions to the chain asked and
    nothing written, signed or sent.

    Raises:
        RpcError
    """
    at = chain_time()
    return [(row, _not_due(row, at) or _rehearsed(row, _step(row, at))) for row in _passed(at)]


def _passed(at: int) -> list[Proposal]:
    due = proposals_in((ProposalState.SUCCEEDED, ProposalState.QUEUED), at)
    return list(due.prefetch_related("actions").order_by("number"))


def _step(proposal: Proposal, at: int) -> str:
    return "queue" if proposal_state(proposal, at) is ProposalState.SUCCEEDED else "execute"


def _not_due(proposal: Proposal, at: int) -> Judgement | None:
    """Why a proposal's step must not be taken now; None where it is due."""
    step = _step(proposal, at)
    if stored_id(proposal) != proposal.proposal_id:
        sentence = (
            "The stored calls do not hash to this proposal's id. Nothing is sent until a person "
            "has looked."
        )
        return Judgement(step, "id_mismatch", sentence)
    if proposal.state_mismatch:
        sentence = "The chain reports another state than this service derives. Nothing is sent."
        return Judgement(step, "state_differs", sentence)
    if step == "execute" and proposal.executable_at is not None:
        if unix(proposal.executable_at) > at:
            return judge_waiting(proposal, proposal.executable_at, at)
    paused = pause_sentence()
    return Judgement(step, "paused", paused) if paused else None


def _known(proposal: Proposal, step: str) -> tuple[dict[str, TxIntent], str]:
    """The step's intents so far by key, and the key in force: of the one still open, or the
    first that no intent has used."""
    keys = [idem_key(proposal, step, retry) for retry in range(RETRIES_MAX + 1)]
    known = {row.idem_key: row for row in TxIntent.objects.filter(idem_key__in=keys)}
    for key in keys:
        row = known.get(key)
        if row is None or not _ended_without_effect(row):
            return known, key
    return known, keys[-1]


def _ended_without_effect(row: TxIntent) -> bool:
    """The step is due although its intent has ended. A transaction's own success is no proof of
    its effect: the index is, once it has passed the block."""
    if row.state == TxIntent.State.FINALIZED_OK:
        cursor = Cursor.objects.filter(chain_id=conf.chain_id()).first()
        return cursor is not None and cursor.finalized_number >= (row.mined_number or 0)
    return row.state in _CLOSED_WITHOUT_EFFECT


def _submit(proposal: Proposal, step: str) -> tuple[Judgement, bool]:
    """Submit the step unless it is submitted; whether this call did."""
    known, wanted = _known(proposal, step)
    newest = max(known.values(), key=lambda row: row.pk, default=None)
    if wanted in known:
        return judge_progress(step, known[wanted], failed=_failed(known)), False
    if newest is not None and not _still_due(proposal, step):
        # The index has not caught up with what ended the last intent: no new one for that.
        return judge_progress(step, newest), False
    intent = intent_submit(
        idem_key=wanted,
        kind=step,
        to=deployment().address(GOVERNOR),
        data=step_calldata(proposal, step),
        deadline=proposal.expires_at if step == "execute" else None,
        depends_on=_queued_by(proposal) if step == "execute" else None,
    )
    return judge_progress(step, intent, failed=_failed(known)), True


def _rehearsed(proposal: Proposal, step: str) -> Judgement:
    known, wanted = _known(proposal, step)
    intent = known.get(wanted)
    if intent is None:
        data = step_calldata(proposal, step)
        moment = clock.now()
        intent = TxIntent(
            idem_key=wanted,
            kind=step,
            chain_id=conf.chain_id(),
            to=deployment().address(GOVERNOR),
            data=data,
            data_hash=keccak(data),
            deadline=proposal.expires_at if step == "execute" else None,
            depends_on=_queued_by(proposal) if step == "execute" else None,
            created_at=moment,
            updated_at=moment,
        )
    if intent.state != TxIntent.State.PLANNED:
        return judge_progress(step, intent, failed=_failed(known))
    code, sentence = intent_rehearse(intent)
    return Judgement(step, code, sentence)


def _queued_by(proposal: Proposal) -> TxIntent | None:
    """The intent of ours that queued it; None where somebody else did."""
    if proposal.queued_tx is None:
        return None
    attempt = TxAttempt.objects.filter(hash=bytes(proposal.queued_tx)).first()
    return attempt.intent if attempt else None


def _failed(known: dict[str, TxIntent]) -> TxIntent | None:
    """The newest intent that was mined and reverted."""
    reverted = [row for row in known.values() if row.mined_ok is False]
    return max(reverted, key=lambda row: row.pk, default=None)


def _still_due(proposal: Proposal, step: str) -> bool:
    try:
        state = chain_call(GOVERNOR, "state", (proposal.proposal_id,))
    except RpcError:
        return False
    return int(state) == STEP_FROM[step]
