"""The results of an appraisal, and the comparison of measurements with golden values."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from .errors import Finding, Severity
from .evidence import DeviceKind
from .opaque import OpaqueEntry
from .policy import Tier

#: T4 needs every one of these checks to hold, whatever the policy's switches say.
T4_PREFIXES: Final = (
    "evidence.vendor_unknown",
    "report.",
    "chain.",
    "sig.",
    "nonce.",
    "device.",
    "dice.",
    "fwid.malformed",
    "fwid.mismatch",
    "revocation.revoked",
)
#: Golden index of the video decoder's firmware; without meaning while the decoder is off.
NVDEC_INDEX: Final = 35
#: A byte for the kind of device, then its id.
_DEVICE_SERIAL: Final = re.compile(r"[0-9A-Fa-f]{18}")


class Status(StrEnum):
    """EAR status (draft-ietf-rats-ear): affirming 2, warning 32, contraindicated 96, none 0."""

    AFFIRMING = "affirming"
    WARNING = "warning"
    CONTRAINDICATED = "contraindicated"
    NONE = "none"

    @property
    def rank(self) -> int:
        """The AR4SI value; the worst of several is the highest, and ``none`` is worst of all."""
        return _RANKS[self]


_RANKS: Final = {
    Status.AFFIRMING: 2,
    Status.WARNING: 32,
    Status.CONTRAINDICATED: 96,
    Status.NONE: 100,
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """How the runtime measurements met the golden ones. Indices are golden (SPDM index - 1)."""

    golden: int
    matched: tuple[int, ...]
    waived: tuple[int, ...]
    findings: tuple[Finding, ...]


class Coverage(StrEnum):
    """How far the reference values reach. PARTIAL: some check could not be made for want of one,
    such as a manifest that is not there or a type of device that is not known here."""

    FULL = "full"
    PARTIAL = "partial"


@dataclass(frozen=True, slots=True)
class Fabric:
    """What a device's signed report says of the links between GPUs and switches, as 8-byte ids.

    ``own`` is the device's own id: on a switch as reported, on a GPU None. ``peers`` are the
    switches that a GPU is linked to, or the GPUs that a switch is.
    """

    own: bytes | None
    peers: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class DeviceAppraisal:
    """One device's result. Identity fields are None until its chain has been read.

    ``unknown_fields`` are those of the report's fields that mean nothing here, the first of them.
    """

    index: int
    status: Status
    tier: Tier
    emulated: bool
    findings: tuple[Finding, ...]
    identity_sha256: str | None = None
    san: str | None = None
    device_serial: str | None = None
    leaf_serial: str | None = None
    chip: str | None = None
    architecture: str | None = None
    driver_version: str | None = None
    vbios_version: str | None = None
    fwid: str | None = None
    mode: str | None = None
    report_sha256: str | None = None
    measurements_compared: int = 0
    measurements_matched: int = 0
    collateral: Mapping[str, Any] = field(default_factory=dict)
    kind: DeviceKind = DeviceKind.GPU
    appraised_as: Coverage = Coverage.PARTIAL
    unknown_fields: tuple[OpaqueEntry, ...] = ()
    fabric: Fabric | None = None

    @property
    def pdi(self) -> bytes | None:
        """The 8-byte id by which switches and GPUs name each other: the end of the serial number
        that certificate 1 has; None where there is none of that form."""
        serial = self.device_serial or ""
        return bytes.fromhex(serial)[1:] if _DEVICE_SERIAL.fullmatch(serial) else None

    def failed(self, *prefixes: str) -> bool:
        """True when a finding other than INFO has one of these code prefixes, enforced or not."""
        return _failed(self.findings, prefixes)


@dataclass(frozen=True, slots=True)
class Appraisal:
    """The node's result: the AND over its devices and the node-level checks."""

    status: Status
    tier: Tier
    required_tier: Tier
    emulated: bool
    devices: tuple[DeviceAppraisal, ...]
    findings: tuple[Finding, ...]
    policy_version: int

    @property
    def accepted(self) -> bool:
        """Affirming or warning: nothing that the policy enforces has failed."""
        return self.status in (Status.AFFIRMING, Status.WARNING)

    def findings_json(self) -> list[dict[str, Any]]:
        """All findings, node first, then device by device, in the API's shape."""
        found = [finding.as_json(device=None) for finding in self.findings]
        for device in self.devices:
            found += [finding.as_json(device=device.index) for finding in device.findings]
        return found


def _failed(findings: tuple[Finding, ...], prefixes: tuple[str, ...]) -> bool:
    return any(
        finding.severity is not Severity.INFO and finding.code.startswith(prefixes)
        for finding in findings
    )


def device_tier(findings: tuple[Finding, ...], *, unattested: Tier) -> Tier:
    """T4 unless a check that it needs has failed, enforced or not; else ``unattested``, which the
    node's inventory has proven."""
    return unattested if _failed(findings, T4_PREFIXES) else Tier.T4


def with_findings(device: DeviceAppraisal, *more: Finding, unattested: Tier) -> DeviceAppraisal:
    """The device with findings that were made by looking beyond it; status and tier follow."""
    findings = (*device.findings, *more)
    broken = device.status is Status.NONE
    return dataclasses.replace(
        device,
        findings=findings,
        status=Status.NONE if broken else status_of(findings),
        tier=unattested if broken else device_tier(findings, unattested=unattested),
    )


def status_of(findings: tuple[Finding, ...]) -> Status:
    """The status that the worst finding leaves."""
    severities = {finding.severity for finding in findings}
    if Severity.ERROR in severities:
        return Status.CONTRAINDICATED
    return Status.WARNING if Severity.WARNING in severities else Status.AFFIRMING


def measurements_compare(
    *,
    golden: Mapping[int, tuple[bytes, ...]],
    sources: Mapping[int, str],
    runtime: Mapping[int, bytes],
    nvdec_disabled: bool,
) -> Comparison:
    """Compare every golden index with the report; report all differences with both values.

    ``sources`` names the manifest of each golden index, ``runtime`` is by SPDM index. Runtime
    values without a golden one are unique to the device and mean nothing here.
    """
    matched = [index for index in sorted(golden) if runtime.get(index + 1) in golden[index]]
    waived, findings = [], []
    for index in sorted(golden.keys() - set(matched)):
        if index == NVDEC_INDEX and nvdec_disabled:
            waived.append(index)
        else:
            value = runtime.get(index + 1)
            findings.append(_difference(index, sources[index], golden[index], value))
    return Comparison(len(golden), tuple(matched), tuple(waived), tuple(findings))


def _difference(index: int, source: str, golden: tuple[bytes, ...], value: bytes | None) -> Finding:
    data: dict[str, Any] = {
        "index": index,
        "source": source,
        "golden": [allowed.hex() for allowed in golden],
    }
    if value is None:
        return Finding(
            "meas.missing", f"The report has no measurement {index} ({source}).", data=data
        )
    data["runtime"] = value.hex()
    return Finding(
        "meas.mismatch",
        f"Measurement {index} is not what the {source} manifest allows.",
        data=data,
    )
