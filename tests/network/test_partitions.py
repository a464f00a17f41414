"""Evidence by the day: made ahead, found, dropped when nobody needs it and never before."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from chain import clock
from network.errors import NotFound
from network.models import Attestation, AttestationEvidence, Verdict
from network.selectors.evidence import evidence_read
from network.selectors.policy import policy_current
from network.services.epochs_anchor import epochs_tick
from network.services.partitions import (
    DAYS_AHEAD,
    Retention,
    days_existing,
    partitions_drop,
    partitions_ensure,
    retention_of,
)
from tests.network.anchoring import Anchoring, anchoring, attested
from tests.network.nodes import TestNode, in_threads

__all__ = ["anchoring", "attested"]
pytestmark = [pytest.mark.chain, pytest.mark.django_db]
MakeNode = Callable[..., TestNode]
DAY = timedelta(days=1)


def table_of(report: Attestation) -> str:
    """The partition that really holds a report's body."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tableoid::regclass::text FROM network_attestationevidence "
            "WHERE attestation_id = %s",
            [report.pk],
        )
        return str(cursor.fetchone()[0])


def attest(node: TestNode) -> Attestation:
    answer = node.attest()
    assert answer.status_code == 201, answer.content
    return Attestation.objects.get(pk=answer.json()["attestation"]["id"])


def drop_all_before(at: datetime) -> list[Any]:
    return partitions_drop(retention=Retention(before=at, why=""))


def test_a_day_is_made_once_and_takes_over_what_came_before_it(make_node: MakeNode) -> None:
    report = attest(make_node(gpu_count=1))
    body = evidence_read(report)
    assert table_of(report) == "network_attestationevidence_default"
    made = partitions_ensure(at=clock.now())
    assert len(made) == DAYS_AHEAD + 1
    assert table_of(report) == f"network_attestationevidence_{report.received_at:%Y%m%d}"
    assert evidence_read(report) == body
    assert partitions_ensure(at=clock.now()) == []
    assert list(days_existing()) == made


def test_a_report_of_a_day_that_exists_goes_there(make_node: MakeNode) -> None:
    partitions_ensure(at=clock.now())
    report = attest(make_node(gpu_count=1))
    assert table_of(report) == f"network_attestationevidence_{report.received_at:%Y%m%d}"


@pytest.mark.django_db(transaction=True)
def test_two_at_once_make_each_day_once() -> None:
    at = datetime(2031, 3, 1, tzinfo=UTC)

    def ensure(_index: int) -> list[Any]:
        try:
            return partitions_ensure(at=at)
        finally:
            connection.close()

    try:
        results = in_threads(3, ensure)
        assert sorted(day for made in results for day in made)[0] == at.date()
        assert len([day for day in days_existing() if day.year == 2031]) == DAYS_AHEAD + 1
    finally:
        drop_all_before(datetime(2032, 1, 1, tzinfo=UTC))


def test_what_is_dropped_is_gone_and_its_verdict_stays(make_node: MakeNode) -> None:
    node = make_node(gpu_count=1)
    report = attest(node)
    partitions_ensure(at=clock.now())
    dropped = drop_all_before(clock.now() + DAY)
    assert report.received_at.date() in dropped
    with pytest.raises(NotFound) as caught:
        evidence_read(report)
    assert caught.value.code == "evidence_dropped"
    verdict = Verdict.objects.get(attestation=report)
    assert Client().get(f"/api/v1/verdicts/{verdict.pk}/").status_code == 200
    assert Client().get(f"/nodes/0x{node.node_id.hex()}/").status_code == 200
    claims = Client().get(f"{node.path}/claims/")
    assert (claims.status_code, claims.json()["code"]) == (404, "report_missing")
    out = StringIO()
    call_command("verdict_rederive", "--all", stdout=out)
    assert "the evidence of 1 is no longer kept" in out.getvalue()
    # The chain of reports goes on: it needs the hash alone.
    assert node.attest().status_code == 201


def test_the_default_partition_is_pruned_too(make_node: MakeNode) -> None:
    attest(make_node(gpu_count=1))
    drop_all_before(clock.now() + DAY)
    assert not AttestationEvidence.objects.exists()


def test_a_day_is_kept_as_long_as_its_last_report_must_be(make_node: MakeNode) -> None:
    report = attest(make_node(gpu_count=1))
    partitions_ensure(at=clock.now())
    midnight = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    assert drop_all_before(midnight) == []
    assert evidence_read(report)


@pytest.mark.parametrize(("kept_s", "days"), [(30 * 86_400, 30), (86_400, 8)])
def test_the_dispute_window_is_the_least(
    make_node: MakeNode, settings: Any, kept_s: int, days: int
) -> None:
    settings.EVIDENCE_RETENTION_S = kept_s
    policy = policy_current()
    assert policy.number("slash.dispute_window") == 7 * 86_400
    at = datetime(2026, 6, 30, 15, 0, tzinfo=UTC)
    assert retention_of(policy=policy, at=at).before == datetime(
        2026, 6, 30, tzinfo=UTC
    ) - timedelta(days=days)


def test_nothing_goes_before_its_epoch_is_on_chain_for_good(
    anchoring: Anchoring, attested: Callable[..., Any]
) -> None:
    attested(1000, 2000)
    later = clock.now() + timedelta(days=400)
    policy = policy_current()
    assert "no epoch has been cut" in retention_of(policy=policy, at=later).why
    anchoring.over(0)
    epochs_tick()
    held = retention_of(policy=policy, at=later)
    assert "not on chain for good" in held.why
    assert partitions_drop(retention=held) == []
    assert AttestationEvidence.objects.count() == 2


def test_a_report_that_is_missing_from_a_kept_day_is_found(
    anchoring: Anchoring, attested: Callable[..., Any]
) -> None:
    attested(1000, 2000)
    anchoring.over(0)
    epochs_tick()
    first = Attestation.objects.earliest("received_at")
    partitions_ensure(at=first.received_at)
    AttestationEvidence.objects.filter(attestation_id=first.pk).delete()
    with pytest.raises(CommandError, match="is missing from its day"):
        call_command("verify_epoch", "0", "--rederive", stdout=StringIO())
    drop_all_before(first.received_at + DAY)
    AttestationEvidence.objects.all().delete()
    out = StringIO()
    call_command("verify_epoch", "0", "--rederive", stdout=out)
    assert "Of 2 more the evidence is older than it is kept." in out.getvalue()
