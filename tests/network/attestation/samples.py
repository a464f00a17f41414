"""Evidence for the tests: NVIDIA's published H100 sample where present, and emulated GPUs.

The sample is the data of the PyPI wheel nv-local-gpu-verifier 2.1.1, unpacked by the bootstrap into
``.cache/nvidia-samples`` or wherever ALTHING_NVIDIA_SAMPLES points. None of its code is run.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from network.attestation import (
    Appraisal,
    DeviceEvidence,
    MappingRimStore,
    NodeEvidence,
    NodeFacts,
    Policy,
    RimStore,
    Tier,
    TrustAnchors,
    verify_evidence,
)
from network.attestation.emulator import (
    HOPPER,
    Behaviour,
    EmulatedGpu,
    EmulatorAuthority,
    Firmware,
    firmware_manifests,
)
from network.attestation.emulator.installation import DEFAULT_FIRMWARES

CHECKOUT = Path(__file__).resolve().parents[3]
SAMPLES = Path(os.environ.get("ALTHING_NVIDIA_SAMPLES") or CHECKOUT / ".cache/nvidia-samples")
NVIDIA_DIRECTORY = SAMPLES / "verifier" / "samples"

needs_nvidia_samples = pytest.mark.skipif(
    not (NVIDIA_DIRECTORY / "attestationReport.txt").is_file(),
    reason="the data of nv-local-gpu-verifier 2.1.1 is not in ALTHING_NVIDIA_SAMPLES",
)

NVIDIA_NONCE = bytes.fromhex("4cff7f5380ead8fad8ec2c531c110aca4302a88f603792801a8ca29ee151af2e")
#: Inside the validity of the sample's manifest signers (they ran out in June 2025).
SAMPLE_TIME = datetime(2024, 6, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 23, tzinfo=UTC)
NONCE = hashlib.sha256(b"the test challenge").digest()

AUTHORITY = EmulatorAuthority.from_seed("althing tests")
STRANGER = EmulatorAuthority.from_seed("somebody else's emulator")
EMULATOR_TRUST = AUTHORITY.trust(TrustAnchors.nvidia())
FIRMWARE = HOPPER
EMULATED_RIMS = MappingRimStore(firmware_manifests(AUTHORITY, DEFAULT_FIRMWARES))
#: Everything enforced, except what this version cannot know (revocation).
STRICT = Policy(
    version=7,
    enforce_rim=True,
    enforce_measurements=True,
    required_tiers={
        "h100_80g": Tier.T4,
        "h200_141g": Tier.T4,
        "b200_192g": Tier.T4,
        "workstation_48g": Tier.T4,
        "edge_iot": Tier.T1,
    },
)


def nvidia_device() -> DeviceEvidence:
    """The published H100 evidence (driver 545.00, VBIOS 96.00.5E.00.01)."""
    return DeviceEvidence(
        report=bytes.fromhex((NVIDIA_DIRECTORY / "attestationReport.txt").read_text().strip()),
        certificate_chain=(NVIDIA_DIRECTORY / "gpuAkCertChain.txt").read_bytes(),
        claimed_architecture="HOPPER",
    )


def nvidia_rims() -> MappingRimStore:
    """The two manifests that belong to it, under the ids its signed fields give."""
    vbios = "1010_0200_882_96005E0001"
    return MappingRimStore(
        {
            "NV_GPU_DRIVER_GH100_545.00": (
                NVIDIA_DIRECTORY / "Driver_RIM_test_no_gpu.swidtag"
            ).read_bytes(),
            f"NV_GPU_VBIOS_{vbios}": (
                NVIDIA_DIRECTORY / f"{vbios}_test_no_gpu.swidtag"
            ).read_bytes(),
        }
    )


def gpu(
    label: str = "card 0",
    *,
    authority: EmulatorAuthority = AUTHORITY,
    firmware: Firmware = FIRMWARE,
    **behaviour: object,
) -> EmulatedGpu:
    return EmulatedGpu(authority, label, firmware, Behaviour(**behaviour))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Judge:
    """``verify_evidence`` with the tests' defaults."""

    policy: Policy = STRICT
    now: datetime = NOW
    trust: TrustAnchors = EMULATOR_TRUST
    rims: RimStore = EMULATED_RIMS
    nonce: bytes = NONCE
    gpu_class: str = "h100_80g"
    inventory_signed: bool = True
    facts: NodeFacts | None = None

    def __call__(self, *devices: DeviceEvidence, gpu_count: int | None = None) -> Appraisal:
        evidence = NodeEvidence(
            nonce=self.nonce,
            devices=devices,
            inventory_signed=self.inventory_signed,
            gpu_class=self.gpu_class,
            gpu_count=len(devices) if gpu_count is None else gpu_count,
        )
        return verify_evidence(
            evidence,
            policy=self.policy,
            now=self.now,
            trust=self.trust,
            rims=self.rims,
            facts=self.facts,
        )


def codes(appraisal: Appraisal, device: int | None = 0) -> set[str]:
    """The finding codes of one device (None: of the node), notes left out."""
    return {
        finding["code"]
        for finding in appraisal.findings_json()
        if finding["device"] == device and finding["severity"] != "info"
    }
