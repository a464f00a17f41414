"""The verdict as an EAT Attestation Result (draft-ietf-rats-ear) with an AR4SI trust vector.

This module builds the claims; the caller signs them as a JWT (ES256) with a key from its settings.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from .appraisal import Appraisal, DeviceAppraisal, Status
from .errors import EvidenceError, Severity
from .policy import Policy

#: The working group has not settled a neutral tag yet, so ours names itself.
EAR_PROFILE: Final = "tag:althing,2026:ear/1"
DEVELOPER: Final = "Althing"
#: An EAR is a passport for one relying party's decision, not a standing proof.
MAX_LIFETIME_S: Final = 300
#: Type byte of a universal entity id made from a public key digest (RFC 9711, RAND).
UEID_RAND: Final = b"\x01"
NVIDIA_OEM_ID: Final = 5703


class EvidenceStale(EvidenceError):
    """The evidence had run out when the result was to be made (code ``evidence.stale``)."""


class Ar4si:
    """Trustworthiness claim values (draft-ietf-rats-ar4si, section 2.3)."""

    VERIFIER_MALFUNCTION: Final = -1
    AFFIRMING: Final = 2
    WARNING: Final = 32
    EXECUTABLES_UNRECOGNIZED: Final = 33
    CONTRAINDICATED: Final = 96
    IDENTITY_UNRECOGNIZED: Final = 97
    CRYPTO_FAILED: Final = 99


def trust_vector(
    device: DeviceAppraisal, *, enrolled_identities: frozenset[str] | None = None
) -> dict[str, int]:
    """The AR4SI claims of one device; claims that nothing was learnt about are left out.

    ``enrolled_identities`` are the identities registered for the node; None makes no such claim.
    A genuine-hardware claim is never made for an emulated device.
    """
    if device.status is Status.NONE:
        return {"instance-identity": Ar4si.VERIFIER_MALFUNCTION}
    if device.failed("sig.", "nonce.", "chain.", "report."):
        return {"instance-identity": Ar4si.CRYPTO_FAILED}
    if device.failed("evidence."):
        # Nothing was looked at: of what vendor it is, is not known here.
        return {"instance-identity": Ar4si.IDENTITY_UNRECOGNIZED}
    vector = {"executables": _executables(device)}
    if enrolled_identities is not None:
        vector["instance-identity"] = (
            Ar4si.AFFIRMING
            if device.identity_sha256 in enrolled_identities
            else Ar4si.IDENTITY_UNRECOGNIZED
        )
    hardware = _hardware(device)
    if hardware is not None:
        vector["hardware"] = hardware
    return vector


def _hardware(device: DeviceAppraisal) -> int | None:
    """Affirmed only where revocation was looked up and found good: nothing else rules out that
    the vendor has taken the device's certificates back. None is no claim."""
    revocation = {f.code for f in device.findings if f.code.startswith("revocation.")}
    faults = {
        finding.code
        for finding in device.findings
        if finding.severity is not Severity.INFO and finding.code.startswith(("dice.", "device."))
    }
    if faults - {"device.unknown_type"} or "revocation.revoked" in revocation:
        return Ar4si.CONTRAINDICATED
    if device.emulated or faults:
        return None
    return Ar4si.AFFIRMING if revocation == {"revocation.good"} else Ar4si.WARNING


def _executables(device: DeviceAppraisal) -> int:
    if device.failed("fwid.", "meas."):
        enforced = device.status is Status.CONTRAINDICATED
        return Ar4si.CONTRAINDICATED if enforced else Ar4si.EXECUTABLES_UNRECOGNIZED
    if device.failed("rim.expired"):
        return Ar4si.WARNING
    if device.failed("rim.", "driver.") or device.measurements_compared == 0:
        return Ar4si.EXECUTABLES_UNRECOGNIZED
    return Ar4si.AFFIRMING


