"""The comparison of one device with the vendor's manifests: golden values, least security versions,
and the lists of manifests and drivers that the network has voted for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .allow_lists import allow_list_findings
from .appraisal import Coverage, measurements_compare
from .certificates import DeviceChain
from .context import Context
from .errors import EvidenceError, Finding
from .opaque import Opaque
from .references import Reference, references, rim_not_found
from .rim import Rim, rim_findings
from .security_versions import svn_conflicts, svn_findings


@dataclass(slots=True)
class ManifestCheck:
    """One device's comparison. :meth:`run` fills in what it finds; never shared or used twice."""

    context: Context
    chain: DeviceChain
    opaque: Opaque
    emulated: bool = field(kw_only=True)
    findings: list[Finding] = field(default_factory=list)
    collateral: dict[str, Any] = field(default_factory=dict)
    coverage: Coverage = Coverage.PARTIAL
    compared: int = 0
    matched: int = 0

    def run(self, measured: Mapping[int, bytes]) -> None:
        """Compare the measured values (by SPDM index) and the report's fields; all differences."""
        rims = self._rims()
        golden: dict[int, tuple[bytes, ...]] = {}
        sources: dict[int, str] = {}
        for source, rim in rims.items():
            self.findings += [_index_conflict(i) for i in sorted(golden.keys() & rim.golden.keys())]
            golden.update(rim.golden)
            sources.update(dict.fromkeys(rim.golden, source))
        comparison = measurements_compare(
            golden=golden,
            sources=sources,
            runtime=measured,
            nvdec_disabled=self.opaque.nvdec_disabled,
        )
        self.findings += comparison.findings
        self.compared = comparison.golden - len(comparison.waived)
        self.matched = len(comparison.matched)
        floors = {source: rim.svn_floors for source, rim in rims.items() if rim.svn_floors}
        self.findings += svn_conflicts(floors)
        self.findings += svn_findings(floors, self.opaque)
        lists = self.context.allow_lists
        if self.chain.is_switch:
            # It has no driver that could be on a list.
            lists = replace(lists, drivers=None)
        self.findings += allow_list_findings(lists, rims)

    def _rims(self) -> dict[str, Rim]:
        """The manifests that count, by source."""
        wanted = references(self.chain, self.opaque, emulated=self.emulated)
        loaded = {reference.source: self._load(reference) for reference in wanted}
        rims = {source: rim for source, rim in loaded.items() if rim is not None}
        known = self.chain.is_switch or self.chain.architecture is not None
        if known and len(rims) == len(wanted):
            self.coverage = Coverage.FULL
        return rims

    def _load(self, reference: Reference) -> Rim | None:
        """Fetch and judge one manifest. A manifest that is itself wrong is not compared with."""
        rim_id, version = reference.rim_id, reference.version
        if rim_id is None or version is None:
            reason = "the report does not name the firmware"
            self.findings.append(rim_not_found(reference, reason))
            return None
        try:
            xml = self.context.rims.get(rim_id)
        except OSError as error:
            # The store's own trouble, told as such: the device is neither accepted nor blamed.
            reason = f"the store cannot be read ({error.strerror or type(error).__name__})"
            self.findings.append(rim_not_found(reference, reason))
            return None
        if xml is None:
            self.findings.append(rim_not_found(reference, "the store does not know it"))
            return None
        try:
            rim = self.context.caches.rim(xml)
        except EvidenceError as error:
            self.findings.append(error.finding())
            return None
        findings = rim_findings(
            rim,
            roots=self.context.trust.rim,
            now=self.context.now,
            product=reference.product,
            version=version,
            edition=reference.edition,
            emulated=self.emulated,
        )
        self.findings += findings
        self.collateral[f"{reference.source}_rim"] = {
            "id": rim_id,
            "sha256": rim.sha256,
            "signer_not_after": rim.valid_until.isoformat(),
        }
        # An expired manifest still says what was golden; any other fault means it does not count.
        return None if any(f.code != "rim.expired" for f in findings) else rim


def _index_conflict(index: int) -> Finding:
    return Finding(
        "rim.index_conflict",
        f"Both manifests are active for measurement {index}.",
        data={"index": index},
    )
