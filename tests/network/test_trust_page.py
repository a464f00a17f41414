"""What verdicts are made with, as people, programs and monitoring see it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from django.test import Client
from prometheus_client import generate_latest

from chain import clock
from governance.metrics import site_registry
from network.attestation.certificates import load_device_chain
from network.attestation.emulator import HOPPER, EmulatorAuthority
from network.attestation.emulator.manifests import driver_manifest
from network.attestation.emulator.revocation import RevokedEntry
from network.models import Rim
from network.services.collateral_revocation import crl_ingest, ocsp_ingest
from network.services.collateral_rims import rim_ingest, rim_withdraw
from network.verification import trust_anchors
from tests.network.collateral import answer, crl
from tests.network.conftest import World
from tests.network.nodes import TestNode, later
from tests.network.test_pages import page, words

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
MakeNode = Callable[..., TestNode]
Emulator = tuple[Path, EmulatorAuthority]
DRIVER = "EMULATED_NV_GPU_DRIVER_GH100_550.90.07"


def metrics() -> dict[str, float]:
    """Samples by name with labels."""
    lines = generate_latest(site_registry()).decode().splitlines()
    rows = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in rows}


def test_before_anything_is_there(world: World) -> None:
    text = words(page("/trust/"))
    assert "No manifest yet" in text
    assert "No chain has been seen yet" in text
    assert "NVIDIA Device Identity CA" in text
    answer = Client().get("/api/v1/network/collateral/").json()
    assert (answer["rims"], answer["authorities"], answer["devices"]) == ([], [], {})
    found = metrics()
    assert found["althing_rims"] == 0
    assert "althing_rim_first_expiry_seconds" not in found


def test_manifests_and_revocation_with_their_age(make_node: MakeNode, emulator: Emulator) -> None:
    node, authority = make_node(gpu_count=2), emulator[1]
    assert node.attest().status_code == 201
    now = clock.now().replace(microsecond=0)
    chain = load_device_chain(node.gpus[0].certificate_chain).certificates
    gone = RevokedEntry(now, x509.ReasonFlags.key_compromise)
    der = answer(at=now - timedelta(hours=2), revoked=gone, chain=chain, authority=authority)
    ocsp_ingest(der, source="test", at=now)
    crl_ingest(crl(2, at=now - timedelta(hours=3), authority=authority), source="l1", at=now)

    text = words(page("/trust/"))
    assert DRIVER in text
    assert "emulated" in text
    assert "In force" in text
    assert "✕ Revoked 1" in text
    assert "Nothing known 1" in text
    assert "The oldest answer about one is 2 h" in text
    assert "CRL 3 h" in text
    assert "What reports are judged by" in words(page("/nodes/"))

    found = Client().get("/api/v1/network/collateral/").json()
    driver = next(item for item in found["rims"] if item["id"] == DRIVER)
    row = Rim.objects.get(rim_id=DRIVER)
    assert driver["sha256"] == f"0x{row.sha256.hex()}"
    assert driver["source"] == f"{DRIVER}.swidtag"
    assert driver["emulated"] is True
    assert found["devices"] == {"not_checked": 1, "revoked": 1}
    listed = [item for item in found["authorities"] if item["source"] == "crl"]
    assert [item["state"] for item in listed] == ["good"]
    assert listed[0]["age_s"] >= 3 * 3600
    assert listed[0]["document_sha256"].startswith("0x")
    nothing = [item for item in found["authorities"] if item["source"] == ""]
    assert nothing
    assert all(item["document_sha256"] is None for item in nothing)

    samples = metrics()
    assert samples["althing_rims"] == len(found["rims"])
    assert samples[f'althing_rim_expiry_timestamp_seconds{{rim="{DRIVER}"}}'] == pytest.approx(
        row.valid_until.timestamp()
    )
    assert samples['althing_revocation_devices{state="revoked"}'] == 1
    assert samples['althing_revocation_devices{state="good"}'] == 0
    assert samples["althing_revocation_oldest_seconds"] >= 2 * 3600
    ages = [v for name, v in samples.items() if name.startswith("althing_revocation_authority")]
    assert len(ages) == 1
    with later(40 * 86_400):
        assert "Out of date" in words(page("/trust/"))


def test_what_is_missing_or_running_out_is_said(
    make_node: MakeNode, service: World, emulator: Emulator
) -> None:
    node = make_node(gpu_count=1)
    rim_withdraw(rim_id=DRIVER, sha256="", reason="test", at=clock.now())
    assert node.attest().status_code == 201
    text = words(page("/trust/"))
    assert f"asked in vain for {DRIVER} (1)" in text
    assert metrics()["althing_rims_missing"] == 1
    soon = EmulatorAuthority(emulator[1].seed, clock.now() + timedelta(days=5))
    xml = driver_manifest(soon, HOPPER)[1]
    rim_ingest(xml, rim_id=DRIVER, trust=trust_anchors(), source="test", at=clock.now())
    text = words(page("/trust/"))
    assert "4 days left" in text
    assert "asked in vain" not in text
    assert 0 < metrics()["althing_rim_first_expiry_seconds"] < 5 * 86_400
    with later(6 * 86_400):
        assert "Run out" in words(page("/trust/"))
        assert metrics()["althing_rim_first_expiry_seconds"] < 0
