"""Celery ticks. The database's rows hold the work; a tick twice or late changes nothing."""

from datetime import timedelta

from celery import shared_task
from django.core.cache import cache

#: Seconds between two rounds of housekeeping.
HOUSEKEEPING_S = 3600
#: Days for which the sender of a transaction may still ask how it went.
KEEP_DAYS = 30


@shared_task
def keeper_tick() -> None:
    """Queue and execute what is due, and say why the rest waits."""
    from governance import keeper

    keeper.keeper_tick()


@shared_task
def transactions_tick() -> None:
    """Follow the transactions people sent, and learn who executed what."""
    from chain import clock
    from governance.services import drafts, transactions

    transactions.transactions_tick()
    transactions.senders_fill()
    if cache.add("governance-housekeeping", 1, timeout=HOUSEKEEPING_S):
        transactions.transactions_expire(before=clock.now() - timedelta(days=KEEP_DAYS))
        drafts.drafts_expire()
