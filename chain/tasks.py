"""Celery ticks. They only wake the work: the database's rows hold its state and its locks, so
a tick that comes late, twice or not at all changes nothing."""

import logging

from celery import shared_task

from chain.rpc.errors import RpcError

logger = logging.getLogger(__name__)

#: Seconds one tick may index; the next goes on where it stopped.
_INDEX_S = 20


@shared_task
def index_tick() -> None:
    """Index up to the head, for at most a few seconds."""
    from chain.indexer.follow import index_tick_run

    index_tick_run(seconds=_INDEX_S)


@shared_task
def outbox_tick() -> None:
    """Move every open intent one step."""
    from chain.sender.loop import outbox_run_once

    try:
        outbox_run_once()
    except RpcError as error:
        logger.warning("Sending: the node: %s (%s)", error.detail, error.code)
