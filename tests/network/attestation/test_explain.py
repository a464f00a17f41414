"""An appraisal in words: nothing left out, and nothing passed that was not looked at."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from network.attestation import (
    Appraisal,
    DeviceEvidence,
    Finding,
    MappingRimStore,
    NodeEvidence,
    Severity,
    Tier,
    verify_evidence,
)
from network.attestation.device import failed_device
from network.attestation.explain import Outcome, Step, explain

from .samples import EMULATED_RIMS, EMULATOR_TRUST, NONCE, NOW, STRANGER, STRICT, gpu


def judged(*devices: DeviceEvidence, rims: MappingRimStore = EMULATED_RIMS) -> Appraisal:
    return verify_evidence(node(*devices), policy=STRICT, now=NOW, trust=EMULATOR_TRUST, rims=rims)


def node(*devices: DeviceEvidence) -> NodeEvidence:
    return NodeEvidence(
        nonce=NONCE,
        devices=devices,
        inventory_signed=True,
        gpu_class="h100_80g",
        gpu_count=len(devices),
    )


def told(appraisal: Appraisal, *devices: DeviceEvidence, known: bool = True) -> tuple[Step, ...]:
    return explain(node(*devices), appraisal, trust=EMULATOR_TRUST, now=NOW, challenge_known=known)


def outcomes(steps: tuple[Step, ...], device: int | None = 0) -> dict[str, str]:
    return {step.title: step.outcome.value for step in steps if step.device == device}


def test_good_evidence_passes_step_by_step() -> None:
    good = gpu().evidence(NONCE)
    steps = told(judged(good), good)
    found = outcomes(steps)
    assert found.pop("Revocation") == "note"
    assert set(found.values()) == {"passed"}
    assert len(found) == 8
    words = {step.title: step.words for step in steps}
    assert "64 measurements" in words["The report"]
    assert "ALTHING EMULATED Device Root" in words["The certificate chain"]
    assert "no real hardware" in words["The device"]
    assert NONCE.hex() in words["The challenge"]
    assert words["The measurements"].startswith("32 of 32 ")
    assert words["The verdict"].startswith("Accepted: affirming, tier T4. It is emulated")


FAULTS = {
    "signature": ({"bad_signature": True}, "The signature"),
    "nonce": ({"stale_nonce": True}, "The challenge"),
    "debug": ({"debug": True}, "The boot firmware"),
    "firmware": ({"wrong_firmware_id": True}, "The boot firmware"),
    "measurement": ({"changed_measurements": frozenset({1})}, "The measurements"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_stands_in_its_step_and_the_others_are_told_too(fault: str) -> None:
    behaviour, title = FAULTS[fault]
    bad, good = gpu("a", **behaviour).evidence(NONCE), gpu("b").evidence(NONCE)
    steps = told(judged(bad, good), bad, good)
    failed = [name for name, outcome in outcomes(steps).items() if outcome == "failed"]
    assert failed == [title]
    assert "failed" not in outcomes(steps, 1).values()
    assert steps[-1].outcome is Outcome.FAILED
    assert steps[-1].words.startswith("Rejected: contraindicated")


def test_what_could_not_be_done_says_so() -> None:
    good = gpu().evidence(NONCE)
    no_chain = replace(good, certificate_chain=b"none")
    found = outcomes(told(judged(no_chain), no_chain))
    assert found["The certificate chain"] == "failed"
    assert (found["The report"], found["The challenge"]) == ("passed", "passed")
    undone = ("The device", "The boot firmware", "The signature", "Revocation", "The manifests")
    assert {found[title] for title in undone} == {"not checked"}

    no_report = replace(good, report=good.report[:100])
    found = outcomes(told(judged(no_report), no_report))
    assert found["The report"] == "failed"
    undone = ("The signature", "The challenge", "The manifests", "The measurements")
    assert {found[title] for title in undone} == {"not checked"}

    without = judged(good, rims=MappingRimStore({}))
    found = outcomes(told(without, good))
    assert (found["The manifests"], found["The measurements"]) == ("failed", "not checked")


def test_a_challenge_taken_from_the_report_proves_nothing() -> None:
    good = gpu().evidence(NONCE)
    assert outcomes(told(judged(good), good, known=False))["The challenge"] == "not checked"
    # A report that differs from it, as a second device may, is still told.
    old = gpu("old", stale_nonce=True).evidence(NONCE)
    steps = told(judged(good, old), good, old, known=False)
    assert outcomes(steps, 1)["The challenge"] == "failed"


def test_every_finding_is_told_once() -> None:
    devices = (
        gpu("a", bad_signature=True, debug=True).evidence(NONCE),
        gpu("a").evidence(NONCE),
        gpu("c", authority=STRANGER).evidence(NONCE),
        DeviceEvidence(b"", b""),
        replace(gpu("d").evidence(NONCE), claimed_architecture="BLACKWELL"),
    )
    appraisal = judged(*devices)
    strange = Finding("new.check", "A check that nobody has put into words.", Severity.WARNING)
    first = replace(appraisal.devices[0], findings=(*appraisal.devices[0].findings, strange))
    appraisal = replace(appraisal, devices=(first, *appraisal.devices[1:]))
    steps = told(appraisal, *devices)
    expected = Counter((f["device"], f["code"]) for f in appraisal.findings_json())
    assert Counter((step.device, f.code) for step in steps for f in step.findings) == expected
    assert outcomes(steps)["Other checks"] == "warning"
    assert any("nobody has put into words" in step.words for step in steps)


def test_a_fault_of_the_verifier_passes_nothing() -> None:
    good = gpu().evidence(NONCE)
    broken = failed_device(0, "The verifier failed on this device.")
    appraisal = replace(judged(good), devices=(broken,), tier=Tier.T0)
    assert outcomes(told(appraisal, good)) == {"The verifier": "failed"}


def test_found_good_is_a_pass_and_no_note() -> None:
    good = gpu().evidence(NONCE)
    appraisal = judged(good)
    device = appraisal.devices[0]
    for code, outcome in (("revocation.good", "passed"), ("revocation.not_checked", "note")):
        kept = tuple(f for f in device.findings if not f.code.startswith("revocation."))
        finding = Finding(code, "Told by a test.", Severity.INFO)
        changed = replace(appraisal, devices=(replace(device, findings=(*kept, finding)),))
        assert outcomes(told(changed, good))["Revocation"] == outcome
