"""The attestation result: AR4SI claims for every kind of outcome, and the JWT's claims."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest
from cryptography.x509.ocsp import OCSPCertStatus
from joserfc import jwt
from joserfc.jwk import ECKey

from network.attestation import (
    Appraisal,
    DeviceAppraisal,
    Finding,
    MappingRimStore,
    NodeEvidence,
    Policy,
    Severity,
    Status,
    Tier,
    TrustAnchors,
    ear_claims,
    trust_vector,
    verify_evidence,
)
from network.attestation.chain_revocation import RevocationMaterial, StoredDocument
from network.attestation.device import failed_device
from network.attestation.ear import Ar4si, EvidenceStale

from .revocations import CHAIN, DEVICE, ISSUERS, Answer
from .samples import (
    EMULATED_RIMS,
    EMULATOR_TRUST,
    NONCE,
    NOW,
    NVIDIA_NONCE,
    SAMPLE_TIME,
    STRICT,
    Judge,
    gpu,
    needs_nvidia_samples,
    nvidia_device,
    nvidia_rims,
)

OBSERVED = replace(STRICT, enforce_measurements=False, enforce_rim=False)


def vector(appraisal: Appraisal, **options: frozenset[str]) -> dict[str, int]:
    return trust_vector(appraisal.devices[0], **options)


def test_an_emulated_device_makes_no_hardware_claim() -> None:
    assert vector(Judge()(gpu().evidence(NONCE))) == {"executables": Ar4si.AFFIRMING}


@needs_nvidia_samples
def test_genuine_hardware_warns_until_revocation_is_known_and_so_does_an_old_manifest() -> None:
    judge = Judge(
        now=SAMPLE_TIME, trust=TrustAnchors.nvidia(), rims=nvidia_rims(), nonce=NVIDIA_NONCE
    )
    assert vector(judge(nvidia_device())) == {
        "executables": Ar4si.AFFIRMING,
        "hardware": Ar4si.WARNING,
    }
    assert vector(replace(judge, now=NOW)(nvidia_device()))["executables"] == Ar4si.WARNING


def genuine(*codes: str, severity: Severity = Severity.INFO) -> DeviceAppraisal:
    """The result of a device below the vendor's own root, with these findings and no others."""
    device = Judge()(gpu().evidence(NONCE)).devices[0]
    findings = tuple(Finding(code, "Told by a test.", severity) for code in codes)
    return replace(device, emulated=False, findings=findings)


@pytest.mark.parametrize("severity", list(Severity))
@pytest.mark.parametrize(
    ("codes", "hardware"),
    [
        (["revocation.good"], Ar4si.AFFIRMING),
        (["revocation.good", "revocation.good"], Ar4si.AFFIRMING),
        ([], Ar4si.WARNING),
        (["revocation.unknown"], Ar4si.WARNING),
        (["revocation.not_checked"], Ar4si.WARNING),
        (["revocation.stale"], Ar4si.WARNING),
        (["revocation.hold"], Ar4si.WARNING),
        (["revocation.good", "revocation.stale"], Ar4si.WARNING),
        (["revocation.something_new", "revocation.good"], Ar4si.WARNING),
        (["revocation.revoked"], Ar4si.CONTRAINDICATED),
        (["revocation.good", "revocation.revoked"], Ar4si.CONTRAINDICATED),
    ],
)
def test_hardware_is_affirmed_only_where_revocation_was_judged_good(
    codes: list[str], hardware: int, severity: Severity
) -> None:
    assert trust_vector(genuine(*codes, severity=severity))["hardware"] == hardware


@pytest.mark.parametrize(
    ("revoked", "hardware"), [(False, Ar4si.AFFIRMING), (True, Ar4si.CONTRAINDICATED)]
)
def test_hardware_follows_what_the_issuer_of_the_certificates_answers(
    revoked: bool, hardware: int
) -> None:
    good, bad = OCSPCertStatus.GOOD, OCSPCertStatus.REVOKED
    documents = [
        Answer(DEVICE, ISSUERS[0], status=bad if revoked else good).der(),
        Answer(CHAIN[2], ISSUERS[1]).der(),
        Answer(CHAIN[3], ISSUERS[2]).der(),
    ]
    material = RevocationMaterial.load(ocsp=[StoredDocument(der, NOW) for der in documents])
    appraisal = verify_evidence(
        NodeEvidence(NONCE, (gpu().evidence(NONCE),), True, "h100_80g", 1),
        policy=STRICT,
        now=NOW,
        trust=EMULATOR_TRUST,
        rims=EMULATED_RIMS,
        revocation=material,
    )
    # As if the same chain had ended in the vendor's root.
    device = replace(appraisal.devices[0], emulated=False)
    assert trust_vector(device)["hardware"] == hardware


