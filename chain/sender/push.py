"""One step for an intent that is signed and in no block: cancel it, offer more, or send again."""

import logging

from django.db import transaction

from chain import clock, conf
from chain.models import Signer, TxAttempt, TxIntent
from chain.outbox import AlreadyDone, Reject, intent_account, intent_kind, intent_obsolete
from chain.outbox import Wait as NotYet
from chain.rpc.client import RpcClient
from chain.rpc.errors import RpcError
from chain.rpc.send_errors import SendOutcome
from chain.sender.broadcast import Reached, attempt_send, send_due
from chain.sender.budget import budget_of, gwei, intent_cost_wei
from chain.sender.build import TRANSFER_GAS, cancel_build, transaction_build
from chain.sender.dependencies import dependency_state
from chain.sender.fees import Fees, fees_bump, fees_outbid
from chain.sender.keys import KeyUnavailable, SigningKey
from chain.sender.transitions import (
    State,
    Wait,
    attempt_create,
    attempt_newest,
    intent_move,
    intent_wait,
)
from chain.sender.view import ChainView

logger = logging.getLogger(__name__)

Kind = TxAttempt.Kind


def intent_push(
    client: RpcClient,
    *,
    signer: Signer,
    key: SigningKey | None,
    intent: TxIntent,
    view: ChainView,
    reached: Reached,
) -> None:
    """Bring an intent one step further. Without ``key``, or for a quarantined signer, nothing new
    is signed: what is signed goes out again as it is.

    Raises:
        RpcError: the intent is where it was.
    """
    attempt = attempt_newest(intent)
    if intent.state == State.MINED:  # its block is out of sight, and may be gone
        if send_due(attempt):
            attempt_send(client, intent=intent, attempt=attempt, reached=reached)
        return
    held = ""
    if send_due(attempt) and not intent.obsolete_reason:
        held = _recheck(client, signer, intent, attempt, view)
    try:
        attempt = _replaced(signer, key, intent, attempt, view, reached) or attempt
    except KeyUnavailable as error:
        wait_for_key(intent, error)
    if held:
        intent_wait(intent, Wait.PAUSED, held)
        return
    if attempt.kind != Kind.CANCEL and not _wanted_now(intent):
        return
    if send_due(attempt):
        attempt_send(client, intent=intent, attempt=attempt, reached=reached)
    if intent.state == State.FEE_CAPPED and not _bump_due(attempt, view):
        price = gwei(view.head.base_fee_wei)
        intent_move(intent, to=State.BROADCAST, detail=f"The base fee fell to {price}.")


def wait_for_key(intent: TxIntent, error: KeyUnavailable) -> None:
    """Say that an intent needs a signature that cannot be had now."""
    logger.warning("Intent %s: the key: %s (%s)", intent.pk, error, error.code)
    said = f"The {intent_account(intent)}'s key cannot be used: {error}"
    intent_wait(intent, Wait.KEY_UNAVAILABLE, said)


def _wanted_now(intent: TxIntent) -> bool:
    """Whether the effect should happen now; else its bytes stay here."""
    if intent.obsolete_reason:
        return False
    waits = dependency_state(intent).waits
    if waits:
        intent_wait(intent, Wait.DEPENDENCY, waits)
    return not waits


def _recheck(
    client: RpcClient, signer: Signer, intent: TxIntent, attempt: TxAttempt, view: ChainView
) -> str:
    """Ask again before sending again: what is not mined yet may have lost its point meanwhile.

    It is marked obsolete then. What has never left (a crash came between signing and sending) is
    held while a person has paused; returns that reason. What has left is out, paused or not.
    """
    reason = dependency_state(intent).broken
    if not reason and intent.deadline is not None and view.head_at > intent.deadline:
        reason = "Its deadline passed before it was mined."
    paused = signer.pause_reason if signer.paused else ""
    kind = intent_kind(intent.kind)
    if not reason and kind is not None:
        try:
            verdict = kind.preflight(intent)
        except RpcError:
            if attempt.sends == 0:
                raise
            return ""  # its bytes are out: that nobody answers now is no reason to stop
        if isinstance(verdict, AlreadyDone | Reject):
            reason = verdict.reason
        elif isinstance(verdict, NotYet) and verdict.code == Wait.PAUSED:
            paused = verdict.reason
    if not reason:
        return paused if attempt.sends == 0 and attempt.seq == 0 else ""
    hashes = [attempt.hash for attempt in intent.attempts.all()]
    if not any(client.receipts(hashes)):  # else it was ours that did it, just now
        intent_obsolete(intent=intent, reason=reason)
    return ""


