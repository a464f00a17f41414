"""/healthz, /metrics, a halted or contradicted index, and "How voting works"."""

import re
from datetime import timedelta
from html import unescape
from ipaddress import ip_network

import pytest
from django.conf import settings
from django.db import DatabaseError
from prometheus_client.parser import text_string_to_metric_families

from chain.deployment import deployment
from chain.indexer.loop import Outcome, Step
from chain.models import Cursor, Log, ReorgEvent, TxIntent
from governance.models import GovernorSettingChange, GuardianTerm, ReconcileFinding
from governance.views import health
from tests.governance.pages.conftest import ALT, NOW, account, digest
from tests.governance.pages.test_proposal_detail import text
from tests.governance.test_admin import login, staff, token


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

    def test_the_figures_are_told(self, client, chain_now, make):
        ReorgEvent.objects.create(
            chain_id=settings.CHAIN_ID,
            detected_at=NOW,
            old_number=999,
            old_hash=digest("old"),
            ancestor_number=996,
            depth=3,
        )
        intent("a", "planned", NOW - timedelta(seconds=90))
        intent("b", "finalized_ok", NOW - timedelta(days=1))
        body = client.get("/healthz").json()
        assert (body["index"]["last_reorg_depth"], body["index"]["halted"]) == (3, False)
        assert body["outbox"] == {
            "by_state": {"planned": 1, "finalized_ok": 1},
            "oldest_unsent_s": 90.0,
        }
        assert body["mismatches"] == 0

    def test_strict_takes_out_of_service_what_is_too_old_or_halted(self, client, chain_now):
        assert client.get("/readyz").status_code == 200
        Cursor.objects.update(head_number=1100)
        for path in ("/readyz", "/healthz?strict=1"):
            response = client.get(path)
            assert (response.status_code, response.json()["ready"]) == (503, False)
        assert client.get("/healthz").status_code == 200
        Cursor.objects.update(head_number=1000, state=Cursor.State.HALTED_DEEP_REORG)
        assert client.get("/readyz").status_code == 503
        body = client.get("/healthz").json()
        assert (body["index"]["state"], body["index"]["halted"]) == ("halted", True)


def intent(key: str, state: str, created_at) -> TxIntent:
    return TxIntent.objects.create(
        idem_key=key,
        kind="governor.queue",
        chain_id=settings.CHAIN_ID,
        to=account(1),
        data=b"",
        data_hash=digest("nothing"),
        state=state,
        created_at=created_at,
        updated_at=created_at,
    )


def finding(proposal, field: str = "for_wei", contract: bytes = account(90)) -> ReconcileFinding:
    return ReconcileFinding.objects.create(
        chain_id=settings.CHAIN_ID,
        contract=contract,
        kind="proposal",
        subject=str(proposal.pk),
        field=field,
        function="proposalVotes",
        proposal_id=proposal.pk,
        indexed="5",
        chain="6",
        block_number=1000,
        block_hash=digest("block"),
        found_at=NOW,
        seen_number=1000,
        seen_at=NOW,
    )


