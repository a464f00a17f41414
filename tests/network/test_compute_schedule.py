"""Who is challenged when: operators whole, half of the fleet, at instants nobody can compute."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from statistics import fmean
from typing import Any

import pytest

from network.compute import Check, Params, packaged_table
from network.models import ComputeCohort, ComputeRound, ComputeTask, Node
from network.selectors import policy_current
from network.selectors.policy import PolicySnapshot
from network.services import compute_plan
from network.services.compute_openings import rounds_expire, rounds_purge
from network.services.compute_plan import (
    DEFAULTS,
    ask_again_s,
    chance_drawn,
    gap_draw,
    gap_mean_s,
    notice,
    overdue_after,
    plan_for,
)
from network.services.compute_schedule import schedule_run
from scripts._deployment.parameters import rows_read
from tests.network.compute_player import Clock, round_due, round_formed, schedule, stopped_clock
from tests.network.conftest import World
from tests.network.nodes import TestNode

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
MakeNode = Callable[..., TestNode]


@pytest.fixture
def hands() -> Iterator[Clock]:
    with stopped_clock() as made:
        yield made


@pytest.fixture
def reporting(make_node: MakeNode) -> Callable[..., TestNode]:
    def make(**options: Any) -> TestNode:
        node = make_node(**{"gpu_class": "consumer_24g", "gpu_count": 1} | options)
        node.can_attest = False
        assert node.attest().status_code == 201
        return node

    return make


def operator_of(node: TestNode) -> bytes:
    return bytes(Node.objects.get(pk=node.node_id).operator)


def policy_with(base: PolicySnapshot, **values: int) -> PolicySnapshot:
    named = {f"attest.{name}": str(value) for name, value in values.items()}
    return replace(base, values=base.values | named)


def test_defaults_are_those_of_the_parameters_file(db: None) -> None:
    rows = {row["key"]: row for row in rows_read()}
    assert {name: int(rows[name]["default"]) for name in DEFAULTS} == DEFAULTS
    assert compute_plan._MIN_OPENINGS == int(rows["attest.challenge_openings"]["min"])


@pytest.mark.parametrize(
    ("rate", "cohort", "mean_s"), [(4, 5_000, 10_800), (1, 10_000, 86_400), (96, 500, 45)]
)
def test_the_voted_rate_is_kept(indexed: World, rate: int, cohort: int, mean_s: int) -> None:
    """Cohorts a day times the chance to be in one are the rate, whatever the cohort's size."""
    policy = policy_with(policy_current(), challenge_rate=rate, cohort=cohort)
    assert gap_mean_s(policy) == mean_s
    gaps = [gap_draw(policy).total_seconds() for _ in range(4000)]
    least = 2 * notice().total_seconds()
    assert min(gaps) >= least
    assert max(gaps) <= max(2 * mean_s, least)
    assert fmean(gaps) == pytest.approx(max(mean_s, least), rel=0.05)
    drawn = fmean(chance_drawn(policy) for _ in range(4000))
    assert drawn == pytest.approx(cohort / 10_000, abs=0.05)
    window_s = policy.appraisal_policy().challenge_window_s
    assert overdue_after(policy).total_seconds() + 2 * mean_s < window_s


def test_a_node_is_told_in_time_whenever_it_asks(settings: Any) -> None:
    for seconds in (2, 6, 90, 3600):
        settings.COMPUTE_NOTICE_S = seconds
        assert 1 <= ask_again_s() <= 0.9 * seconds


def test_a_size_that_cannot_be_sent_is_recomputed(indexed: World, settings: Any) -> None:
    node = Node(gpu_class="h100_80g")
    policy = policy_current()
    plan = plan_for(node, emulated=False, policy=policy)
    assert plan.params == Params(n=16384, openings=64, check=Check.FREIVALDS)
    plan = plan_for(node, emulated=False, policy=policy_with(policy, challenge_openings=512))
    assert plan.params == Params(n=16384, openings=512, check=Check.RECOMPUTE)
    settings.COMPUTE_CHECK = "recompute"
    plan = plan_for(node, emulated=False, policy=policy)
    assert plan.params.check is Check.RECOMPUTE
    for gpu_class in packaged_table().classes:
        for openings in (16, 64, 512):
            asked = policy_with(policy, challenge_openings=openings)
            assert plan_for(Node(gpu_class=gpu_class), emulated=False, policy=asked)


def test_the_classes_that_are_challenged_have_a_row_in_the_table() -> None:
    assert compute_plan.challenged_classes() == {
        "consumer_24g",
        "workstation_48g",
        "a100_80g",
        "h100_80g",
        "h200_141g",
        "b200_192g",
    }


def test_nobody_is_challenged_who_does_not_report(
    make_node: MakeNode, reporting: MakeNode, hands: Clock
) -> None:
    make_node(gpu_class="consumer_24g", gpu_count=1, operator=4)
    reporting(gpu_class="cloud", operator=5)
    reported = reporting()
    round_formed(hands, reported)
    schedule(hands)
    assert [bytes(row.node_id) for row in ComputeRound.objects.all()] == [reported.node_id]
    assert ComputeCohort.objects.filter(reason="first").count() == 1


