"""What the agent makes of NVML's answers."""

from __future__ import annotations

import json

import pynvml
import pytest

from network.agent.errors import AttestationUnavailable, Exit, GpuError
from network.agent.nvml import NvmlSource, nvml_load, nvml_source
from network.agent.sources import evidence_json
from network.attestation import Status, device_identities, devices_from_json
from tests.network.agent.fake_nvml import FakeNvml
from tests.network.attestation.samples import NONCE, Judge, gpu

CARDS = [gpu("left"), gpu("right")]


def source(**options: object) -> tuple[NvmlSource, FakeNvml]:
    fake = FakeNvml(CARDS, **options)  # type: ignore[arg-type]
    return NvmlSource(lambda: fake), fake  # type: ignore[arg-type, return-value]


def _machine_has_nvml() -> bool:
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return False
    pynvml.nvmlShutdown()
    return True


def test_the_evidence_is_what_the_verifier_takes() -> None:
    nvml, fake = source()
    devices = devices_from_json([evidence_json(device) for device in nvml.evidence(NONCE)])
    assert [device.claimed_uuid for device in devices] == [card.uuid for card in CARDS]
    appraisal = Judge()(*devices)
    assert appraisal.status is Status.AFFIRMING
    assert fake.open_sessions == 0


def test_the_identities_are_those_of_the_chains() -> None:
    nvml, fake = source()
    devices = devices_from_json([evidence_json(device) for device in nvml.evidence(NONCE)])
    assert tuple(nvml.identities()) == device_identities(devices)
    assert nvml.identities() == [card.identity_sha256 for card in CARDS]
    assert fake.open_sessions == 0


def test_the_inventory_is_json_and_unknown_values_are_null() -> None:
    nvml, _ = source()
    inventory = json.loads(json.dumps(nvml.inventory(), allow_nan=False))
    card = inventory["gpus"][0]
    assert inventory["driver_version"] == "550.90.07"
    assert inventory["confidential"]["cpu"] == "SEV-SNP"
    assert card["name"] == "NVIDIA H100 80GB HBM3"
    assert card["memory_total_bytes"] == 80 * 2**30
    assert (card["power_mw"], card["energy_mj"], card["temperature_c"]) == (71_500, 123_456_789, 41)
    assert card["serial"] is None
    assert card["utilization_percent"] is None
    assert (card["ecc_enabled"], card["ecc_corrected"], card["ecc_uncorrected"]) == (True, 7, 0)
    assert (card["rows_remapped"], card["row_remap_failed"]) == (3, False)
    assert (card["pci_bus_id"], card["gsp_version"]) == ("00000000:3B:00.0", "550.90.07")
    assert card["power_limit_mw"] == 700_000
    assert len(card["boot_id"]) == 36


def test_a_card_without_row_remapping_says_null_and_not_none_failed() -> None:
    nvml, _ = source(unsupported=("remap",))
    card = nvml.inventory()["gpus"][0]
    assert (card["rows_remapped"], card["row_remap_failed"]) == (None, None)


def test_a_lost_gpu_does_not_take_the_others_with_it(caplog: pytest.LogCaptureFixture) -> None:
    nvml, fake = source(lost=frozenset({0}))
    assert [device.claimed_uuid for device in nvml.evidence(NONCE)] == [CARDS[1].uuid]
    assert len(nvml.identities()) == 1
    lost, whole = nvml.inventory()["gpus"]
    assert (lost["index"], lost["error"]["code"]) == (0, "nvml_error")
    assert whole["uuid"] == CARDS[1].uuid
    assert "GPU 0 is left out" in caplog.text
    assert fake.open_sessions == 0


def test_a_gpu_that_hangs_the_driver_is_left_behind() -> None:
    fake = FakeNvml(CARDS, hanging=frozenset({1}))
    nvml = NvmlSource(lambda: fake, timeout_s=0.2)  # type: ignore[arg-type, return-value]
    assert [device.claimed_uuid for device in nvml.evidence(NONCE)] == [CARDS[0].uuid]
    assert nvml.inventory()["gpus"][1]["error"]["code"] == "nvml_timeout"
    fake.released.set()


