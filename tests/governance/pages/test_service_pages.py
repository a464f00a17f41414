"""/healthz and "How voting works"."""

from datetime import timedelta

import pytest
from django.db import DatabaseError

from chain.models import Cursor
from governance.models import GovernorSettingChange, GuardianTerm
from governance.views import health
from tests.governance.pages.conftest import ALT, NOW, account, digest
from tests.governance.pages.test_proposal_detail import text


class TestHealth:
    def test_all_well(self, client, chain_now):
        response = client.get("/healthz")
        assert response.status_code == 200
        body = response.json()
        assert (body["status"], body["database"], body["broker"]) == ("ok", "ok", "ok")
        assert body["index"]["indexed_block"] == 1000
        assert "no-store" in response["Cache-Control"]

    def test_a_stale_index_degrades(self, client, chain_now):
        Cursor.objects.update(head_number=1100)
        body = client.get("/healthz").json()
        assert (body["status"], body["index"]["state"]) == ("degraded", "red")
        assert body["index"]["lag_blocks"] == 100

    def test_a_lost_broker_degrades(self, client, chain_now, settings):
        settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
        response = client.get("/healthz")
        assert response.status_code == 200
        assert (response.json()["status"], response.json()["broker"]) == ("degraded", "unreachable")

    def test_no_database_is_a_503(self, client, chain_now, monkeypatch):
        class Broken:
            def cursor(self):
                raise DatabaseError("gone")

        monkeypatch.setattr(health, "connection", Broken())
        response = client.get("/healthz")
        assert (response.status_code, response.json()["status"]) == (503, "down")

    def test_only_reading(self, client, chain_now):
        assert client.post("/healthz").status_code == 405


class TestAbout:
    @pytest.fixture
    def changed(self, chain_now):
        for block, value in ((1, 600), (9, 86_400)):
            GovernorSettingChange.objects.create(
                name="voting_period_s",
                old_value=0,
                new_value=value,
                block_number=block,
                log_index=0,
                tx=digest(block),
                changed_at=NOW,
            )
        GovernorSettingChange.objects.create(
            name="proposal_threshold_wei",
            old_value=0,
            new_value=10_000 * ALT,
            block_number=1,
            log_index=1,
            tx=digest(1),
            changed_at=NOW,
        )

    def test_the_immutable_numbers_come_from_the_deployment(self, client, changed, deployed):
        words = text(client.get("/how-voting-works/"))
        assert "Constitutional 1 min more" in words
        assert "Voting period 1 d" in words

    def test_the_numbers_in_force(self, client, changed):
        words = text(client.get("/how-voting-works/"))
        assert "Voting period 1 d" in words
        assert "To propose 10 000 ALT" in words
        assert "There is no guardian now." in words

    def test_the_guardian_and_its_end(self, client, changed):
        term = GuardianTerm.objects.create(
            guardian=account(6),
            until=NOW + timedelta(days=30),
            block_number=1,
            log_index=2,
            tx=digest(1),
            changed_at=NOW,
        )
        assert "until 2026-07-01 12:00 UTC" in text(client.get("/how-voting-works/"))
        term.until = NOW
        term.save()
        assert "There is no guardian now." in text(client.get("/how-voting-works/"))

    def test_before_any_deployment(self, client, chain_now, settings, tmp_path):
        settings.ALTHING_DEPLOYMENT = tmp_path / "none.json"
        assert "not deployed here yet" in text(client.get("/how-voting-works/"))