def samples(response) -> dict[tuple[str, tuple], float]:
    families = text_string_to_metric_families(response.content.decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


class TestMetrics:
    def test_every_figure_has_a_name_a_help_and_the_right_value(self, client, chain_now, make):
        Cursor.objects.update(head_number=1003)
        proposal = make.proposal("active", state_mismatch=True)
        finding(proposal)
        intent("a", "planned", NOW - timedelta(seconds=90))
        Log.objects.create(
            chain_id=settings.CHAIN_ID,
            block_number=7,
            block_hash=digest("b"),
            block_timestamp=1,
            transaction_hash=digest("t"),
            transaction_index=0,
            log_index=0,
            address=account(1),
            topics=b"",
            data=b"",
            contract="AlthingToken",
        )
        response = client.get("/metrics")
        assert response["Content-Type"].startswith("text/plain; version=")
        found = samples(response)
        for name, value in (
            ("althing_index_head_block", 1003),
            ("althing_index_cursor_block", 1000),
            ("althing_index_lag_blocks", 3),
            ("althing_index_halted", 0),
            ("althing_index_undecoded_logs", 1),
            ("althing_index_reorgs_total", 0),
            ("althing_outbox_oldest_unsent_seconds", 90),
        ):
            assert found[(name, ())] == value, name
        assert found[("althing_outbox_intents", (("state", "planned"),))] == 1
        assert found[("althing_outbox_intents", (("state", "mined"),))] == 0
        assert found[("althing_mismatches", (("kind", "proposal"),))] == 1
        assert found[("althing_mismatches", (("kind", "state"),))] == 1
        assert found[("althing_index_state", (("state", "ok"),))] == 1
        families = list(text_string_to_metric_families(response.content.decode()))
        assert all(family.documentation for family in families)
        assert all(family.name.startswith("althing_") for family in families)

    def test_providers_come_from_the_indexers_process(self, client, chain_now):
        from chain import telemetry

        telemetry._Work.published_at = float("-inf")
        telemetry.telemetry_publish(Step(Outcome.INDEXED, 4))
        found = samples(client.get("/metrics"))
        assert found[("althing_index_blocks_total", ())] >= 4
        scores = {name: value for name, value in found.items() if name[0].endswith("_score")}
        assert len(scores) == 1
        assert all(0 <= value <= 1 for value in scores.values())

    def test_a_cache_that_is_away_costs_only_those(self, client, chain_now, settings):
        settings.CACHES = {
            "default": {
                "BACKEND": "chain.cache.ResilientCache",
                "LOCATION": "redis://127.0.0.1:1/0",
            }
        }
        found = samples(client.get("/metrics"))
        assert ("althing_index_head_block", ()) in found
        assert not [name for name, _ in found if "provider" in name]

    @pytest.mark.parametrize(
        ("networks", "token", "sent", "status"),
        [
            ([], "", None, 404),
            (["10.0.0.0/8"], "", None, 403),
            (["127.0.0.0/8"], "", None, 200),
            ([], "s3cret", None, 403),
            ([], "s3cret", "Bearer wrong", 403),
            ([], "s3cret", "Basic s3cret", 403),
            ([], "s3cret", "Bearer s3cret", 200),
            ([], "", "Bearer ", 404),
        ],
    )
    def test_who_may_read_them(self, client, chain_now, settings, networks, token, sent, status):
        settings.METRICS_ALLOWED_IPS = [ip_network(item) for item in networks]
        settings.METRICS_TOKEN = token
        headers = {"Authorization": sent} if sent else {}
        assert client.get("/metrics", headers=headers).status_code == status
        # A header says nothing about who asks, where no proxy is to be believed.
        forged = {"X-Forwarded-For": "127.0.0.1", **headers}
        if status != 200:
            assert client.get("/metrics", headers=forged).status_code == status

    def test_no_query_reads_a_large_table(self, client, chain_now, django_assert_max_num_queries):
        with django_assert_max_num_queries(26) as queries:
            client.get("/metrics")
        for query in queries.captured_queries:
            if '"chain_log"' in query["sql"]:
                assert "\"event\" = ''" in query["sql"], "only through the partial index"
            assert not re.search(r'FROM "(chain_(block|keytouch|logkey|chainread))"', query["sql"])
            assert 'FROM "governance_vote"' not in query["sql"]


class TestHaltedAndContradicted:
    def test_the_api_says_where_it_stands(self, client, chain_now):
        assert client.get("/api/v1/proposals/")["Althing-Index"] == "ok; block=1000"
        Cursor.objects.update(state=Cursor.State.HALTED_DEEP_REORG, error="Too deep.")
        response = client.get("/api/v1/proposals/")
        assert (response.status_code, response["Althing-Index"]) == (200, "halted; block=1000")
        body = client.get("/api/v1/status/").json()
        assert (body["index"]["state"], body["index"]["halted"]) == ("halted", True)
        assert body["index"]["indexed_block"] == 1000
        assert "Althing-Index" not in client.get("/")

    def test_every_page_says_that_it_is_halted(self, client, chain_now):
        Cursor.objects.update(state=Cursor.State.HALTED_DEEP_REORG)
        for path in ("/", "/proposals/", "/delegates/", "/treasury/", "/nodes/", "/parameters/"):
            page = client.get(path, follow=True).content.decode()
            assert 'data-state="halted"' in page, path
            assert "reorganised deeper" in page

    def test_a_mismatch_is_on_the_strip_the_proposal_and_in_the_api(
        self, client, chain_now, make, deployed
    ):
        proposal = make.proposal("active")
        other = make.proposal("active")
        row = finding(proposal, contract=deployment().address("AlthingGovernor"))
        # Another governor's proposal may have the same number.
        finding(proposal, "against_wei")
        page = unescape(text(client.get(f"/proposals/{proposal.number}/")))
        assert "2 indexed values differ from the chain's own answer" in page
        assert "here 5, proposalVotes() says 6" in page
        assert "here 5" not in text(client.get(f"/proposals/{other.number}/"))
        assert 'data-state="amber"' in client.get("/").content.decode()
        assert "against_wei" not in page
        assert client.get("/api/v1/status/").json()["mismatches"] == 2
        assert client.get("/healthz").json()["status"] == "degraded"
        assert row in ReconcileFinding.objects.filter(closed_at=None)
        ReconcileFinding.objects.update(closed_at=NOW, closed_number=1001)
        assert 'data-state="ok"' in client.get("/").content.decode()

    def test_the_console_says_so_on_every_page(self, chain_now, client, make):
        assert login(client, "ada", staff("ada", "operator"), token("ada"))
        page = client.get("/admin/").content.decode()
        assert "Console" in page
        assert "resolve_reorg" not in page
        Cursor.objects.update(state=Cursor.State.HALTED_DEEP_REORG)
        page = client.get("/admin/").content.decode()
        assert "resolve_reorg" in page
        Cursor.objects.update(state="running")
        finding(make.proposal("active"))
        assert "See Reconcile findings" in client.get("/admin/").content.decode()


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
