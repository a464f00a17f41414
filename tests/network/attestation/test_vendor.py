"""The edge for other vendors: a device is judged by the module of the vendor that it names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from network.attestation import (
    DeviceEvidence,
    EvidenceFormatError,
    Status,
    Tier,
    devices_from_json,
    vendor,
    verify_evidence,
)
from network.attestation.appraisal import DeviceAppraisal
from network.attestation.context import Context
from network.attestation.ear import trust_vector
from network.attestation.emulator.scene import device_json
from network.attestation.explain import Outcome, explain

from .samples import EMULATED_RIMS, EMULATOR_TRUST, NONCE, NOW, STRICT, Judge, codes, gpu
from .samples import NodeEvidence as Node

GPU = gpu().evidence(NONCE)
STRANGE = replace(GPU, vendor="nobody")


def test_none_means_nvidia() -> None:
    entry = device_json(GPU)
    assert entry.pop("vendor") == "nvidia"
    assert devices_from_json([entry])[0].vendor == "nvidia"
    assert devices_from_json([entry | {"vendor": None}])[0].vendor == "nvidia"
    assert devices_from_json([entry | {"vendor": ""}])[0].vendor == "nvidia"
    assert devices_from_json([entry | {"vendor": "amd"}])[0].vendor == "amd"


@pytest.mark.parametrize("value", [1, True, ["nvidia"], {}, "x" * 65])
def test_a_vendor_that_is_no_short_text_is_a_bad_request(value: object) -> None:
    with pytest.raises(EvidenceFormatError) as caught:
        devices_from_json([device_json(GPU) | {"vendor": value}])
    assert caught.value.code == "evidence.invalid"


@pytest.mark.parametrize("name", ["nobody", "NVIDIA", "nvidia ", "../nvidia", "x" * 64, "\u202e"])
def test_an_unknown_vendor_is_refused_and_proves_nothing(name: str) -> None:
    appraisal = Judge()(replace(GPU, vendor=name))
    device = appraisal.devices[0]
    assert codes(appraisal) == {"evidence.vendor_unknown"}
    assert (device.status, device.tier) == (Status.CONTRAINDICATED, Tier.T1)
    assert not appraisal.accepted
    assert device.identity_sha256 is None
    assert device.findings[0].data == {"vendor": name[:32], "known": ["nvidia"]}
    assert trust_vector(device) == {"instance-identity": 97}


def test_no_switch_of_the_policy_lets_it_pass() -> None:
    lenient = replace(
        STRICT,
        enforce_chain=False,
        enforce_signature=False,
        enforce_nonce=False,
        enforce_rim=False,
        enforce_measurements=False,
        required_tiers={"h100_80g": Tier.T0},
    )
    appraisal = Judge(policy=lenient)(STRANGE)
    assert (appraisal.accepted, appraisal.tier) == (False, Tier.T1)


@pytest.mark.parametrize("strange_first", [True, False])
def test_it_neither_hides_nor_spoils_the_other_devices(strange_first: bool) -> None:
    pair = (STRANGE, GPU) if strange_first else (GPU, STRANGE)
    appraisal = Judge()(*pair)
    good = appraisal.devices[1 if strange_first else 0]
    assert (good.status, good.tier) == (Status.AFFIRMING, Tier.T4)
    assert not appraisal.accepted


def test_it_is_told_in_words() -> None:
    evidence = Node(NONCE, (STRANGE,), True, "h100_80g", 1)
    appraisal = Judge()(STRANGE)
    steps = explain(evidence, appraisal, trust=EMULATOR_TRUST, now=NOW, challenge_known=True)
    first = steps[0]
    assert (first.title, first.outcome) == ("The vendor", Outcome.FAILED)
    assert first.codes == ("evidence.vendor_unknown",)
    assert [step.title for step in steps if step.device == 0] == ["The vendor"]


class Other:
    """Another vendor's module, which takes every device for a sound one."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, DeviceEvidence]] = []

    def appraise(self, context: Context, index: int, evidence: DeviceEvidence) -> DeviceAppraisal:
        assert context.nonce == NONCE
        self.seen.append((index, evidence))
        return DeviceAppraisal(
            index=index,
            status=Status.AFFIRMING,
            tier=Tier.T4,
            emulated=True,
            findings=(),
            identity_sha256="ab" * 32,
        )


def test_another_vendor_is_one_class_and_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    other = Other()
    monkeypatch.setattr(vendor, "VENDORS", {**vendor.VENDORS, "nobody": other})
    appraisal = Judge()(STRANGE, GPU)
    assert other.seen == [(0, STRANGE)]
    assert [device.tier for device in appraisal.devices] == [Tier.T4, Tier.T4]
    assert appraisal.accepted
    # What concerns the node is on this side of the edge: duplicates are found among all vendors.
    twice = Judge()(STRANGE, STRANGE)
    assert codes(twice, 0) == codes(twice, 1) == {"device.duplicate"}
    assert not twice.accepted


def test_a_fault_of_a_vendors_module_is_of_that_device_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Broken(Other):
        def appraise(self, *_: object) -> DeviceAppraisal:
            raise RuntimeError("broken")

    monkeypatch.setattr(vendor, "VENDORS", {**vendor.VENDORS, "nobody": Broken()})
    appraisal = verify_evidence(
        Node(NONCE, (STRANGE, GPU), True, "h100_80g", 2),
        policy=STRICT,
        now=NOW,
        trust=EMULATOR_TRUST,
        rims=EMULATED_RIMS,
    )
    assert [device.status for device in appraisal.devices] == [Status.NONE, Status.AFFIRMING]
    assert codes(appraisal, 0) == {"verifier.fault"}
