"""A node is judged as what it is registered and paid for."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from network.attestation import Severity, Status, Tier
from network.attestation.classes import CLASS_CHIPS, SKU_CLASSES, class_finding
from network.attestation.emulator import BLACKWELL, HOPPER, HOPPER_H200, Firmware

from .samples import CHECKOUT, NONCE, STRICT, Judge, codes, gpu

REGISTRY = Path(CHECKOUT) / "contracts" / "parameters.csv"
ANY_CLASS = replace(
    STRICT,
    enforce_rim=False,
    required_tiers=dict.fromkeys([*CLASS_CHIPS, "cloud", "voted_later"], Tier.T0),
)


@pytest.mark.parametrize("firmware", [HOPPER, HOPPER_H200, BLACKWELL])
@pytest.mark.parametrize("gpu_class", sorted(CLASS_CHIPS))
def test_evidence_of_another_class_is_refused_and_buys_no_tier(
    gpu_class: str, firmware: Firmware
) -> None:
    appraisal = Judge(policy=ANY_CLASS, gpu_class=gpu_class)(gpu(firmware=firmware).evidence(NONCE))
    if SKU_CLASSES[firmware.chip, firmware.chip_sku] == gpu_class:
        assert codes(appraisal) == set()
        assert (appraisal.status, appraisal.tier) == (Status.AFFIRMING, Tier.T4)
        return
    assert codes(appraisal) == {"device.class_mismatch"}
    assert (appraisal.status, appraisal.tier) == (Status.CONTRAINDICATED, Tier.T1)
    (finding,) = (f for f in appraisal.devices[0].findings if f.code == "device.class_mismatch")
    assert finding.data["gpu_class"] == gpu_class
    assert finding.data["chip"] == firmware.chip


@pytest.mark.parametrize("gpu_class", ["cloud", "voted_later"])
def test_a_class_that_names_no_product_may_have_any(gpu_class: str) -> None:
    appraisal = Judge(policy=ANY_CLASS, gpu_class=gpu_class)(gpu().evidence(NONCE))
    assert codes(appraisal) == set()
    assert appraisal.tier is Tier.T4


def test_an_unknown_board_is_a_warning_and_keeps_the_tier() -> None:
    board = Firmware(chip_sku="899")
    appraisal = Judge(policy=ANY_CLASS)(gpu(firmware=board).evidence(NONCE))
    assert codes(appraisal) == {"rim.not_found", "class.sku_unknown"}
    assert (appraisal.status, appraisal.tier) == (Status.WARNING, Tier.T4)
    (finding,) = (f for f in appraisal.devices[0].findings if f.code == "class.sku_unknown")
    assert finding.severity is Severity.WARNING
    assert finding.data == {"gpu_class": "h100_80g", "chip": "GH100", "chip_sku": "899"}


def test_a_family_is_every_chip_of_it_and_no_other() -> None:
    def code(gpu_class: str, chip: str, chip_sku: str | None = None) -> str:
        finding = class_finding(gpu_class=gpu_class, chip=chip, chip_sku=chip_sku)
        return "" if finding is None else finding.code

    assert code("workstation_48g", "GB20X") == "class.sku_unknown"
    assert code("consumer_24g", "GB20X") == "class.sku_unknown"
    assert code("consumer_24g", "GB202") == "device.class_mismatch"
    assert code("b200_192g", "GB20X") == "device.class_mismatch"
    assert code("b200_192g", "GB100", "") == "class.sku_unknown"
    # A SKU means something only together with its chip.
    assert code("h100_80g", "GH100", "886") == "class.sku_unknown"
    assert code("b200_192g", "GB100", "886") == ""


def test_the_table_names_only_classes_of_the_registry() -> None:
    with REGISTRY.open(encoding="utf-8", newline="") as file:
        prefix = "attest.required_tier_"
        names = {row["key"] for row in csv.DictReader(file)}
    voted = {name.removeprefix(prefix) for name in names if name.startswith(prefix)}
    assert set(CLASS_CHIPS) <= voted
    for (chip, _), gpu_class in SKU_CLASSES.items():
        assert chip in CLASS_CHIPS[gpu_class]
