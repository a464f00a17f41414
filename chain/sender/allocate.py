"""From a planned intent to signed bytes: ask the chain first, then nonce, signature and attempt
in one commit."""

from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q

from chain import conf
from chain.contracts import revert_decode
from chain.errors_text import revert_sentence
from chain.models import Signer, TxAttempt, TxIntent
from chain.outbox import AlreadyDone, Reject, intent_allowed, intent_kind
from chain.outbox import Wait as NotYet
from chain.rpc.client import RpcClient
from chain.rpc.errors import ContractReverted
from chain.sender.budget import budget_of, eth, gwei
from chain.sender.build import transaction_build
from chain.sender.dependencies import dependency_state
from chain.sender.fees import Fees, fees_first, gas_limit_of
from chain.sender.keys import SigningKey
from chain.sender.transitions import (
    State,
    Wait,
    attempt_create,
    intent_move,
    intent_wait,
    signer_quarantine,
)
from chain.sender.view import ChainView, nonce_stolen
from chain.signatures import keccak


@dataclass(frozen=True, slots=True)
class Prepared:
    """It may be signed: what an allocation needs, found before any lock is taken."""

    fees: Fees
    gas_limit: int

    @property
    def cost_wei(self) -> int:
        """The most it may cost in gas."""
        return self.gas_limit * self.fees.max_fee_wei


@dataclass(frozen=True, slots=True)
class Waits:
    """Not yet. ``code`` is a ``TxIntent.Wait``."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Ends:
    """Never; ``to`` is the state it ends in."""

    to: str
    reason: str


Verdict = Prepared | Waits | Ends


class _Overtaken(Exception):
    """Another worker moved the intent; the reserved nonce is given back with the transaction."""


def intent_judge(
    client: RpcClient, *, signer: Signer, intent: TxIntent, view: ChainView
) -> Verdict:
    """Say what should become of a planned intent. Reads the chain, writes nothing, so a dry run
    asks the same.

    Raises:
        RpcError
    """
    for judge in (_settled, _unready, _signer_unready):
        verdict = judge(signer, intent, view)
        if verdict is not None:
            return verdict
    return _preflight(intent) or _priced(client, signer, intent, view)


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
        RpcError, KeyUnavailable: nothing was written but reasons to wait.
    """
    verdict = verdict_apply(intent, intent_judge(client, signer=signer, intent=intent, view=view))
    if verdict is None or not _nonces_ours(client, signer, intent, view):
        return None
    return _sign(signer, key, intent, view, verdict)


def verdict_apply(intent: TxIntent, verdict: Verdict) -> Prepared | None:
    """Write a verdict down; give back what may be signed."""
    if isinstance(verdict, Waits):
        intent_wait(intent, verdict.code, verdict.reason)
    elif isinstance(verdict, Ends):
        intent_move(intent, to=verdict.to, detail=verdict.reason)
    else:
        return verdict
    return None


def _settled(signer: Signer, intent: TxIntent, view: ChainView) -> Verdict | None:
    """End what must not or need not be sent any more. Time is the chain's."""
    reason = intent_allowed(intent) or intent.obsolete_reason or dependency_state(intent).broken
    if not reason and intent.deadline is not None and view.head_at > intent.deadline:
        reason = "Its deadline has passed."
    if not reason and keccak(bytes(intent.data)) != bytes(intent.data_hash):
        reason = "Its stored bytes are not those that were submitted. A person has to look."
    return Ends(State.REJECTED, reason) if reason else None


def _unready(signer: Signer, intent: TxIntent, view: ChainView) -> Verdict | None:
    if intent.not_before is not None and view.head_at < intent.not_before:
        moment = f"{intent.not_before:%Y-%m-%d %H:%M:%S}"
        return Waits(Wait.NOT_BEFORE, f"Not before {moment} UTC by the chain's clock.")
    waits = dependency_state(intent).waits
    return Waits(Wait.DEPENDENCY, waits) if waits else None


def _signer_unready(signer: Signer, intent: TxIntent, view: ChainView) -> Verdict | None:
    if signer.state == Signer.State.QUARANTINED:
        return Waits(Wait.QUARANTINED, f"The {signer.account} is paused: {signer.pause_reason}")
    if signer.paused:
        return Waits(Wait.PAUSED, f"The {signer.account} is paused: {signer.pause_reason}")
    if signer.state != Signer.State.ACTIVE:
        return Waits(
            Wait.DRAINING,
            f"The {signer.account} takes no new transactions; its key is being replaced.",
        )
    if view.balance_wei < signer.min_balance_wei:
        return Waits(
            Wait.LOW_BALANCE,
            f"The {signer.account}'s account has {eth(view.balance_wei)}, below its minimum "
            f"balance of {eth(signer.min_balance_wei)}. Fund it.",
        )
    return None


def _preflight(intent: TxIntent) -> Verdict | None:
    kind = intent_kind(intent.kind)
    verdict = kind.preflight(intent) if kind else Reject("Unknown kind.")
    if isinstance(verdict, AlreadyDone):
        return Ends(State.SATISFIED_EXTERNALLY, verdict.reason)
    if isinstance(verdict, Reject):
        return Ends(State.REJECTED, verdict.reason)
    if isinstance(verdict, NotYet):
        return Waits(verdict.code, verdict.reason)
    return None


