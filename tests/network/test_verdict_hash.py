"""The hash that a verdict gets with its row, and the one that older rows get by the migration."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.test import Client

from network.models import Verdict
from network.selectors.policy import policy_current
from network.services.epochs_hash import verdict_published
from network.services.verdicts import verdict_rejudge
from tests.network.conftest import World, node
from tests.network.nodes import TestNode, later

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
migration: Any = import_module("network.migrations.0002_verdict_hash")


def test_the_row_read_back_has_the_hash_it_was_stored_with(
    make_node: Callable[..., TestNode],
) -> None:
    made = make_node()
    answer = made.attest().json()["verdict"]
    verdict = Verdict.objects.get()
    assert verdict_published(verdict).hash == verdict.verdict_hash
    assert answer["verdict_hash"] == f"0x{verdict.verdict_hash.hex()}"
    # What the token's words add later is not part of it.
    verdict.findings["token_withheld"] = {"code": "token.no_key"}
    verdict.sentence = "Other words."
    assert verdict_published(verdict).hash == verdict.verdict_hash
    shown = Client().get(f"/api/v1/verdicts/{verdict.pk}/").json()
    assert shown["verdict_hash"] == answer["verdict_hash"]


def test_older_rows_get_theirs_in_the_order_they_were_made(
    make_node: Callable[..., TestNode], service: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_node()
    assert made.attest().status_code == 201
    service.parameters_set(attest__ttl=1800)
    service.settle()
    with later(5):
        again = verdict_rejudge(
            node=node(made.node_id), policy=policy_current(), at=Verdict.objects.get().judged_at
        )
    assert again is not None
    with later(60):
        assert made.attest().status_code == 201
    Verdict.objects.update(verdict_hash=bytes(32), inputs={})
    for at_once in (500, 1):
        monkeypatch.setattr(migration, "ROWS_AT_ONCE", at_once)
        migration.hashes_write(apps, None)
        rows = list(Verdict.objects.order_by("pk"))
        assert [row.verdict_hash for row in rows] == [verdict_published(row).hash for row in rows]
        assert len({bytes(row.verdict_hash) for row in rows}) == 3
        replaces = verdict_published(rows[1]).replaces
        assert replaces == rows[0].verdict_hash
