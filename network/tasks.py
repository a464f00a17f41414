"""Celery ticks around attestation. Rows hold the work; a tick twice or late changes nothing."""

import hashlib
import logging

from celery import shared_task
from django.conf import settings
from django.core.cache import cache

from chain.rpc.errors import RpcError
from network.errors import PolicyUnavailable

logger = logging.getLogger(__name__)

#: Seconds a tick may spend on asking; well below Celery's own limit.
ASKING_S = 45.0
#: Certificates asked about in one tick.
ASKED_AT_ONCE = 500
#: Seconds until the same trouble is logged again.
TOLD_EVERY_S = 86_400


@shared_task
def collateral_tick() -> None:
    """Take in new manifest files, ask about certificates that are due, and watch what runs out."""
    from chain import clock
    from network.selectors.collateral import certificates_due, rims_running_out
    from network.services.collateral_directories import manifests_import
    from network.services.collateral_fetch import fetch_client, ocsp_fetch

    now = clock.now()
    report = manifests_import(at=now)
    for rim_id in report.new:
        logger.info("Manifest taken in: %s", rim_id)
    for path, error in report.refused:
        if _is_news(f"{path} {error.code}"):
            logger.warning("Manifest refused: %s: %s (%s)", path, error.detail, error.code)
    for rim in rims_running_out(at=now):
        if _is_news(f"{rim.rim_id} {rim.valid_until:%Y%m%d}"):
            logger.warning("Manifest %s runs out on %s", rim.rim_id, f"{rim.valid_until:%Y-%m-%d}")
    if not settings.OCSP_URL:
        return
    with fetch_client() as client:
        due = certificates_due(at=now, limit=ASKED_AT_ONCE)
        done = ocsp_fetch(due, client=client, at=now, budget_s=ASKING_S)
    if done.asked:
        logger.info("OCSP: %s of %s answered %s", done.answered, done.asked, done.reasons or "")


def _is_news(what: str) -> bool:
    """True once a day for the same words: a tick every minute must not fill a log."""
    key = hashlib.sha256(what.encode()).hexdigest()
    return bool(cache.add(f"collateral-told:{key}", 1, timeout=TOLD_EVERY_S))


@shared_task
def epochs_tick() -> None:
    """Cut the epochs that are over and see their roots onto the chain."""
    from network.services.epochs_anchor import epochs_tick as tick

    try:
        tick()
    except RpcError as error:
        logger.warning("Anchoring: the node: %s (%s)", error.detail, error.code)


@shared_task
def partitions_tick() -> None:
    """Make the next days' partitions of evidence, and drop the days that nobody needs."""
    from chain import clock
    from network.selectors.policy import policy_current
    from network.services.partitions import partitions_drop, partitions_ensure, retention_of

    now = clock.now()
    partitions_ensure(at=now)
    try:
        policy = policy_current()
    except PolicyUnavailable:
        return
    for day in partitions_drop(retention=retention_of(policy=policy, at=now)):
        logger.info("Evidence of %s was dropped", day)


@shared_task
def suspensions_tick() -> None:
    """Plan the suspensions and resumptions that incidents ask for, and note how far they came."""
    from network.services.suspensions import suspensions_tick as tick

    tick()


@shared_task
def compute_tick() -> None:
    """Judge what has arrived, end what never came, form the compute rounds that are due."""
    from chain import clock
    from network.errors import PolicyUnavailable
    from network.selectors.policy import policy_current
    from network.services.compute_openings import openings_judge, rounds_expire, rounds_purge
    from network.services.compute_schedule import schedule_run

    openings_judge(at=clock.now())
    rounds_expire(at=clock.now())
    try:
        schedule_run(policy=policy_current(), at=clock.now())
    except PolicyUnavailable as error:
        logger.info("No compute rounds: %s", error.detail)
    rounds_purge(at=clock.now())
