"""A whole appraisal told step by step, in plain words: what was looked at, and what came of it.

Every finding stands in exactly one step. A step that could not be done says why, so that nothing
that was never looked at reads as if it had passed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from .appraisal import Appraisal, DeviceAppraisal, Status
from .certificates import DeviceChain, chain_findings, load_device_chain
from .codes import code_words, next_steps
from .errors import EvidenceError, Finding, Severity
from .evidence import DeviceEvidence, DeviceKind, NodeEvidence
from .opaque import Opaque, parse_opaque
from .spdm import Report, parse_report
from .trust import TrustAnchors
from .vendor import VENDORS

PEM_BEGIN: Final = b"-----BEGIN CERTIFICATE-----"
#: The finding that tells of success.
GOOD: Final = frozenset({"revocation.good"})


class Outcome(StrEnum):
    """What came of a step. ``failed`` refuses, ``warning`` and ``note`` only tell."""

    PASSED = "passed"
    NOTE = "note"
    WARNING = "warning"
    FAILED = "failed"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class Step:
    """One step. ``device`` is the device's position, None for the node as a whole; ``words`` are
    whole sentences; ``findings`` are those that the step brought up."""

    device: int | None
    title: str
    outcome: Outcome
    words: str
    findings: tuple[Finding, ...] = ()

    @property
    def codes(self) -> tuple[str, ...]:
        """The findings' codes, each once, in order."""
        return tuple(dict.fromkeys(finding.code for finding in self.findings))

    @property
    def next_steps(self) -> tuple[str, ...]:
        """What the operator does about a failure or a warning, each once."""
        return next_steps(f.code for f in self.findings if f.severity is not Severity.INFO)

    def as_json(self) -> dict[str, Any]:
        """JSON values only."""
        return {
            "device": self.device,
            "title": self.title,
            "outcome": self.outcome.value,
            "words": self.words,
            "next_steps": list(self.next_steps),
            "codes": code_words(self.codes),
            "findings": [finding.as_json(device=self.device) for finding in self.findings],
        }


def explain(
    evidence: NodeEvidence,
    appraisal: Appraisal,
    *,
    trust: TrustAnchors,
    now: datetime,
    challenge_known: bool,
) -> tuple[Step, ...]:
    """Tell ``appraisal``, which ``verify_evidence`` made of this very evidence as of ``now``.

    ``challenge_known`` is False where the nonce was taken from the report itself: comparing the two
    then proves nothing.
    """
    steps: list[Step] = []
    for device in appraisal.devices:
        sent = evidence.devices[device.index]
        steps += _Device(device, sent, trust, now, challenge_known).steps()
    return (*steps, _node_step(appraisal), _verdict_step(appraisal))


