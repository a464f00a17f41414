"""The way onto the chain: state an intent once, and the sender sees it through.

An app registers each kind of intent with the calls it may make and a ``Preflight`` that reads
the chain again just before signing: nothing is sent on the database's word alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet

from chain import clock, conf
from chain.contracts import contract
from chain.models import AccountNote, SendingAccount, Signer, SignerEvent, TxEvent, TxIntent
from chain.signatures import keccak

__all__ = [
    "AlreadyDone",
    "Go",
    "IntentConflict",
    "IntentKind",
    "Preflight",
    "Reject",
    "SendingAccount",
    "SignerQuarantined",
    "Wait",
    "account_address",
    "account_intents",
    "account_missing",
    "intent_account",
    "intent_allowed",
    "intent_kind",
    "intent_kind_register",
    "intent_obsolete",
    "intent_submit",
    "signer_drain",
    "signer_pause",
    "signer_resume",
]


@dataclass(frozen=True, slots=True)
class Go:
    """Preflight: send it now."""


@dataclass(frozen=True, slots=True)
class AlreadyDone:
    """Preflight: the effect is on chain already, by whomever. That is no error."""

    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Preflight: not yet. ``reason`` is shown as it is; ``code`` tells it to programs."""

    reason: str
    code: str = TxIntent.Wait.PREFLIGHT


@dataclass(frozen=True, slots=True)
class Reject:
    """Preflight: never; the effect is impossible or no longer wanted."""

    reason: str


#: Reads the chain and says what to do with the intent. Raises RpcError to be asked again.
Preflight = Callable[[TxIntent], Go | AlreadyDone | Wait | Reject]


class IntentConflict(Exception):
    """The same ``idem_key`` was submitted before with another transaction."""

    code = "intent_conflict"


class SignerQuarantined(Exception):
    """The signer's key was used elsewhere; it never signs again. Use a new key."""

    code = "signer_quarantined"


@dataclass(frozen=True, slots=True)
class IntentKind:
    """A kind of intent: its preflight, the (contract, function) pairs it may call, and the account
    that signs and sends it."""

    name: str
    preflight: Preflight
    calls: tuple[tuple[str, str], ...]
    account: str = SendingAccount.KEEPER


_kinds: dict[str, IntentKind] = {}


def intent_kind_register(
    *,
    name: str,
    preflight: Preflight,
    calls: tuple[tuple[str, str], ...],
    account: str = SendingAccount.KEEPER,
) -> None:
    """Register a kind of intent. Call it in ``AppConfig.ready()``.

    ``calls`` is the allow-list: ``(("AlthingGovernor", "execute(...)"), ...)``, by name or, for
    overloads, full signature. ``account`` is who signs and sends, a ``SendingAccount``.
    """
    _kinds[name] = IntentKind(
        name=name, preflight=preflight, calls=calls, account=SendingAccount(account)
    )


def intent_kind(name: str) -> IntentKind | None:
    """The registered kind of that name."""
    return _kinds.get(name)


def intent_account(intent: TxIntent) -> str:
    """The account that signs and sends an intent; the keeper says that a kind is nobody's."""
    kind = _kinds.get(intent.kind)
    return kind.account if kind else SendingAccount.KEEPER


def account_intents(account: str) -> Q:
    """The condition on ``TxIntent`` for the kinds that an account sends."""
    if account == SendingAccount.KEEPER:
        others = [kind.name for kind in _kinds.values() if kind.account != account]
        return ~Q(kind__in=others)
    return Q(kind__in=[kind.name for kind in _kinds.values() if kind.account == account])


def account_missing(account: str) -> str:
    """Why nothing should be planned for an account, in plain words: this service has no key of it.
    Empty where it has one. Reads what the sender noted: who plans does not see keys.
    """
    note = AccountNote.objects.filter(chain_id=conf.chain_id(), account=account).first()
    if note is None:
        return f"No sender has run yet, so whether there is a key of the {account} is not known."
    return note.sentence if note.state == AccountNote.State.NO_KEY else ""


def account_address(account: str) -> bytes | None:
    """The address that an account sends from, as the sender noted; None where none is known."""
    chain_id = conf.chain_id()
    note = AccountNote.objects.filter(chain_id=chain_id, account=account).first()
    if note is not None and note.address is not None:
        return bytes(note.address)
    signers = Signer.objects.filter(chain_id=chain_id, account=account)
    signer = signers.order_by(F("ticked_at").desc(nulls_last=True), "-pk").first()
    return None if signer is None else bytes(signer.address)


