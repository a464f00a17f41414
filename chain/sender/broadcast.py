"""Signed bytes to the node, again and again until a receipt says it is done.

Always the same bytes: preparing them anew after a lost reply could make two transactions.
"""

from collections.abc import Callable
from datetime import timedelta

from django.db import transaction
from django.db.models import F

from chain import clock, conf
from chain.models import Signer, TxAttempt, TxIntent
from chain.outbox import AlreadyDone, Reject, intent_kind, intent_obsolete
from chain.rpc.client import RpcClient
from chain.rpc.errors import RpcError
from chain.rpc.send_errors import SendOutcome, send_outcome
from chain.sender.build import transaction_build
from chain.sender.fees import Fees, fees_bump, fees_suggest
from chain.sender.keys import SigningKey
from chain.sender.transitions import State, attempt_create, intent_move, intent_wait, intent_write
from chain.sender.view import ChainView

#: Seconds until the same bytes go out again: doubling from the first to the second.
_RESEND_S = (1.0, 15.0)

Reached = Callable[[str], None]


def intent_push(
    client: RpcClient,
    *,
    signer: Signer,
    key: SigningKey,
    intent: TxIntent,
    view: ChainView,
    reached: Reached,
) -> None:
    """Bring an unmined intent one step further: cancel, replace or send again."""
    attempt = _newest(intent)
    if intent.obsolete_reason and attempt.kind != TxAttempt.Kind.CANCEL:
        attempt = _replace(signer, key, intent, attempt, view, cancel=True, reached=reached)
    elif _bump_due(attempt, view):
        attempt = _replace(signer, key, intent, attempt, view, cancel=False, reached=reached)
    if _send_due(attempt):
        attempt_send(client, intent=intent, attempt=attempt, reached=reached)
        if attempt.sends > 1 and not intent.obsolete_reason:
            _obsolete_check(client, intent)


def attempt_send(
    client: RpcClient, *, intent: TxIntent, attempt: TxAttempt, reached: Reached
) -> SendOutcome:
    """Broadcast one attempt's bytes and note what the node said."""
    error = ""
    try:
        client.send_raw(attempt.raw)
        outcome = SendOutcome.ACCEPTED
    except RpcError as failure:
        outcome, error = send_outcome(failure), failure.detail
    reached("sent")
    _note(attempt, outcome, error)
    if outcome in (SendOutcome.ACCEPTED, SendOutcome.KNOWN):
        intent_move(
            intent,
            to=State.BROADCAST,
            start=(State.SIGNED,),
            detail=f"0x{attempt.hash.hex()} {outcome}",
        )
    elif outcome == SendOutcome.INSUFFICIENT_FUNDS:
        intent_wait(intent, "The keeper's account has too little to pay for gas. Fund it.")
    elif outcome == SendOutcome.UNKNOWN:
        intent_wait(intent, "The node did not confirm that it took the transaction; trying again.")
    reached("recorded")
    return outcome


def _note(attempt: TxAttempt, outcome: SendOutcome, error: str) -> None:
    moment = clock.now()
    accepted = outcome in (SendOutcome.ACCEPTED, SendOutcome.KNOWN)
    attempt.first_sent_at = attempt.first_sent_at or moment
    attempt.last_sent_at = moment
    attempt.accepted = attempt.accepted or accepted
    attempt.last_error = "" if accepted else f"{outcome}: {error}"[:1000]
    TxAttempt.objects.filter(pk=attempt.pk).update(
        first_sent_at=attempt.first_sent_at,
        last_sent_at=moment,
        accepted=attempt.accepted,
        last_error=attempt.last_error,
        sends=F("sends") + 1,
    )
    attempt.sends += 1


def _newest(intent: TxIntent) -> TxAttempt:
    attempt = intent.attempts.order_by("-seq").first()
    if attempt is None:
        raise LookupError(f"Intent {intent.pk} is signed and has no attempt.")
    return attempt


def _send_due(attempt: TxAttempt) -> bool:
    if attempt.last_sent_at is None:
        return True
    wait_s = min(_RESEND_S[0] * 2 ** max(0, attempt.sends - 1), _RESEND_S[1])
    return clock.now() - attempt.last_sent_at >= timedelta(seconds=wait_s)


def _bump_due(attempt: TxAttempt, view: ChainView) -> bool:
    """Replace at once what no pool took for its fee; else when it is old and priced out.

    The age counts from the attempt's creation: counting from the last send, which is repeated
    all the time, no attempt would ever grow old.
    """
    refused = attempt.last_error.startswith(SendOutcome.UNDERPRICED)
    if refused and not attempt.accepted:
        return True
    age_s = (clock.now() - attempt.created_at).total_seconds()
    return age_s > conf.keeper_bump_after_s() and view.head.base_fee_wei > attempt.max_fee_wei


def _replace(
    signer: Signer,
    key: SigningKey,
    intent: TxIntent,
    old: TxAttempt,
    view: ChainView,
    *,
    cancel: bool,
    reached: Reached,
) -> TxAttempt:
    """Store a new attempt at the same nonce with higher fees; the old one where the cap forbids."""
    suggested = fees_suggest(
        base_fee_wei=view.head.base_fee_wei,
        tip_wei=view.tip_wei,
        tip_floor_wei=conf.keeper_min_tip_wei(),
    )
    fees = fees_bump(
        Fees(old.max_fee_wei, old.max_priority_fee_wei),
        suggested,
        cap_wei=signer.max_fee_per_gas_wei,
    )
    if fees is None:
        _fee_capped(intent, view)
        return old
    cancel = cancel or old.kind == TxAttempt.Kind.CANCEL
    with transaction.atomic():
        row = TxIntent.objects.select_for_update().get(pk=intent.pk)
        if row.state not in TxIntent.UNMINED_STATES or _newest(row).pk != old.pk:
            return _newest(row)  # another worker was here first
        signed = key.sign(transaction_build(row, fees, cancel=cancel))
        kind = TxAttempt.Kind.CANCEL if cancel else TxAttempt.Kind.BUMP
        attempt = attempt_create(
            row, signed=signed, kind=kind, max_fee_wei=fees.max_fee_wei, tip_wei=fees.tip_wei
        )
        intent_write(row, to=State.SIGNED, detail=f"{kind.label}: {fees.max_fee_wei} wei per gas")
    intent.refresh_from_db()
    reached("replaced")
    return attempt


def _fee_capped(intent: TxIntent, view: ChainView) -> None:
    intent_move(
        intent,
        to=State.FEE_CAPPED,
        start=(State.SIGNED, State.BROADCAST),
        detail=f"Base fee {view.head.base_fee_wei} wei per gas; a higher offer passes the cap.",
        why_waiting="Gas costs more than this service may pay; it waits for a lower price.",
    )


def _obsolete_check(client: RpcClient, intent: TxIntent) -> None:
    """A transaction that stays unmined may have lost its point meanwhile."""
    kind = intent_kind(intent.kind)
    if kind is None:
        return
    verdict = kind.preflight(intent)
    if not isinstance(verdict, AlreadyDone | Reject):
        return
    hashes = [attempt.hash for attempt in intent.attempts.all()]
    if any(client.receipts(hashes)):
        return  # it was ours that did it, just now
    intent_obsolete(intent=intent, reason=verdict.reason)
    intent.refresh_from_db()
