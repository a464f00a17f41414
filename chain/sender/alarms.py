"""What a person should look at now, from the tables alone: for health, console and pages."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max, Min, Q, QuerySet

from chain import clock, conf
from chain.addresses import to_checksum
from chain.models import SendingAccount, Signer, SignerAlarm, SignerEvent, TxIntent
from chain.outbox import account_intents
from chain.sender.budget import eth
from chain.sender.keys import KeyUnavailable
from chain.sender.transitions import NONCE_STOLEN

logger = logging.getLogger(__name__)

#: Seconds without a tick, while something is to be sent, until the sender counts as dead: sixty
#: ticks, longer than any node's time-out.
SILENT_S = 120

_State, _Wait = TxIntent.State, TxIntent.Wait


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing to look at. ``code`` is for programs, ``sentence`` says what to do, ``subject``
    what it is about (an address, an intent's key, a proposal)."""

    code: str
    sentence: str
    since: datetime
    subject: str


def alarms() -> list[Alarm]:
    """Every alarm of the sender, oldest first."""
    found = [*_of_signers(), *_of_intents(), *_of_silence()]
    return sorted(found, key=lambda alarm: alarm.since)


def _of_signers() -> list[Alarm]:
    rows = SignerAlarm.objects.select_related("signer").filter(
        Q(signer=None) | Q(signer__chain_id=conf.chain_id())
    )
    return [
        Alarm(
            row.code,
            row.sentence,
            row.since,
            to_checksum(bytes(row.signer.address)) if row.signer else row.account,
        )
        for row in rows
    ]


def _of_intents() -> list[Alarm]:
    ours = TxIntent.objects.filter(chain_id=conf.chain_id())
    capped = ours.filter(Q(state=_State.FEE_CAPPED) | Q(wait_code=_Wait.FEE_CAP))
    refused = ours.filter(state__in=TxIntent.UNMINED_STATES, wait_code=_Wait.REFUSED)
    before = clock.now() - timedelta(seconds=conf.keeper_overdue_s())
    old = ours.filter(state__in=TxIntent.UNMINED_STATES)
    old = old.annotate(signed_at=Min("attempts__created_at")).filter(signed_at__lt=before)
    return [
        *(_of_intent("fee_capped", row, row.waiting_since) for row in capped),
        *(_of_intent("send_refused", row, row.waiting_since) for row in refused),
        *(_of_intent("unmined_long", row, row.signed_at) for row in old),
    ]


def _of_intent(code: str, row: TxIntent, since: datetime | None) -> Alarm:
    sentence = row.why_waiting or "It is with the node, and no block has taken it."
    return Alarm(code, sentence, since or row.updated_at, row.idem_key)


def _of_silence() -> list[Alarm]:
    """Something is to be sent and no sender has looked: no worker of the queue lives."""
    before = clock.now() - timedelta(seconds=SILENT_S)
    due = TxIntent.objects.filter(
        chain_id=conf.chain_id(), state__in=(_State.PLANNED, *TxIntent.OPEN_STATES)
    ).exclude(wait_code__in=[_Wait.NO_KEY, _Wait.KEY_UNAVAILABLE])
    oldest = due.order_by("created_at").first()
    if oldest is None or oldest.created_at > before:
        return []
    signers = Signer.objects.filter(chain_id=conf.chain_id())
    last = signers.aggregate(last=Max("ticked_at"))["last"] or oldest.created_at
    if last > before:
        return []
    sentence = (
        f"Nothing was sent or looked after since {last:%Y-%m-%d %H:%M:%S} UTC. Start a worker of "
        "the queue execute."
    )
    return [Alarm("sender_silent", sentence, last, "keeper")]


# --- raised and cleared by the sender -----------------------------------------------


def signer_alarms_sync(signer: Signer, *, balance_wei: int) -> None:
    """Raise what holds now and clear what is over; what a person must read stays."""
    holds: dict[str, str] = {}
    if balance_wei < signer.min_balance_wei:
        holds["low_balance"] = (
            f"The account has {eth(balance_wei)}, below its minimum of "
            f"{eth(signer.min_balance_wei)}: nothing new is signed. Fund it."
        )
    unsigned = Q(signer=None) & account_intents(signer.account)
    waiting = TxIntent.objects.filter(Q(signer=signer) | unsigned, chain_id=signer.chain_id)
    for code, wait in (
        ("budget_exhausted", _Wait.BUDGET),
        ("key_unavailable", _Wait.KEY_UNAVAILABLE),
    ):
        row = waiting.filter(wait_code=wait).first()
        if row is not None:
            holds[code] = row.why_waiting
    rows = SignerAlarm.objects.filter(signer=signer).exclude(code=NONCE_STOLEN)
    _sync(signer, holds, rows, signer.account)


def service_alarm_sync(error: KeyUnavailable | None, account: str = SendingAccount.KEEPER) -> None:
    """Raise, or clear, that this service's own key of an account does not open."""
    holds = {error.code: f"The {account}'s key cannot be used: {error}"} if error else {}
    _sync(None, holds, SignerAlarm.objects.filter(signer=None, account=account), account)


def signer_acknowledge(*, signer: Signer, actor: str, reason: str) -> bool:
    """A person has read a theft alarm and acted; whether there was one. The signer stays as it
    is."""
    gone, _ = SignerAlarm.objects.filter(signer=signer, code=NONCE_STOLEN).delete()
    if gone:
        SignerEvent.objects.create(
            signer=signer, action="acknowledge", reason=reason, actor=actor, created_at=clock.now()
        )
    return bool(gone)


def _sync(
    signer: Signer | None, holds: dict[str, str], rows: QuerySet[SignerAlarm], account: str
) -> None:
    known = {row.code: row for row in rows}
    for code in known.keys() - holds.keys():
        known[code].delete()
        logger.warning("%s %s: %s is over.", account.capitalize(), signer or "", code)
    for code, sentence in holds.items():
        row, raised = SignerAlarm.objects.get_or_create(
            signer=signer,
            account=account,
            code=code,
            defaults={"sentence": sentence, "since": clock.now()},
        )
        if raised:
            logger.warning("%s %s: %s (%s)", account.capitalize(), signer or "", sentence, code)
        elif row.sentence != sentence:
            SignerAlarm.objects.filter(pk=row.pk).update(sentence=sentence)