def ear_claims(
    appraisal: Appraisal,
    *,
    policy: Policy,
    issuer: str,
    build: str,
    nonce: bytes,
    policy_digest: bytes,
    verdict_hash: bytes,
    token_id: str,
    now_s: int,
    evidence_s: int,
    fresh_until_s: int,
    lifetime_s: int = MAX_LIFETIME_S,
    enrolled_identities: frozenset[str] | None = None,
) -> dict[str, Any]:
    """The JWT claims. ``issuer`` is this verifier's address, ``build`` its version; times are
    Unix seconds: of the verdict, of the evidence's receipt, and until when the evidence counts.
    ``policy_digest`` is the SHA-256 of the values it was judged by, ``verdict_hash`` what the
    verdict's epoch anchors: with it the holder of a token can prove it on chain.

    There is one submodule for each device (``gpu-<index>`` or ``switch-<index>``) and always one
    named ``node``: the whole node's status, for a relying party that reads submodules and none of
    our own claims.
    ``ear.status`` is the worse of what the policy makes of the findings and of the trust vector;
    ``althing.status`` is the policy's alone.

    Raises:
        EvidenceStale: the evidence counts no longer, and no token may make it younger.
    """
    if not 0 < lifetime_s <= MAX_LIFETIME_S:
        raise ValueError(f"lifetime_s must be 1..{MAX_LIFETIME_S}")
    policy_id = f"urn:althing:policy:{policy.version}#{policy_digest.hex()}"
    submods: dict[str, Any] = {
        f"{device.kind}-{device.index}": _device_claims(device, policy_id, enrolled_identities)
        for device in appraisal.devices
    }
    statuses = [_vector_status(part["ear.trustworthiness-vector"]) for part in submods.values()]
    submods["node"] = {
        "ear.status": _worst(appraisal.status, *statuses).value,
        "ear.appraisal-policy-id": policy_id,
        "althing.findings": [finding.code for finding in appraisal.findings],
    }
    return {
        "eat_profile": EAR_PROFILE,
        "iss": issuer,
        "iat": now_s,
        "exp": _expiry(now_s, fresh_until_s, lifetime_s),
        "jti": token_id,
        "eat_nonce": _base64url(nonce),
        "ear.verifier-id": {"developer": DEVELOPER, "build": build},
        "althing.status": appraisal.status.value,
        "althing.assurance": appraisal.tier.name,
        "althing.emulated": appraisal.emulated,
        "althing.evidence_at": evidence_s,
        "althing.verdict_hash": f"0x{verdict_hash.hex()}",
        "submods": submods,
    }


def _vector_status(vector: Mapping[str, int]) -> Status:
    """The status of a vector's worst claim (AR4SI tiers: from 2, from 32, from 96)."""
    if Ar4si.VERIFIER_MALFUNCTION in vector.values():
        return Status.NONE
    worst = max(vector.values())
    if worst >= Ar4si.CONTRAINDICATED:
        return Status.CONTRAINDICATED
    return Status.WARNING if worst >= Ar4si.WARNING else Status.AFFIRMING


def _worst(*statuses: Status) -> Status:
    return max(statuses, key=lambda status: status.rank)


def _expiry(now_s: int, fresh_until_s: int, lifetime_s: int) -> int:
    expires_s = min(now_s + lifetime_s, fresh_until_s)
    if expires_s <= now_s:
        ended = datetime.fromtimestamp(fresh_until_s, tz=UTC)
        raise EvidenceStale(
            "evidence.stale", f"The report counted until {ended:%Y-%m-%d %H:%M:%S} UTC."
        )
    return expires_s


def _device_claims(
    device: DeviceAppraisal, policy_id: str, enrolled_identities: frozenset[str] | None
) -> dict[str, Any]:
    vector = trust_vector(device, enrolled_identities=enrolled_identities)
    return {
        "ear.status": _worst(device.status, _vector_status(vector)).value,
        "ear.trustworthiness-vector": vector,
        "ear.appraisal-policy-id": policy_id,
        "althing.assurance": device.tier.name,
        "althing.emulated": device.emulated,
        "althing.appraised_as": device.appraised_as.value,
        "althing.report_sha256": device.report_sha256,
        "althing.findings": [finding.code for finding in device.findings],
        "althing.device": {
            "ueid": _ueid(device),
            "san": device.san,
            "leaf_serial": device.leaf_serial,
            "hwmodel": device.chip,
            "oemid": None if device.emulated else NVIDIA_OEM_ID,
        },
        "althing.firmware": {
            "driver": device.driver_version,
            "vbios": device.vbios_version,
            "fwid": device.fwid,
        },
        "althing.measurements": {
            "compared": device.measurements_compared,
            "matched": device.measurements_matched,
        },
        "althing.collateral": dict(device.collateral),
    }


def _ueid(device: DeviceAppraisal) -> str | None:
    if device.identity_sha256 is None:
        return None
    return _base64url(UEID_RAND + bytes.fromhex(device.identity_sha256))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
