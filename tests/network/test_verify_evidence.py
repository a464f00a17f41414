"""``manage.py verify_evidence`` on the published sample, on emulated evidence, on rubbish."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from network.attestation.certificates import load_device_chain
from network.attestation.codes import CODES
from network.attestation.emulator import Behaviour, EmulatedGpu, EmulatorAuthority
from network.attestation.emulator.revocation import EmulatedResponder, RevokedEntry, crl_issue
from network.attestation.ocsp import ocsp_request
from tests.network.attestation.samples import (
    CHECKOUT,
    NONCE,
    NVIDIA_DIRECTORY,
    NVIDIA_NONCE,
    needs_nvidia_samples,
)
from tests.network.conftest import World

AT = "--at=2026-11-23T09:00:00Z"


def verify(*arguments: object) -> tuple[int, str]:
    """Run the command; return its exit code and what it wrote."""
    out = StringIO()
    try:
        call_command("verify_evidence", *(str(argument) for argument in arguments), stdout=out)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue()
    except CommandError as error:
        return error.returncode, str(error)
    return 0, out.getvalue()


def steps(*arguments: object) -> tuple[int, dict[str, Any]]:
    """The same as JSON, with the steps of device 0 and of the node by title."""
    code, text = verify(*arguments, "--json")
    found = json.loads(text)
    found["by_title"] = {step["title"]: step for step in found["steps"] if step["device"] != 1}
    return code, found


@needs_nvidia_samples
def test_the_published_sample_at_its_time() -> None:
    code, text = verify(NVIDIA_DIRECTORY, "--at", "2024-06-01")
    assert code == 0
    assert "33 of 33 measurements" in text
    assert "Accepted: affirming, tier T4." in text
    assert "The challenge: not checked" in text
    code, text = verify(NVIDIA_DIRECTORY, "--at", "2024-06-01", "--nonce", NVIDIA_NONCE.hex())
    assert code == 0
    assert f"The report answers the challenge {NVIDIA_NONCE.hex()}." in text


@needs_nvidia_samples
def test_the_published_sample_today_is_a_warning() -> None:
    code, found = steps(NVIDIA_DIRECTORY)
    assert (code, found["accepted"], found["status"]) == (0, True, "warning")
    manifests = found["by_title"]["The manifests"]
    assert {finding["code"] for finding in manifests["findings"]} == {"rim.expired"}
    assert manifests["next_steps"] == [CODES["rim.expired"].next_step]
    assert manifests["codes"]["rim.expired"]["meaning"] == CODES["rim.expired"].meaning
    assert (
        f"     Next: {CODES['rim.expired'].next_step}" in verify(NVIDIA_DIRECTORY)[1].splitlines()
    )
    assert found["devices"][0]["measurements_matched"] == 33


@needs_nvidia_samples
@pytest.mark.parametrize(
    ("file", "title"),
    [
        ("attestationReport.txt", "The signature"),
        ("gpuAkCertChain.txt", "The certificate chain"),
        ("Driver_RIM_test_no_gpu.swidtag", "The manifests"),
    ],
)
def test_the_published_sample_with_one_character_changed(
    tmp_path: Path, file: str, title: str
) -> None:
    for path in NVIDIA_DIRECTORY.glob("*[!D].swidtag"):
        shutil.copy(path, tmp_path)
    for name in ("attestationReport.txt", "gpuAkCertChain.txt"):
        shutil.copy(NVIDIA_DIRECTORY / name, tmp_path)
    content = bytearray((tmp_path / file).read_bytes())
    place = len(content) // 2
    while not chr(content[place]).isdigit():
        place += 1
    content[place] = ord("1") if content[place] != ord("1") else ord("2")
    (tmp_path / file).chmod(0o600)
    (tmp_path / file).write_bytes(content)
    code, found = steps(tmp_path, "--at", "2024-06-01")
    assert code == 1
    assert found["by_title"][title]["outcome"] == "failed"


@needs_nvidia_samples
@pytest.mark.parametrize("at", ["2014-06-01", "2022-06-01"])
def test_the_published_sample_before_its_time(at: str) -> None:
    code, text = verify(NVIDIA_DIRECTORY, "--at", at)
    assert code == 1
    assert "_yet_valid" in text


@pytest.fixture
def authority(emulator: tuple[Path, EmulatorAuthority], settings: Any) -> EmulatorAuthority:
    """The service trusts this run's emulator."""
    settings.EMULATOR_ROOT_DIR = emulator[0]
    return emulator[1]


