"""Emulated switches, and a whole board: eight GPUs in protected PCIe mode and four switches."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from network.attestation.evidence import SWITCH_ARCHITECTURE, DeviceEvidence
from network.attestation.opaque import SWITCH_GPU_PLACES, OpaqueField
from network.attestation.topology import GPUS, PROTECTED_MODE, SWITCHES

from .authority import EmulatorAuthority
from .device import HONEST, Behaviour, EmulatedDevice, measured_counts
from .encoding import Field
from .firmware import HOPPER, LS10, SWITCH_BLOCKS, Firmware, SwitchFirmware
from .gpu import EmulatedGpu

#: Where a switch's port map follows the ids of its GPUs, one byte for each port.
PORTS: Final = 64
_NO_PORT: Final = b"\xff"


@dataclass(frozen=True)
class EmulatedSwitch(EmulatedDevice):
    """A switch. ``gpus`` are the ids of the GPUs at its ports."""

    authority: EmulatorAuthority
    label: str
    firmware: SwitchFirmware = LS10
    behaviour: Behaviour = HONEST
    gpus: tuple[bytes, ...] = ()

    @property
    def part(self) -> str:
        return "LS_10 A01 FSP"

    @property
    def architecture(self) -> str:
        return SWITCH_ARCHITECTURE

    @property
    def firmware_name(self) -> str:
        return str(self.firmware)

    @property
    def tcb_info(self) -> bool:
        return False

    @property
    def typed(self) -> bool:
        return False

    def measurements(self) -> dict[int, bytes]:
        return {index + 1: self._value(index) for index in range(SWITCH_BLOCKS)}

    def _value(self, index: int) -> bytes:
        if index in self.behaviour.changed_measurements:
            return hashlib.sha384(f"changed {index}".encode()).digest()
        return self.firmware.golden(index)

    def opaque_fields(self) -> list[Field]:
        """Untyped, and without a firmware id, as genuine switches report."""
        places = b"".join(self.gpus).ljust(SWITCH_GPU_PLACES * 8, b"\0")
        version = self.firmware.vbios_version.encode()
        return [
            Field(OpaqueField.VBIOS_VERSION, 0, version),
            Field(OpaqueField.MSRSCNT, 0, measured_counts(self.measurements())),
            Field(OpaqueField.PDI, 0, self.pdi),
            Field(OpaqueField.DISABLED_PORTS, 0, bytes(2)),
            Field(OpaqueField.SWITCH_GPU_PDIS, 0, places + PORTS * _NO_PORT),
        ]


@dataclass(frozen=True)
class EmulatedBoard:
    """GPUs and the switches between them."""

    gpus: tuple[EmulatedGpu, ...]
    switches: tuple[EmulatedSwitch, ...]

    def evidence(self, nonce: bytes) -> tuple[DeviceEvidence, ...]:
        """Of the GPUs, then of the switches."""
        return tuple(device.evidence(nonce) for device in (*self.gpus, *self.switches))


def emulated_board(
    authority: EmulatorAuthority,
    label: str,
    *,
    firmware: Firmware = HOPPER,
    behaviours: Mapping[str, Behaviour] | None = None,
) -> EmulatedBoard:
    """A board whose devices are all linked to each other. ``behaviours`` is by ``gpu 0`` to
    ``gpu 7`` and ``switch 0`` to ``switch 3``."""
    wrong = behaviours or {}
    gpu_ids = tuple(EmulatedGpu(authority, f"{label}/gpu {number}").pdi for number in range(GPUS))
    switches = tuple(
        EmulatedSwitch(
            authority,
            f"{label}/switch {number}",
            gpus=gpu_ids,
            behaviour=wrong.get(f"switch {number}", HONEST),
        )
        for number in range(SWITCHES)
    )
    gpus = tuple(
        EmulatedGpu(
            authority,
            f"{label}/gpu {number}",
            firmware,
            wrong.get(f"gpu {number}", HONEST),
            mode=PROTECTED_MODE,
            switches=tuple(switch.pdi for switch in switches),
        )
        for number in range(GPUS)
    )
    return EmulatedBoard(gpus, switches)
