"""The node's result: a "no" that only everything together turns into a "yes"."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from network.attestation import Policy, Status, Tier
from network.attestation.appraisal import DeviceAppraisal
from network.attestation.errors import Finding, Severity
from network.attestation.verifier import _node_status

from .samples import NONCE, STRICT, Judge, codes, gpu

ACCEPTED = {Status.AFFIRMING, Status.WARNING}
CLASS = "h100_80g"


def requiring(tier: Tier) -> Policy:
    return replace(STRICT, required_tiers={CLASS: tier})


@pytest.mark.parametrize("required", list(Tier))
@pytest.mark.parametrize("gpu_count", [0, 1, 8])
def test_a_node_without_device_evidence_proves_no_hardware(required: Tier, gpu_count: int) -> None:
    for signed in (True, False):
        judge = Judge(policy=requiring(required), inventory_signed=signed)
        appraisal = judge(gpu_count=gpu_count)
        assert appraisal.tier is (Tier.T1 if signed else Tier.T0)
        assert appraisal.accepted is (required <= appraisal.tier)
        assert appraisal.accepted or codes(appraisal, None) >= {"tier.required"}


@pytest.mark.parametrize("required", list(Tier))
def test_an_honest_gpu_is_accepted_up_to_the_tier_that_it_proves(required: Tier) -> None:
    appraisal = Judge(policy=requiring(required))(gpu().evidence(NONCE))
    assert appraisal.accepted is (required <= Tier.T4)


def device(status: Status, tier: Tier) -> DeviceAppraisal:
    return DeviceAppraisal(0, status=status, tier=tier, emulated=True, findings=())


def test_the_result_is_yes_only_if_every_part_is() -> None:
    """All combinations of two devices' results, a finding of the node, and the two tiers."""
    findings = [(), *((Finding("node.x", "A check.", severity),) for severity in Severity)]
    results = [None, *itertools.product(Status, (Tier.T1, Tier.T3, Tier.T4))]
    tiers = list(itertools.product((Tier.T0, Tier.T2, Tier.T3, Tier.T4), (None, Tier.T1, Tier.T4)))
    seen = set()
    for first, second, found, (proven, required) in itertools.product(
        results, results, findings, tiers
    ):
        devices = tuple(device(*result) for result in (first, second) if result is not None)
        status = _node_status(devices, found, proven=proven, required=required)
        parts = [one.status for one in devices]
        refused = (
            any(part not in ACCEPTED for part in parts)
            or any(finding.severity is Severity.ERROR for finding in found)
            or required is None
            or proven < required
            or (proven >= Tier.T3 and not devices)
            or (proven >= Tier.T3 and any(one.tier < proven for one in devices))
        )
        assert (status in ACCEPTED) is not refused
        # One that broke down stays visible above one that was refused.
        assert (status is Status.NONE) is (Status.NONE in parts)
        seen.add(status)
    assert seen == set(Status)