def entry(gpu: EmulatedGpu, nonce: bytes = NONCE) -> dict[str, Any]:
    evidence = gpu.evidence(nonce)
    return {
        "arch": "HOPPER",
        "evidence": base64.b64encode(evidence.report).decode(),
        "certificate": base64.b64encode(evidence.certificate_chain).decode(),
    }


def write(folder: Path, content: object) -> Path:
    file = folder / "evidence.json"
    file.write_text(json.dumps(content))
    return file


def report(*gpus: EmulatedGpu) -> dict[str, Any]:
    """A report as a node sends it."""
    devices = [entry(gpu) for gpu in gpus]
    return {"nonce": f"0x{NONCE.hex()}", "seq": 1, "previous_hash": None, "devices": devices}


def test_a_report_of_a_node_is_accepted(authority: EmulatorAuthority, tmp_path: Path) -> None:
    file = write(tmp_path, report(EmulatedGpu(authority, "a"), EmulatedGpu(authority, "b")))
    code, text = verify(file, AT)
    assert code == 0
    assert text.count("32 of 32 measurements") == 2
    assert "Device 1" in text
    assert "It is emulated and proves nothing about hardware." in text
    code, found = steps(file, AT)
    assert (code, found["accepted"], found["emulated"]) == (0, True, True)
    assert found["judged_as_of"] == "2026-11-23T09:00:00+00:00"


def test_a_list_of_devices_is_accepted(authority: EmulatorAuthority, tmp_path: Path) -> None:
    device = entry(EmulatedGpu(authority, "a"))
    assert verify(write(tmp_path, [device | {"nonce": NONCE.hex()}]), AT)[0] == 0
    code, text = verify(write(tmp_path, [device]), AT)
    assert code == 0
    assert "The challenge: not checked" in text
    assert verify(write(tmp_path, [device]), AT, "--nonce", "0x" + "00" * 32)[0] == 1


@pytest.mark.parametrize(
    ("behaviour", "title", "finding"),
    [
        (Behaviour(bad_signature=True), "The signature", "sig.report"),
        (Behaviour(stale_nonce=True), "The challenge", "nonce.mismatch"),
        (Behaviour(debug=True), "The boot firmware", "dice.debug"),
        (Behaviour(changed_measurements=frozenset({3})), "The measurements", "meas.mismatch"),
    ],
)
def test_bad_evidence_is_rejected_and_explained(
    authority: EmulatorAuthority, tmp_path: Path, behaviour: Behaviour, title: str, finding: str
) -> None:
    file = write(tmp_path, report(EmulatedGpu(authority, "a", behaviour=behaviour)))
    code, found = steps(file, AT)
    assert (code, found["accepted"]) == (1, False)
    step = found["by_title"][title]
    assert step["outcome"] == "failed"
    assert finding in {found["code"] for found in step["findings"]}
    code, text = verify(file, AT)
    assert code == 1
    assert finding in text
    assert "Rejected: contraindicated" in text


def test_one_card_twice_is_rejected(authority: EmulatorAuthority, tmp_path: Path) -> None:
    gpu = EmulatedGpu(authority, "a")
    code, text = verify(write(tmp_path, report(gpu, gpu)), AT)
    assert code == 1
    assert "device.duplicate" in text


def test_another_class_is_rejected(authority: EmulatorAuthority, tmp_path: Path) -> None:
    file = write(tmp_path, report(EmulatedGpu(authority, "a")))
    code, text = verify(file, AT, "--class", "b200_192g")
    assert code == 1
    assert "device.class_mismatch" in text


def test_an_emulator_that_is_not_trusted_is_rejected(
    emulator: tuple[Path, EmulatorAuthority], settings: Any, tmp_path: Path
) -> None:
    settings.EMULATOR_ROOT_DIR = None
    file = write(tmp_path, report(EmulatedGpu(emulator[1], "a")))
    code, text = verify(file, AT, "--rims", emulator[0] / "rims")
    assert code == 1
    assert "chain.root_unpinned" in text