def test_a_report_without_gpus_makes_no_round(make_node: MakeNode, hands: Clock) -> None:
    node = make_node(gpu_class="consumer_24g", gpu_count=1)
    node.can_attest = False
    for inventory in ({}, {"gpus": [{"uuid": "GPU-é"}, {"uuid": "x" * 65}, {"uuid": 7}]}):
        assert node.attest(inventory=inventory).status_code == 201
    schedule(hands)
    hands.wait(300)
    schedule(hands)
    assert not ComputeRound.objects.exists()
    # And is not looked at again and again.
    schedule(hands)
    assert ComputeCohort.objects.filter(reason="first").count() == 1


def test_all_nodes_of_an_operator_are_asked_at_one_instant(
    reporting: MakeNode, hands: Clock
) -> None:
    nodes = [reporting(), reporting(gpu_count=2), reporting(operator=4)]
    due = round_due(hands, nodes[0])
    own = ComputeRound.objects.filter(cohort=due.cohort_id)
    assert {bytes(row.node_id) for row in own} == {nodes[0].node_id, nodes[1].node_id}
    assert {row.starts_at for row in own} == {due.starts_at}
    assert ComputeTask.objects.filter(round__in=own).count() == 3
    # While these are open the operator is in no other cohort.
    ComputeCohort.objects.create(
        reason="again", operator=operator_of(nodes[0]), starts_at=hands.now
    )
    schedule(hands)
    assert ComputeRound.objects.filter(node_id=nodes[0].node_id).count() == 1


def test_the_fleets_cohort_takes_operators_whole_and_the_overdue_for_certain(
    reporting: MakeNode, hands: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = [reporting(operator=index) for index in (3, 3, 4, 5)]
    draws = iter([True, False, False])
    module = "network.services.compute_schedule"
    policy = policy_current()
    ComputeCohort.objects.create(reason="fleet", starts_at=hands.now + notice())
    for item in nodes:
        cohort = ComputeCohort.objects.create(
            reason="first", starts_at=hands.now, formed_at=hands.now
        )
        age = timedelta(days=2) if item is nodes[3] else timedelta(hours=1)
        ComputeRound.objects.create(
            cohort=cohort,
            node_id=item.node_id,
            starts_at=hands.now - age,
            status="passed",
            deadline_class="emulated",
            params={},
            margin_bps=15_000,
            basis="assigned",
        )
    operators = sorted({operator_of(item) for item in nodes})
    chosen = dict(zip(operators, draws, strict=True))
    order = iter(operators)
    monkeypatch.setattr(f"{module}.chance_drawn", lambda policy: chosen[next(order)])
    assert schedule_run(policy=policy, at=hands.now) == 1
    formed = ComputeRound.objects.filter(status="scheduled")
    asked = {bytes(Node.objects.get(pk=row.node_id).operator) for row in formed}
    overdue = operator_of(nodes[3])
    assert asked == {operators[0], overdue}
    for operator in asked:
        assert (
            formed.filter(node__operator=operator).count()
            == Node.objects.filter(operator=operator).count()
        )
    # The next instant is drawn, once.
    assert ComputeCohort.objects.filter(reason="fleet", formed_at=None).count() == 1


def test_a_service_that_was_away_tells_the_nodes_in_time_all_the_same(
    reporting: MakeNode, hands: Clock
) -> None:
    node = reporting()
    schedule(hands)
    hands.wait(1800)
    schedule(hands)
    late = ComputeRound.objects.get(node_id=node.node_id)
    assert late.starts_at == hands.now + notice()


def test_after_a_missed_round_another_comes_within_the_hour_but_not_for_ever(
    reporting: MakeNode, hands: Clock
) -> None:
    node = reporting()
    round_due(hands, node)
    for turn in range(3):
        hands.wait(6)
        assert rounds_expire(at=hands.now) == 1
        ahead = ComputeCohort.objects.filter(reason="again", formed_at=None).first()
        if turn == 2:
            assert ahead is None
            break
        assert ahead is not None
        assert hands.now < ahead.starts_at <= hands.now + timedelta(hours=1)
        hands.now = ahead.starts_at - notice()
        assert node.attest().status_code == 201
        schedule(hands)
        hands.now = ComputeRound.objects.get(status="scheduled").starts_at


def test_old_rounds_are_deleted(reporting: MakeNode, hands: Clock) -> None:
    node = reporting()
    round_due(hands, node)
    assert rounds_purge(at=hands.now + timedelta(days=89)) == 0
    assert rounds_purge(at=hands.now + timedelta(days=91)) > 0
    assert not ComputeTask.objects.exists()
    # The instant ahead stays.
    assert ComputeCohort.objects.filter(reason="fleet", formed_at=None).exists()
