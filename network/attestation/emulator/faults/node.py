"""Faults of a node as a whole, of what it is registered as, and of the request itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from network.attestation.emulator.firmware import HOPPER, LS10
from network.attestation.emulator.gpu import EmulatedGpu
from network.attestation.emulator.manifests import firmware_manifests
from network.attestation.emulator.scene import NONCE, Scene
from network.attestation.emulator.switch import emulated_board
from network.attestation.evidence import MAX_DEVICES, DeviceEvidence
from network.attestation.topology import GPUS, SWITCHES


def _other(scene: Scene, **changes: object) -> EmulatedGpu:
    """A second GPU of the node."""
    return replace(EmulatedGpu(scene.authority, "another"), **changes)  # type: ignore[arg-type]


def _two(scene: Scene, second: DeviceEvidence) -> Scene:
    return scene.sending(scene.gpu.evidence(NONCE), second)


def _sku_unknown(scene: Scene) -> Scene:
    """A board that is not in the table of boards."""
    firmware = replace(HOPPER, chip_sku="899")
    changed = scene.sending(replace(scene.gpu, firmware=firmware).evidence(NONCE))
    return replace(changed, manifests=firmware_manifests(scene.authority, [firmware]))


def _emulated_mixed(scene: Scene) -> Scene:
    """Beside an emulated GPU a device that does not say that it is one."""
    return _two(scene, replace(_other(scene).evidence(NONCE), certificate_chain=b"no chain"))


def _board(scene: Scene, keep: Callable[[tuple[DeviceEvidence, ...]], tuple[int, ...]]) -> Scene:
    """A whole board, of which only some devices are sent."""
    evidence = emulated_board(scene.authority, "board").evidence(NONCE)
    changed = scene.sending(*(evidence[index] for index in keep(evidence)))
    manifests = firmware_manifests(scene.authority, [HOPPER, LS10])
    return replace(changed, manifests=manifests, gpu_count=GPUS)


def _too_many_devices(scene: Scene) -> Scene:
    """One switch more than a node may have, beside its GPU."""
    switch = emulated_board(scene.authority, "board").switches[0].evidence(NONCE)
    changed = scene.sending(scene.gpu.evidence(NONCE), *[switch] * (SWITCHES + 1))
    return replace(changed, gpu_count=1)


FAULTS: Final[Mapping[str, Callable[[Scene], Scene]]] = {
    "class.sku_unknown": _sku_unknown,
    "device.class_mismatch": lambda scene: replace(scene, gpu_class="h200_141g"),
    "device.duplicate": lambda scene: _two(scene, scene.gpu.evidence(NONCE)),
    "device.type_mismatch": lambda scene: scene.sending(
        replace(scene.gpu.evidence(NONCE), claimed_architecture="BLACKWELL")
    ),
    "evidence.invalid": lambda scene: replace(scene, devices=({"evidence": "*"},)),
    "evidence.too_many": lambda scene: replace(scene, devices=({},) * (MAX_DEVICES + 1)),
    "evidence.vendor_unknown": lambda scene: scene.sending(
        replace(scene.gpu.evidence(NONCE), vendor="nobody")
    ),
    "inventory.incomplete": lambda scene: replace(scene, inventory={"gpus": []}),
    "node.devices_missing": lambda scene: replace(scene, gpu_count=2),
    "node.devices_unregistered": lambda scene: replace(
        _two(scene, _other(scene).evidence(NONCE)), gpu_count=1
    ),
    "node.emulated_mixed": _emulated_mixed,
    "node.mode_mixed": lambda scene: _two(scene, _other(scene, mode="mpt").evidence(NONCE)),
    "node.switches_missing": lambda scene: _board(scene, lambda found: tuple(range(GPUS))),
    "node.too_many_devices": _too_many_devices,
    "node.topology": lambda scene: _board(scene, lambda found: tuple(range(1, len(found)))),
    "tier.required": lambda scene: replace(scene, devices=()),
}
