"""Celery ticks. The database's rows hold the work; a tick twice or late changes nothing."""

import logging
from datetime import timedelta

from celery import shared_task
from django.core.cache import cache

from chain.rpc.errors import RpcError

logger = logging.getLogger(__name__)

#: Seconds between two rounds of housekeeping.
HOUSEKEEPING_S = 3600
#: Days for which the sender of a transaction may still ask how it went, and a comparison that
#: found nothing is remembered.
KEEP_DAYS = 30


@shared_task
def keeper_tick() -> None:
    """Queue and execute what is due, and say why the rest waits."""
    from governance import keeper

    keeper.keeper_tick()


@shared_task
def transactions_tick() -> None:
    """Follow the transactions people sent, and learn who executed what."""
    from django.contrib.sessions.backends.db import SessionStore

    from chain import clock
    from governance import siwe
    from governance.reconcile import runs_expire
    from governance.services import drafts, transactions

    try:
        transactions.transactions_tick()
        transactions.senders_fill()
    except RpcError as error:
        # The next tick asks again; the rows say when they were last looked at.
        logger.warning("Watching transactions: the node: %s (%s)", error.detail, error.code)
    if cache.add("governance-housekeeping", 1, timeout=HOUSEKEEPING_S):
        transactions.transactions_expire(before=clock.now() - timedelta(days=KEEP_DAYS))
        drafts.drafts_expire()
        siwe.challenges_expire(before=clock.now())
        runs_expire(before=clock.now() - timedelta(days=KEEP_DAYS))
        SessionStore.clear_expired()


@shared_task
def reconcile_tick() -> None:
    """Compare what may still change, and the next part of the rest, with the chain."""
    from governance.reconcile import ReconcileRefused, Scope, reconcile_run

    try:
        report = reconcile_run(Scope())
    except ReconcileRefused as error:
        # Health says so itself; a halted or catching-up index is compared when it is back.
        logger.info("Not reconciled: %s (%s)", error.detail, error.code)
    except RpcError as error:
        logger.warning("Reconciling: the node: %s (%s)", error.detail, error.code)
    else:
        if report.opened:
            logger.error("%s indexed values differ from the chain; see reconcile.", report.opened)
