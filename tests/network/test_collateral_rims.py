"""Manifests: verified when they are taken in, pinned, withdrawn, and which one answers."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from chain import clock
from network.attestation import TrustAnchors
from network.attestation.caches import Caches
from network.attestation.emulator import BLACKWELL, HOPPER, HOPPER_H200, EmulatorAuthority
from network.attestation.emulator.manifests import driver_manifest, vbios_manifest
from network.errors import NetworkError
from network.models import ChainCertificate, Rim, RimKind
from network.services.collateral_rims import rim_ingest, rim_restore, rim_withdraw
from network.services.collateral_store import collateral_at, collateral_forget
from tests.network.attestation.samples import NVIDIA_DIRECTORY, needs_nvidia_samples
from tests.network.collateral import AUTHORITY, TRUST
from tests.network.nodes import in_threads

pytestmark = pytest.mark.django_db

DRIVER, DRIVER_XML = driver_manifest(AUTHORITY, HOPPER)
VBIOS, VBIOS_XML = vbios_manifest(AUTHORITY, HOPPER)


@pytest.fixture(autouse=True)
def no_memory() -> None:
    collateral_forget()


def ingest(xml: bytes = DRIVER_XML, rim_id: str = DRIVER, **options: Any) -> Any:
    options = {"trust": TRUST, "source": "test", "at": clock.now()} | options
    return rim_ingest(xml, rim_id=rim_id, **options)


def answering(rim_id: str = DRIVER) -> bytes | None:
    """What a judgement made now would compare with."""
    found = collateral_at((), trust=TRUST, caches=Caches(), at=clock.now())
    return found.rims.get(rim_id)


def resigned(days: int = 300) -> bytes:
    """The same manifest, signed by the same authority with another signer's certificate."""
    later = EmulatorAuthority(AUTHORITY.seed, clock.now() + timedelta(days=days))
    return driver_manifest(later, HOPPER)[1]


def test_is_verified_stored_and_answers_byte_for_byte() -> None:
    done = ingest()
    assert done.is_new
    row = Rim.objects.get()
    assert (row.rim_id, row.kind, row.product) == (DRIVER, RimKind.DRIVER, "GH100")
    assert row.version == HOPPER.driver_version
    assert row.sha256 == hashlib.sha256(DRIVER_XML).digest()
    assert row.root_spki.hex() == AUTHORITY.rim_root_spki_sha256
    assert row.emulated
    assert not row.expired_at_ingest
    assert row.valid_until == AUTHORITY.rim_signer_valid_until
    assert answering() == DRIVER_XML
    assert answering() is answering()
    assert answering(VBIOS) is None
    # The chain that signed it can be asked about: three certificates and the root.
    signer = ChainCertificate.objects.get(rims=row)
    assert "RIM Signer" in signer.subject
    assert ChainCertificate.objects.exclude(ocsp_due_at=None).count() == 3
    assert ChainCertificate.objects.filter(issuer=None).count() == 1


def test_the_same_bytes_again_change_nothing() -> None:
    first = ingest()
    again = ingest(at=clock.now() + timedelta(days=1))
    assert not again.is_new
    assert again.rim.pk == first.rim.pk
    assert Rim.objects.count() == 1


def test_the_newest_of_one_id_answers_and_both_stay() -> None:
    ingest()
    newer = resigned()
    assert newer != DRIVER_XML
    ingest(newer, at=clock.now() + timedelta(seconds=1))
    assert answering() == newer
    assert Rim.objects.filter(rim_id=DRIVER).count() == 2


@pytest.mark.parametrize("firmware", [HOPPER, HOPPER_H200, BLACKWELL])
@pytest.mark.parametrize("manifest", [driver_manifest, vbios_manifest])
def test_every_kind_of_firmware_has_an_id_that_is_known(firmware: Any, manifest: Any) -> None:
    rim_id, xml = manifest(AUTHORITY, firmware)
    assert ingest(xml, rim_id).rim.version in {firmware.driver_version, firmware.vbios_version}


@pytest.mark.parametrize(
    ("rim_id", "code"),
    [
        ("", "rim_id_malformed"),
        ("EMULATED_NV_GPU_DRIVER_GH100_../../etc", "rim_id_malformed"),
        ("EMULATED_NV_CPU_DRIVER_GH100_550.90.07", "rim_id_malformed"),
        ("EMULATED_" * 30, "rim_id_malformed"),
        ("EMULATED_NV_GPU_DRIVER_GH100_550.90.08", "rim_id_mismatch"),
        ("EMULATED_NV_GPU_DRIVER_GB100_550.90.07", "rim_id_mismatch"),
        ("EMULATED_NV_GPU_VBIOS_1010_0200_882_96009F0001", "rim_id_mismatch"),
        ("EMULATED_NV_SWITCH_BIOS_5612_0002_890_96009F0001", "rim_id_mismatch"),
        # An emulated manifest never stands in for a genuine one.
        ("NV_GPU_DRIVER_GH100_550.90.07", "rim_id_mismatch"),
    ],
)
def test_an_id_that_is_not_this_manifests_is_refused(rim_id: str, code: str) -> None:
    with pytest.raises(NetworkError) as refused:
        ingest(rim_id=rim_id)
    assert refused.value.code == code
    assert not Rim.objects.exists()


