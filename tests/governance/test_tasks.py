"""The ticks as Celery runs them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chain import clock
from config.celery import app
from governance.models import Draft, PendingTransaction
from governance.tasks import keeper_tick, transactions_tick
from tests.governance.conftest import Dao

pytestmark = [pytest.mark.chain, pytest.mark.django_db]


def test_the_beat_names_tasks_that_exist() -> None:
    app.loader.import_default_modules()
    for entry in app.conf.beat_schedule.values():
        assert entry["task"] in app.tasks


def test_ticks_run_on_an_empty_database(dao: Dao) -> None:
    keeper_tick()
    transactions_tick()
    dao.index()
    keeper_tick()
    transactions_tick()


def test_old_rows_are_forgotten(dao: Dao) -> None:
    moment = clock.now()
    old = moment - timedelta(days=31)
    Draft.objects.create(owner_token="t", created_at=old, updated_at=old)
    Draft.objects.create(account=b"a" * 20, created_at=old, updated_at=old)
    PendingTransaction.objects.create(
        transaction_hash=b"x" * 32, state="finalized", submitted_at=old
    )
    transactions_tick()
    assert [draft.account for draft in Draft.objects.all()] == [b"a" * 20]
    assert not PendingTransaction.objects.exists()
