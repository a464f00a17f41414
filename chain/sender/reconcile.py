"""Signed intents against the chain: mined, final, reorganised, or their nonce taken."""

from datetime import UTC, datetime
from typing import Any

from django.db import transaction

from chain import conf
from chain.models import Signer, TxAttempt, TxIntent
from chain.rpc.client import RpcClient
from chain.rpc.proof import receipt_prove
from chain.rpc.types import Receipt
from chain.sender.reverts import revert_reason
from chain.sender.transitions import UNMINED, State, Wait, intent_move, signer_quarantine
from chain.sender.view import ChainView, nonce_stolen

FINAL_STATES = TxIntent.FINAL_STATES


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


def intent_reconcile(client: RpcClient, signer: Signer, intent: TxIntent, view: ChainView) -> bool:
    """Move a watched intent to what the chain says; whether its bytes should go out (again).

    Raises:
        RpcError: it is where it was.
        Inconsistent: the node contradicts the chain's own commitments.
    """
    found = _mined(intent, view)
    if found is not None:
        _on_receipt(client, intent, *found, view=view)
        return False
    if intent.state in (State.MINED, *FINAL_STATES):
        return _on_receipt_gone(client, signer, intent, view)
    if view.nonce_settled > (intent.nonce or 0) and _is_stolen(client, signer, intent, view):
        _on_stolen(signer, intent)
        return False
    return True


def _mined(intent: TxIntent, view: ChainView) -> tuple[TxAttempt, Receipt] | None:
    for attempt in intent.attempts.all():
        receipt = view.receipts.get(attempt.hash)
        if receipt is not None:
            return attempt, receipt
    return None


def _on_receipt(
    client: RpcClient, intent: TxIntent, attempt: TxAttempt, receipt: Receipt, *, view: ChainView
) -> None:
    if intent.mined_hash != receipt.block_hash:
        receipt_prove(client, receipt)
        reason = "" if receipt.ok else revert_reason(client, intent, receipt)
        again = ", again after a reorganisation" if intent.mined_hash else ""
        intent_move(
            intent,
            to=State.MINED,
            detail=f"In block {receipt.block_number}{again}"
            + ("" if receipt.ok else f", reverted: {reason}"),
            **_mined_fields(attempt, receipt, view),
            revert_reason=reason,
        )
    if intent.state == State.MINED and _is_final(intent, receipt, view):
        if attempt.kind == TxAttempt.Kind.CANCEL:
            final = State.FINALIZED_CANCELED
        else:
            final = State.FINALIZED_OK if intent.mined_ok else State.FINALIZED_REVERTED
        intent_move(intent, to=final, detail=f"Final at {view.finalized_number}")


def _is_final(intent: TxIntent, receipt: Receipt, view: ChainView) -> bool:
    """Its block is final, and the account's nonce there has passed it: what is in no block moves
    no nonce, whatever receipt a node shows."""
    return (
        receipt.block_number <= view.finalized_number
        and receipt.ok == intent.mined_ok
        and view.nonce_settled > (intent.nonce or 0)
    )


def _mined_fields(attempt: TxAttempt, receipt: Receipt, view: ChainView) -> dict[str, Any]:
    block = view.blocks[receipt.block_number]
    return {
        "mined_number": receipt.block_number,
        "mined_hash": receipt.block_hash,
        "mined_at": datetime.fromtimestamp(block.timestamp, UTC),
        "mined_ok": receipt.ok,
        "mined_attempt": attempt,
        "spent_wei": receipt.fee_wei,
    }


def _on_receipt_gone(client: RpcClient, signer: Signer, intent: TxIntent, view: ChainView) -> bool:
    """A block we were in has no receipt of ours any more; whether to send the bytes again.

    Only another block at its height proves a reorganisation, and only the account's nonce after
    that block that it never was in it. A node that is behind, or a chain that is shorter now,
    proves nothing yet: the state stays, and sending known bytes is harmless.
    """
    number = intent.mined_number or 0
    block = view.blocks.get(number)
    if block is None:
        return intent.state == State.MINED
    detail = f"Block {number} was reorganised away"
    if block.hash == intent.mined_hash:
        if client.nonce(bytes(signer.address), block.hash) > (intent.nonce or 0):
            return False  # it is there; the node's next answer will have the receipt again
        detail = f"Block {number} does not hold it after all"
    with transaction.atomic():
        _roll_back(intent, detail)
    return intent.state in TxIntent.UNMINED_STATES


def _roll_back(intent: TxIntent, detail: str) -> None:
    """Back to broadcasting the same bytes, and with it whatever was sent on its strength."""
    moved = intent_move(
        intent,
        to=State.BROADCAST,
        detail=detail,
        wait=(
            Wait.REORGANISED,
            "The chain took back the block this was in; the same transaction is sent again.",
        ),
        **UNMINED,
    )
    if moved:
        mined = intent.dependents.filter(state__in=(State.MINED, *FINAL_STATES))
        for dependent in mined:
            _roll_back(dependent, f"{detail}, with what this depends on ({intent.kind})")


def _is_stolen(client: RpcClient, signer: Signer, intent: TxIntent, view: ChainView) -> bool:
    return nonce_stolen(
        client,
        view,
        address=bytes(signer.address),
        nonce=intent.nonce or 0,
        hashes=[attempt.hash for attempt in intent.attempts.all()],
    )


def _on_stolen(signer: Signer, intent: TxIntent) -> None:
    with transaction.atomic():
        signer_quarantine(
            signer,
            detail=f"Nonce {intent.nonce} was spent by a transaction this service did not sign.",
        )
        intent_move(
            intent,
            to=State.NONCE_STOLEN,
            detail=f"Nonce {intent.nonce} is final on chain and none of our attempts is.",
            wait=(
                Wait.STOLEN,
                "Another transaction of the same key took this one's place. A person has to look.",
            ),
        )