def test_manifests_can_be_given(
    authority: EmulatorAuthority,
    emulator: tuple[Path, EmulatorAuthority],
    settings: Any,
    tmp_path: Path,
) -> None:
    (tmp_path / "alone").mkdir()
    shutil.copy(emulator[0] / "roots.json", tmp_path / "alone")
    file = write(tmp_path, report(EmulatedGpu(authority, "a")))
    settings.EMULATOR_ROOT_DIR = tmp_path / "alone"
    code, text = verify(file, AT)
    assert code == 1
    assert "rim.not_found" in text
    assert verify(file, AT, "--rims", emulator[0] / "rims")[0] == 0


def answers(folder: Path, authority: EmulatorAuthority, gpu: EmulatedGpu, *, revoked: bool) -> Path:
    """What the emulator's responder says about a card's chain, kept as files."""
    at = datetime(2026, 11, 23, 8, tzinfo=UTC)
    chain = load_device_chain(gpu.certificate_chain).certificates
    entries = {chain[1].serial_number: RevokedEntry(at)} if revoked else {}
    responder = EmulatedResponder(authority, entries)
    folder.mkdir()
    for position in (1, 2, 3):
        request = ocsp_request(chain[position], chain[position + 1])
        (folder / f"{position}.ocsp").write_bytes(responder.answer(request, now=at))
    return folder


def test_revocation_can_be_given(authority: EmulatorAuthority, tmp_path: Path) -> None:
    gpu = EmulatedGpu(authority, "a")
    file = write(tmp_path, report(gpu))
    good = answers(tmp_path / "good", authority, gpu, revoked=False)
    code, found = steps(file, AT, "--ocsp", good)
    assert (code, found["by_title"]["Revocation"]["outcome"]) == (0, "passed")
    bad = answers(tmp_path / "bad", authority, gpu, revoked=True)
    code, found = steps(file, AT, "--ocsp", bad)
    assert (code, found["by_title"]["Revocation"]["outcome"]) == (1, "failed")
    assert "Certificate 1 is revoked" in found["by_title"]["Revocation"]["words"]
    # Another card's answers say nothing about this one.
    other = write(tmp_path, report(EmulatedGpu(authority, "b")))
    code, found = steps(other, AT, "--ocsp", good)
    assert code == 1
    assert "Nothing says if Certificate 1 is revoked" in found["by_title"]["Revocation"]["words"]
    for option in ("--ocsp", "--crl"):
        assert verify(file, AT, option, tmp_path / "missing")[0] == 2


def test_lists_can_be_given(authority: EmulatorAuthority, tmp_path: Path) -> None:
    """They cover the authorities: of the device itself OCSP has to speak."""
    gpu = EmulatedGpu(authority, "a")
    file = write(tmp_path, report(gpu))
    good = answers(tmp_path / "good", authority, gpu, revoked=False)
    (good / "2.ocsp").unlink()
    (good / "3.ocsp").unlink()
    assert verify(file, AT, "--ocsp", good)[0] == 1
    at = datetime(2026, 11, 23, 8, tzinfo=UTC)
    lists = tmp_path / "lists"
    lists.mkdir()
    for level in (1, 2):
        list_ = crl_issue(authority.device_chain[level], number=1, this_update=at)
        (lists / f"{level}.crl").write_bytes(list_)
    code, found = steps(file, AT, "--ocsp", good, "--crl", lists)
    assert (code, found["by_title"]["Revocation"]["outcome"]) == (0, "passed")
    assert verify(file, AT, "--crl", lists)[0] == 1
    chain = load_device_chain(gpu.certificate_chain).certificates
    gone = {chain[2].serial_number: RevokedEntry(at)}
    list_ = crl_issue(authority.device_chain[1], number=2, this_update=at, revoked=gone)
    (lists / "1.crl").write_bytes(list_)
    code, found = steps(file, AT, "--ocsp", good, "--crl", lists)
    assert code == 1
    assert "Certificate 2 is revoked" in found["by_title"]["Revocation"]["words"]


