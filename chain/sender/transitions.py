"""Every change of an intent's state: one UPDATE guarded by the state it leaves, and its event.

Two senders that see the same make the change once: the second's UPDATE finds another state, or
the same state at a later revision (left and entered again meanwhile), and changes no row.
"""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import F, Q

from chain import clock
from chain.models import Signer, SignerAlarm, SignerEvent, TxAttempt, TxEvent, TxIntent
from chain.models.outbox import TRANSITIONS
from chain.sender.keys import SignedTransaction

State = TxIntent.State
Wait = TxIntent.Wait

#: What a row forgets with the block it was in.
UNMINED: Mapping[str, Any] = {
    "mined_number": None,
    "mined_hash": None,
    "mined_at": None,
    "mined_ok": None,
    "mined_attempt": None,
    "spent_wei": None,
    "revert_reason": "",
}

#: Alarms that stay until a person has read them (``chain.sender.alarms``).
NONCE_STOLEN = "nonce_stolen"


def intent_move(
    intent: TxIntent,
    *,
    to: str,
    detail: str = "",
    only: Q | None = None,
    wait: tuple[str, str] = (Wait.NONE, ""),
    **fields: Any,
) -> bool:
    """Move an intent from the state it was read in to ``to``; whether this call moved it.

    ``only`` narrows the guard, ``wait`` is the new (wait_code, why_waiting). The intent is read
    again in either case: where another worker was first, it now shows what that one made of it.

    Raises:
        ValueError: ``TRANSITIONS`` has no such transition.
    """
    old = intent.state
    if to not in TRANSITIONS[old]:
        raise ValueError(f"An intent never goes from {old} to {to}.")
    moment = clock.now()
    rows = TxIntent.objects.filter(pk=intent.pk, state=old, revision=intent.revision)
    if only is not None:
        rows = rows.filter(only)
    with transaction.atomic():
        moved = rows.update(
            state=to,
            revision=F("revision") + 1,
            updated_at=moment,
            wait_code=wait[0],
            why_waiting=wait[1],
            waiting_since=moment if wait[0] else None,
            **fields,
        )
        if moved:
            TxEvent.objects.create(
                intent=intent, from_state=old, to_state=to, detail=detail, created_at=moment
            )
    intent.refresh_from_db()
    return bool(moved)


def intent_wait(intent: TxIntent, code: str, reason: str) -> None:
    """Say why an intent waits; one write per change of reason, and none over a later state."""
    if (intent.wait_code, intent.why_waiting) == (code, reason):
        return
    moment = clock.now()
    since = intent.waiting_since if code == intent.wait_code else moment if code else None
    TxIntent.objects.filter(pk=intent.pk, state=intent.state, revision=intent.revision).update(
        wait_code=code, why_waiting=reason, waiting_since=since, updated_at=moment
    )
    intent.wait_code, intent.why_waiting, intent.waiting_since = code, reason, since


def attempt_newest(intent: TxIntent) -> TxAttempt:
    """The newest signed bytes of an intent that is not merely planned."""
    attempt = intent.attempts.order_by("-seq").first()
    if attempt is None:
        raise LookupError(f"Intent {intent.pk} is {intent.state} and has no attempt.")
    return attempt


def attempt_create(
    intent: TxIntent,
    *,
    seq: int,
    signed: SignedTransaction,
    kind: str,
    max_fee_wei: int,
    tip_wei: int,
) -> TxAttempt:
    """Store signed bytes in the transaction that moves their intent; its commit comes before any
    broadcast."""
    return TxAttempt.objects.create(
        intent=intent,
        seq=seq,
        kind=kind,
        hash=signed.hash,
        raw=signed.raw,
        max_priority_fee_wei=tip_wei,
        max_fee_wei=max_fee_wei,
        created_at=clock.now(),
    )


def signer_quarantine(signer: Signer, *, detail: str) -> None:
    """Stop a signer whose nonce was used elsewhere: its key may be in other hands."""
    reason = f"{detail} The key is used elsewhere, or stolen. Move the funds and replace the key."
    moment = clock.now()
    with transaction.atomic():
        rows = Signer.objects.filter(pk=signer.pk).exclude(state=Signer.State.QUARANTINED)
        if rows.update(state=Signer.State.QUARANTINED, paused=True, pause_reason=reason):
            SignerEvent.objects.create(
                signer=signer,
                action="quarantine",
                reason=reason,
                actor="sender",
                created_at=moment,
            )
            SignerAlarm.objects.get_or_create(
                signer=signer, code=NONCE_STOLEN, defaults={"sentence": reason, "since": moment}
            )
    signer.refresh_from_db()
