"""The appraisal of one GPU: every check in the order that gives the clearest findings."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from .appraisal import DeviceAppraisal, Status, device_tier, measurements_compare, status_of
from .caches import Caches
from .certificates import DeviceChain, chain_findings, load_device_chain
from .chain_revocation import RevocationMaterial, chain_revocation
from .classes import class_finding
from .errors import EvidenceError, Finding, Severity
from .evidence import DeviceEvidence
from .opaque import FWID_BYTES, Opaque, OpaqueField, parse_opaque
from .policy import Policy, Tier
from .revocation import RevocationState
from .rim import Rim, RimStore, load_rim, rim_findings
from .signatures import raw_signature_verify
from .spdm import Report, parse_report
from .trust import TrustAnchors

#: Manifest ids of emulated devices carry this, so they can never stand in for genuine ones.
EMULATED_RIM_PREFIX: Final = "EMULATED_"
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


@dataclass(frozen=True, slots=True)
class DeviceAppraiser:
    """The settings of one ``verify_evidence`` call; the same for all of its devices, read-only."""

    nonce: bytes
    policy: Policy
    now: datetime
    trust: TrustAnchors
    rims: RimStore
    caches: Caches
    gpu_class: str
    #: The tier of a device that its own evidence proves nothing for.
    unattested: Tier
    #: None where nobody looks revocation up; an empty collection says that nothing was found.
    revocation: RevocationMaterial | None = None

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
                evidence.report, tolerate_zero_padding=self.policy.tolerate_zero_padding
            )
            work.opaque = parse_opaque(work.report.opaque)
        except EvidenceError as error:
            work.findings.append(error.finding())

    def _read_chain(self, work: _Work, evidence: DeviceEvidence) -> None:
        pem = evidence.certificate_chain
        try:
            chain = self.caches.chains.get_or_compute(
                hashlib.sha256(pem).digest(), lambda: load_device_chain(pem)
            )
        except EvidenceError as error:
            work.findings.append(error.finding())
            return
        work.chain = chain
        findings, anchor = chain_findings(chain, roots=self.trust.device, now=self.now)
        work.findings += findings
        # Marked by what it says itself too: an emulated device of an installation that is not
        # trusted here must not look like a broken genuine one.
        work.emulated = (anchor is not None and anchor.emulated) or chain.emulated_mark
        claimed = evidence.claimed_architecture
        if chain.is_switch:
            work.findings.append(
                Finding("device.type_mismatch", "This is an NVSwitch, offered as a GPU.")
            )
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
        if not hmac.compare_digest(work.report.request_nonce, self.nonce):
            work.findings.append(
                Finding(
                    "nonce.mismatch",
                    "The report answers another challenge than the one issued.",
                    data={"expected": self.nonce.hex(), "found": work.report.request_nonce.hex()},
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
        if work.chain is None or work.opaque is None or work.chain.chip is None:
            return
        chip = work.chain.chip
        if chip.endswith("X"):
            # The certificate names a family; the report says which of it.
            chip = work.opaque.text(OpaqueField.CHIP_INFO) or chip
        finding = class_finding(
            gpu_class=self.gpu_class,
            chip=chip,
            chip_sku=work.opaque.text(OpaqueField.CHIP_SKU),
        )
        if finding is not None:
            work.findings.append(finding)

    def _check_revocation(self, work: _Work) -> None:
        if work.chain is None:
            return
        if self.revocation is None:
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
        result = chain_revocation(work.chain.certificates, material=self.revocation, now=self.now)
        work.findings += result.findings
        work.collateral["revocation"] = {"certificates": result.as_json()}

    def _check_measurements(self, work: _Work) -> None:
        if work.report is None or work.opaque is None or work.chain is None:
            return
        rims = {}
        for source, rim_id, version in rim_ids(work.chain, work.opaque, emulated=work.emulated):
            rim = self._load_rim(work, source, rim_id, version)
            if rim is not None:
                rims[source] = rim
        golden: dict[int, tuple[bytes, ...]] = {}
        sources: dict[int, str] = {}
        for source, rim in rims.items():
            work.findings += [_index_conflict(i) for i in sorted(golden.keys() & rim.golden.keys())]
            golden.update(rim.golden)
            sources.update(dict.fromkeys(rim.golden, source))
        comparison = measurements_compare(
            golden=golden,
            sources=sources,
            runtime=work.report.record.values,
            nvdec_disabled=work.opaque.nvdec_disabled,
        )
        work.findings += comparison.findings
        work.compared = comparison.golden - len(comparison.waived)
        work.matched = len(comparison.matched)

    def _load_rim(
        self, work: _Work, source: str, rim_id: str | None, version: str | None
    ) -> Rim | None:
        """Fetch and judge one manifest. A manifest that is itself wrong is not compared with."""
        if rim_id is None or version is None:
            reason = "the report does not name the firmware"
            work.findings.append(_rim_not_found(source, rim_id, reason))
            return None
        try:
            xml = self.rims.get(rim_id)
        except OSError as error:
            # The store's own trouble, told as such: the device is neither accepted nor blamed.
            reason = f"the store cannot be read ({error.strerror or type(error).__name__})"
            work.findings.append(_rim_not_found(source, rim_id, reason))
            return None
        if xml is None:
            work.findings.append(_rim_not_found(source, rim_id, "the store does not know it"))
            return None
        try:
            rim = self.caches.rims.get_or_compute(xml, lambda: load_rim(xml))
        except EvidenceError as error:
            work.findings.append(error.finding())
            return None
        chip = work.chain.chip if work.chain is not None else None
        findings = rim_findings(
            rim,
            roots=self.trust.rim,
            now=self.now,
            product=chip,
            version=version,
            emulated=work.emulated,
        )
        work.findings += findings
        work.collateral[f"{source}_rim"] = {
            "id": rim_id,
            "sha256": rim.sha256,
            "signer_not_after": rim.valid_until.isoformat(),
        }
        # An expired manifest still says what was golden; any other fault means it does not count.
        return None if any(f.code != "rim.expired" for f in findings) else rim

    def _result(self, index: int, work: _Work, evidence: DeviceEvidence) -> DeviceAppraisal:
        findings = tuple(self.policy.judge(finding) for finding in work.findings)
        chain, opaque = work.chain, work.opaque
        return DeviceAppraisal(
            index=index,
            status=status_of(findings),
            tier=device_tier(findings, unattested=self.unattested),
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
        )


def rim_ids(
    chain: DeviceChain, opaque: Opaque, *, emulated: bool
) -> list[tuple[str, str | None, str | None]]:
    """(source, manifest id, version) of both manifests, from signed fields only; None if absent."""
    prefix = EMULATED_RIM_PREFIX if emulated else ""
    driver, vbios = opaque.driver_version, opaque.vbios_version
    driver_id = None
    if driver and chain.architecture == "HOPPER":
        driver_id = f"{prefix}NV_GPU_DRIVER_{chain.chip}_{driver}"
    elif driver and chain.architecture is not None:
        chip = opaque.text(OpaqueField.CHIP_INFO) or "GB100"
        driver_id = f"{prefix}NV_GPU_CC_DRIVER_{chip}_{driver}"
    board = [
        opaque.text(name)
        for name in (OpaqueField.PROJECT, OpaqueField.PROJECT_SKU, OpaqueField.CHIP_SKU)
    ]
    vbios_id = None
    if vbios and None not in board:
        parts = "_".join(part.upper() for part in board if part is not None)
        vbios_id = f"{prefix}NV_GPU_VBIOS_{parts}_{vbios.replace('.', '').upper()}"
    return [("driver", driver_id, driver), ("vbios", vbios_id, vbios)]


def _rim_not_found(source: str, rim_id: str | None, reason: str) -> Finding:
    return Finding(
        "rim.not_found",
        f"There is no {source} manifest for this device ({reason}), so its measurements could not "
        "be compared.",
        data={"source": source, "id": rim_id, "reason": reason},
    )


def _index_conflict(index: int) -> Finding:
    return Finding(
        "rim.index_conflict",
        f"Both manifests are active for measurement {index}.",
        data={"index": index},
    )


def failed_device(index: int, detail: str, *, tier: Tier = Tier.T0) -> DeviceAppraisal:
    """The result of a device whose appraisal itself broke down: status none, nothing proven."""
    return DeviceAppraisal(
        index=index,
        status=Status.NONE,
        tier=tier,
        emulated=False,
        findings=(Finding("verifier.fault", detail),),
    )