@pytest.mark.parametrize(
    ("xml", "code"),
    [
        (b"", "rim.malformed"),
        (b"<html/>", "rim.profile"),
        (DRIVER_XML[:-20], "rim.malformed"),
        (DRIVER_XML.replace(b'alternatives="1"', b'alternatives="2"', 1), "rim.digest"),
        (b"<!DOCTYPE x [<!ENTITY a 'b'>]>" + DRIVER_XML, "rim.doctype"),
        (b" " * (256 * 1024 + 1), "rim.malformed"),
    ],
)
def test_bytes_that_are_no_valid_manifest_are_refused(xml: bytes, code: str) -> None:
    with pytest.raises(NetworkError) as refused:
        ingest(xml)
    assert refused.value.code == code


def test_a_root_that_is_not_pinned_is_refused() -> None:
    with pytest.raises(NetworkError) as refused:
        ingest(trust=TrustAnchors.nvidia())
    assert refused.value.code == "rim.chain"
    stranger = EmulatorAuthority.from_seed("somebody else's")
    with pytest.raises(NetworkError) as refused:
        ingest(driver_manifest(stranger, HOPPER)[1])
    assert refused.value.code == "rim.chain"


def test_what_has_run_out_needs_a_time_and_is_flagged() -> None:
    old = replace(AUTHORITY, rim_signer_valid_until=datetime(2024, 1, 1, tzinfo=UTC))
    xml = driver_manifest(old, HOPPER)[1]
    with pytest.raises(NetworkError) as refused:
        ingest(xml)
    assert refused.value.code == "rim_expired"
    for as_of, code in (
        (datetime(2024, 6, 1, tzinfo=UTC), "rim_expired"),
        (datetime(2019, 6, 1, tzinfo=UTC), "rim_not_yet_valid"),
        (clock.now() + timedelta(days=1), "rim_as_of_future"),
    ):
        with pytest.raises(NetworkError) as refused:
            ingest(xml, as_of=as_of)
        assert refused.value.code == code
    done = ingest(xml, as_of=datetime(2023, 6, 1, tzinfo=UTC))
    assert done.rim.expired_at_ingest
    assert answering() == xml


def test_a_withdrawn_one_answers_no_more_and_the_one_before_does() -> None:
    first = ingest().rim
    newer = ingest(resigned(), at=clock.now() + timedelta(seconds=1)).rim
    rim_withdraw(rim_id=DRIVER, sha256="", reason="wrong firmware", at=clock.now())
    newer.refresh_from_db()
    assert newer.withdrawn_at is not None
    assert answering() == first.xml
    rim_withdraw(rim_id=DRIVER, sha256=first.sha256.hex()[:8], reason="both", at=clock.now())
    assert answering() is None
    # A file that still lies in the directory does not bring it back.
    with pytest.raises(NetworkError) as refused:
        ingest()
    assert refused.value.code == "rim_withdrawn"
    rim_restore(rim_id=DRIVER, sha256=first.sha256.hex())
    assert answering() == first.xml
    for options, code in (
        ({"sha256": "ffffffff", "reason": "x"}, "rim_unknown"),
        ({"sha256": "", "reason": " "}, "reason_missing"),
    ):
        with pytest.raises(NetworkError) as refused:
            rim_withdraw(rim_id=DRIVER, at=clock.now(), **options)
        assert refused.value.code == code


def test_bytes_changed_in_the_database_are_not_used(caplog: pytest.LogCaptureFixture) -> None:
    ingest()
    Rim.objects.update(xml=DRIVER_XML.replace(b"True", b"Fals", 1))
    with pytest.raises(OSError, match="not those taken in"):
        answering()


def test_memory_is_read_again_only_after_a_change(
    django_assert_num_queries: Any,
) -> None:
    ingest()
    assert answering() == DRIVER_XML
    with django_assert_num_queries(1):
        assert answering() == DRIVER_XML
    ingest(VBIOS_XML, VBIOS)
    assert answering(VBIOS) == VBIOS_XML
    with django_assert_num_queries(1):
        assert answering(VBIOS) == VBIOS_XML