GOOD = {"evidence": "AAAA", "certificate": "AAAA"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"no json",
        b"[" * 100_000,
        b"17",
        b'"text"',
        b"null",
        b"{}",
        b"[]",
        b'{"devices": {}}',
        b'{"devices": []}',
        b'{"devices": [7]}',
        json.dumps([GOOD | {"evidence": "not base64!"}]).encode(),
        json.dumps([GOOD | {"certificate": 7}]).encode(),
        json.dumps([{"evidence": "AAAA"}]).encode(),
        json.dumps([GOOD] * 129).encode(),
        json.dumps([GOOD | {"evidence": "A" * 100_000}]).encode(),
        json.dumps([GOOD | {"nonce": "00"}]).encode(),
        json.dumps([GOOD | {"nonce": "zz" * 32}]).encode(),
        json.dumps([GOOD | {"nonce": {"a": []}}]).encode(),
        json.dumps([GOOD | {"nonce": "00" * 32}, GOOD | {"nonce": "11" * 32}]).encode(),
        json.dumps({"nonce": 5, "devices": [GOOD]}).encode(),
    ],
    ids=range(22),
)
def test_what_cannot_be_read_is_told_apart_from_what_is_rejected(
    tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "evidence.json"
    file.write_bytes(content)
    code, text = verify(file, AT)
    assert code == 2
    assert text.startswith("evidence.")


def test_places_without_evidence(tmp_path: Path) -> None:
    assert verify(tmp_path / "missing.json")[0] == 2
    assert verify(tmp_path)[0] == 2
    (tmp_path / "attestationReport.txt").write_text("not hex")
    assert verify(tmp_path)[0] == 2
    (tmp_path / "attestationReport.txt").write_text("00" * 20_000)
    code, text = verify(tmp_path)
    assert code == 2
    assert "more than" in text


@pytest.mark.parametrize(
    "options",
    [["--at", "yesterday"], ["--at", ""], ["--nonce", "12"], ["--policy", "current"]],
)
def test_options_that_make_no_sense(tmp_path: Path, options: list[str]) -> None:
    file = write(tmp_path, [GOOD])
    assert verify(file, *options)[0] == 2


def test_evidence_that_reads_and_means_nothing_is_rejected(tmp_path: Path) -> None:
    code, text = verify(write(tmp_path, [GOOD]), AT)
    assert code == 1
    assert "report.too_short" in text
    assert "Rejected" in text


@pytest.mark.chain
@pytest.mark.django_db
def test_the_policy_in_force_can_judge(
    service: World, emulator: tuple[Path, EmulatorAuthority], tmp_path: Path
) -> None:
    changed = Behaviour(changed_measurements=frozenset({3}))
    file = write(tmp_path, report(EmulatedGpu(emulator[1], "a", behaviour=changed)))
    voted = ("--policy", "current", "--class")
    code, found = steps(file, *voted, "h100_80g")
    # The DAO only observes measurements at first.
    assert (code, found["status"]) == (0, "warning")
    assert found["by_title"]["The measurements"]["outcome"] == "warning"
    service.parameters_set(attest__enforce_measurements=1)
    service.settle()
    assert verify(file, *voted, "h100_80g")[0] == 1
    code, text = verify(file, *voted, "no_such_class")
    assert code == 1
    assert "policy.class_unknown" in text


def test_the_process_tells_its_result_by_its_exit_code(
    authority: EmulatorAuthority, emulator: tuple[Path, EmulatorAuthority], tmp_path: Path
) -> None:
    good = write(tmp_path, report(EmulatedGpu(authority, "a")))
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps([GOOD]))
    for file, code in ((good, 0), (bad, 1), (tmp_path / "missing", 2)):
        ended = subprocess.run(
            [sys.executable, "manage.py", "verify_evidence", str(file), AT],
            cwd=CHECKOUT,
            # No database is there to be asked.
            env=os.environ
            | {
                "ALTHING_EMULATOR_ROOT": str(emulator[0]),
                "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == code, ended.stderr
        assert "Traceback" not in ended.stderr
