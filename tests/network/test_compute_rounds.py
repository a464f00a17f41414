"""A compute round through the API: told, begun, committed, opened, judged; T2 by it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from network.compute import (
    Basis,
    Challenge,
    DeadlineTable,
    EpochSecret,
    NumpyBackend,
    Prover,
)
from network.models import ComputeCohort, ComputeRound, ComputeTask, Verdict
from network.services import compute_plan, compute_rounds, compute_secrets
from network.services.compute_openings import openings_judge, rounds_expire, task_judge
from network.services.rederivation import verdict_rederive
from network.tasks import compute_tick
from tests.network.compute_player import (
    ROUNDS,
    Clock,
    Player,
    round_due,
    round_formed,
    stopped_clock,
)
from tests.network.conftest import World
from tests.network.nodes import TestNode

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
MakeNode = Callable[..., TestNode]


@pytest.fixture
def hands() -> Iterator[Clock]:
    with stopped_clock() as made:
        yield made


@pytest.fixture
def node(make_node: MakeNode) -> TestNode:
    """A node of two cards that cannot attest; it has reported once."""
    made = make_node(gpu_class="consumer_24g", gpu_count=2)
    made.can_attest = False
    assert made.attest().status_code == 201
    return made


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def verdict_codes(verdict: dict[str, Any]) -> list[str]:
    return [finding["code"] for finding in verdict["findings"]["findings"]]


def test_a_passed_round_lifts_a_node_to_t2_and_no_further(node: TestNode, hands: Clock) -> None:
    before = Verdict.objects.get()
    assert (before.status, before.tier, before.required_tier) == ("contraindicated", 1, 2)
    assert "challenge.none" in [item.code for item in before.device_findings.all()]
    due = round_due(hands, node)
    played = Player(node).play(due.pk)
    assert (played.status, played.codes, played.basis) == ("passed", [], "assigned")
    assert (played.deadline_class, played.params["n"]) == ("emulated", 64)
    assert played.limit_ms is not None
    assert played.elapsed_ms is not None
    verdict = node.attest().json()["verdict"]
    assert (verdict["status"], verdict["tier"], verdict["required_tier"]) == ("affirming", 2, 2)
    # Software answered, and everything that rests on it says so.
    assert verdict["emulated"] is True
    stored = Verdict.objects.latest("id").inputs["facts"]["compute"]
    assert stored["round_id"] == str(due.pk)
    assert stored["outcome"] == "passed"


def test_a_node_is_told_shortly_before_and_nobody_else(node: TestNode, hands: Clock) -> None:
    player = Player(node)
    assert player.next()["round"] is None
    formed = round_formed(hands, node)
    told = player.next()
    assert told["round"]["id"] == str(formed.pk)
    assert 0 < told["round"]["starts_in_ms"] <= 90_000
    assert told["ask_again_s"] == 60
    assert [gpu["gpu_id"] for gpu in told["round"]["gpus"]] == sorted(
        gpu.uuid.lower() for gpu in node.gpus
    )
    assert "nonce" not in str(told)
    public = Client()
    assert public.get(f"{node.path}/compute-rounds/").json()["results"] == []
    assert code(public.get(f"{ROUNDS}/{formed.pk}/")) == (404, "round_unknown")
    page = public.get(f"/nodes/0x{node.node_id.hex()}/").content.decode()
    assert str(formed.pk) not in page
    # Nothing that could leak exists before the clock runs.
    assert not ComputeTask.objects.exclude(state=None).exists()


def test_a_round_is_begun_in_its_window_and_once(node: TestNode, hands: Clock) -> None:
    formed = round_formed(hands, node)
    player = Player(node)
    assert code(player.ready(formed.pk)) == (409, "compute.begin_early")
    hands.now = formed.starts_at
    hands.wait(-1)
    assert code(player.begin(formed.pk)) == (409, "compute.begin_early")
    hands.wait(1)
    assert code(player.post(formed.pk, "begin", {"echo": f"0x{'00' * 32}"})) == (
        409,
        "echo_unknown",
    )
    assert player.begin(formed.pk).status_code == 201
    assert code(player.ready(formed.pk)) == (409, "compute.out_of_turn")
    hands.wait(6)
    assert ComputeRound.objects.get().status == "begun"


def test_a_round_that_is_begun_too_late_is_missed(node: TestNode, hands: Clock) -> None:
    due = round_due(hands, node)
    player = Player(node)
    assert player.ready(due.pk).status_code == 201
    hands.wait(5.001)
    assert code(player.ready(due.pk)) == (409, "compute.begin_late")
    assert player.next()["round"] is None
    assert rounds_expire(at=hands.now) == 1
    missed = ComputeRound.objects.get(pk=due.pk)
    assert (missed.status, missed.codes) == ("missed", ["compute.no_begin"])
    verdict = node.attest().json()["verdict"]
    assert "challenge.missed" in verdict_codes(verdict)
    assert verdict["tier"] == 1


def test_the_round_trip_is_measured_and_buys_little(node: TestNode, hands: Clock) -> None:
    due = round_due(hands, node)
    player = Player(node)
    echo = player.ready(due.pk).json()["echo"]
    hands.wait(3)
    body = player.post(due.pk, "begin", {"echo": echo}).json()
    # 20 s of the emulated class, times 150 %, and half a second of the three.
    assert body["commit_ms"] == 30_500


def test_a_repeated_request_gets_the_same_challenges_and_rows(node: TestNode, hands: Clock) -> None:
    due = round_due(hands, node)
    player = Player(node)
    echo = player.ready(due.pk).json()["echo"]
    first = player.post(due.pk, "begin", {"echo": echo}, idempotency_key="begin-0001")
    again = player.post(due.pk, "begin", {"echo": echo}, idempotency_key="begin-0001")
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert code(player.post(due.pk, "begin", {"echo": echo})) == (409, "compute.out_of_turn")
    player.provers = [
        Prover(Challenge.from_json(item), NumpyBackend()) for item in first.json()["challenges"]
    ]
    commitments = player.commitments()
    drawn = player.commit(due.pk, commitments).json()
    hands.wait(1)
    assert player.commit(due.pk, commitments).json() == drawn
    other = [{"position": 0, "commitment": commitments[0]["commitment"][:-2] + "00"}]
    if other[0]["commitment"] == commitments[0]["commitment"]:
        other[0]["commitment"] = commitments[0]["commitment"][:-2] + "01"
    assert code(player.commit(due.pk, other)) == (409, "compute.second_commit")


def test_a_restart_in_the_middle_loses_nothing(
    node: TestNode, hands: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new process has new secret vectors; the rows of a round begun before still pass."""
    due = round_due(hands, node)
    player = Player(node)
    drawn = player.committed(due.pk)
    compute_secrets._SECRETS.clear()
    monkeypatch.setattr("network.api.views.compute.is_cheap", lambda params: False)
    player.opened(due.pk, drawn)
    # The process died before it judged; the next tick finds what was stored.
    assert ComputeRound.objects.get(pk=due.pk).status == "begun"
    assert openings_judge(at=hands.now) == 2
    assert ComputeRound.objects.get(pk=due.pk).status == "passed"
    assert not ComputeTask.objects.exclude(opening=b"").exists()


