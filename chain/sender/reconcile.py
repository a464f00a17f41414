"""Signed intents against the chain: mined, final, reorganised, or their nonce taken."""

from collections.abc import Sequence

from chain import conf
from chain.models import Signer, TxAttempt, TxIntent
from chain.rpc.types import Receipt
from chain.sender.transitions import State, intent_move, signer_quarantine
from chain.sender.view import ChainView

FINAL_STATES = (State.FINALIZED_OK, State.FINALIZED_REVERTED, State.FINALIZED_CANCELED)


def intents_to_watch(signer: Signer, *, head_number: int) -> list[TxIntent]:
    """Open intents of a signer with their attempts; where finality is only a depth, also those
    final within the reorganisation window, which a deep reorganisation may still undo."""
    rows = TxIntent.objects.filter(signer=signer, state__in=TxIntent.OPEN_STATES)
    if conf.finality_depth() is not None:
        rows |= TxIntent.objects.filter(
            signer=signer,
            state__in=FINAL_STATES,
            mined_number__gt=head_number - conf.reorg_window(),
        )
    return list(rows.order_by("nonce").prefetch_related("attempts"))


def intents_reconcile(
    signer: Signer, intents: Sequence[TxIntent], view: ChainView
) -> list[TxIntent]:
    """Move every watched intent to what the chain says; return those still to be mined."""
    unmined: list[TxIntent] = []
    for intent in intents:
        found = _mined(intent, view)
        if found is not None:
            _on_receipt(intent, *found, view=view)
        elif intent.state in (State.MINED, *FINAL_STATES):
            _on_reorg(intent)
            unmined.append(intent)
        elif view.nonce_finalized > (intent.nonce or 0):
            _on_stolen(signer, intent)
        else:
            unmined.append(intent)
    return unmined


def _mined(intent: TxIntent, view: ChainView) -> tuple[TxAttempt, Receipt] | None:
    for attempt in intent.attempts.all():
        receipt = view.receipts.get(attempt.hash)
        if receipt is not None:
            return attempt, receipt
    return None


def _on_receipt(intent: TxIntent, attempt: TxAttempt, receipt: Receipt, *, view: ChainView) -> None:
    if intent.mined_hash != receipt.block_hash:
        intent_move(
            intent,
            to=State.MINED,
            start=(*TxIntent.OPEN_STATES, *FINAL_STATES),
            past=FINAL_STATES,
            detail=f"In block {receipt.block_number}"
            + (", again after a reorganisation" if intent.mined_hash else "")
            + ("" if receipt.ok else ", reverted"),
            mined_number=receipt.block_number,
            mined_hash=receipt.block_hash,
            mined_ok=receipt.ok,
            mined_attempt=attempt,
        )
    if intent.state == State.MINED and receipt.block_number <= view.finalized_number:
        if attempt.kind == TxAttempt.Kind.CANCEL:
            final = State.FINALIZED_CANCELED
        else:
            final = State.FINALIZED_OK if receipt.ok else State.FINALIZED_REVERTED
        intent_move(
            intent, to=final, start=(State.MINED,), detail=f"Final at {view.finalized_number}"
        )


def _on_reorg(intent: TxIntent) -> None:
    intent_move(
        intent,
        to=State.BROADCAST,
        start=(State.MINED, *FINAL_STATES),
        detail=f"Block {intent.mined_number} was reorganised away",
        why_waiting="The chain took back the block this was in; the same transaction is sent "
        "again.",
        mined_number=None,
        mined_hash=None,
        mined_ok=None,
        mined_attempt=None,
    )


def _on_stolen(signer: Signer, intent: TxIntent) -> None:
    signer_quarantine(signer, intent=intent)
    intent_move(
        intent,
        to=State.NONCE_STOLEN,
        start=TxIntent.OPEN_STATES,
        detail=f"Nonce {intent.nonce} is final on chain and none of our attempts is.",
        why_waiting="Another transaction of the same key took this one's place. A person has to "
        "look.",
    )
