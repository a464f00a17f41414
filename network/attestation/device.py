"""The appraisal of one NVIDIA GPU or switch: every check, in the order of the clearest findings."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Any, Final

from .appraisal import Coverage, DeviceAppraisal, Status, device_tier, status_of
from .certificates import DeviceChain, chain_findings
from .chain_revocation import chain_revocation
from .classes import class_finding
from .context import Context
from .errors import EvidenceError, Finding, Severity
from .evidence import DeviceEvidence, DeviceKind
from .manifest_check import ManifestCheck
from .opaque import FWID_BYTES, Opaque, OpaqueField, parse_opaque
from .policy import Tier
from .references import chip_of
from .revocation import RevocationState
from .signatures import raw_signature_verify
from .spdm import Report, parse_report
from .topology import fabric_of

#: So many of the fields that mean nothing here are kept with the result.
MAX_UNKNOWN_FIELDS: Final = 16
#: Faults of a chain's dates, which leave no doubt about who issued it.
TIME_CODES: Final = frozenset({"chain.expired", "chain.not_yet_valid"})


@dataclass(slots=True)
class _Work:
    """What is known about one device while it is being judged. Never shared between devices."""

    findings: list[Finding] = field(default_factory=list)
    report: Report | None = None
    opaque: Opaque | None = None
    chain: DeviceChain | None = None
    emulated: bool = False
    compared: int = 0
    matched: int = 0
    collateral: dict[str, Any] = field(default_factory=dict)
    coverage: Coverage = Coverage.PARTIAL


@dataclass(frozen=True, slots=True)
class DeviceAppraiser:
    """One context for NVIDIA's GPUs and switches."""

    context: Context

    def appraise(self, index: int, evidence: DeviceEvidence) -> DeviceAppraisal:
        """Judge one device. All failed checks are reported, not only the first."""
        work = _Work()
        self._read_report(work, evidence)
        self._read_chain(work, evidence)
        self._check_report_signature(work)
        self._check_nonce(work)
        self._check_firmware_id(work)
        self._check_class(work)
        self._check_revocation(work)
        self._check_measurements(work)
        return self._result(index, work, evidence)

    def _read_report(self, work: _Work, evidence: DeviceEvidence) -> None:
        try:
            work.report = parse_report(
                evidence.report, tolerate_zero_padding=self.context.policy.tolerate_zero_padding
            )
            work.opaque = parse_opaque(work.report.opaque)
        except EvidenceError as error:
            work.findings.append(error.finding())

    def _read_chain(self, work: _Work, evidence: DeviceEvidence) -> None:
        pem = evidence.certificate_chain
        try:
            chain = self.context.caches.chain(pem)
        except EvidenceError as error:
            work.findings.append(error.finding())
            return
        work.chain = chain
        findings, anchor = chain_findings(
            chain, roots=self.context.trust.device, now=self.context.now
        )
        work.findings += findings
        # Marked by what it says itself too: an emulated device of an installation that is not
        # trusted here must not look like a broken genuine one.
        work.emulated = (anchor is not None and anchor.emulated) or chain.emulated_mark
        claimed = evidence.claimed_architecture
        if chain.is_switch is not (evidence.kind is DeviceKind.SWITCH):
            what = "an NVSwitch, offered as a GPU" if chain.is_switch else "no NVSwitch as offered"
            work.findings.append(Finding("device.type_mismatch", f"This is {what}."))
        elif claimed and chain.architecture and claimed.upper() != chain.architecture:
            work.findings.append(
                Finding(
                    "device.type_mismatch",
                    f"The node claims {claimed[:16]}, the certificate says {chain.architecture}.",
                )
            )

    def _check_report_signature(self, work: _Work) -> None:
        if work.report is None or work.chain is None:
            return
        key = work.chain.leaf_key
        if key is None or not raw_signature_verify(key, work.report.signature, work.report.signed):
            work.findings.append(
                Finding("sig.report", "The report is not signed by the leaf certificate's key.")
            )

    def _check_nonce(self, work: _Work) -> None:
        if work.report is None:
            return
        expected, found = self.context.nonce, work.report.request_nonce
        if not hmac.compare_digest(found, expected):
            work.findings.append(
                Finding(
                    "nonce.mismatch",
                    "The report answers another challenge than the one issued.",
                    data={
                        "expected": self.context.nonce.hex(),
                        "found": work.report.request_nonce.hex(),
                    },
                )
            )

    def _check_firmware_id(self, work: _Work) -> None:
        if work.opaque is None or work.chain is None:
            return
        certified = work.chain.dice.fwid if work.chain.dice is not None else None
        reported = work.opaque.fwid
        if work.opaque.fwid_malformed:
            length = len(work.opaque.fields[OpaqueField.FWID])
            work.findings.append(
                Finding(
                    "fwid.malformed",
                    f"The report's firmware id has {length} bytes; {FWID_BYTES} are expected.",
                    data={"length": length},
                )
            )
        elif certified is None or reported is None:
            where = "certificate" if certified is None else "report"
            work.findings.append(
                Finding(
                    "fwid.absent",
                    f"The {where} has no firmware id, so the two could not be compared.",
                    Severity.INFO,
                )
            )
        elif not hmac.compare_digest(certified, reported):
            work.findings.append(
                Finding(
                    "fwid.mismatch",
                    "The report comes from another firmware than the leaf certificate.",
                    data={"certificate": certified.hex(), "report": reported.hex()},
                )
            )

    def _check_class(self, work: _Work) -> None:
        if work.chain is None or work.opaque is None or work.chain.architecture is None:
            # A switch is of no class, and of a chip that is not known the finding is another one.
            return
        finding = class_finding(
            gpu_class=self.context.gpu_class,
            chip=chip_of(work.chain, work.opaque) or "",
            chip_sku=work.opaque.text(OpaqueField.CHIP_SKU),
        )
        if finding is not None:
            work.findings.append(finding)

    def _check_revocation(self, work: _Work) -> None:
        if work.chain is None:
            return
        if self.context.revocation is None:
            work.findings.append(
                Finding(
                    "revocation.unknown",
                    "Revocation of the chain was not looked up.",
                    data={"state": RevocationState.NOT_CHECKED.value},
                )
            )
            return
        if any(f.code.startswith("chain.") and f.code not in TIME_CODES for f in work.findings):
            work.findings.append(
                Finding(
                    "revocation.not_checked",
                    "The chain is not verified, so nobody's word about it counts.",
                )
            )
            return
        result = chain_revocation(
            work.chain.certificates, material=self.context.revocation, now=self.context.now
        )
        work.findings += result.findings
        work.collateral["revocation"] = {"certificates": result.as_json()}

    def _check_measurements(self, work: _Work) -> None:
        if work.report is None or work.opaque is None or work.chain is None:
            return
        check = ManifestCheck(self.context, work.chain, work.opaque, emulated=work.emulated)
        check.run(work.report.record.values)
        work.findings += check.findings
        work.collateral |= check.collateral
        work.coverage = check.coverage
        work.compared, work.matched = check.compared, check.matched

    def _result(self, index: int, work: _Work, evidence: DeviceEvidence) -> DeviceAppraisal:
        findings = tuple(self.context.policy.judge(finding) for finding in work.findings)
        chain, opaque = work.chain, work.opaque
        return DeviceAppraisal(
            index=index,
            status=status_of(findings),
            tier=device_tier(findings, unattested=self.context.unattested),
            emulated=work.emulated,
            findings=findings,
            report_sha256=hashlib.sha256(evidence.report).hexdigest(),
            driver_version=opaque.driver_version if opaque else None,
            vbios_version=opaque.vbios_version if opaque else None,
            mode=opaque.mode if opaque else None,
            identity_sha256=chain.identity_sha256 if chain else None,
            san=chain.san if chain else None,
            device_serial=chain.device_serial if chain else None,
            leaf_serial=chain.leaf_serial if chain else None,
            chip=chain.chip if chain else None,
            architecture=chain.architecture if chain else None,
            fwid=chain.dice.fwid.hex() if chain and chain.dice and chain.dice.fwid else None,
            measurements_compared=work.compared,
            measurements_matched=work.matched,
            collateral=work.collateral,
            kind=evidence.kind,
            appraised_as=work.coverage,
            unknown_fields=opaque.unknown[:MAX_UNKNOWN_FIELDS] if opaque else (),
            fabric=fabric_of(opaque, evidence.kind) if opaque else None,
        )


class Nvidia:
    """NVIDIA's GPUs and switches, as a vendor of :mod:`.vendor`."""

    def appraise(self, context: Context, index: int, evidence: DeviceEvidence) -> DeviceAppraisal:
        """Judge one device."""
        return DeviceAppraiser(context).appraise(index, evidence)


def failed_device(
    index: int, detail: str, *, tier: Tier = Tier.T0, kind: DeviceKind = DeviceKind.GPU
) -> DeviceAppraisal:
    """The result of a device whose appraisal itself broke down: status none, nothing proven."""
    return DeviceAppraisal(
        index=index,
        status=Status.NONE,
        tier=tier,
        emulated=False,
        findings=(Finding("verifier.fault", detail),),
        kind=kind,
    )
