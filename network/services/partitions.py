"""Days of evidence: partitions are made ahead of time and dropped when nobody needs them.

The names of the tables are ours and made of digits; no value of a user gets into the SQL.
"""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.conf import settings
from django.db import connection, transaction
from psycopg import sql

from network.epochs.seconds import EPOCH_S
from network.models import AttestationEvidence, EpochRecord
from network.selectors.epochs import ledger_current, ledger_deployed
from network.selectors.policy import PolicySnapshot

logger = logging.getLogger(__name__)

TABLE = AttestationEvidence._meta.db_table
DAY = timedelta(days=1)
#: Days that have their partition before they begin: beat may be away for a weekend.
DAYS_AHEAD = 3
_NAME = re.compile(rf"{TABLE}_(\d{{8}})")


@dataclass(frozen=True, slots=True)
class Retention:
    """How long evidence is kept: until ``before`` it may be dropped, if ``why`` is empty.

    ``before`` is the beginning of a day (UTC); ``why`` says what still holds it all back.
    """

    before: datetime
    why: str


def partitions_ensure(*, at: datetime) -> list[date]:
    """Make the partitions of today and the next days; return those that were made.

    What the default partition holds of such a day moves into it.
    """
    made = []
    existing = set(days_existing())
    for ahead in range(DAYS_AHEAD + 1):
        day = at.astimezone(UTC).date() + ahead * DAY
        if day not in existing:
            _make(day)
            made.append(day)
    return made


def partitions_drop(*, retention: Retention) -> list[date]:
    """Drop the days that nobody needs any longer; return them. Each is a transaction of its own."""
    if retention.why:
        logger.info("No evidence is dropped: %s", retention.why)
        return []
    dropped = []
    for day in days_existing():
        if _start(day) + DAY <= retention.before:
            _drop(day)
            dropped.append(day)
    # What came on a day without a partition, because beat was away for long.
    AttestationEvidence.objects.filter(received_at__lt=retention.before).delete()
    return dropped


def retention_of(*, policy: PolicySnapshot, at: datetime) -> Retention:
    """How long evidence must be kept now.

    ``EVIDENCE_RETENTION_S``, but never less than ``slash.dispute_window`` and a day: who is accused
    must be able to show what was judged. And nothing is dropped before the ledger holds the epoch
    it was judged in, where there is a ledger.
    """
    kept_s = max(
        settings.EVIDENCE_RETENTION_S,
        policy.number("slash.dispute_window", 7 * 86_400) + 86_400,
    )
    before = (at - timedelta(seconds=kept_s)).astimezone(UTC)
    before = before.replace(hour=0, minute=0, second=0, microsecond=0)
    return Retention(before, _unanchored(before, at))


def days_existing() -> Iterator[date]:
    """The days that have a partition, in order."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT child.relname FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid "
            "WHERE inhparent = %s::regclass ORDER BY child.relname",
            [TABLE],
        )
        names = [name for (name,) in cursor.fetchall()]
    for name in names:
        match = _NAME.fullmatch(name)
        if match:
            yield datetime.strptime(match[1], "%Y%m%d").replace(tzinfo=UTC).date()


def _unanchored(before: datetime, at: datetime) -> str:
    """Why evidence from before that time may not go yet; empty where nothing stands in the way."""
    ledger = ledger_current()
    if ledger is None:
        return "no epoch has been cut yet" if ledger_deployed() else ""
    last = (int(before.timestamp()) - 1 - ledger.genesis_s) // EPOCH_S
    usable = EpochRecord.objects.filter(
        epoch__gte=ledger.first_epoch, epoch__lte=last, voided_at=None, usable_at__lte=at
    ).count()
    missing = max(0, last - ledger.first_epoch + 1) - usable
    return f"{missing} of its epochs are not on chain for good" if missing else ""


def _start(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=UTC)


def _name(day: date) -> sql.Identifier:
    return sql.Identifier(f"{TABLE}_{day:%Y%m%d}")


@transaction.atomic
def _make(day: date) -> None:
    """A table of its own first, filled from the default partition, then attached: PostgreSQL takes
    no partition whose rows the default one already holds."""
    parent, default = sql.Identifier(TABLE), sql.Identifier(f"{TABLE}_default")
    bounds = {"low": sql.Literal(_start(day)), "high": sql.Literal(_start(day) + DAY)}
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '5s'")
        # Two ticks at once: the second waits here, and finds the day made.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [TABLE])
        if day in days_existing():
            return
        cursor.execute(
            sql.SQL("CREATE TABLE {name} (LIKE {parent} INCLUDING ALL)").format(
                name=_name(day), parent=parent
            )
        )
        cursor.execute(
            sql.SQL(
                "WITH moved AS (DELETE FROM {default} WHERE received_at >= {low} "
                "AND received_at < {high} RETURNING *) INSERT INTO {name} SELECT * FROM moved"
            ).format(name=_name(day), default=default, **bounds)
        )
        cursor.execute(
            sql.SQL(
                "ALTER TABLE {parent} ATTACH PARTITION {name} FOR VALUES FROM ({low}) TO ({high})"
            ).format(name=_name(day), parent=parent, **bounds)
        )


@transaction.atomic
def _drop(day: date) -> None:
    """The lock that dropping takes stops reports for a moment; it does not wait for it long."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '5s'")
        cursor.execute(sql.SQL("DROP TABLE IF EXISTS {name}").format(name=_name(day)))
