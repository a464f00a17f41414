"""Every code that evidence can lead to is reached, by one switch of the emulator each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from network.attestation import EvidenceFormatError, Severity, Status, Tier
from network.attestation.codes import CAUSE_BY_CODE, CAUSE_BY_PREFIX, CODES, Cause, cause
from network.attestation.emulator import EmulatorAuthority
from network.attestation.emulator.faults import (
    FAULTS,
    chain,
    manifests,
    node,
    reports,
    revocation,
)
from network.attestation.emulator.scene import STRICT, Scene

from .samples import NOW

SEED = "the switches"
MISSHAPEN = {"evidence.invalid", "evidence.too_many"}
HONEST = Scene.honest(EmulatorAuthority.from_seed(SEED), now=NOW)


def test_the_switches_are_the_codes_that_evidence_can_lead_to() -> None:
    assert FAULTS.keys() == {code for code in CODES if cause(code) is Cause.EVIDENCE}
    modules = (chain, manifests, node, reports, revocation)
    assert sum(len(module.FAULTS) for module in modules) == len(FAULTS)


def test_an_honest_scene_is_affirmed_with_nothing_to_say() -> None:
    appraisal = HONEST.judge()
    assert HONEST.codes() == {"revocation.good"}
    assert (appraisal.status, appraisal.emulated) == (Status.AFFIRMING, True)


@pytest.mark.parametrize("code", sorted(FAULTS))
def test_the_switch_leads_to_its_code(code: str) -> None:
    scene = FAULTS[code](HONEST)
    found = scene.codes()
    assert code in found
    assert found <= CODES.keys()
    assert "verifier.fault" not in found


@pytest.mark.parametrize("code", sorted(MISSHAPEN))
def test_a_misshapen_request_is_no_report(code: str) -> None:
    with pytest.raises(EvidenceFormatError) as caught:
        FAULTS[code](HONEST).judge()
    assert caught.value.code == code


@pytest.mark.parametrize("code", sorted(FAULTS.keys() - MISSHAPEN - {"revocation.good"}))
def test_what_is_found_changes_the_result_unless_it_is_a_note(code: str) -> None:
    appraisal = FAULTS[code](HONEST).judge()
    severities = {
        Severity(finding["severity"])
        for finding in appraisal.findings_json()
        if finding["code"] == code
    }
    assert appraisal.accepted is (appraisal.status is not Status.CONTRAINDICATED)
    if Severity.ERROR in severities:
        assert appraisal.status is Status.CONTRAINDICATED
    elif Severity.WARNING in severities:
        assert appraisal.status in (Status.WARNING, Status.CONTRAINDICATED)
    else:
        assert code in {"fwid.absent", "inventory.incomplete", "revocation.malformed"}


@pytest.mark.parametrize("code", sorted(FAULTS))
def test_the_same_seed_gives_the_same_fault(code: str) -> None:
    again = Scene.honest(EmulatorAuthority.from_seed(SEED), now=NOW)
    assert FAULTS[code](again) == FAULTS[code](HONEST)


def test_another_seed_gives_other_bytes() -> None:
    other = Scene.honest(EmulatorAuthority.from_seed("another"), now=NOW)
    assert other.codes() == HONEST.codes()
    assert other.devices != HONEST.devices
    assert other.answers != HONEST.answers
    assert set(other.manifests.values()).isdisjoint(HONEST.manifests.values())


def test_a_fault_of_one_scene_leaves_the_other_as_it_was() -> None:
    before = replace(HONEST)
    for fault in FAULTS.values():
        fault(HONEST)
    assert before == HONEST
    assert HONEST.codes() == {"revocation.good"}


@pytest.mark.parametrize("code", ["sig.report", "chain.expired", "nonce.mismatch"])
def test_a_scene_is_judged_by_its_policy(code: str) -> None:
    lenient = replace(
        STRICT,
        enforce_signature=False,
        enforce_chain=False,
        enforce_nonce=False,
        required_tiers=dict.fromkeys(STRICT.required_tiers, Tier.T0),
    )
    scene = replace(FAULTS[code](HONEST), policy=lenient)
    assert scene.judge().status is Status.WARNING


def test_the_causes_are_those_of_codes_that_exist() -> None:
    assert CAUSE_BY_CODE.keys() <= CODES.keys()
    assert set(CAUSE_BY_CODE.values()) == {Cause.SERVICE}
    assert Cause.EVIDENCE not in CAUSE_BY_PREFIX.values()
    # A code of a listed prefix needs no listing of its own.
    assert not {code.split(".")[0] for code in CAUSE_BY_CODE} & CAUSE_BY_PREFIX.keys()