def _priced(client: RpcClient, signer: Signer, intent: TxIntent, view: ChainView) -> Verdict:
    """Fees within the cap, gas by a trial run, cost within balance and budget."""
    base_fee_wei, cap_wei = view.head.base_fee_wei, signer.max_fee_per_gas_wei
    fees = fees_first(view.suggested, base_fee_wei=base_fee_wei, cap_wei=cap_wei)
    if fees is None:
        now = gwei(base_fee_wei + view.suggested.tip_wei)
        return Waits(
            Wait.FEE_CAP,
            f"Gas costs {now} now; the {signer.account} pays at most {gwei(cap_wei)}. It waits.",
        )
    try:
        gas = client.estimate_gas(
            sender=signer.address, to=intent.to, data=intent.data, value_wei=intent.value_wei
        )
    except ContractReverted as error:
        sentence = revert_sentence(revert_decode(error))
        return Waits(Wait.WOULD_REVERT, f"A trial run of this transaction fails now: {sentence}")
    gas_limit = gas_limit_of(gas, block_limit=view.head.gas_limit)
    prepared = Prepared(fees=fees, gas_limit=gas_limit)
    budget = budget_of(signer, at=view.head.timestamp)
    wanted_wei = prepared.cost_wei + intent.value_wei
    if wanted_wei + budget.in_flight_wei > view.balance_wei:
        return Waits(
            Wait.LOW_BALANCE,
            f"It may cost {eth(wanted_wei)}, and the {signer.account}'s account has too little: "
            f"{eth(view.balance_wei)}. Fund it.",
        )
    refusal = budget.refusal(prepared.cost_wei)
    return Waits(Wait.BUDGET, refusal) if refusal else prepared


def _nonces_ours(client: RpcClient, signer: Signer, intent: TxIntent, view: ChainView) -> bool:
    """Whether every nonce spent so far was ours; a key new to this service has a past.

    Where final ones were not, the signer is quarantined; where the chain may yet take them back,
    the intent waits.
    """
    # In this order: a rival's first commit brings its intent and the next nonce at once, and seen
    # the other way round a key's own past would read as theft.
    known = signer.intents.exists()
    signer.refresh_from_db(fields=["next_nonce"])
    if view.nonce_latest <= signer.next_nonce or not known:
        return True
    skipped = f"Nonces {signer.next_nonce} to {view.nonce_latest - 1}"
    said = f"{skipped} of the {signer.account}'s account were used elsewhere."
    intent_wait(intent, Wait.STOLEN, said)
    if view.nonce_settled > signer.next_nonce and nonce_stolen(
        client, view, address=signer.address, nonce=signer.next_nonce, hashes=[]
    ):
        signer_quarantine(
            signer, detail=f"{skipped} were spent by transactions not of this service."
        )
    return False


def _sign(
    signer: Signer, key: SigningKey, intent: TxIntent, view: ChainView, prepared: Prepared
) -> TxAttempt | None:
    """Reserve the nonce, sign and store, in one commit under the signer's lock."""
    try:
        with transaction.atomic():
            locked = Signer.objects.select_for_update().get(pk=signer.pk)
            refusal = _refused_under_lock(locked, intent, view, prepared)
            if refusal is not None:
                verdict_apply(intent, refusal)
                return None
            nonce = locked.next_nonce
            if not locked.intents.exists():
                nonce = max(nonce, view.nonce_latest)
            signed = key.sign(
                transaction_build(
                    intent, nonce=nonce, gas_limit=prepared.gas_limit, fees=prepared.fees
                )
            )
            moved = intent_move(
                intent,
                to=State.SIGNED,
                detail=f"Nonce {nonce}, 0x{signed.hash.hex()}",
                only=Q(obsolete_reason=""),
                signer=locked,
                nonce=nonce,
                gas_limit=prepared.gas_limit,
            )
            if not moved:
                raise _Overtaken
            Signer.objects.filter(pk=locked.pk).update(next_nonce=nonce + 1)
            return attempt_create(
                intent,
                seq=0,
                signed=signed,
                kind=TxAttempt.Kind.NORMAL,
                max_fee_wei=prepared.fees.max_fee_wei,
                tip_wei=prepared.fees.tip_wei,
            )
    except _Overtaken:
        return None


def _refused_under_lock(
    locked: Signer, intent: TxIntent, view: ChainView, prepared: Prepared
) -> Waits | None:
    """What other workers may have changed since the judgement."""
    verdict = _signer_unready(locked, intent, view)
    if isinstance(verdict, Waits):
        return verdict
    in_flight = TxIntent.objects.filter(signer=locked, state__in=TxIntent.UNMINED_STATES)
    if in_flight.count() >= conf.keeper_in_flight_max():
        said = f"The {locked.account}'s earlier transactions have to be mined first."
        return Waits(Wait.IN_FLIGHT, said)
    refusal = budget_of(locked, at=view.head.timestamp).refusal(prepared.cost_wei)
    return Waits(Wait.BUDGET, refusal) if refusal else None
