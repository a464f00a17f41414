"""Where evidence and inventory come from: NVML on a real node, the emulator on a demonstration."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from network.agent.emulated_meter import EmulatedMeter, MeterFault
from network.attestation.emulator import (
    BLACKWELL,
    HOPPER,
    HOPPER_H200,
    Behaviour,
    EmulatedGpu,
    EmulatorAuthority,
)
from network.attestation.evidence import NVIDIA, DeviceEvidence
from network.attestation.inventory import EMULATED_SOURCE

#: The firmware that an emulated GPU of a class runs; classes with no CC have none.
EMULATED_FIRMWARE = {"h100_80g": HOPPER, "h200_141g": HOPPER_H200, "b200_192g": BLACKWELL}


class Source(Protocol):
    """One node's GPUs."""

    @property
    def emulated(self) -> bool:
        """True where the GPUs are not real."""

    def inventory(self) -> dict[str, Any]:
        """What the node says it has, unsigned by the vendor: JSON values only."""

    def identities(self) -> Sequence[str]:
        """The identity of each GPU that can attest, 64 hex digits (``network.attestation``)."""

    def evidence(self, nonce: bytes) -> Sequence[DeviceEvidence]:
        """One signed report and chain per GPU that can attest, for a 32-byte challenge."""


def evidence_json(device: DeviceEvidence) -> dict[str, Any]:
    """One device as the API takes it."""
    entry = {
        "evidence": base64.b64encode(device.report).decode("ascii"),
        "certificate": base64.b64encode(device.certificate_chain).decode("ascii"),
    }
    if device.vendor != NVIDIA:
        entry["vendor"] = device.vendor
    if device.claimed_architecture is not None:
        entry["arch"] = device.claimed_architecture
    if device.claimed_uuid is not None:
        entry["uuid"] = device.claimed_uuid
    return entry


@dataclass(frozen=True)
class EmulatedSource:
    """Emulated GPUs of this installation. ``label`` tells one node's cards from another's;
    ``behaviours`` maps a card's number to what is wrong with it, ``meter_fault`` is what is wrong
    with all of its energy counters."""

    authority: EmulatorAuthority
    label: str
    gpu_class: str
    gpu_count: int
    behaviours: Mapping[int, Behaviour]
    meter_fault: MeterFault = MeterFault.NONE
    emulated: bool = True

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        label: str,
        gpu_class: str,
        gpu_count: int,
        behaviours: Mapping[int, Behaviour] | None = None,
        meter_fault: MeterFault = MeterFault.NONE,
    ) -> EmulatedSource:
        """Use the emulator installation in ``directory``; make its seed where there is none."""
        authority = EmulatorAuthority.load_or_create(directory)
        return cls(authority, label, gpu_class, gpu_count, dict(behaviours or {}), meter_fault)

    def inventory(self) -> dict[str, Any]:
        firmware = EMULATED_FIRMWARE.get(self.gpu_class)
        now_ms = time.time_ns() // 1_000_000
        return {
            "source": EMULATED_SOURCE,
            "driver_version": firmware.driver_version if firmware else None,
            "gpus": [
                {
                    "index": index,
                    "uuid": gpu.uuid,
                    "name": f"ALTHING EMULATED {self.gpu_class}",
                    "vbios_version": gpu.firmware.vbios_version if firmware else None,
                    **EmulatedMeter(gpu.uuid, self.gpu_class, self.meter_fault).telemetry(now_ms),
                    "mig": False,
                    "vgpu": False,
                }
                for index, gpu in enumerate(self._gpus())
            ],
        }

    def identities(self) -> list[str]:
        if self.gpu_class not in EMULATED_FIRMWARE:
            return []
        return [gpu.identity_sha256 for gpu in self._gpus()]

    def evidence(self, nonce: bytes) -> list[DeviceEvidence]:
        if self.gpu_class not in EMULATED_FIRMWARE:
            return []
        return [gpu.evidence(nonce) for gpu in self._gpus()]

    def _gpus(self) -> list[EmulatedGpu]:
        firmware = EMULATED_FIRMWARE.get(self.gpu_class, HOPPER)
        return [
            EmulatedGpu(
                self.authority,
                f"{self.label}/{index}",
                firmware,
                self.behaviours.get(index, Behaviour()),
            )
            for index in range(self.gpu_count)
        ]