def test_a_fault_while_judging_keeps_the_opening(
    node: TestNode, hands: Clock, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    due = round_due(hands, node)

    def broken(challenge: Any) -> Any:
        raise RuntimeError("no memory")

    with monkeypatch.context() as patched:
        patched.setattr("network.services.compute_openings.secret_for", broken)
        Player(node).play(due.pk)
        assert openings_judge(at=hands.now) == 0
    assert set(ComputeTask.objects.values_list("status", flat=True)) == {"opened"}
    assert openings_judge(at=hands.now) == 2
    assert ComputeRound.objects.get(pk=due.pk).status == "passed"


def test_a_judged_task_is_not_judged_again(node: TestNode, hands: Clock) -> None:
    due = round_due(hands, node)
    Player(node).play(due.pk)
    task = ComputeTask.objects.first()
    assert task is not None
    assert not task_judge(task.pk, at=hands.now)
    assert not task_judge(10**9, at=hands.now)


@pytest.mark.parametrize("silent_after", ["begin", "commit"])
def test_an_answer_that_never_comes_fails_the_round(
    node: TestNode, hands: Clock, silent_after: str
) -> None:
    due = round_due(hands, node)
    player = Player(node)
    assert player.begin(due.pk).status_code == 201
    if silent_after == "commit":
        player.commit(due.pk)
    assert rounds_expire(at=hands.now) == 0
    hands.wait(121)
    assert rounds_expire(at=hands.now) == 1
    ended = ComputeRound.objects.get(pk=due.pk)
    expected = "compute.no_commit" if silent_after == "begin" else "compute.no_opening"
    assert (ended.status, ended.codes) == ("failed", [expected])
    assert code(player.commit(due.pk)) == (409, "compute.out_of_turn")


def test_late_is_late_by_the_services_clock(node: TestNode, hands: Clock) -> None:
    due = round_due(hands, node)
    player = Player(node)
    limit_ms = player.begin(due.pk).json()["commit_ms"]
    hands.wait((limit_ms + 1) / 1000)
    drawn = [item["indices"] for item in player.commit(due.pk).json()["drawn"]]
    hands.wait(60)
    player.opened(due.pk, drawn)
    ended = ComputeRound.objects.get(pk=due.pk)
    assert (ended.status, ended.codes) == ("failed", ["compute.late", "compute.open_late"])
    assert ended.elapsed_ms == limit_ms + 1


@pytest.fixture
def uncalibrated(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """A service without emulator, with a class of hardware that nobody has timed."""
    row = {"class": "consumer_24g", "n": "64", "T": "1", "p99_ms": "", "samples": "0"}
    table = DeadlineTable([row | {"calibrated_at": "uncalibrated"}])
    for module in (compute_plan, compute_rounds):
        monkeypatch.setattr(module, "packaged_table", lambda: table)
    settings.EMULATOR_ROOT_DIR = None


@pytest.mark.usefixtures("uncalibrated")
def test_a_round_of_an_uncalibrated_class_proves_no_tier(
    node: TestNode, hands: Clock, service: World
) -> None:
    due = round_due(hands, node)
    player = Player(node)
    drawn = player.committed(due.pk)
    hands.wait(0.1)
    player.opened(due.pk, drawn)
    ended = ComputeRound.objects.get(pk=due.pk)
    assert (ended.status, ended.basis, ended.limit_ms) == ("passed", Basis.UNCALIBRATED, None)
    verdict = node.attest().json()["verdict"]
    assert verdict["tier"] == 1
    assert "challenge.uncalibrated" in verdict_codes(verdict)
    said = Client().get(f"{node.path}/compute-rounds/").json()["results"][0]
    assert said["basis"] == "uncalibrated"
    assert "Uncalibrated" in said["sentence"]
    assert "Uncalibrated" in Client().get(f"/nodes/0x{node.node_id.hex()}/").content.decode()


@pytest.mark.usefixtures("uncalibrated")
def test_a_failed_round_of_an_uncalibrated_class_never_refuses(
    node: TestNode, hands: Clock, service: World
) -> None:
    service.parameters_set(attest__enforce_challenge=1, attest__required_tier_consumer_24g=1)
    service.pass_time(90_000)
    service.settle()
    due = round_due(hands, node)
    Player(node).begin(due.pk)
    hands.wait(200)
    rounds_expire(at=hands.now)
    verdict = node.attest().json()["verdict"]
    found = {item["code"]: item["severity"] for item in verdict["findings"]["findings"]}
    assert found["challenge.failed"] == "info"
    assert verdict["status"] == "affirming"


def test_a_vote_decides_whether_a_failed_round_refuses(
    make_node: MakeNode, service: World, hands: Clock
) -> None:
    attesting = make_node(gpu_count=1)
    assert attesting.attest().status_code == 201
    due = round_due(hands, attesting)
    Player(attesting).begin(due.pk)
    hands.wait(200)
    rounds_expire(at=hands.now)
    marked = attesting.attest().json()["verdict"]
    assert (marked["status"], marked["tier"]) == ("warning", 4)
    assert "challenge.failed" in verdict_codes(marked)
    service.parameters_set(attest__enforce_challenge=1)
    service.pass_time(90_000)
    service.settle()
    assert attesting.attest().json()["verdict"]["status"] == "contraindicated"


CLAIMS_AND_TIERS: list[tuple[dict[str, Any], int]] = [
    ({"mig": True}, 1),
    ({"vgpu": True}, 1),
    ({"mig": None}, 1),
    ({"vgpu": "false"}, 1),
    ({"uuid": "GPU-another"}, 1),
    ({}, 2),
]


def test_t2_needs_whole_gpus_and_the_very_ones_of_the_round(node: TestNode, hands: Clock) -> None:
    due = round_due(hands, node)
    Player(node).play(due.pk)
    for claims, reached in CLAIMS_AND_TIERS:
        inventory = node.inventory()
        inventory["gpus"][1] |= claims
        verdict = node.attest(inventory=inventory).json()["verdict"]
        assert verdict["tier"] == reached, claims
        assert ("challenge.not_whole" in verdict_codes(verdict)) == (reached == 1), claims


def test_a_passed_round_counts_for_four_mean_gaps(node: TestNode, hands: Clock) -> None:
    due = round_due(hands, node)
    Player(node).play(due.pk)
    hands.wait(86_399)
    assert node.attest().json()["verdict"]["tier"] == 2
    hands.wait(2)
    verdict = node.attest().json()["verdict"]
    assert verdict["tier"] == 1
    assert "challenge.lapsed" in verdict_codes(verdict)


def test_only_the_last_round_counts(node: TestNode, hands: Clock) -> None:
    """Who passes one round and misses the next may have one card for two claims."""
    due = round_due(hands, node)
    Player(node).play(due.pk)
    assert node.attest().json()["verdict"]["tier"] == 2
    ComputeRound.objects.create(
        cohort=ComputeCohort.objects.create(
            reason="fleet", starts_at=hands.now, formed_at=hands.now
        ),
        node_id=node.node_id,
        starts_at=hands.now,
        status="scheduled",
        deadline_class="emulated",
        params=due.params,
        margin_bps=15_000,
        basis="assigned",
    )
    hands.wait(6)
    rounds_expire(at=hands.now)
    assert node.attest().json()["verdict"]["tier"] == 1


def test_a_verdict_at_t2_is_derived_again_when_rounds_have_moved_on(
    node: TestNode, hands: Clock
) -> None:
    due = round_due(hands, node)
    Player(node).play(due.pk)
    assert node.attest().json()["verdict"]["tier"] == 2
    at_t2 = Verdict.objects.latest("id")
    ComputeRound.objects.filter(pk=due.pk).update(status="failed", codes=["compute.late"])
    assert node.attest().json()["verdict"]["tier"] == 1
    again = verdict_rederive(at_t2)
    assert again.equal
    assert not again.differences
    ComputeRound.objects.all().delete()
    assert verdict_rederive(at_t2).equal


def test_the_secret_vectors_are_nowhere_to_be_seen(
    node: TestNode, hands: Clock, caplog: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    due = round_due(hands, node)
    player = Player(node)
    seen = [player.begin(due.pk).content]
    answer = player.commit(due.pk)
    seen.append(answer.content)
    player.opened(due.pk, [item["indices"] for item in answer.json()["drawn"]])
    compute_tick()
    state = ComputeTask.objects.first()
    assert state is not None
    secret = compute_secrets.secret_for(player.provers[0].challenge)
    assert isinstance(secret, EpochSecret)
    seen += [
        Client().get(f"{ROUNDS}/{due.pk}/").content,
        str(list(ComputeTask.objects.values())).encode(),
        str(list(ComputeRound.objects.values())).encode(),
        caplog.text.encode(),
        repr(secret).encode(),
    ]
    for value in (*secret.r[0], *secret.s[0]):
        assert all(str(int(value)).encode() not in text for text in seen)
    assert all(secret.r[:4].tobytes() not in text for text in seen)


def test_rounds_are_public_once_they_are_over(node: TestNode, hands: Clock) -> None:
    due = round_due(hands, node)
    Player(node).play(due.pk)
    listed = Client().get(f"{node.path}/compute-rounds/").json()["results"]
    assert [row["id"] for row in listed] == [str(due.pk)]
    assert listed[0]["emulated"] is True
    detail = Client().get(f"{ROUNDS}/{due.pk}/").json()
    assert [task["status"] for task in detail["tasks"]] == ["passed", "passed"]
    assert detail["tasks"][0]["outcome"]["rows_checked"] == 64
    assert Player(node).next()["last"]["id"] == str(due.pk)
    page = Client().get(f"/nodes/0x{node.node_id.hex()}/").content.decode()
    assert "emulated" in page
    assert "Compute rounds" in page
