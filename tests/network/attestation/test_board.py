"""Switches, and a whole board: eight GPUs and four switches in one report."""

from __future__ import annotations

from dataclasses import replace

import pytest

from network.attestation import (
    DeviceEvidence,
    NodeEvidence,
    Severity,
    Status,
    Tier,
    ear_claims,
    verify_evidence,
)
from network.attestation.allow_lists import AllowList, AllowLists
from network.attestation.emulator import (
    HOPPER,
    Behaviour,
    EmulatedBoard,
    EmulatedSwitch,
    SwitchFirmware,
    emulated_board,
    switch_manifest,
)
from network.attestation.emulator.encoding import Field, opaque_encode, report_encode
from network.attestation.evidence import DeviceKind
from network.attestation.opaque import OpaqueField

from .samples import (
    AUTHORITY,
    EMULATED_RIMS,
    EMULATOR_TRUST,
    NONCE,
    NOW,
    STRANGER,
    STRICT,
    Judge,
    codes,
    gpu,
)

BOARD = emulated_board(AUTHORITY, "board")
EVIDENCE = BOARD.evidence(NONCE)
SWITCH = BOARD.switches[0]


def judged(*devices: DeviceEvidence, count: int = 8) -> tuple[Status, Tier, set[str]]:
    appraisal = Judge()(*devices, gpu_count=count)
    return appraisal.status, appraisal.tier, codes(appraisal, None)


def test_a_whole_board_is_affirmed() -> None:
    appraisal = Judge()(*EVIDENCE, gpu_count=8)
    assert (appraisal.status, appraisal.tier) == (Status.AFFIRMING, Tier.T4)
    assert [device.kind for device in appraisal.devices] == [DeviceKind.GPU] * 8 + [
        DeviceKind.SWITCH
    ] * 4
    switch = appraisal.devices[8]
    assert (switch.measurements_compared, switch.measurements_matched) == (31, 31)
    assert switch.vbios_version == "96.10.73.00.01"
    assert (switch.chip, switch.architecture, switch.driver_version) == ("LS_10", None, None)
    assert switch.collateral["vbios_rim"]["id"] == (
        "EMULATED_NV_SWITCH_BIOS_5612_0002_890_9610730001"
    )
    assert {finding.code for finding in switch.findings} == {"fwid.absent", "revocation.unknown"}
    assert all(device.appraised_as == "full" for device in appraisal.devices)


def test_the_order_does_not_matter() -> None:
    assert judged(*reversed(EVIDENCE)) == (Status.AFFIRMING, Tier.T4, set())


@pytest.mark.parametrize("left_out", [0, 8])
def test_a_board_with_a_device_missing_is_refused(left_out: int) -> None:
    rest = [one for number, one in enumerate(EVIDENCE) if number != left_out]
    status, _, found = judged(*rest)
    assert status is Status.CONTRAINDICATED
    assert "node.topology" in found


def test_a_ninth_gpu_does_not_fit() -> None:
    status, _, found = judged(*EVIDENCE, gpu("ninth").evidence(NONCE), count=9)
    assert status is Status.CONTRAINDICATED
    assert found == {"node.topology", "node.mode_mixed"}


def test_another_boards_switch_is_an_alien() -> None:
    other = emulated_board(AUTHORITY, "another board").switches[0].evidence(NONCE)
    status, _, found = judged(*EVIDENCE[:8], other, *EVIDENCE[9:])
    assert (status, found) == (Status.CONTRAINDICATED, {"node.topology"})


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        (Behaviour(changed_measurements=frozenset({4})), "meas.mismatch"),
        (Behaviour(bad_signature=True), "sig.report"),
        (Behaviour(stale_nonce=True), "nonce.mismatch"),
        (Behaviour(debug=True), "dice.debug"),
    ],
)
def test_a_bad_switch_refuses_the_node(behaviour: Behaviour, code: str) -> None:
    board = emulated_board(AUTHORITY, "board", behaviours={"switch 2": behaviour})
    appraisal = Judge()(*board.evidence(NONCE), gpu_count=8)
    assert codes(appraisal, 10) == {code}
    assert appraisal.status is Status.CONTRAINDICATED
    # The GPUs have proven what they are all the same.
    assert appraisal.tier is Tier.T4


def test_switches_prove_no_gpu() -> None:
    for count in (0, 8):
        appraisal = Judge()(*EVIDENCE[8:], gpu_count=count)
        assert appraisal.tier is Tier.T1
        assert appraisal.status is Status.CONTRAINDICATED
        assert {"node.topology", "tier.required"} <= codes(appraisal, None)


