"""Evidence that NVIDIA publishes beside the wheel's: a whole board, a switch with its manifest,
Blackwell in both opaque formats. Read where it is, in ``shared/vectors/nvidia`` beside the
checkout or wherever ALTHING_NVIDIA_VECTORS points:

``gpu_evidence.json``, ``switch_evidence.json``
    NVIDIA/nvtrust, guest_tools/ppcie-verifier-sdk-cpp/tests/data
``switchAttestationReport.txt``, ``switchCertChain.txt``, ``switchVBIOSRim_*.xml``,
``NV_GPU_DRIVER_GH100_550.144.03.xml``, ``sample_nvdaod_transcript.txt``,
``blackwellAttestationReport.txt``, ``blackwellCertChain.txt``
    NVIDIA/attestation-sdk, nv-attestation-sdk-cpp/unit-tests/testdata and its
    sample_attestation_data
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from network.attestation import (
    DeviceEvidence,
    MappingRimStore,
    NodeEvidence,
    Policy,
    Status,
    Tier,
    TrustAnchors,
    devices_from_json,
    verify_evidence,
)
from network.attestation.opaque import parse_opaque
from network.attestation.rim import load_rim
from network.attestation.spdm import parse_report

from .samples import CHECKOUT, SAMPLE_TIME, Judge, codes

VECTORS = Path(
    os.environ.get("ALTHING_NVIDIA_VECTORS") or CHECKOUT.parent / "shared" / "vectors" / "nvidia"
)
#: Inside the validity of the switch's manifest.
AT = datetime(2026, 6, 1, tzinfo=UTC)
POLICY = Policy(version=0, enforce_measurements=True, required_tiers={"h100_80g": Tier.T4})


def needs(*names: str) -> pytest.MarkDecorator:
    missing = [name for name in names if not (VECTORS / name).is_file()]
    return pytest.mark.skipif(
        bool(missing), reason=f"not in ALTHING_NVIDIA_VECTORS: {', '.join(missing)}"
    )


def published(name: str) -> bytes:
    """A report, as hexadecimal text."""
    return bytes.fromhex((VECTORS / name).read_text(encoding="ascii").strip())


def chain(name: str) -> bytes:
    """A chain without the empty lines around it."""
    return (VECTORS / name).read_bytes().strip(b"\n") + b"\n"


@needs("gpu_evidence.json", "switch_evidence.json")
class TestBoard:
    def devices(self) -> tuple[DeviceEvidence, ...]:
        return tuple(
            device
            for name in ("gpu_evidence.json", "switch_evidence.json")
            for device in devices_from_json(json.loads((VECTORS / name).read_text()))
        )

    def judge(self, *devices: DeviceEvidence) -> tuple[Status, Tier, set[str]]:
        appraisal = Judge(
            policy=POLICY,
            now=AT,
            trust=TrustAnchors.nvidia(),
            rims=MappingRimStore({}),
            nonce=parse_report(devices[0].report).request_nonce,
        )(*devices, gpu_count=8)
        for number in range(len(devices)):
            assert codes(appraisal, number) == {"rim.not_found"}
        return appraisal.status, appraisal.tier, codes(appraisal, None)

    def test_eight_gpus_and_four_switches_are_linked_only_to_each_other(self) -> None:
        # The manifests of these versions are not published beside them.
        assert self.judge(*self.devices()) == (Status.WARNING, Tier.T4, set())

    def test_without_one_of_them_they_are_not(self) -> None:
        devices = self.devices()
        for left_out in (0, 11):
            rest = [one for number, one in enumerate(devices) if number != left_out]
            status, _, found = self.judge(*rest)
            assert status is Status.CONTRAINDICATED
            assert "node.topology" in found

    def test_without_switches_it_is_a_warning(self) -> None:
        assert self.judge(*self.devices()[:8])[2] == {"node.switches_missing"}


@needs(
    "switchAttestationReport.txt",
    "switchCertChain.txt",
    "switchVBIOSRim_NV_SWITCH_BIOS_5612_0002_890_9610550001.xml",
)
def test_a_switch_verifies_against_its_own_manifest() -> None:
    report = published("switchAttestationReport.txt")
    device = DeviceEvidence(report, chain("switchCertChain.txt"), "LS10")
    rim_id = "NV_SWITCH_BIOS_5612_0002_890_9610550001"
    appraisal = verify_evidence(
        NodeEvidence(report[4:36], (device,), True, "h100_80g", 0),
        policy=POLICY,
        now=AT,
        trust=TrustAnchors.nvidia(),
        rims=MappingRimStore({rim_id: (VECTORS / f"switchVBIOSRim_{rim_id}.xml").read_bytes()}),
    )
    (result,) = appraisal.devices
    assert result.status is Status.AFFIRMING
    assert (result.measurements_compared, result.measurements_matched) == (31, 31)
    assert (result.chip, result.vbios_version, result.emulated) == (
        "LS_10",
        "96.10.55.00.01",
        False,
    )
    assert result.appraised_as == "full"


@needs("NV_GPU_DRIVER_GH100_550.144.03.xml")
def test_a_manifest_that_ends_in_two_newlines() -> None:
    rim = load_rim((VECTORS / "NV_GPU_DRIVER_GH100_550.144.03.xml").read_bytes())
    assert (rim.product, rim.version, len(rim.golden)) == ("GH100", "550.144.03", 21)


@needs("sample_nvdaod_transcript.txt")
def test_a_report_in_the_typed_format() -> None:
    report = parse_report(published("sample_nvdaod_transcript.txt"))
    opaque = parse_opaque(report.opaque)
    assert opaque.version == (2, 0)
    assert opaque.unknown == ()
    assert (opaque.driver_version, opaque.vbios_version) == ("620.12", "96.00.D9.00.0F")
    assert (opaque.svn(37), opaque.mode) == (0, "spt")
    assert opaque.fwid is not None


@needs("blackwellAttestationReport.txt", "blackwellCertChain.txt")
def test_a_blackwell_in_the_legacy_format() -> None:
    report = published("blackwellAttestationReport.txt")
    device = DeviceEvidence(report, chain("blackwellCertChain.txt"), "BLACKWELL")
    appraisal = Judge(
        policy=Policy(version=0, required_tiers={"b200_192g": Tier.T4}),
        now=SAMPLE_TIME,
        trust=TrustAnchors.nvidia(),
        rims=MappingRimStore({}),
        nonce=report[4:36],
        gpu_class="b200_192g",
    )(device)
    assert codes(appraisal) == {"rim.not_found"}
    assert (appraisal.status, appraisal.tier) == (Status.WARNING, Tier.T4)
    (result,) = appraisal.devices
    ids = {f.data["id"] for f in result.findings if f.code == "rim.not_found"}
    assert ids == {"NV_GPU_CC_DRIVER_GB100_575.32", "NV_GPU_VBIOS_G525_0220_886_970088000F"}
    assert result.appraised_as == "partial"