@dataclass(slots=True)
class _Device:
    """One device while it is being told. What the evidence holds is read again from its bytes."""

    result: DeviceAppraisal
    sent: DeviceEvidence
    trust: TrustAnchors
    now: datetime
    challenge_known: bool
    report: Report | None = None
    opaque: Opaque | None = None
    chain: DeviceChain | None = None
    told: list[Step] = field(default_factory=list)

    def steps(self) -> list[Step]:
        if self.result.status is Status.NONE:
            self._tell("The verifier", ("verifier.",), None, lambda: "")
            self._rest()
            return self.told
        if self.sent.vendor not in VENDORS:
            self._tell("The vendor", ("evidence.",), None, lambda: "")
            self._rest()
            return self.told
        self._read()
        unread = self._unread()
        no_report = "" if self.report is not None else "The report could not be read."
        no_chain = "" if self.chain is not None else "The certificates could not be read."
        self._tell("The report", ("report.",), None, self._report_words)
        self._tell("The certificate chain", ("chain.",), None, self._chain_words)
        self._tell("The device", ("device.", "class."), no_chain, self._device_words)
        self._tell("The boot firmware", ("dice.", "fwid."), unread, self._firmware_words)
        self._tell("The signature", ("sig.",), no_report or no_chain, self._signature_words)
        self._tell("The challenge", ("nonce.",), no_report or self._no_nonce(), self._nonce_words)
        self._tell("Revocation", ("revocation.",), no_chain, self._revocation_words)
        self._tell("The manifests", ("rim.", "driver."), unread, self._manifest_words)
        self._tell("The measurements", ("meas.",), unread or self._no_golden(), self._golden_words)
        self._rest()
        return self.told

    def _read(self) -> None:
        try:
            self.report = parse_report(self.sent.report)
            self.opaque = parse_opaque(self.report.opaque)
        except EvidenceError:
            pass  # A finding of the appraisal says so.
        try:
            self.chain = load_device_chain(self.sent.certificate_chain)
        except EvidenceError:
            pass

    def _tell(
        self,
        title: str,
        prefixes: tuple[str, ...],
        not_checked: str | None,
        passed: Callable[[], str],
    ) -> None:
        """Add a step: of its findings, else of why it could not be done, else of its success."""
        found = tuple(f for f in self.result.findings if f.code.startswith(prefixes))
        index = self.result.index
        if found:
            step = Step(index, title, _outcome(found), _sentences(found), found)
        elif not_checked:
            step = Step(index, title, Outcome.NOT_CHECKED, not_checked)
        else:
            step = Step(index, title, Outcome.PASSED, passed())
        self.told.append(step)

    def _rest(self) -> None:
        """Findings of checks that no step above knows are told too."""
        told = {id(finding) for step in self.told for finding in step.findings}
        rest = tuple(f for f in self.result.findings if id(f) not in told)
        if rest:
            step = Step(self.result.index, "Other checks", _outcome(rest), _sentences(rest), rest)
            self.told.append(step)

    def _unread(self) -> str:
        if self.report is None or self.opaque is None:
            return "The report could not be read."
        return "The certificates could not be read." if self.chain is None else ""

    def _no_nonce(self) -> str:
        if self.challenge_known:
            return ""
        return (
            "No challenge was given to compare with, so an old report would look the same as a "
            "new one."
        )

    def _no_golden(self) -> str:
        if self.result.measurements_compared:
            return ""
        return "There was no manifest that counts, so there was nothing to compare with."

    def _report_words(self) -> str:
        blocks = 0 if self.report is None else len(self.report.record.values)
        driver = self.result.driver_version
        return (
            f"An SPDM 1.1 report of {len(self.sent.report)} bytes with {blocks} measurements. "
            f"It says: {f'driver {driver}, ' if driver else ''}VBIOS {self.result.vbios_version}."
        )

    def _chain_words(self) -> str:
        count = self.sent.certificate_chain.count(PEM_BEGIN)
        root = "?"
        if self.chain is not None:
            _, anchor = chain_findings(self.chain, roots=self.trust.device, now=self.now)
            root = root if anchor is None else anchor.name
        return (
            f"{count} certificates, each signed by the next, up to the pinned root {root}; all "
            f"valid on {self.now:%Y-%m-%d}."
        )

    def _device_words(self) -> str:
        kind = "emulated, no real hardware" if self.result.emulated else "genuine"
        switch = self.result.kind is DeviceKind.SWITCH
        return (
            f"{self.result.chip} ({'NVSwitch' if switch else self.result.architecture}), serial "
            f"{self.result.device_serial}, {kind}. It was offered once, and as what it is."
        )

    def _firmware_words(self) -> str:
        return "Report and certificate name the same boot firmware; no debug state is set."

    def _signature_words(self) -> str:
        return "The report is signed by the key of the leaf certificate."

    def _nonce_words(self) -> str:
        nonce = b"" if self.report is None else self.report.request_nonce
        return f"The report answers the challenge {nonce.hex()}."

    def _revocation_words(self) -> str:
        return "None of the certificates is revoked."

    def _manifest_words(self) -> str:
        ids = [str(found["id"]) for found in self.result.collateral.values() if "id" in found]
        return f"{' and '.join(ids)}: signed below the vendor's root, valid, and of this firmware."

    def _golden_words(self) -> str:
        matched, compared = self.result.measurements_matched, self.result.measurements_compared
        return f"{matched} of {compared} measurements are what the manifests say."


def _node_step(appraisal: Appraisal) -> Step:
    found = appraisal.findings
    if found:
        return Step(None, "The node as a whole", _outcome(found), _sentences(found), found)
    words = (
        f"{len(appraisal.devices)} of the devices that were expected, all in one mode; tier "
        f"{appraisal.tier.name} is proven and {appraisal.required_tier.name} is asked."
    )
    return Step(None, "The node as a whole", Outcome.PASSED, words)


def _verdict_step(appraisal: Appraisal) -> Step:
    word = "Accepted" if appraisal.accepted else "Rejected"
    emulated = " It is emulated and proves nothing about hardware." if appraisal.emulated else ""
    words = f"{word}: {appraisal.status.value}, tier {appraisal.tier.name}.{emulated}"
    if not appraisal.accepted:
        return Step(None, "The verdict", Outcome.FAILED, words)
    warned = appraisal.status is Status.WARNING
    return Step(None, "The verdict", Outcome.WARNING if warned else Outcome.PASSED, words)


def _outcome(findings: Sequence[Finding]) -> Outcome:
    severities = {finding.severity for finding in findings}
    if Severity.ERROR in severities:
        return Outcome.FAILED
    if Severity.WARNING in severities:
        return Outcome.WARNING
    return Outcome.PASSED if {f.code for f in findings} <= GOOD else Outcome.NOTE


def _sentences(findings: Sequence[Finding]) -> str:
    return " ".join(dict.fromkeys(finding.detail for finding in findings))