def _replaced(
    signer: Signer,
    key: SigningKey | None,
    intent: TxIntent,
    attempt: TxAttempt,
    view: ChainView,
    reached: Reached,
) -> TxAttempt | None:
    """A new attempt at the same nonce where one is due and allowed."""
    cancel = bool(intent.obsolete_reason) and attempt.kind != Kind.CANCEL
    if not cancel and not _bump_due(attempt, view):
        if intent.wait_code == Wait.KEY_UNAVAILABLE:
            intent_wait(intent, Wait.NONE, "")
        return None
    if signer.state == Signer.State.QUARANTINED:
        intent_wait(
            intent, Wait.QUARANTINED, f"The {signer.account} is paused: {signer.pause_reason}"
        )
        return None
    if key is None:
        intent_wait(
            intent,
            Wait.KEY_UNAVAILABLE,
            "It needs a new signature, and this service does not have its key any more.",
        )
        return None
    fees = fees_bump(
        Fees(attempt.max_fee_wei, attempt.max_priority_fee_wei),
        view.suggested,
        cap_wei=signer.max_fee_per_gas_wei,
    )
    refusal = _refusal(signer, intent, fees, view, cancel=cancel)
    if fees is None or refusal:
        _fee_capped(intent, view, refusal)
        return None
    return _replace(signer, key, intent, attempt, fees, cancel=cancel, reached=reached)


def _bump_due(attempt: TxAttempt, view: ChainView) -> bool:
    """Replace at once what no pool took for its fee; else when it is old and outbid.

    The age counts from the attempt's creation: counting from the last send, which is repeated
    all the time, no attempt would ever grow old.
    """
    refused = attempt.last_error.startswith(SendOutcome.UNDERPRICED)
    if refused and not attempt.accepted:
        return True
    age_s = (clock.now() - attempt.created_at).total_seconds()
    offered = Fees(attempt.max_fee_wei, attempt.max_priority_fee_wei)
    # Created in the future: this machine's clock was set back, so that no age is known.
    old = not 0 <= age_s <= conf.keeper_bump_after_s()
    return old and fees_outbid(offered, view.suggested, base_fee_wei=view.head.base_fee_wei)


def _refusal(
    signer: Signer, intent: TxIntent, fees: Fees | None, view: ChainView, *, cancel: bool
) -> str:
    """Why the budget forbids a replacement. A cancel is never dearer than what it replaces by
    much, and frees the nonce for all that wait behind it: it is always allowed."""
    if fees is None or cancel:
        return ""
    gas = intent.gas_limit or TRANSFER_GAS
    more_wei = gas * fees.max_fee_wei - intent_cost_wei(intent)
    return budget_of(signer, at=view.head.timestamp).refusal(max(0, more_wei))


def _replace(
    signer: Signer,
    key: SigningKey,
    intent: TxIntent,
    old: TxAttempt,
    fees: Fees,
    *,
    cancel: bool,
    reached: Reached,
) -> TxAttempt | None:
    """Sign and store a new attempt at the same nonce; None where another worker was first."""
    nonce, kind = intent.nonce or 0, Kind.BUMP
    if cancel or old.kind == Kind.CANCEL:
        kind = Kind.CANCEL
        fields = cancel_build(intent, sender=bytes(signer.address), nonce=nonce, fees=fees)
    else:
        gas_limit = intent.gas_limit or TRANSFER_GAS
        fields = transaction_build(intent, nonce=nonce, gas_limit=gas_limit, fees=fees)
    signed = key.sign(fields)
    detail = f"{kind.label}: up to {gwei(fees.max_fee_wei)}, 0x{signed.hash.hex()}"
    with transaction.atomic():
        # Every replacement is a revision, so two that replace the same attempt make one new.
        if not intent_move(intent, to=State.SIGNED, detail=detail):
            return None
        attempt = attempt_create(
            intent,
            seq=old.seq + 1,
            signed=signed,
            kind=kind,
            max_fee_wei=fees.max_fee_wei,
            tip_wei=fees.tip_wei,
        )
    reached("replaced")
    return attempt


def _fee_capped(intent: TxIntent, view: ChainView, refusal: str) -> None:
    if refusal:
        wait = (Wait.BUDGET, refusal)
    else:
        price = gwei(view.head.base_fee_wei + view.suggested.tip_wei)
        cap = gwei(intent.signer.max_fee_per_gas_wei) if intent.signer else "its limit"
        wait = (
            Wait.FEE_CAP,
            f"Gas costs {price} now; the {intent_account(intent)} pays at most {cap}. It waits for "
            "a lower price.",
        )
    if intent.state == State.FEE_CAPPED:
        intent_wait(intent, *wait)
    else:
        detail = f"Base fee {gwei(view.head.base_fee_wei)}; nothing higher may be offered."
        intent_move(intent, to=State.FEE_CAPPED, detail=detail, wait=wait)
