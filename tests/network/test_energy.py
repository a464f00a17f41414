"""Energy through the service: claims in reports, hours in the database, figures for people."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from chain import clock
from network.agent.emulated_meter import EmulatedMeter, MeterFault
from network.energy.power import card_of
from network.energy.quantities import HOUR_MS
from network.models import DeviceFinding, EnergyHour, EnergyReading, Node, Verdict
from network.selectors.energy import HOUR, energy_report, hour_floor
from network.selectors.policy import policy_current
from network.services.energy import energy_record
from network.services.verdicts import verdict_rejudge
from tests.network.conftest import World
from tests.network.nodes import TestNode, later

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
MakeNode = Callable[..., TestNode]
LIMIT_MW = card_of("h100_80g").limit_mw


@pytest.fixture
def gpu_node(make_node: MakeNode) -> TestNode:
    """A node that needs no evidence: only its claims matter here."""
    node = make_node(gpu_class="edge_iot", gpu_count=2)
    node.can_attest = False
    return node


@pytest.fixture
def row(make_node: MakeNode) -> Node:
    """A registered H100 node with two GPUs, for the service alone."""
    return Node.objects.get(node_id=make_node(proven=False).node_id)


def now_ms() -> int:
    return int(clock.now().timestamp() * 1000)


def claim(uuid: str = "GPU-1", **values: Any) -> dict[str, Any]:
    return {"uuid": uuid, "sampled_at_ms": now_ms(), "energy_mj": 0} | values


def record(node: Node, *gpus: Any) -> list[str]:
    facts = energy_record(
        node=node, inventory={"gpus": list(gpus)}, policy=policy_current(), at=clock.now()
    )
    return [fact.rule for fact in facts]


def inventory(node: TestNode, fault: MeterFault = MeterFault.NONE) -> dict[str, Any]:
    listed = node.inventory()
    for gpu in listed["gpus"]:
        gpu |= EmulatedMeter(gpu["uuid"], "edge_iot", fault).telemetry(now_ms())
    return listed


def attest(node: TestNode, fault: MeterFault = MeterFault.NONE) -> Verdict:
    answer = node.attest(inventory=inventory(node, fault))
    assert answer.status_code == 201, answer.content
    return Verdict.objects.get(pk=answer.json()["verdict"]["id"])


def test_two_reports_make_a_figure_for_api_and_page(gpu_node: TestNode) -> None:
    verdict = attest(gpu_node)
    assert (EnergyReading.objects.count(), EnergyHour.objects.count()) == (2, 0)
    with later(1800):
        attest(gpu_node)
        body = Client().get(f"{gpu_node.path}/energy/?hours=2").json()
        page = Client().get(f"/nodes/0x{gpu_node.node_id.hex()}/").content.decode()
    assert abs(body["covered_ms"] - 2 * 1_800_000) < 10_000
    card = card_of("edge_iot")
    energy = body["gpu_energy_mj"]
    assert card.idle_mw * 3600 < energy["best"] < card.limit_mw * 3600
    assert energy["low"] < energy["best"] < energy["high"]
    assert (
        sum(p["gpu_energy_mj"]["best"] for p in body["points"] if p["gpu_energy_mj"])
        == (energy["best"])
    )
    assert body["site"]["site_energy_mj"]["best"] > energy["best"]
    # eu-north is no single country.
    assert (body["intensity"]["zone"], body["sci"], len(body["points"])) == (None, None, 2)
    assert body["intensity"]["intensity_mg_per_kwh"]["best"] == 475_000
    assert not [code for code in codes(verdict) if code.startswith("energy.")]
    assert "Energy and carbon" in page
    assert "How this is computed" in page


def codes(verdict: Verdict) -> list[str]:
    found = DeviceFinding.objects.filter(verdict=verdict, code__startswith="energy.")
    return [f"{row.code} {row.severity}" for row in found]


def test_impossible_power_is_marked_and_refuses_where_the_dao_says_so(
    gpu_node: TestNode, service: World
) -> None:
    attest(gpu_node, MeterFault.IMPOSSIBLE)
    with later(600):
        verdict = attest(gpu_node, MeterFault.IMPOSSIBLE)
        assert codes(verdict) == ["energy.implausible warning"] * 2
        assert verdict.status == "warning"
        (hour, *_) = EnergyHour.objects.order_by("-starts_at")
        card = card_of("edge_iot")
        assert sum(h.high_mj for h in EnergyHour.objects.all()) < 2 * card.most_mj(610_000)
        assert hour.implausible_count == 2
        service.parameters_set(attest__enforce_energy=1)
        service.pass_time(100_000)
        service.settle()
        judged = verdict_rejudge(
            node=Node.objects.get(node_id=gpu_node.node_id), policy=policy_current(), at=clock.now()
        )
    # The facts were stored with the first verdict: the counter is not read twice.
    assert judged is not None
    assert judged.inputs["facts"] == verdict.inputs["facts"]
    assert codes(judged) == ["energy.implausible error"] * 2
    assert judged.status == "contraindicated"
    assert sum(h.implausible_count for h in EnergyHour.objects.all()) == 2


def test_a_reset_counts_the_new_load_and_no_negative(row: Node) -> None:
    assert record(row, claim(energy_mj=900_000_000)) == []
    with later(600):
        assert record(row, claim(energy_mj=60_000_000)) == []
    energy = sum(hour.best_mj for hour in EnergyHour.objects.all())
    # What was counted since the reset, and idle before it; never the difference of the two.
    assert 60_000_000 <= energy < 60_000_000 + card_of("h100_80g").idle_mj(600_000)


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"energy_mj": -1}, "energy.out_of_range"),
        ({"energy_mj": 2**63}, "energy.out_of_range"),
        ({"energy_mj": 1.5}, "energy.not_whole"),
        ({"energy_mj": True}, "energy.not_whole"),
        ({"energy_mj": "12"}, "energy.not_whole"),
        ({"power_limit_mw": 0}, "energy.out_of_range"),
        ({"power_limit_mw": "700 W"}, "energy.not_whole"),
        ({"sampled_at_ms": 0}, "energy.old"),
        ({"sampled_at_ms": 2**62}, "energy.future"),
        ({"sampled_at_ms": "now"}, "energy.not_whole"),
        ({"uuid": "x" * 81}, "energy.uuid"),
        ({"uuid": None}, "energy.uuid"),
        ({"uuid": ["GPU-1"]}, "energy.uuid"),
        ({"boot_id": "\0"}, "energy.load_id"),
    ],
)
def test_a_claim_that_is_none_is_refused_and_the_others_count(
    row: Node, values: dict[str, Any], rule: str
) -> None:
    assert record(row, claim("GPU-2"), claim(**values)) == [rule]
    assert [reading.gpu_uuid for reading in EnergyReading.objects.all()] == ["GPU-2"]


@pytest.mark.parametrize("listed", [None, 7, "gpus", {"gpus": None}, {"gpus": [7, None]}, {}])
def test_an_inventory_without_claims_is_none(row: Node, listed: Any) -> None:
    facts = energy_record(node=row, inventory=listed, policy=policy_current(), at=clock.now())
    assert facts == ()


def test_more_gpus_than_are_registered_claim_nothing(row: Node) -> None:
    assert record(row, *(claim(f"GPU-{n}") for n in range(3))) == ["energy.too_many_gpus"]
    assert not EnergyReading.objects.exists()


def test_one_gpu_twice_counts_for_neither(row: Node) -> None:
    assert record(row, claim(), claim(energy_mj=5)) == ["energy.duplicate_gpu"] * 2


def test_new_gpus_with_every_report_do_not_grow_the_table(row: Node) -> None:
    for turn in range(4):
        with later(turn * 100):
            record(row, claim(f"GPU-{turn}-a"), claim(f"GPU-{turn}-b"))
    kept = EnergyReading.objects.values_list("gpu_uuid", flat=True)
    assert sorted(kept) == ["GPU-3-a", "GPU-3-b"]


def test_an_older_reading_and_another_at_the_same_time_are_refused(row: Node) -> None:
    at = now_ms()
    assert record(row, claim(sampled_at_ms=at)) == []
    assert record(row, claim(sampled_at_ms=at - 1)) == ["energy.past"]
    assert record(row, claim(sampled_at_ms=at, energy_mj=7)) == ["energy.conflict"]
    assert record(row, claim(sampled_at_ms=at)) == []
    assert not EnergyHour.objects.exists()


def test_readings_within_a_minute_are_joined_and_nothing_is_lost(row: Node) -> None:
    power_mw = 500_000
    for second in range(0, 181, 20):
        with later(second):
            assert record(row, claim(energy_mj=power_mw * second // 1000 * 1000)) == []
    covered_ms = sum(hour.covered_ms for hour in EnergyHour.objects.all())
    energy_mj = sum(hour.best_mj for hour in EnergyHour.objects.all())
    assert 179_000 < covered_ms < 181_500
    assert energy_mj == power_mw * 180


def test_a_long_silence_counts_in_the_total_and_in_no_hour(row: Node) -> None:
    record(row, claim())
    with later(5 * 3600):
        record(row, claim(energy_mj=5 * 3600 * 300_000))
        end = hour_floor(clock.now()) + HOUR
        report = energy_report(row, start=end - 24 * HOUR, end=end, policy=policy_current())
    assert all(point.gpu_energy_mj is None for point in report.points)
    assert report.gpu_energy_mj.best == report.unplaced_mj.best == 5 * 3600 * 300_000
    assert report.covered_ms == report.unplaced_ms > 5 * HOUR_MS - 1000
    assert report.sci is not None
    assert report.estimated_bps == 10_000


def test_a_window_over_two_hours_is_cut_between_them(row: Node) -> None:
    half_past = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)
    for minutes, energy in ((0, 0), (50, 50 * 60 * 300_000)):
        at = half_past + timedelta(minutes=minutes)
        with clock.clock_override(lambda at=at: at):  # type: ignore[misc]
            record(row, claim(energy_mj=energy))
    first, second = EnergyHour.objects.order_by("starts_at")
    assert (first.starts_at.hour, second.starts_at.hour) == (12, 13)
    assert (first.covered_ms, second.covered_ms) == (30 * 60_000, 20 * 60_000)
    assert first.best_mj + second.best_mj == 50 * 60 * 300_000


@pytest.mark.parametrize("hours", ["0", "-1", "2209", "a", "1e3", "٣", "99999999999"])
def test_a_range_that_is_none_is_refused(gpu_node: TestNode, hours: str) -> None:
    answer = Client().get(f"{gpu_node.path}/energy/?hours={hours}")
    assert (answer.status_code, answer.json()["code"]) == (400, "filter_invalid")


def test_a_node_without_claims_says_so(gpu_node: TestNode) -> None:
    body = Client().get(f"{gpu_node.path}/energy/").json()
    assert (body["covered_ms"], body["sci"], body["gpu_energy_mj"]["best"]) == (0, None, 0)
    page = Client().get(f"/nodes/0x{gpu_node.node_id.hex()}/").content.decode()
    assert "No energy readings in the last seven days" in page


def test_the_method_is_one_click_away(service: World) -> None:
    page = Client().get("/nodes/energy/method/")
    assert page.status_code == 200
    assert "energy.host_overhead" in page.content.decode()
