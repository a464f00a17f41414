"""The edge between the verifier, which knows no vendor, and the modules that know one each.

A vendor's module judges one device of its own: evidence and context in, one appraisal out. All that
concerns the node (duplicates, counts, modes, tier, verdict), the policy, the findings and the token
lie on this side and are the same for every vendor. Another vendor is one module with a class like
:class:`Vendor` and one line in :data:`VENDORS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from .appraisal import DeviceAppraisal, device_tier, status_of
from .context import Context
from .device import Nvidia
from .errors import Finding
from .evidence import NVIDIA, DeviceEvidence


class Vendor(Protocol):
    """How one vendor's devices are judged. Without state, without network, without clock."""

    def appraise(self, context: Context, index: int, evidence: DeviceEvidence) -> DeviceAppraisal:
        """Judge the device at ``index`` of the node's list.

        Reports every failed check as a finding with a code of ``codes.py``, its severity judged by
        ``context.policy``; grants T4 only where ``device_tier`` does. ``identity_sha256`` must name
        the physical device and stay the same through updates of its firmware: duplicates are found
        by it. Never raises for anything that a node can send.
        """


VENDORS: Final[Mapping[str, Vendor]] = {NVIDIA: Nvidia()}


def appraise(context: Context, index: int, evidence: DeviceEvidence) -> DeviceAppraisal:
    """Judge a device by the vendor that the node names. A wrong name proves nothing: the vendor's
    own module then finds no signature below its roots."""
    vendor = VENDORS.get(evidence.vendor)
    if vendor is None:
        return _unknown(context, index, evidence)
    return vendor.appraise(context, index, evidence)


def _unknown(context: Context, index: int, evidence: DeviceEvidence) -> DeviceAppraisal:
    finding = Finding(
        "evidence.vendor_unknown",
        f"Devices of the vendor {evidence.vendor[:32]!r} cannot be verified here.",
        data={"vendor": evidence.vendor[:32], "known": sorted(VENDORS)},
    )
    findings = (context.policy.judge(finding),)
    return DeviceAppraisal(
        index=index,
        status=status_of(findings),
        tier=device_tier(findings, unattested=context.unattested),
        emulated=False,
        findings=findings,
        kind=evidence.kind,
    )
