"""The verifier on genuine H100 evidence, against NVIDIA's own roots."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from network.attestation import (
    DeviceEvidence,
    MappingRimStore,
    Policy,
    RimExpired,
    Status,
    Tier,
    TrustAnchors,
)
from network.attestation.rim import load_rim
from network.attestation.spdm import parse_report

from .samples import (
    NONCE,
    NOW,
    NVIDIA_DIRECTORY,
    NVIDIA_NONCE,
    SAMPLE_TIME,
    STRICT,
    Judge,
    codes,
    gpu,
    needs_nvidia_samples,
    nvidia_device,
    nvidia_rims,
)

pytestmark = needs_nvidia_samples

#: One byte of each is flipped; see :func:`_offsets`.
PARTS = [
    "request version",
    "request code",
    "signature flag",
    "measurements asked",
    "nonce",
    "slot",
    "response version",
    "response code",
    "response param 1",
    "response slot",
    "block count",
    "record length",
    "block index",
    "block specification",
    "block size",
    "value type",
    "value size",
    "value",
    "responder nonce",
    "opaque length",
    "opaque type",
    "opaque size",
    "opaque value",
    "signature r",
    "signature s",
]


def judge(
    *, now: datetime = SAMPLE_TIME, policy: Policy = STRICT, nonce: bytes = NVIDIA_NONCE
) -> Judge:
    return Judge(
        policy=policy, now=now, trust=TrustAnchors.nvidia(), rims=nvidia_rims(), nonce=nonce
    )


def test_everything_holds_while_the_manifests_were_valid() -> None:
    appraisal = judge()(nvidia_device())
    device = appraisal.devices[0]
    assert (appraisal.status, appraisal.tier) == (Status.AFFIRMING, Tier.T4)
    assert not appraisal.emulated
    assert (device.measurements_compared, device.measurements_matched) == (33, 33)
    assert device.driver_version == "545.00"
    assert device.vbios_version == "96.00.5E.00.01"
    assert (device.chip, device.architecture) == ("GH100", "HOPPER")
    assert device.san == "NVIDIA:GH100:48B02DB73E52137E"
    assert device.device_serial == "41FFEEB20009E0BE49"
    # This report is older than the field that repeats the firmware id: told, not failed.
    assert [finding.code for finding in device.findings] == ["fwid.absent", "revocation.unknown"]


@pytest.mark.parametrize(
    ("rim_expired", "status"),
    [
        (RimExpired.ACCEPT, Status.AFFIRMING),
        (RimExpired.WARN, Status.WARNING),
        (RimExpired.REJECT, Status.CONTRAINDICATED),
    ],
)
def test_the_manifests_have_expired_by_now(rim_expired: RimExpired, status: Status) -> None:
    appraisal = judge(now=NOW, policy=replace(STRICT, rim_expired=rim_expired))(nvidia_device())
    device = appraisal.devices[0]
    assert appraisal.status is status
    assert [f.code for f in device.findings].count("rim.expired") == 2
    # Expired or not, they still say what was golden.
    assert device.measurements_matched == 33


@pytest.mark.parametrize("bad_first", [False, True])
@pytest.mark.parametrize("fault", ["signature", "nonce"])
def test_one_bad_device_fails_the_node_in_any_order(bad_first: bool, fault: str) -> None:
    good = nvidia_device()
    if fault == "signature":
        bad = replace(good, report=good.report[:-1] + bytes([good.report[-1] ^ 1]))
    else:
        bad = replace(good, report=good.report[:4] + NONCE + good.report[36:])
    appraisal = judge()(*((bad, good) if bad_first else (good, bad)))
    assert appraisal.status is Status.CONTRAINDICATED
    assert not appraisal.accepted
    wrong = 0 if bad_first else 1
    assert "sig.report" in codes(appraisal, wrong)
    assert "sig.report" not in codes(appraisal, 1 - wrong)
    assert ("nonce.mismatch" in codes(appraisal, wrong)) is (fault == "nonce")


def test_one_gpu_cannot_be_two() -> None:
    appraisal = judge()(nvidia_device(), nvidia_device())
    assert codes(appraisal, 0) == codes(appraisal, 1) == {"device.duplicate"}
    assert appraisal.status is Status.CONTRAINDICATED
    assert appraisal.tier is Tier.T1


def test_a_wrong_challenge_is_named() -> None:
    appraisal = judge(nonce=NONCE)(nvidia_device())
    assert codes(appraisal) == {"nonce.mismatch"}


def test_genuine_evidence_does_not_become_emulated_or_the_reverse() -> None:
    mixed = Judge(rims=nvidia_rims(), now=SAMPLE_TIME, nonce=NVIDIA_NONCE)
    appraisal = mixed(nvidia_device(), gpu().evidence(NVIDIA_NONCE))
    assert [device.emulated for device in appraisal.devices] == [False, True]
    assert "node.emulated_mixed" in codes(appraisal, None)


def _offsets(report: bytes) -> dict[str, int]:
    """One byte of every part of the report, the last byte of each."""
    parsed = parse_report(report)
    record_end = 45 + int.from_bytes(report[42:45], "little")
    return {
        "request version": 0,
        "request code": 1,
        "signature flag": 2,
        "measurements asked": 3,
        "nonce": 35,
        "slot": 36,
        "response version": 37,
        "response code": 38,
        "response param 1": 39,
        "response slot": 40,
        "block count": 41,
        "record length": 42,
        "block index": 45,
        "block specification": 46,
        "block size": 47,
        "value type": 49,
        "value size": 50,
        "value": 60,
        "responder nonce": record_end,
        "opaque length": record_end + 32,
        "opaque type": record_end + 34,
        "opaque size": record_end + 36,
        "opaque value": record_end + 38,
        "signature r": len(parsed.signed),
        "signature s": len(report) - 1,
    }


@pytest.mark.parametrize("part", PARTS)
def test_a_flipped_bit_anywhere_is_found(part: str) -> None:
    device = nvidia_device()
    offset = _offsets(device.report)[part]
    report = bytearray(device.report)
    report[offset] ^= 0x01
    appraisal = judge()(replace(device, report=bytes(report)))
    assert appraisal.status is Status.CONTRAINDICATED
    assert appraisal.tier is Tier.T1
    assert any(code.startswith(("report.", "sig.")) for code in codes(appraisal))


def test_a_trailing_zero_byte_is_refused_unless_the_policy_tolerates_it() -> None:
    device = nvidia_device()
    padded = replace(device, report=device.report + b"\0")
    assert codes(judge()(padded)) == {"report.trailing_bytes"}
    tolerant = judge(policy=replace(STRICT, tolerate_zero_padding=True))
    assert tolerant(padded).status is Status.AFFIRMING
    other = replace(device, report=device.report + b"\1")
    assert codes(tolerant(other)) == {"report.trailing_bytes"}


@pytest.mark.parametrize("position", range(5))
def test_a_chain_with_a_certificate_missing_is_refused(position: int) -> None:
    device = nvidia_device()
    end = b"-----END CERTIFICATE-----\n"
    parts = [part + end for part in device.certificate_chain.split(end) if part.strip()]
    assert len(parts) == 5
    del parts[position]
    appraisal = judge()(replace(device, certificate_chain=b"".join(parts)))
    assert appraisal.status is Status.CONTRAINDICATED
    assert any(code.startswith("chain.") for code in codes(appraisal))


def test_a_chain_in_another_order_is_refused() -> None:
    device = nvidia_device()
    end = b"-----END CERTIFICATE-----\n"
    parts = [part + end for part in device.certificate_chain.split(end) if part.strip()]
    parts[1], parts[2] = parts[2], parts[1]
    found = codes(judge()(replace(device, certificate_chain=b"".join(parts))))
    assert {"chain.name", "chain.signature"} <= found


def test_all_manifests_of_the_wheel_are_signed_as_the_profile_says() -> None:
    paths = sorted(NVIDIA_DIRECTORY.glob("*.swidtag"))
    assert len(paths) >= 26
    for path in paths:
        rim = load_rim(path.read_bytes())
        assert rim.root.spki_sha256 in TrustAnchors.nvidia().rim
        assert (rim.product, rim.edition) == ("GH100", "GPU")
        assert rim.golden


def test_without_manifests_the_measurements_are_not_claimed() -> None:
    blind = Judge(
        policy=Policy(version=1, required_tiers={"h100_80g": Tier.T4}),
        now=SAMPLE_TIME,
        trust=TrustAnchors.nvidia(),
        rims=MappingRimStore({}),
        nonce=NVIDIA_NONCE,
    )
    appraisal = blind(nvidia_device())
    assert appraisal.status is Status.WARNING
    assert codes(appraisal) == {"rim.not_found"}
    assert appraisal.devices[0].measurements_compared == 0
    wanted = [f.data["id"] for f in appraisal.devices[0].findings if f.code == "rim.not_found"]
    assert wanted == ["NV_GPU_DRIVER_GH100_545.00", "NV_GPU_VBIOS_1010_0200_882_96005E0001"]


def test_evidence_without_anything_is_refused() -> None:
    appraisal = judge()(DeviceEvidence(b"", b""))
    assert codes(appraisal) == {"report.too_short", "chain.count"} or codes(appraisal) == {
        "report.too_short",
        "chain.pem",
    }