def test_switches_are_not_counted_as_gpus() -> None:
    _, _, found = judged(*EVIDENCE, count=12)
    assert found == {"node.devices_missing", "tier.required"}
    _, _, found = judged(*EVIDENCE, count=7)
    assert found == {"node.devices_unregistered"}


def test_switches_do_not_use_up_the_places_of_gpus() -> None:
    policy = replace(STRICT, max_gpus_per_node=8)
    appraisal = Judge(policy=policy)(*reversed(EVIDENCE), gpu_count=8)
    assert (len(appraisal.devices), appraisal.status) == (12, Status.AFFIRMING)
    assert [device.index for device in appraisal.devices] == list(range(12))


def test_more_switches_than_a_node_can_have_are_not_looked_at() -> None:
    more = [*EVIDENCE[8:], EVIDENCE[8], *EVIDENCE[:8]]
    appraisal = Judge()(*more, gpu_count=8)
    assert [device.index for device in appraisal.devices] == [0, 1, 2, 3, *range(5, 13)]
    assert codes(appraisal, None) == {"node.too_many_devices"}
    (finding,) = appraisal.findings
    assert finding.data == {"kind": "switch", "limit": 4}


def test_the_same_switch_twice() -> None:
    appraisal = Judge()(*EVIDENCE[:11], EVIDENCE[8], gpu_count=8)
    assert "device.duplicate" in codes(appraisal, 8) & codes(appraisal, 11)
    assert "node.topology" in codes(appraisal, None)


@pytest.mark.parametrize("claimed", ["HOPPER", "gpu", None])
def test_a_switch_as_a_gpu(claimed: str | None) -> None:
    appraisal = Judge()(replace(EVIDENCE[8], claimed_architecture=claimed))
    assert "device.type_mismatch" in codes(appraisal)
    assert (appraisal.status, appraisal.tier) == (Status.CONTRAINDICATED, Tier.T1)


@pytest.mark.parametrize("claimed", ["LS10", "ls10"])
def test_a_gpu_as_a_switch(claimed: str) -> None:
    """It is refused, and is not counted as a GPU either."""
    appraisal = Judge()(replace(gpu().evidence(NONCE), claimed_architecture=claimed), gpu_count=1)
    assert "device.type_mismatch" in codes(appraisal)
    assert appraisal.tier is Tier.T1
    assert "tier.required" in codes(appraisal, None)


def test_protected_gpus_without_their_switches_are_a_warning() -> None:
    status, tier, found = judged(*EVIDENCE[:8])
    assert (status, tier) == (Status.WARNING, Tier.T4)
    assert found == {"node.switches_missing"}


def test_a_switch_without_a_manifest_is_appraised_in_part() -> None:
    strange = EmulatedSwitch(AUTHORITY, "x", SwitchFirmware("96.10.99.00.01"))
    appraisal = Judge(policy=replace(STRICT, enforce_rim=False))(strange.evidence(NONCE))
    device = appraisal.devices[0]
    assert codes(appraisal) == {"rim.not_found"}
    assert (device.appraised_as, device.measurements_compared) == ("partial", 0)
    assert device.status is Status.WARNING


def test_a_list_of_drivers_says_nothing_of_switches() -> None:
    other = AllowList("11" * 32, frozenset({"22" * 32}))
    evidence = NodeEvidence(NONCE, (EVIDENCE[0], EVIDENCE[8]), True, "h100_80g", 1)
    appraisal = verify_evidence(
        evidence,
        policy=STRICT,
        now=NOW,
        trust=EMULATOR_TRUST,
        rims=EMULATED_RIMS,
        allow_lists=AllowLists(drivers=other),
    )
    assert codes(appraisal, 0) == {"driver.not_allowed"}
    assert codes(appraisal, 1) == set()


def test_a_gpus_manifest_does_not_count_for_a_switch() -> None:
    """Under the switch's id, signed, but made for another product and edition."""
    switch_id, _ = switch_manifest(AUTHORITY, SWITCH.firmware)
    gpu_xml = next(xml for name, xml in EMULATED_RIMS.manifests.items() if "DRIVER_GH100" in name)
    rims = replace(EMULATED_RIMS, manifests={**EMULATED_RIMS.manifests, switch_id: gpu_xml})
    appraisal = Judge(rims=rims)(SWITCH.evidence(NONCE))
    found = [f.data["field"] for f in appraisal.devices[0].findings if f.code == "rim.version"]
    assert found == ["version", "product", "edition"]


