"""The way onto the chain: state an intent once, and the sender sees it through.

An app registers each kind of intent with the calls it may make and a ``Preflight`` that reads
the chain again just before signing: nothing is sent on the database's word alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from chain import clock, conf
from chain.contracts import contract
from chain.models import Signer, SignerEvent, TxEvent, TxIntent
from chain.signatures import keccak

__all__ = [
    "AlreadyDone",
    "Go",
    "IntentConflict",
    "IntentKind",
    "Preflight",
    "Reject",
    "Wait",
    "intent_allowed",
    "intent_kind",
    "intent_kind_register",
    "intent_obsolete",
    "intent_submit",
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
    """Preflight: not yet. ``reason`` is shown as it is."""

    reason: str


@dataclass(frozen=True, slots=True)
class Reject:
    """Preflight: never; the effect is impossible or no longer wanted."""

    reason: str


#: Reads the chain and says what to do with the intent. Raises RpcError to be asked again.
Preflight = Callable[[TxIntent], Go | AlreadyDone | Wait | Reject]


class IntentConflict(Exception):
    """The same ``idem_key`` was submitted before with another transaction."""

    code = "intent_conflict"


@dataclass(frozen=True, slots=True)
class IntentKind:
    """A kind of intent: its preflight and the (contract, function) pairs it may call."""

    name: str
    preflight: Preflight
    calls: tuple[tuple[str, str], ...]


_kinds: dict[str, IntentKind] = {}


def intent_kind_register(
    *, name: str, preflight: Preflight, calls: tuple[tuple[str, str], ...]
) -> None:
    """Register a kind of intent. Call it in ``AppConfig.ready()``.

    ``calls`` is the allow-list: ``(("AlthingGovernor", "execute(...)"), ...)``, by name or, for
    overloads, full signature.
    """
    _kinds[name] = IntentKind(name=name, preflight=preflight, calls=calls)


def intent_kind(name: str) -> IntentKind | None:
    """The registered kind of that name."""
    return _kinds.get(name)


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
) -> TxIntent:
    """State that a transaction is wanted, once per ``idem_key``; return the one intent of it.

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


def intent_obsolete(*, intent: TxIntent, reason: str) -> None:
    """Say that the effect is no longer wanted. Unsigned it is rejected; signed, the sender
    spends its nonce on a cancel."""
    with transaction.atomic():
        row = TxIntent.objects.select_for_update().get(pk=intent.pk)
        if row.obsolete_reason:
            return
        row.obsolete_reason = reason
        row.updated_at = clock.now()
        row.save(update_fields=["obsolete_reason", "updated_at"])
        TxEvent.objects.create(
            intent=row,
            from_state=row.state,
            to_state=row.state,
            detail=f"No longer wanted: {reason}",
            created_at=row.updated_at,
        )


def signer_pause(*, signer: Signer, actor: str, reason: str) -> None:
    """Stop signing with this key; what is signed already is still seen through."""
    _signer_switch(signer=signer, paused=True, actor=actor, reason=reason)


def signer_resume(*, signer: Signer, actor: str, reason: str) -> None:
    """Sign again with this key."""
    _signer_switch(signer=signer, paused=False, actor=actor, reason=reason)


def _signer_switch(*, signer: Signer, paused: bool, actor: str, reason: str) -> None:
    with transaction.atomic():
        row = Signer.objects.select_for_update().get(pk=signer.pk)
        row.paused = paused
        row.pause_reason = reason if paused else ""
        row.save(update_fields=["paused", "pause_reason"])
        SignerEvent.objects.create(
            signer=row,
            action="pause" if paused else "resume",
            reason=reason,
            actor=actor,
            created_at=clock.now(),
        )
