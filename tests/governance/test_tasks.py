"""The ticks as Celery runs them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from chain import clock
from chain.contracts import contract
from config.celery import app
from governance.models import Draft, PendingTransaction
from governance.tasks import keeper_tick, transactions_tick
from tests.governance.conftest import Dao
from tests.governance.wallets import sign_in

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


def test_without_a_node_nothing_is_lost(dao: Dao, client: Client, settings: Any) -> None:
    """The hash a browser posts is kept, and the answers are coded."""
    proposed = dao.propose()
    dao.index()
    settings.RPC_URL = "http://127.0.0.1:9"
    sent = {"hash": f"0x{proposed.transaction_hash.hex()}", "purpose": "propose"}
    answer = client.post("/api/v1/transactions/", sent, content_type="application/json")
    assert (answer.status_code, answer.json()["state"]) == (201, "pending")
    transactions_tick()
    keeper_tick()
    assert PendingTransaction.objects.get().state == "pending"
    for path, body in {
        "/api/v1/proposals/preview/": {
            "title": "T",
            "description": "",
            "actions": [
                {"type": "parameter_set", "changes": [{"name": "attest.ttl", "value": "3600"}]}
            ],
        },
        "/api/v1/transactions/simulate/": {
            "from": dao.accounts[0].checksum,
            "to": f"0x{contract('AlthingToken').address.hex()}",
            "data": "0x",
        },
    }.items():
        refused = client.post(path, body, content_type="application/json")
        assert (refused.status_code, refused.json()["code"]) == (503, "chain_unavailable"), path
    power = client.get(f"/api/v1/proposals/1/power/?account={dao.accounts[0].checksum}")
    assert power.status_code == 200
    # Plain accounts sign in without a node.
    sign_in(client, dao.accounts[3])