@pytest.mark.parametrize(
    "code", ["revocation.good", "revocation.unknown", "revocation.hold", "revocation.stale"]
)
def test_revocation_makes_no_hardware_of_an_emulated_device(code: str) -> None:
    assert "hardware" not in trust_vector(replace(genuine(code), emulated=True))


@pytest.mark.parametrize(
    "behaviour", [{"bad_signature": True}, {"stale_nonce": True}], ids=["signature", "nonce"]
)
def test_failed_cryptography_leaves_no_other_claim(behaviour: dict[str, object]) -> None:
    assert vector(Judge()(gpu(**behaviour).evidence(NONCE))) == {
        "instance-identity": Ar4si.CRYPTO_FAILED
    }


def test_a_fault_of_the_verifier_is_told_as_one() -> None:
    device = failed_device(0, "The verifier failed on this device.")
    assert trust_vector(device) == {"instance-identity": Ar4si.VERIFIER_MALFUNCTION}
    appraisal = Judge()(gpu().evidence(NONCE))
    found = statuses(replace(appraisal, devices=(device,)))
    assert found == {"gpu-0": "none", "node": "none"}


def test_a_debug_part_is_contraindicated_hardware() -> None:
    assert vector(Judge()(gpu(debug=True).evidence(NONCE)))["hardware"] == Ar4si.CONTRAINDICATED


@pytest.mark.parametrize(
    ("policy", "value"),
    [(STRICT, Ar4si.CONTRAINDICATED), (OBSERVED, Ar4si.EXECUTABLES_UNRECOGNIZED)],
)
def test_other_firmware_weighs_as_the_policy_says(policy: Policy, value: int) -> None:
    changed = gpu(changed_measurements=frozenset({1})).evidence(NONCE)
    assert vector(Judge(policy=policy)(changed))["executables"] == value


def test_firmware_without_a_manifest_is_unrecognized() -> None:
    judge = Judge(policy=OBSERVED, rims=MappingRimStore({}))
    found = vector(judge(gpu().evidence(NONCE)))
    assert found["executables"] == Ar4si.EXECUTABLES_UNRECOGNIZED


def test_identity_is_claimed_only_where_the_node_has_enrolled_gpus() -> None:
    appraisal = Judge()(gpu().evidence(NONCE))
    identity = appraisal.devices[0].identity_sha256
    assert identity is not None
    known = vector(appraisal, enrolled_identities=frozenset({identity}))
    assert known["instance-identity"] == Ar4si.AFFIRMING
    other = vector(appraisal, enrolled_identities=frozenset({"00"}))
    assert other["instance-identity"] == Ar4si.IDENTITY_UNRECOGNIZED


#: The moment of the verdict; its evidence came a minute before and counts for 45.
NOW_S = 1_800_000_000


def claims(appraisal: Appraisal, **options: int) -> dict[str, object]:
    return ear_claims(
        appraisal,
        policy=STRICT,
        issuer="https://althing.example",
        build="althing/1",
        nonce=NONCE,
        policy_digest=b"\x01" * 32,
        verdict_hash=b"\x02" * 32,
        token_id="verdict-1",
        **{"now_s": NOW_S, "evidence_s": NOW_S - 60, "fresh_until_s": NOW_S + 2640} | options,
    )


def test_the_claims_survive_signing_as_es256() -> None:
    appraisal = Judge()(gpu("a").evidence(NONCE), gpu("b", debug=True).evidence(NONCE))
    key = ECKey.generate_key("P-256")
    token = jwt.encode({"alg": "ES256", "typ": "eat+jwt"}, claims(appraisal), key)
    decoded = jwt.decode(token, key).claims
    assert decoded == json.loads(json.dumps(claims(appraisal)))
    assert decoded["exp"] - decoded["iat"] == 300
    assert base64.urlsafe_b64decode(decoded["eat_nonce"] + "=") == NONCE
    assert decoded["althing.emulated"] is True
    good, bad = decoded["submods"]["gpu-0"], decoded["submods"]["gpu-1"]
    assert (good["ear.status"], bad["ear.status"]) == ("affirming", "contraindicated")
    assert good["althing.device"]["oemid"] is None
    ueid = base64.urlsafe_b64decode(good["althing.device"]["ueid"] + "=")
    assert ueid == b"\x01" + bytes.fromhex(appraisal.devices[0].identity_sha256 or "")
    assert "dice.debug" in bad["althing.findings"]


