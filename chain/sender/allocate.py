"""From a planned intent to signed bytes: ask the chain first, then nonce, signature and attempt
in one commit."""

from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import transaction

from chain import clock, conf
from chain.contracts import revert_decode
from chain.errors_text import revert_sentence
from chain.models import Signer, SignerEvent, TxAttempt, TxEvent, TxIntent
from chain.outbox import (
    AlreadyDone,
    Go,
    Reject,
    Wait,
    intent_allowed,
    intent_kind,
)
from chain.rpc.client import RpcClient
from chain.rpc.errors import ContractReverted
from chain.sender.build import transaction_build
from chain.sender.fees import Fees, fees_first, fees_suggest
from chain.sender.keys import SigningKey
from chain.sender.transitions import State, attempt_create, intent_move, intent_wait
from chain.sender.view import ChainView

#: An exact estimate fails when the next block's second needs a new checkpoint (ERC20Votes).
_GAS_HEADROOM = (3, 2)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What an allocation needs, found before any lock is taken."""

    fees: Fees
    gas_limit: int


def intent_allocate(
    client: RpcClient,
    *,
    signer: Signer,
    key: SigningKey,
    intent: TxIntent,
    view: ChainView,
) -> TxAttempt | None:
    """Sign an intent's first attempt, if everything is ready for it.

    Returns the committed attempt, or None where it waits, is rejected or done; the reason is
    on the intent then.

    Raises:
        RpcError
    """
    prepared = _prepare(client, signer, intent, view)
    if prepared is None:
        return None
    return _sign(signer, key, intent, view, prepared)


def _prepare(
    client: RpcClient, signer: Signer, intent: TxIntent, view: ChainView
) -> Prepared | None:
    if _settled(intent, view) or _blocked(signer, intent, view):
        return None
    if not _preflight(intent):
        return None
    suggested = fees_suggest(
        base_fee_wei=view.head.base_fee_wei,
        tip_wei=view.tip_wei,
        tip_floor_wei=conf.keeper_min_tip_wei(),
    )
    fees = fees_first(
        suggested, base_fee_wei=view.head.base_fee_wei, cap_wei=signer.max_fee_per_gas_wei
    )
    if fees is None:
        intent_wait(intent, "Gas costs more than this service may pay; it waits.")
        return None
    try:
        gas = client.estimate_gas(
            sender=signer.address, to=intent.to, data=intent.data, value_wei=intent.value_wei
        )
    except ContractReverted as error:
        sentence = revert_sentence(revert_decode(error))
        intent_wait(intent, f"A trial run of this transaction fails now: {sentence}")
        return None
    gas_limit = gas * _GAS_HEADROOM[0] // _GAS_HEADROOM[1]
    limit = view.head.gas_limit or gas_limit
    return Prepared(fees=fees, gas_limit=min(gas_limit, limit))


def _settled(intent: TxIntent, view: ChainView) -> bool:
    """Reject what must not or need not be sent any more. Time is the chain's."""
    reason = intent_allowed(intent) or intent.obsolete_reason
    chain_time = datetime.fromtimestamp(view.head.timestamp, UTC)
    if not reason and intent.deadline is not None and chain_time > intent.deadline:
        reason = "Its deadline has passed."
    if reason:
        intent_move(intent, to=State.REJECTED, start=(State.PLANNED,), detail=reason)
    return bool(reason)


def _blocked(signer: Signer, intent: TxIntent, view: ChainView) -> bool:
    reason = ""
    chain_time = datetime.fromtimestamp(view.head.timestamp, UTC)
    if intent.not_before is not None and chain_time < intent.not_before:
        reason = f"Not before {intent.not_before:%Y-%m-%d %H:%M:%S} UTC by the chain's clock."
    elif signer.paused:
        reason = f"The keeper is paused: {signer.pause_reason}"
    elif signer.state != Signer.State.ACTIVE:
        reason = "The keeper takes no new transactions; its key is being replaced."
    elif view.balance_wei < signer.min_balance_wei:
        reason = "The keeper's account is below its minimum balance. Fund it."
    if reason:
        intent_wait(intent, reason)
    return bool(reason)


def _preflight(intent: TxIntent) -> bool:
    kind = intent_kind(intent.kind)
    verdict = kind.preflight(intent) if kind else Reject("Unknown kind.")
    if isinstance(verdict, AlreadyDone):
        intent_move(
            intent,
            to=State.SATISFIED_EXTERNALLY,
            start=(State.PLANNED,),
            detail=verdict.reason,
        )
    elif isinstance(verdict, Reject):
        intent_move(intent, to=State.REJECTED, start=(State.PLANNED,), detail=verdict.reason)
    elif isinstance(verdict, Wait):
        intent_wait(intent, verdict.reason)
    return isinstance(verdict, Go)


def _sign(
    signer: Signer, key: SigningKey, intent: TxIntent, view: ChainView, prepared: Prepared
) -> TxAttempt | None:
    with transaction.atomic():
        locked = Signer.objects.select_for_update().get(pk=signer.pk)
        row = (
            TxIntent.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(pk=intent.pk, state=State.PLANNED, obsolete_reason="")
            .first()
        )
        if row is None or locked.paused or locked.state != Signer.State.ACTIVE:
            return None
        in_flight = TxIntent.objects.filter(signer=locked, state__in=TxIntent.UNMINED_STATES)
        if in_flight.count() >= conf.keeper_in_flight_max():
            intent_wait(row, "The keeper's earlier transactions have to be mined first.")
            return None
        nonce = _nonce_take(locked, view)
        row.signer, row.nonce, row.gas_limit = locked, nonce, prepared.gas_limit
        signed = key.sign(transaction_build(row, prepared.fees))
        moment = clock.now()
        row.state, row.why_waiting, row.updated_at = State.SIGNED, "", moment
        row.save()
        attempt = attempt_create(
            row,
            signed=signed,
            kind=TxAttempt.Kind.NORMAL,
            max_fee_wei=prepared.fees.max_fee_wei,
            tip_wei=prepared.fees.tip_wei,
        )
        TxEvent.objects.create(
            intent=row,
            from_state=State.PLANNED,
            to_state=State.SIGNED,
            detail=f"Nonce {nonce}, 0x{signed.hash.hex()}",
            created_at=moment,
        )
    intent.refresh_from_db()
    return attempt


def _nonce_take(signer: Signer, view: ChainView) -> int:
    """Reserve the next nonce. The caller holds the signer's lock."""
    nonce = signer.next_nonce
    open_rows = TxIntent.objects.filter(signer=signer, state__in=TxIntent.OPEN_STATES)
    if view.nonce_latest > nonce and not open_rows.exists():
        # A key new to this service has a past; one that is not was used behind our back.
        if signer.intents.exists():
            signer.alarm = f"Nonces {nonce} to {view.nonce_latest - 1} were used elsewhere."
            SignerEvent.objects.create(
                signer=signer,
                action="nonce_skipped",
                reason=signer.alarm,
                actor="sender",
                created_at=clock.now(),
            )
        nonce = view.nonce_latest
    signer.next_nonce = nonce + 1
    signer.save(update_fields=["next_nonce", "alarm"])
    return nonce
