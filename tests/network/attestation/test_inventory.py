"""What counts as an inventory that lists a node's GPUs, and what tier it buys."""

from __future__ import annotations

from typing import Any

import pytest

from network.attestation import Severity, Status, Tier
from network.attestation.inventory import inventory_gpu_count

from .samples import NONCE, Judge, gpu


@pytest.mark.parametrize(
    ("inventory", "expected"),
    [
        (None, 0),
        ([], 0),
        ("gpus", 0),
        ({}, 0),
        ({"gpus": None}, 0),
        ({"gpus": {"uuid": "GPU-1"}}, 0),
        ({"gpus": [None, 1, "GPU-1", []]}, 0),
        ({"gpus": [{}, {"uuid": None}, {"uuid": 1}, {"uuid": ""}, {"uuid": "  "}]}, 0),
        ({"gpus": [{"uuid": "GPU-" + "0" * 96}]}, 0),
        ({"gpus": [{"uuid": "GPU-a"}, {"uuid": "GPU-b"}]}, 2),
        ({"gpus": [{"uuid": "GPU-a"}, {"uuid": "gpu-A "}]}, 1),
        ({"gpus": [{"uuid": f"GPU-{n}"} for n in range(128)]}, 128),
    ],
)
def test_a_gpu_counts_once_and_by_its_uuid(inventory: Any, expected: int) -> None:
    assert inventory_gpu_count(inventory) == expected


def test_a_report_without_the_inventory_proves_nothing_below_the_vendors_signature() -> None:
    for listed, tier, status in ((True, Tier.T1, "affirming"), (False, Tier.T0, "contraindicated")):
        appraisal = Judge(gpu_class="edge_iot", inventory_signed=listed)(gpu_count=1)
        assert (appraisal.tier, appraisal.status) == (tier, Status(status))
        told = [finding for finding in appraisal.findings if finding.code == "inventory.incomplete"]
        assert len(told) == (0 if listed else 1)
    assert told[0].severity is Severity.INFO
    assert "T1" in told[0].detail


def test_the_vendors_signature_needs_no_inventory() -> None:
    appraisal = Judge(inventory_signed=False)(gpu().evidence(NONCE))
    assert (appraisal.tier, appraisal.status) == (Tier.T4, Status.AFFIRMING)
    forged = Judge(inventory_signed=False)(gpu(bad_signature=True).evidence(NONCE))
    assert forged.tier is Tier.T0
