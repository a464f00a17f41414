"""The links of eight GPUs and four switches, each list of ids against all others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from network.attestation import Severity, Status, Tier
from network.attestation.appraisal import DeviceAppraisal, Fabric
from network.attestation.errors import Finding
from network.attestation.evidence import DeviceKind
from network.attestation.opaque import Opaque, OpaqueField
from network.attestation.topology import fabric_of, topology_findings

GPU_IDS = [bytes([0xA0 + number]) * 8 for number in range(8)]
SWITCH_IDS = [bytes([0x50 + number]) * 8 for number in range(4)]
STRANGE = b"\x99" * 8


def device(index: int, kind: DeviceKind, own: bytes, fabric: Fabric) -> DeviceAppraisal:
    return DeviceAppraisal(
        index,
        Status.AFFIRMING,
        Tier.T4,
        emulated=True,
        findings=(),
        device_serial=f"41{own.hex()}",
        mode="ppcie" if kind is DeviceKind.GPU else None,
        kind=kind,
        fabric=fabric,
    )


def node() -> list[DeviceAppraisal]:
    """Eight GPUs, then four switches, all linked as they should be."""
    gpus = [
        device(index, DeviceKind.GPU, own, Fabric(None, frozenset(SWITCH_IDS)))
        for index, own in enumerate(GPU_IDS)
    ]
    switches = [
        device(index, DeviceKind.SWITCH, own, Fabric(own, frozenset(GPU_IDS)))
        for index, own in enumerate(SWITCH_IDS, start=len(gpus))
    ]
    return gpus + switches


def faults(devices: Sequence[DeviceAppraisal]) -> list[Finding]:
    findings = topology_findings(devices)
    assert {finding.code for finding in findings} <= {"node.topology"}
    assert {finding.severity for finding in findings} <= {Severity.ERROR}
    return findings


def changed(devices: list[DeviceAppraisal], index: int, **values: object) -> list[DeviceAppraisal]:
    devices[index] = replace(devices[index], **values)  # type: ignore[arg-type]
    return devices


def test_a_whole_board_in_any_order() -> None:
    assert faults(node()) == []
    assert faults(list(reversed(node()))) == []


@pytest.mark.parametrize("left_out", [0, 7, 8, 11])
def test_one_device_left_out_is_missed_by_all_others(left_out: int) -> None:
    found = faults([one for one in node() if one.index != left_out])
    gpus, switches = (7, 4) if left_out < 8 else (8, 3)
    assert found[0].data == {"gpus": gpus, "switches": switches}
    own = (GPU_IDS + SWITCH_IDS)[left_out].hex()
    others = range(8, 12) if left_out < 8 else range(8)
    assert [finding.data["device"] for finding in found[1:]] == list(others)
    assert {tuple(finding.data["unknown"]) for finding in found[1:]} == {(own,)}


def test_a_gpu_linked_to_a_switch_that_did_not_attest() -> None:
    alien = Fabric(None, frozenset({*SWITCH_IDS[:3], STRANGE}))
    (found,) = faults(changed(node(), 3, fabric=alien))
    assert found.data == {
        "device": 3,
        "missing": [SWITCH_IDS[3].hex()],
        "unknown": [STRANGE.hex()],
    }


def test_a_switch_linked_to_a_gpu_that_did_not_attest() -> None:
    alien = Fabric(SWITCH_IDS[0], frozenset({*GPU_IDS[1:], STRANGE}))
    (found,) = faults(changed(node(), 8, fabric=alien))
    assert found.data == {"device": 8, "missing": [GPU_IDS[0].hex()], "unknown": [STRANGE.hex()]}


@pytest.mark.parametrize("own", [STRANGE, None])
def test_a_switch_that_reports_another_id_than_its_certificate(own: bytes | None) -> None:
    (found,) = faults(changed(node(), 9, fabric=Fabric(own, frozenset(GPU_IDS))))
    assert found.data == {"device": 9, "missing": [], "unknown": []}


def test_a_report_from_one_board_beside_another_boards_switches() -> None:
    """A GPU that names this board's switches but has another certificate."""
    found = faults(changed(node(), 0, device_serial=f"41{STRANGE.hex()}"))
    assert [finding.data["device"] for finding in found] == [8, 9, 10, 11]
    assert {tuple(finding.data["missing"]) for finding in found} == {(STRANGE.hex(),)}


def test_devices_that_could_not_be_read_are_not_accused_of_links() -> None:
    devices = changed(node(), 0, fabric=None)
    assert faults(devices) == []


@pytest.mark.parametrize("serial", [None, "", "41", "zz" * 9, "41" * 10])
def test_a_serial_number_of_another_form_names_no_id(serial: str | None) -> None:
    assert replace(node()[0], device_serial=serial).pdi is None
    assert faults(changed(node(), 0, device_serial=serial))


def test_protected_mode_without_switches_is_told() -> None:
    (finding,) = topology_findings(node()[:8])
    assert (finding.code, finding.severity) == ("node.switches_missing", Severity.WARNING)
    assert topology_findings([replace(gpu, mode="mpt") for gpu in node()[:8]]) == []
    assert topology_findings([]) == []


def test_a_gpu_lists_ids_reversed_and_links_twice() -> None:
    listed = b"".join(own[::-1] for own in [b"\1\2\3\4\5\6\7\x08"] * 4) + bytes(8 * 14)
    fabric = fabric_of(Opaque({OpaqueField.PDI: listed}), DeviceKind.GPU)
    assert fabric == Fabric(None, frozenset({b"\1\2\3\4\5\6\7\x08"}))


def test_a_switch_lists_ids_as_they_are() -> None:
    own, peers = b"\1\2\3\4\5\6\7\x08", b"".join(GPU_IDS) + b"\xff" * 64
    fields = {int(OpaqueField.PDI): own, int(OpaqueField.SWITCH_GPU_PDIS): peers}
    assert fabric_of(Opaque(fields), DeviceKind.SWITCH) == Fabric(own, frozenset(GPU_IDS))
    two = fabric_of(Opaque({OpaqueField.PDI: own * 2}), DeviceKind.SWITCH)
    assert two == Fabric(None, frozenset())