def with_fields(switch: EmulatedSwitch, *changes: Field, without: int = 0) -> DeviceEvidence:
    """The switch's evidence with some fields replaced or left out, signed again."""
    changed = {change.number: change for change in changes}
    fields = [changed.get(f.number, f) for f in switch.opaque_fields() if f.number != without]
    content = report_encode(NONCE, switch.blocks(), opaque_encode(fields, typed=False))
    return replace(switch.evidence(NONCE), report=switch.signed(content))


@pytest.mark.parametrize(
    "device",
    [
        with_fields(SWITCH, without=OpaqueField.PDI),
        with_fields(SWITCH, without=OpaqueField.SWITCH_GPU_PDIS),
        with_fields(SWITCH, Field(OpaqueField.PDI, 0, bytes(7))),
        with_fields(SWITCH, Field(OpaqueField.PDI, 0, bytes(8))),
        with_fields(SWITCH, Field(OpaqueField.PDI, 0, SWITCH.pdi[::-1])),
        with_fields(SWITCH, Field(OpaqueField.SWITCH_GPU_PDIS, 0, bytes(63))),
        with_fields(SWITCH, Field(OpaqueField.SWITCH_GPU_PDIS, 0, bytes(128))),
    ],
)
def test_a_switch_that_does_not_say_its_links_is_refused(device: DeviceEvidence) -> None:
    status, _, found = judged(*EVIDENCE[:8], device, *EVIDENCE[9:])
    assert (status, found) == (Status.CONTRAINDICATED, {"node.topology"})


@pytest.mark.parametrize("value", [b"", b"96.10", b"\xff" * 14, b"../../../../etc", bytes(7)])
def test_a_version_that_is_none_leads_to_no_manifest(value: bytes) -> None:
    device = with_fields(SWITCH, Field(OpaqueField.VBIOS_VERSION, 0, value))
    appraisal = Judge()(device)
    assert codes(appraisal) == {"rim.not_found"}
    assert appraisal.devices[0].vbios_version is None


def test_a_board_of_an_emulator_that_is_not_trusted() -> None:
    board = emulated_board(STRANGER, "board")
    appraisal = Judge()(*board.evidence(NONCE), gpu_count=8)
    assert all("chain.root_unpinned" in codes(appraisal, number) for number in range(12))
    assert (appraisal.tier, appraisal.emulated) == (Tier.T1, True)


def test_the_same_label_is_the_same_board() -> None:
    assert isinstance(BOARD, EmulatedBoard)
    assert emulated_board(AUTHORITY, "board").evidence(NONCE) == EVIDENCE
    assert len({device.pdi for device in (*BOARD.gpus, *BOARD.switches)}) == 12


def test_revocation_is_judged_for_switches_too() -> None:
    enforced = Judge(policy=replace(STRICT, enforce_revocation=True))(*EVIDENCE, gpu_count=8)
    for device in enforced.devices:
        found = {f.code: f.severity for f in device.findings}
        assert found["revocation.unknown"] is Severity.ERROR


def test_the_signed_result_tells_switches_from_gpus() -> None:
    second = int(NOW.timestamp())
    claims = ear_claims(
        Judge()(*EVIDENCE, gpu_count=8),
        policy=STRICT,
        issuer="https://example.org",
        build="test",
        nonce=NONCE,
        policy_digest=b"\x01" * 32,
        verdict_hash=b"\x02" * 32,
        token_id="1",
        now_s=second,
        evidence_s=second,
        fresh_until_s=second + 600,
    )
    gpus, switches = (f"gpu-{n}" for n in range(8)), (f"switch-{n}" for n in range(8, 12))
    assert list(claims["submods"]) == [*gpus, *switches, "node"]
    switch = claims["submods"]["switch-8"]
    assert (switch["ear.status"], switch["althing.appraised_as"]) == ("affirming", "full")
    assert switch["althing.device"]["hwmodel"] == "LS_10"
    # Emulated, and revocation was not looked up: nothing is said about hardware.
    assert switch["ear.trustworthiness-vector"] == {"executables": 2}


def test_a_gpu_of_the_board_is_an_ordinary_gpu_otherwise() -> None:
    assert BOARD.gpus[0].firmware == HOPPER
    assert Judge()(EVIDENCE[0]).devices[0].mode == "ppcie"
