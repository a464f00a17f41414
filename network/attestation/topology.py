"""The links of a node in protected PCIe mode: eight GPUs and four switches, each naming the others.

Every device has an 8-byte id (PDI), the end of the serial number that certificate 1 has. A GPU's
signed report lists the switches at its links, with the bytes of each id reversed; a switch's report
lists its own id and its eight GPUs. All lists must agree with each other and with the
certificates: then no GPU is linked to anything that has not attested.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from .appraisal import DeviceAppraisal, Fabric
from .errors import Finding, Severity
from .evidence import DeviceKind
from .opaque import PDI_BYTES, Opaque

PROTECTED_MODE: Final = "ppcie"
#: The one shape that protected PCIe has.
GPUS: Final = 8
SWITCHES: Final = 4
_NO_LINK: Final = bytes(PDI_BYTES)


def fabric_of(opaque: Opaque, kind: DeviceKind) -> Fabric:
    """What a report says of the device's links; places that are not in use are left out."""
    if kind is DeviceKind.SWITCH:
        own = opaque.pdis[0] if len(opaque.pdis) == 1 else None
        return Fabric(own, frozenset(opaque.switch_gpu_pdis) - {_NO_LINK})
    return Fabric(None, frozenset(pdi[::-1] for pdi in opaque.pdis) - {_NO_LINK})


def topology_findings(devices: Sequence[DeviceAppraisal]) -> list[Finding]:
    """Check the node's links where it has switches or runs in protected mode; all faults."""
    gpus = [device for device in devices if device.kind is DeviceKind.GPU]
    switches = [device for device in devices if device.kind is DeviceKind.SWITCH]
    if not switches:
        return _no_switches(gpus)
    findings = []
    if (len(gpus), len(switches)) != (GPUS, SWITCHES):
        findings.append(
            Finding(
                "node.topology",
                f"There are {len(gpus)} GPUs and {len(switches)} switches; protected PCIe needs "
                f"{GPUS} and {SWITCHES}.",
                data={"gpus": len(gpus), "switches": len(switches)},
            )
        )
    gpu_ids = {gpu.pdi for gpu in gpus if gpu.pdi is not None}
    switch_ids = {switch.pdi for switch in switches if switch.pdi is not None}
    for switch in switches:
        if switch.fabric is not None and switch.fabric.own != switch.pdi:
            findings.append(_fault(switch, "reports another id than its certificate has"))
    for device, expected in (
        *((gpu, switch_ids) for gpu in gpus),
        *((switch, gpu_ids) for switch in switches),
    ):
        if device.fabric is not None and device.fabric.peers != expected:
            findings.append(_links_fault(device, expected))
    return findings


def _no_switches(gpus: Sequence[DeviceAppraisal]) -> list[Finding]:
    if all(gpu.mode != PROTECTED_MODE for gpu in gpus):
        return []
    return [
        Finding(
            "node.switches_missing",
            "The GPUs run in protected PCIe mode and no switch sent evidence, so nothing is known "
            "of the links between them.",
            Severity.WARNING,
        )
    ]


def _links_fault(device: DeviceAppraisal, expected: set[bytes]) -> Finding:
    peers = device.fabric.peers if device.fabric is not None else frozenset()
    others = "switches" if device.kind is DeviceKind.GPU else "GPUs"
    return _fault(
        device,
        f"is linked to other {others} than those that sent evidence",
        missing=expected - peers,
        unknown=peers - expected,
    )


def _fault(
    device: DeviceAppraisal,
    what: str,
    *,
    missing: set[bytes] | frozenset[bytes] = frozenset(),
    unknown: set[bytes] | frozenset[bytes] = frozenset(),
) -> Finding:
    name = "GPU" if device.kind is DeviceKind.GPU else "Switch"
    return Finding(
        "node.topology",
        f"{name} {device.index} {what}.",
        data={
            "device": device.index,
            "missing": sorted(pdi.hex() for pdi in missing),
            "unknown": sorted(pdi.hex() for pdi in unknown),
        },
    )
