"""Every change of an intent's state, each with its event in one transaction.

A change names the states it starts from and is refused from any other, so that two senders at
once make it once.
"""

from collections.abc import Collection
from typing import Any

from django.db import transaction

from chain import clock
from chain.models import Signer, SignerEvent, TxAttempt, TxEvent, TxIntent
from chain.sender.keys import SignedTransaction

State = TxIntent.State


def intent_move(
    intent: TxIntent,
    *,
    to: str,
    start: Collection[str],
    past: Collection[str] = (),
    detail: str = "",
    **fields: Any,
) -> bool:
    """Move an intent to a state if it is still in one of ``start``; whether it was moved.

    Another worker may have seen the same: in ``to``, or a state ``past`` it, with these very
    fields, it stays as it is.
    """
    with transaction.atomic():
        row = TxIntent.objects.select_for_update().get(pk=intent.pk)
        there = row.state in (to, *past) and all(
            getattr(row, name) == value for name, value in fields.items() if name != "why_waiting"
        )
        moved = row.state in start and not there
        if moved:
            intent_write(row, to=to, detail=detail, **fields)
    intent.refresh_from_db()
    return moved


def intent_write(row: TxIntent, *, to: str, detail: str, **fields: Any) -> None:
    """Write a new state and its event. The caller holds the row's lock and a transaction."""
    moment = clock.now()
    TxEvent.objects.create(
        intent=row, from_state=row.state, to_state=to, detail=detail, created_at=moment
    )
    row.state = to
    row.updated_at = moment
    row.why_waiting = fields.pop("why_waiting", "")
    for name, value in fields.items():
        setattr(row, name, value)
    row.save(update_fields=["state", "updated_at", "why_waiting", *fields])


def intent_wait(intent: TxIntent, reason: str) -> None:
    """Say why an intent waits; one write per change of reason."""
    if intent.why_waiting != reason:
        TxIntent.objects.filter(pk=intent.pk).update(why_waiting=reason, updated_at=clock.now())
        intent.why_waiting = reason


def attempt_create(
    intent: TxIntent,
    *,
    signed: SignedTransaction,
    kind: str,
    max_fee_wei: int,
    tip_wei: int,
) -> TxAttempt:
    """Store signed bytes. The caller holds the intent's lock; its commit comes before any
    broadcast."""
    last = intent.attempts.order_by("-seq").first()
    return TxAttempt.objects.create(
        intent=intent,
        seq=last.seq + 1 if last else 0,
        kind=kind,
        hash=signed.hash,
        raw=signed.raw,
        max_priority_fee_wei=tip_wei,
        max_fee_wei=max_fee_wei,
        created_at=clock.now(),
    )


def signer_quarantine(signer: Signer, *, intent: TxIntent) -> None:
    """Stop a signer whose nonce was used elsewhere: its key may be in other hands."""
    reason = (
        f"Nonce {intent.nonce} was spent by a transaction this service did not sign. The key is "
        "used elsewhere, or stolen. Move the funds and replace the key."
    )
    with transaction.atomic():
        row = Signer.objects.select_for_update().get(pk=signer.pk)
        if row.state != Signer.State.QUARANTINED:
            row.state = Signer.State.QUARANTINED
            row.paused = True
            row.pause_reason = reason
            row.alarm = reason
            row.save(update_fields=["state", "paused", "pause_reason", "alarm"])
            SignerEvent.objects.create(
                signer=row,
                action="quarantine",
                reason=reason,
                actor="sender",
                created_at=clock.now(),
            )
    signer.refresh_from_db()