# --- Commands ------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    """A directory with both manifests, in a deployment that trusts their authority."""
    settings.RIM_DIR = tmp_path / "rims"
    settings.RIM_DIR.mkdir()
    settings.EMULATOR_ROOT_DIR = tmp_path / "emulator"
    settings.EMULATOR_ROOT_DIR.mkdir()
    (settings.EMULATOR_ROOT_DIR / "roots.json").write_text(
        f'{{"device_spki_sha256": "{AUTHORITY.device_root_spki_sha256}",'
        f' "rim_spki_sha256": "{AUTHORITY.rim_root_spki_sha256}"}}'
    )
    for rim_id, xml in ((DRIVER, DRIVER_XML), (VBIOS, VBIOS_XML)):
        (settings.RIM_DIR / f"{rim_id}.swidtag").write_bytes(xml)
    return Path(settings.RIM_DIR)


def run(capsys: pytest.CaptureFixture[str], *args: Any) -> tuple[int, str]:
    """Exit code and everything that a command printed."""
    try:
        call_command(*[str(arg) for arg in args])
        code = 0
    except CommandError as error:
        code, text = error.returncode, str(error)
        found = capsys.readouterr()
        return code, found.out + found.err + text
    except SystemExit as error:
        code = int(error.code or 0)
    found = capsys.readouterr()
    return code, found.out + found.err


def test_import_of_the_deployments_directories(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = run(capsys, "rim_import")
    assert code == 0
    assert text.count("taken in") == 2
    code, text = run(capsys, "rim_import", folder)
    assert (code, text.count("known")) == (0, 2)
    assert Rim.objects.count() == 2


def test_one_bad_file_stops_none_of_the_others(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "EMULATED_NV_GPU_DRIVER_GH100_1.0.swidtag").write_bytes(DRIVER_XML)
    (folder / "readme.swidtag").write_bytes(b"hello")
    (folder / "directory.swidtag").mkdir()
    code, text = run(capsys, "rim_import", folder)
    assert code == 1
    assert "rim_id_mismatch" in text
    assert "rim.malformed" in text
    assert "file_unreadable" in text
    assert Rim.objects.count() == 2
    assert run(capsys, "rim_import", folder / "absent.swidtag")[0] == 1
    assert "file_unreadable" in run(capsys, "rim_import", folder / "absent.swidtag")[1]


def test_import_under_a_given_id(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = folder / "mine.swidtag"
    other.write_bytes(DRIVER_XML)
    assert "rim_id_unknown" in run(capsys, "rim_import", other)[1]
    assert run(capsys, "rim_import", other, "--id", DRIVER)[0] == 0
    assert run(capsys, "rim_import", folder, other, "--id", DRIVER)[0] == 1
    assert run(capsys, "rim_import", other, "--as-of", "yesterday")[0] == 2


def test_status_is_an_exit_code(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = run(capsys, "rim_status")
    assert code == 1
    assert "There is no manifest" in text
    run(capsys, "rim_import")
    code, text = run(capsys, "rim_status")
    assert code == 0
    assert text.count("ok") == 2
    assert DRIVER in text
    assert hashlib.sha256(DRIVER_XML).hexdigest()[:16] in text
    ingest(resigned(days=5))
    code, text = run(capsys, "rim_status")
    assert code == 1
    assert "IN 4 DAYS" in text
    code, text = run(capsys, "rim_status", "--json")
    assert code == 1
    assert '"days_left": 4' in text


def test_withdrawing_from_the_command_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "rim_import")
    assert "reason_missing" in run(capsys, "rim_withdraw", DRIVER)[1]
    assert run(capsys, "rim_withdraw", DRIVER, "--reason", "test")[0] == 0
    assert answering() is None
    assert run(capsys, "rim_withdraw", DRIVER, "--restore")[0] == 0
    assert answering() == DRIVER_XML
    assert "rim_unknown" in run(capsys, "rim_withdraw", "NV_GPU_DRIVER_X_1", "--reason", "x")[1]


@needs_nvidia_samples
def test_the_vendors_published_manifests_go_in(
    settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """They have run out since, so they need a time, and are flagged."""
    code, text = run(capsys, "rim_import", NVIDIA_DIRECTORY)
    assert code == 1
    assert "rim_expired" in text
    code, text = run(capsys, "rim_import", NVIDIA_DIRECTORY, "--as-of", "2024-06-01")
    taken = Rim.objects.all()
    assert taken.filter(rim_id="NV_GPU_DRIVER_GH100_545.00").exists()
    assert taken.filter(rim_id="NV_GPU_VBIOS_1010_0200_882_96005E0001").exists()
    assert taken.filter(rim_id="NV_GPU_VBIOS_G520_0202_885_96006D0008").exists()
    assert taken.count() >= 20
    assert all(rim.expired_at_ingest and not rim.emulated for rim in taken)


@pytest.mark.django_db(transaction=True)
def test_one_manifest_taken_in_by_several_at_once_is_one_row() -> None:
    def work(_: int) -> Any:
        try:
            return ingest().is_new
        finally:
            connections.close_all()

    assert sorted(in_threads(4, work)) == [False, False, False, True]
    assert Rim.objects.count() == 1
    assert answering() == DRIVER_XML
