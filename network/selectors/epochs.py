"""Epochs for pages, API and monitoring: what was cut, what the ledger says, and what is late."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from chain import conf
from chain.contracts import DeploymentInvalid, deployment
from chain.formatting import duration_text
from network.models import Epoch, EpochLedger, EpochRecord, Parameter
from network.selectors.final import final_block

#: The contract's name in a deployment.
LEDGER = "AttestationLedger"
#: ``attest.anchor_interval`` in seconds where the chain does not define it.
ANCHOR_INTERVAL_S = 86_400
#: Epochs back that are compared with the chain at every look.
LOOKED_AT = 30


class EpochWord(StrEnum):
    """Where an epoch stands, in the API and on the pages."""

    CUT = "cut"
    POSTED = "posted"
    USABLE = "usable"
    VOIDED = "voided"
    DIFFERS = "differs"


SENTENCES = {
    EpochWord.CUT: "Over and computed; its root is on its way to the chain.",
    EpochWord.POSTED: "On chain. For 24 hours it can still be voided, so nothing is built on it.",
    EpochWord.USABLE: "On chain for good: anybody can prove a verdict of it.",
    EpochWord.VOIDED: "Taken back on chain. A person has to look before it is posted again.",
    EpochWord.DIFFERS: "The chain holds another root than this service computed. A person has to "
    "look; do not rely on this epoch.",
}


@dataclass(frozen=True, slots=True)
class EpochState:
    """An epoch as cut here, and its record on chain, if it has one."""

    epoch: Epoch
    record: EpochRecord | None
    word: EpochWord

    @property
    def sentence(self) -> str:
        return SENTENCES[self.word]


class AnchorLevel(StrEnum):
    """How anchoring goes. ``off``: there is no ledger here, or no service has met it yet."""

    OFF = "off"
    OK = "ok"
    AMBER = "amber"
    RED = "red"


@dataclass(frozen=True, slots=True)
class AnchorStatus:
    """How anchoring goes, in a word and a sentence."""

    level: AnchorLevel
    sentence: str


def ledger_place() -> dict[str, Any] | None:
    """What names the deployment's ledger in ``EpochLedger``; None where there is none."""
    try:
        return {"chain_id": conf.chain_id(), "address": deployment().address(LEDGER)}
    except DeploymentInvalid:
        return None


def ledger_current() -> EpochLedger | None:
    """The ledger of the deployment in force, once the service has met it."""
    place = ledger_place()
    return None if place is None else EpochLedger.objects.filter(**place).first()


def ledger_deployed() -> bool:
    """Whether the deployment in force has a ledger."""
    try:
        deployment().address(LEDGER)
    except DeploymentInvalid:
        return False
    return True


def epoch_find(ledger: EpochLedger, number: int) -> Epoch | None:
    """An epoch in its newest revision."""
    return ledger.epochs.filter(number=number).order_by("-revision").first()


def epoch_record(number: int) -> EpochRecord | None:
    """What the ledger says of an epoch."""
    return EpochRecord.objects.filter(epoch=number).first()


def chain_moment() -> datetime | None:
    """The time of the newest final block: what epochs are judged by."""
    block = final_block()
    return None if block is None else datetime.fromtimestamp(block.timestamp, tz=UTC)


def epoch_states(epochs: Iterable[Epoch], at: datetime) -> list[EpochState]:
    """Epochs with what the ledger says of them. 1 query."""
    rows = list(epochs)
    records = EpochRecord.objects.in_bulk([epoch.number for epoch in rows])
    return [epoch_state(epoch, records.get(epoch.number), at) for epoch in rows]


def epoch_state(epoch: Epoch, record: EpochRecord | None, at: datetime) -> EpochState:
    """Where an epoch stands at a time."""
    if record is None:
        return EpochState(epoch, None, EpochWord.CUT)
    if record.voided_at is not None:
        # Cut again since: that revision is not on chain yet.
        again = epoch.revision > record.posted_count
        return EpochState(epoch, record, EpochWord.CUT if again else EpochWord.VOIDED)
    if not agrees(epoch, record):
        return EpochState(epoch, record, EpochWord.DIFFERS)
    return EpochState(epoch, record, EpochWord(record.status_at(at)))


def agrees(epoch: Epoch, record: EpochRecord) -> bool:
    """Whether the ledger holds what was computed."""
    ours = (epoch.root, epoch.count, epoch.total_seconds)
    return ours == (record.root, record.count, record.total_seconds)


def epochs_open(ledger: EpochLedger, at: datetime, *, most: int = 100) -> list[EpochState]:
    """Epochs that were cut and do not stand on chain, the oldest first: waiting or voided."""
    standing = EpochRecord.objects.filter(epoch=OuterRef("number"), voided_at=None)
    rows = epochs_newest(ledger).filter(~Exists(standing)).order_by("number")
    return epoch_states(rows[:most], at)


def anchor_status() -> AnchorStatus:
    """Whether every epoch that is over stands on chain, as computed and in time. 6 queries."""
    return anchor_status_of(ledger_current(), chain_moment())


def anchor_status_of(ledger: EpochLedger | None, at: datetime | None) -> AnchorStatus:
    """The same for a ledger and a time of the chain that the caller has read. 3 queries."""
    if ledger is None or at is None:
        return AnchorStatus(AnchorLevel.OFF, "No ledger is anchored in yet.")
    newest = epoch_states(epochs_newest(ledger).order_by("-number")[:LOOKED_AT], at)
    oldest_first = newest[::-1]
    for word, level in (
        (EpochWord.DIFFERS, AnchorLevel.RED),
        (EpochWord.VOIDED, AnchorLevel.AMBER),
    ):
        found = next((item for item in oldest_first if item.word is word), None)
        if found is not None:
            return AnchorStatus(level, f"Epoch {found.epoch.number}: {found.sentence}")
    waiting = [item.epoch.number for item in oldest_first if item.word is EpochWord.CUT]
    following = newest[0].epoch.number + 1 if newest else ledger.first_epoch
    return _lateness(ledger, waiting[0] if waiting else following, at)


def epochs_newest(ledger: EpochLedger) -> QuerySet[Epoch]:
    """Every epoch in its newest revision."""
    rows = ledger.epochs.order_by("number", "-revision").distinct("number")
    found = Epoch.objects.filter(pk__in=rows.values("pk")).select_related("ledger", "intent")
    return found.defer("piece_roots", "description")


def _lateness(ledger: EpochLedger, oldest: int, at: datetime) -> AnchorStatus:
    ended = datetime.fromtimestamp(ledger.window(oldest)[1], tz=UTC)
    allowed_s = anchor_interval_s()
    if at <= ended + timedelta(seconds=allowed_s):
        return AnchorStatus(AnchorLevel.OK, "Every epoch is on chain, or on its way in time.")
    late = duration_text(int((at - ended).total_seconds()))
    return AnchorStatus(
        AnchorLevel.AMBER,
        f"Epoch {oldest} ended {late} ago and is not on chain; attest.anchor_interval allows "
        f"{duration_text(allowed_s)}.",
    )


def anchor_interval_s() -> int:
    """``attest.anchor_interval``: how late a root may be, in seconds."""
    rows = Parameter.objects.filter(name="attest.anchor_interval")
    value = rows.values_list("value", flat=True).first()
    return ANCHOR_INTERVAL_S if value is None else int(value)