def intent_allowed(intent: TxIntent) -> str:
    """Why policy forbids this intent; empty where it does not."""
    kind = _kinds.get(intent.kind)
    if kind is None:
        return f"No part of this service is registered for {intent.kind!r}."
    for name, function in kind.calls:
        target = contract(name)
        selectors = {
            codec.selector
            for codec in target.codec.functions
            if function in (codec.name, codec.signature)
        }
        if target.address == intent.to and bytes(intent.data[:4]) in selectors:
            return ""
    return "The transaction's target and function are not on the sender's list."


def intent_submit(
    *,
    idem_key: str,
    kind: str,
    to: bytes,
    data: bytes,
    value_wei: int = 0,
    not_before: datetime | None = None,
    deadline: datetime | None = None,
    depends_on: TxIntent | None = None,
    depends_on_final: bool = False,
) -> TxIntent:
    """State that a transaction is wanted, once per ``idem_key``; return the one intent of it.

    ``not_before`` and ``deadline`` are times of the chain. With ``depends_on`` it is not signed
    before that intent is in a block (final, with ``depends_on_final``), goes back with it when a
    reorganisation takes that block, and ends when that intent ends without its effect.

    Raises:
        IntentConflict: that key stands for another transaction.
    """
    moment = clock.now()
    with transaction.atomic():
        intent, created = TxIntent.objects.get_or_create(
            idem_key=idem_key,
            defaults={
                "kind": kind,
                "chain_id": conf.chain_id(),
                "to": to,
                "value_wei": value_wei,
                "data": data,
                "data_hash": keccak(data),
                "not_before": not_before,
                "deadline": deadline,
                "depends_on": depends_on,
                "depends_on_final": depends_on_final,
                "created_at": moment,
                "updated_at": moment,
            },
        )
        if created:
            TxEvent.objects.create(
                intent=intent, to_state=TxIntent.State.PLANNED, created_at=moment
            )
    same = (intent.to, intent.data_hash, intent.value_wei) == (to, keccak(data), value_wei)
    if not same:
        raise IntentConflict(f"{idem_key!r} was submitted with another transaction.")
    return intent


def intent_obsolete(*, intent: TxIntent, reason: str) -> bool:
    """Say that the effect is no longer wanted; whether that was news.

    Unsigned it is rejected; signed, the sender spends its nonce on a cancel; what is in a block
    or has ended stays as it is.
    """
    moment = clock.now()
    wanted = (TxIntent.State.PLANNED, *TxIntent.UNMINED_STATES)
    with transaction.atomic():
        rows = TxIntent.objects.filter(pk=intent.pk, obsolete_reason="", state__in=wanted)
        if not rows.update(obsolete_reason=reason, updated_at=moment):
            return False
        intent.refresh_from_db()
        TxEvent.objects.create(
            intent=intent,
            from_state=intent.state,
            to_state=intent.state,
            detail=f"No longer wanted: {reason}",
            created_at=moment,
        )
    return True


def signer_pause(*, signer: Signer, actor: str, reason: str) -> bool:
    """Sign nothing new with this key; whether that was news.

    What is signed already is seen through, with higher fees where it needs them: its bytes are
    out, and a nonce left open would hold up everything behind it.
    """
    rows = Signer.objects.filter(paused=False)
    return _signer_switch(
        rows, signer, "pause", actor=actor, reason=reason, paused=True, pause_reason=reason
    )


def signer_resume(*, signer: Signer, actor: str, reason: str) -> bool:
    """Sign again with this key; whether that was news.

    Raises:
        SignerQuarantined: never again with this one.
    """
    signer.refresh_from_db()
    if signer.state == Signer.State.QUARANTINED:
        raise SignerQuarantined(f"{signer} is quarantined. Replace the key.")
    rows = Signer.objects.filter(paused=True).exclude(state=Signer.State.QUARANTINED)
    return _signer_switch(
        rows, signer, "resume", actor=actor, reason=reason, paused=False, pause_reason=""
    )


def signer_drain(*, signer: Signer, actor: str, reason: str) -> bool:
    """Take nothing new with this key for good, and finish what is open: before its replacement.

    Whether that was news; a quarantined signer drains already.
    """
    rows = Signer.objects.filter(state=Signer.State.ACTIVE)
    return _signer_switch(
        rows, signer, "drain", actor=actor, reason=reason, state=Signer.State.DRAINING
    )


def _signer_switch(
    rows: QuerySet[Signer], signer: Signer, action: str, *, actor: str, reason: str, **fields: Any
) -> bool:
    with transaction.atomic():
        switched = bool(rows.filter(pk=signer.pk).update(**fields))
        if switched:
            SignerEvent.objects.create(
                signer=signer, action=action, reason=reason, actor=actor, created_at=clock.now()
            )
    signer.refresh_from_db()
    return switched