def test_a_node_without_gpu_evidence_has_one_submodule() -> None:
    found = claims(Judge(gpu_class="edge_iot")(gpu_count=1))
    assert found["submods"] == {
        "node": {
            "ear.status": "affirming",
            "ear.appraisal-policy-id": "urn:althing:policy:7#" + "01" * 32,
            "althing.findings": [],
        }
    }


def test_a_refused_node_affirms_nothing_to_who_reads_only_submodules() -> None:
    """Each card alone is good; the node is refused for what it has to prove as a whole."""
    judge = Judge(policy=replace(STRICT, required_tiers={"h100_80g": Tier.T5}))
    appraisal = judge(gpu("a").evidence(NONCE), gpu("b").evidence(NONCE))
    submods = claims(appraisal)["submods"]
    assert isinstance(submods, dict)
    assert {name: part["ear.status"] for name, part in submods.items()} == {
        "gpu-0": "affirming",
        "gpu-1": "affirming",
        "node": "contraindicated",
    }
    assert submods["node"]["althing.findings"] == ["tier.required"]


def test_an_unreadable_chain_has_no_ueid() -> None:
    broken = replace(gpu().evidence(NONCE), certificate_chain=b"none")
    submods = claims(Judge()(broken))["submods"]
    assert isinstance(submods, dict)
    assert submods["gpu-0"]["althing.device"]["ueid"] is None


def statuses(appraisal: Appraisal) -> dict[str, str]:
    submods = claims(appraisal)["submods"]
    assert isinstance(submods, dict)
    return {name: part["ear.status"] for name, part in submods.items()}


def test_a_status_is_never_better_than_the_trust_vector() -> None:
    """Checks that the policy only observes leave a warning; the claims beside it say more."""
    observed = replace(STRICT, enforce_signature=False, required_tiers={"h100_80g": Tier.T0})
    appraisal = Judge(policy=observed)(
        gpu("a", bad_signature=True).evidence(NONCE), gpu("b").evidence(NONCE)
    )
    assert appraisal.status is Status.WARNING
    assert statuses(appraisal) == {
        "gpu-0": "contraindicated",
        "gpu-1": "affirming",
        "node": "contraindicated",
    }
    # What the policy itself makes of it stays readable.
    assert claims(appraisal)["althing.status"] == "warning"


def test_hardware_of_unknown_revocation_is_a_warning_and_of_good_is_not() -> None:
    appraisal = Judge()(gpu().evidence(NONCE))
    for code, status in (("revocation.unknown", "warning"), ("revocation.good", "affirming")):
        found = statuses(replace(appraisal, devices=(genuine(code),)))
        assert found == {"gpu-0": status, "node": status}


@pytest.mark.parametrize(
    ("left_s", "lives_s"), [(1, 1), (299, 299), (300, 300), (301, 300), (2640, 300)]
)
def test_a_result_never_outlives_its_evidence(left_s: int, lives_s: int) -> None:
    found = claims(Judge()(gpu().evidence(NONCE)), fresh_until_s=NOW_S + left_s)
    assert (found["iat"], found["exp"]) == (NOW_S, NOW_S + lives_s)
    assert found["althing.evidence_at"] == NOW_S - 60


@pytest.mark.parametrize("left_s", [0, -1, -86_400])
def test_stale_evidence_gets_no_result(left_s: int) -> None:
    appraisal = Judge()(gpu().evidence(NONCE))
    with pytest.raises(EvidenceStale) as refused:
        claims(appraisal, fresh_until_s=NOW_S + left_s)
    assert refused.value.code == "evidence.stale"


@pytest.mark.parametrize("lifetime_s", [0, -1, 301])
def test_a_result_lives_five_minutes_at_most(lifetime_s: int) -> None:
    with pytest.raises(ValueError, match=r"1\.\.300"):
        claims(Judge()(gpu().evidence(NONCE)), lifetime_s=lifetime_s)
