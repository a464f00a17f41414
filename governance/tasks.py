"""Celery ticks. The database's rows hold the work; a tick twice or late changes nothing."""

from celery import shared_task


@shared_task
def keeper_tick() -> None:
    """Queue and execute what is due, and say why the rest waits."""
    from governance import keeper

    keeper.keeper_tick()


@shared_task
def transactions_tick() -> None:
    """Follow the transactions people sent, and learn who executed what."""
    from governance.services import transactions

    transactions.transactions_tick()
    transactions.senders_fill()
