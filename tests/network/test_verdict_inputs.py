"""What a verdict was made from is written beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from network.attestation import NodeFacts
from network.attestation.emulator import EmulatorAuthority
from network.attestation.trust import NVIDIA_DEVICE_ROOT_SPKI, NVIDIA_RIM_ROOT_SPKI
from network.models import Verdict
from tests.network.nodes import TestNode

pytestmark = [pytest.mark.chain, pytest.mark.django_db]

DRIVER = "EMULATED_NV_GPU_DRIVER_GH100_550.90.07"
VBIOS = "EMULATED_NV_GPU_VBIOS_1010_0200_882_96009F0001"


def test_names_manifests_roots_and_registration(
    make_node: Callable[..., TestNode], emulator: tuple[Path, EmulatorAuthority]
) -> None:
    node = make_node(gpu_count=1)
    assert node.attest().status_code == 201
    inputs = Verdict.objects.get().inputs
    folder = emulator[0] / "rims"
    assert inputs["rims"] == {
        rim_id: hashlib.sha256((folder / f"{rim_id}.swidtag").read_bytes()).hexdigest()
        for rim_id in (DRIVER, VBIOS)
    }
    assert inputs["gpu_class"] == "h100_80g"
    assert (inputs["gpu_count"], inputs["inventory_gpus"]) == (1, 1)
    assert inputs["build"] == "althing/1"
    assert inputs["facts"] == NodeFacts(pq_signed=False).as_json()
    pins = {(item["kind"], item["spki_sha256"], item["emulated"]) for item in inputs["anchors"]}
    assert pins == {
        ("device", NVIDIA_DEVICE_ROOT_SPKI, False),
        ("rim", NVIDIA_RIM_ROOT_SPKI, False),
        ("device", emulator[1].device_root_spki_sha256, True),
        ("rim", emulator[1].rim_root_spki_sha256, True),
    }