def test_where_every_gpu_fails_there_is_no_report() -> None:
    nvml, fake = source(lost=frozenset({0, 1}))
    with pytest.raises(GpuError) as caught:
        nvml.evidence(NONCE)
    assert (caught.value.code, caught.value.data) == (
        "nvml_error",
        {"nvml": pynvml.NVML_ERROR_GPU_IS_LOST},
    )
    assert fake.open_sessions == 0


@pytest.mark.parametrize(
    ("options", "code"),
    [({"cc_feature": 0}, "cc_off"), ({"unsupported": ("cc",)}, "cc_unsupported")],
)
def test_gpus_that_cannot_attest_say_so(options: dict[str, object], code: str) -> None:
    nvml, fake = source(**options)
    with pytest.raises(AttestationUnavailable):
        nvml.identities()
    with pytest.raises(AttestationUnavailable) as caught:
        nvml.evidence(NONCE)
    assert caught.value.code == code
    assert caught.value.exit_code == Exit.CANNOT_ATTEST
    assert "T1" in caught.value.detail
    assert fake.open_sessions == 0


def test_protected_pcie_attests_without_the_cc_feature() -> None:
    nvml, _ = source(cc_feature=0, multi_gpu=1)
    assert len(nvml.evidence(NONCE)) == 2


def test_the_raw_code_of_the_settings_call_is_not_ignored() -> None:
    """nvmlSystemGetConfComputeSettings returns its code instead of raising it."""
    nvml, _ = source(settings_code=pynvml.NVML_ERROR_UNKNOWN)
    with pytest.raises(GpuError) as caught:
        nvml.evidence(NONCE)
    assert caught.value.data == {"nvml": pynvml.NVML_ERROR_UNKNOWN}
    unsupported, _ = source(settings_code=pynvml.NVML_ERROR_NOT_SUPPORTED)
    assert unsupported.confidential_state() is None


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, "nvml_library_missing"),
        (pynvml.NVML_ERROR_DRIVER_NOT_LOADED, "driver_not_loaded"),
        (pynvml.NVML_ERROR_NO_PERMISSION, "no_permission"),
        (pynvml.NVML_ERROR_GPU_IS_LOST, "nvml_error"),
    ],
)
def test_a_driver_that_does_not_answer_is_named(error: int, code: str) -> None:
    nvml, _ = source(init_error=error)
    with pytest.raises(GpuError) as caught:
        nvml.inventory()
    assert (caught.value.code, caught.value.exit_code) == (code, Exit.NO_GPU)


def test_a_driver_without_gpus_is_named() -> None:
    empty = FakeNvml([])
    with pytest.raises(GpuError) as caught:
        NvmlSource(lambda: empty).inventory()  # type: ignore[arg-type, return-value]
    assert caught.value.code == "no_gpu"


def test_a_nonce_of_another_length_never_reaches_the_driver() -> None:
    nvml, fake = source()
    with pytest.raises(ValueError, match="32 bytes"):
        nvml.evidence(b"short")
    assert fake.open_sessions == 0


@pytest.mark.skipif(_machine_has_nvml(), reason="this machine has an NVIDIA driver")
def test_on_a_machine_without_a_driver_the_real_binding_says_so() -> None:
    assert nvml_load().__name__ == "pynvml"
    with pytest.raises(GpuError) as caught:
        nvml_source().inventory()
    assert caught.value.code == "nvml_library_missing"
    assert "no NVIDIA driver" in caught.value.detail


@pytest.mark.gpu
@pytest.mark.skipif(not _machine_has_nvml(), reason="needs an NVIDIA GPU and its driver")
def test_on_a_machine_with_a_gpu_the_inventory_is_read() -> None:
    inventory = json.loads(json.dumps(nvml_source().inventory(), allow_nan=False))
    assert inventory["gpus"]
    assert all(card["uuid"].startswith("GPU-") for card in inventory["gpus"])
    assert all(card["memory_total_bytes"] for card in inventory["gpus"])
    nvml_source().confidential_state()
