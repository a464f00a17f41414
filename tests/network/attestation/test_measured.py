"""Tier T2 by compute rounds: what is proven, what is told, and facts are read back the same."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from network.attestation import (
    ComputeFacts,
    NodeEvidence,
    NodeFacts,
    Policy,
    RoundOutcome,
    Severity,
    Tier,
)
from network.attestation.inventory import (
    inventory_emulated,
    inventory_gpu_ids,
    inventory_whole_gpus,
)
from network.attestation.measured import measured

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
POLICY = Policy(version=1, required_tiers={"consumer_24g": Tier.T2, "edge_iot": Tier.T1})
EVIDENCE = NodeEvidence(
    nonce=bytes(32), devices=(), inventory_signed=True, gpu_class="consumer_24g", gpu_count=2
)
PASSED = ComputeFacts(
    round_id="r",
    outcome=RoundOutcome.PASSED,
    ended_s=int(NOW.timestamp()) - 3600,
    gpu_ids=("gpu-a", "gpu-b"),
    whole_gpu_ids=("gpu-a", "gpu-b"),
    calibrated=True,
    emulated=False,
)


def weigh(facts: ComputeFacts | None, **changes: Any) -> tuple[bool, list[str]]:
    found = measured(facts, replace(EVIDENCE, **changes), policy=POLICY, now=NOW)
    return found.proven, [finding.code for finding in found.findings]


def test_a_passed_round_of_all_gpus_proves_t2() -> None:
    assert weigh(PASSED) == (True, [])
    assert not measured(PASSED, EVIDENCE, policy=POLICY, now=NOW).emulated
    emulated = replace(PASSED, emulated=True)
    assert measured(emulated, EVIDENCE, policy=POLICY, now=NOW).emulated


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (None, "challenge.none"),
        (replace(PASSED, calibrated=False), "challenge.uncalibrated"),
        (replace(PASSED, ended_s=PASSED.ended_s - 86_400), "challenge.lapsed"),
        (replace(PASSED, gpu_ids=("gpu-a",)), "challenge.other_gpus"),
        (replace(PASSED, whole_gpu_ids=("gpu-b",)), "challenge.not_whole"),
    ],
)
def test_what_is_missing_is_told_where_the_class_needs_it(
    facts: ComputeFacts | None, code: str
) -> None:
    assert weigh(facts) == (False, [code])
    (finding,) = measured(facts, EVIDENCE, policy=POLICY, now=NOW).findings
    assert finding.severity is Severity.INFO
    assert weigh(facts, gpu_class="edge_iot") == (False, [])


def test_an_unsigned_inventory_proves_nothing() -> None:
    assert weigh(PASSED, inventory_signed=False) == (False, ["challenge.not_whole"])


@pytest.mark.parametrize("outcome", [RoundOutcome.FAILED, RoundOutcome.MISSED])
def test_trouble_is_always_told_and_weighed_by_its_switch(outcome: RoundOutcome) -> None:
    facts = replace(PASSED, outcome=outcome, codes=("compute.late",))
    code = f"challenge.{outcome}"
    assert weigh(facts) == weigh(facts, gpu_class="edge_iot") == (False, [code])
    (finding,) = measured(facts, EVIDENCE, policy=POLICY, now=NOW).findings
    assert POLICY.judge(finding).severity is Severity.WARNING
    enforcing = replace(POLICY, enforce_challenge=True)
    assert enforcing.judge(finding).severity is Severity.ERROR
    uncalibrated = replace(facts, calibrated=False)
    (finding,) = measured(uncalibrated, EVIDENCE, policy=POLICY, now=NOW).findings
    assert enforcing.judge(finding).severity is Severity.INFO


def test_the_window_follows_the_voted_rate() -> None:
    assert POLICY.challenge_window_s == 86_400
    assert replace(POLICY, challenge_rate=96).challenge_window_s == 3600
    often = Policy.from_parameters({"attest.challenge_rate": 8}, version=1)
    assert often.challenge_window_s == 43_200
    late = NOW + timedelta(seconds=86_400 - 3600 + 1)
    assert not measured(PASSED, EVIDENCE, policy=POLICY, now=late).proven


def test_facts_are_read_back_as_they_were_written() -> None:
    for compute in (None, PASSED, replace(PASSED, outcome=RoundOutcome.FAILED, codes=("a.b",))):
        facts = NodeFacts(compute=compute)
        assert NodeFacts.from_json(json.loads(json.dumps(facts.as_json()))) == facts
    assert NodeFacts.from_json({}) == NodeFacts()


@pytest.mark.parametrize(
    "change",
    [
        {"outcome": "won"},
        {"ended_s": "1"},
        {"ended_s": True},
        {"calibrated": 1},
        {"gpu_ids": [1]},
        {"gpu_ids": None},
        {"round_id": None},
    ],
)
def test_facts_that_nobody_wrote_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"compute|won"):
        ComputeFacts.from_json(PASSED.as_json() | change)
    with pytest.raises(ValueError, match="compute"):
        NodeFacts.from_json({"compute": [1]})


def test_claims_are_read_from_any_inventory() -> None:
    whole = {"uuid": "GPU-A", "mig": False, "vgpu": False}
    split = {"uuid": "GPU-B", "mig": True, "vgpu": False}
    inventory = {"source": "ALTHING EMULATED", "gpus": [whole, split, {"uuid": "GPU-C"}, 7]}
    assert inventory_gpu_ids(inventory) == ("gpu-a", "gpu-b", "gpu-c")
    assert inventory_whole_gpus(inventory) == {"gpu-a"}
    assert inventory_emulated(inventory)
    # Said twice, in two ways: not believed.
    assert inventory_whole_gpus({"gpus": [whole, whole | {"vgpu": True}]}) == frozenset()
    for odd in (None, 1, [], {}, {"gpus": 1}, {"gpus": {}}, {"gpus": [None]}):
        assert inventory_gpu_ids(odd) == ()
        assert inventory_whole_gpus(odd) == frozenset()
        assert not inventory_emulated(odd)
