"""Celery ticks. They only wake the work: the database's rows hold its state and its locks, so
a tick that comes late, twice or not at all changes nothing."""

from celery import shared_task


@shared_task
def index_tick() -> None:
    """Index up to the head, for at most a few seconds."""
    from chain.indexer.loop import index_until_head

    index_until_head(seconds=20)


@shared_task
def outbox_tick() -> None:
    """Move every open intent one step."""
    from chain.sender.loop import outbox_run_once

    outbox_run_once()
