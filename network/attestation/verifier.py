"""The verifier: evidence and policy in, one appraisal out. Pure, and the same for the same input.

Every device is judged alone, with settings that cannot change, so that no device's result can hide
or overwrite another's. The node's result starts as "no" and becomes "yes" only when all of them and
the node-level checks say so.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from network.energy.counters import IMPLAUSIBLE

from .allow_lists import NO_LISTS, AllowLists
from .appraisal import Appraisal, DeviceAppraisal, Status, status_of, with_findings
from .caches import Caches
from .chain_revocation import RevocationMaterial
from .context import Context
from .device import failed_device
from .errors import Finding, Severity
from .evidence import DeviceEvidence, DeviceKind, NodeEvidence
from .facts import EnergyFact, NodeFacts
from .measured import Measured, measured
from .policy import REQUIRED_TIER_PREFIX, Policy, Tier
from .rim import RimStore
from .topology import SWITCHES, topology_findings
from .trust import TrustAnchors
from .vendor import appraise

logger = logging.getLogger(__name__)


def verify_evidence(
    evidence: NodeEvidence,
    *,
    policy: Policy,
    now: datetime,
    trust: TrustAnchors,
    rims: RimStore,
    caches: Caches | None = None,
    revocation: RevocationMaterial | None = None,
    facts: NodeFacts | None = None,
    allow_lists: AllowLists = NO_LISTS,
) -> Appraisal:
    """Appraise one node's evidence as of ``now`` (timezone-aware).

    Without ``revocation`` nobody looks it up, and a finding says so. ``facts`` are what the service
    knows beyond the evidence; without them the node is judged as if it were alone.
    ``allow_lists`` are those that the network has voted for.
    Never raises for anything that a node can send. The caller has already checked the request's
    signature and consumed the challenge.
    """
    if now.tzinfo is None:
        raise ValueError("now must be timezone-aware")
    known = facts or NodeFacts()
    compute = measured(known.compute, evidence, policy=policy, now=now)
    context = Context(
        nonce=evidence.nonce,
        policy=policy,
        now=now,
        trust=trust,
        rims=rims,
        caches=caches or Caches(),
        gpu_class=evidence.gpu_class,
        unattested=_unattested_tier(evidence, compute),
        revocation=revocation,
        allow_lists=allow_lists,
    )
    devices = []
    for index, device in _bounded(evidence, policy):
        try:
            devices.append(appraise(context, index, device))
        except Exception:
            # A fault of ours on one device must neither hide nor accept the others.
            logger.exception("appraising device %d failed", index)
            devices.append(
                failed_device(
                    index,
                    "The verifier failed on this device.",
                    tier=context.unattested,
                    kind=device.kind,
                )
            )
    devices = _mark_duplicates(devices, policy, known, unattested=context.unattested)
    return _node_appraisal(tuple(devices), evidence, policy, known, compute)


def _limits(policy: Policy) -> dict[DeviceKind, int]:
    return {DeviceKind.GPU: policy.max_gpus_per_node, DeviceKind.SWITCH: SWITCHES}


def _bounded(evidence: NodeEvidence, policy: Policy) -> Iterator[tuple[int, DeviceEvidence]]:
    """The devices that are looked at, with their places: no more of a kind than a node may have,
    for the work must stay bounded."""
    left = _limits(policy)
    for index, device in enumerate(evidence.devices):
        left[device.kind] -= 1
        if left[device.kind] >= 0:
            yield index, device


def _mark_duplicates(
    devices: list[DeviceAppraisal], policy: Policy, facts: NodeFacts, *, unattested: Tier
) -> list[DeviceAppraisal]:
    """Give every device that stands elsewhere too, in this report or on another node, a finding."""
    counts = Counter(d.identity_sha256 for d in devices if d.identity_sha256 is not None)
    marked = []
    for device in devices:
        identity = device.identity_sha256
        found = []
        if identity is not None:
            other = facts.other_nodes.get(identity)
            found = _duplicate_findings(identity, counts[identity], other)
        if found:
            judged = (policy.judge(finding) for finding in found)
            device = with_findings(device, *judged, unattested=unattested)
        marked.append(device)
    return marked


def _duplicate_findings(identity: str, count: int, other_node: str | None) -> list[Finding]:
    findings = []
    if count > 1:
        findings.append(
            Finding(
                "device.duplicate",
                "The same physical device was offered more than once.",
                data={"identity_sha256": identity},
            )
        )
    if other_node is not None:
        findings.append(
            Finding(
                "device.duplicate",
                f"Another node, 0x{other_node}, has proven that it holds this physical device.",
                data={"identity_sha256": identity, "other_node": f"0x{other_node}"},
            )
        )
    return findings


def _unattested_tier(evidence: NodeEvidence, compute: Measured) -> Tier:
    """What a node proves without the vendor's signature: T2 and no more."""
    if compute.proven:
        return Tier.T2
    return Tier.T1 if evidence.inventory_signed else Tier.T0


def _node_appraisal(
    devices: tuple[DeviceAppraisal, ...],
    evidence: NodeEvidence,
    policy: Policy,
    facts: NodeFacts,
    compute: Measured,
) -> Appraisal:
    findings = _node_findings(devices, evidence, policy) + topology_findings(devices)
    findings += [_energy_finding(fact) for fact in facts.energy]
    findings += compute.findings
    if facts.pq_signed is False:
        findings.append(
            Finding(
                "pq.absent",
                "The node signs without a post-quantum key: it has registered none that counts.",
                Severity.INFO,
            )
        )
    gpus = _gpus(devices)
    unattested = _unattested_tier(evidence, compute)
    # A switch proves no GPU, whatever its own report is worth.
    tier = min((gpu.tier for gpu in gpus), default=unattested)
    if len(gpus) < evidence.gpu_count:
        # GPUs that sent no evidence prove what rounds and inventory do, so the node no more.
        tier = min(tier, unattested)
    required = policy.required_tier(evidence.gpu_class)
    findings += _tier_findings(evidence.gpu_class, proven=tier, required=required)
    judged = tuple(policy.judge(finding) for finding in findings)
    return Appraisal(
        status=_node_status(devices, judged, proven=tier, required=required),
        tier=tier,
        required_tier=Tier.T5 if required is None else required,
        emulated=compute.emulated or any(device.emulated for device in devices),
        devices=devices,
        findings=judged,
        policy_version=policy.version,
    )


def _node_status(
    devices: tuple[DeviceAppraisal, ...],
    findings: tuple[Finding, ...],
    *,
    proven: Tier,
    required: Tier | None,
) -> Status:
    """The worst of all parts, and a refusal unless everything that acceptance needs is there."""
    worst = max([status_of(findings), *(device.status for device in devices)], key=_rank)
    # T3 and above are proven by every GPU or not at all.
    gpus = _gpus(devices)
    by_devices = len(gpus) > 0 and all(proven <= gpu.tier for gpu in gpus)
    # The one place that accepts.
    accepted = (
        worst in (Status.AFFIRMING, Status.WARNING)
        and required is not None
        and required <= proven
        and (by_devices or proven < Tier.T3)
    )
    return worst if accepted else max(worst, Status.CONTRAINDICATED, key=_rank)


def _gpus(devices: tuple[DeviceAppraisal, ...]) -> list[DeviceAppraisal]:
    return [device for device in devices if device.kind is DeviceKind.GPU]


def _tier_findings(gpu_class: str, *, proven: Tier, required: Tier | None) -> list[Finding]:
    """Compare what the node proves with what its class must. An unknown class is refused."""
    if required is None:
        return [
            Finding(
                "policy.class_unknown",
                f"No parameter says which tier nodes of class {gpu_class} must prove, so none is "
                "enough.",
                data={
                    "gpu_class": gpu_class,
                    "parameter": f"{REQUIRED_TIER_PREFIX}{gpu_class}",
                },
            )
        ]
    if proven >= required:
        return []
    return [
        Finding(
            "tier.required",
            f"Nodes of class {gpu_class} must prove tier {required.name}; "
            f"this one proves {proven.name}.",
            data={"required": required.name, "proven": proven.name},
        )
    ]


def _energy_finding(fact: EnergyFact) -> Finding:
    """Impossible power, or a claim that is none. What nobody knows of a class is not its fault."""
    data = {"gpu_uuid": fact.gpu_uuid, "rule": fact.rule}
    if fact.rule in IMPLAUSIBLE:
        return Finding("energy.implausible", fact.detail, data=data)
    if fact.rule == "energy.class_unknown":
        return Finding("energy.class_unknown", fact.detail, Severity.INFO, data)
    return Finding("energy.claim_refused", fact.detail, data=data)


def _rank(status: Status) -> int:
    return status.rank


def _node_findings(
    devices: tuple[DeviceAppraisal, ...], evidence: NodeEvidence, policy: Policy
) -> list[Finding]:
    findings = []
    offered = evidence.offered(DeviceKind.GPU)
    for kind, limit in _limits(policy).items():
        if evidence.offered(kind) > limit:
            findings.append(
                Finding(
                    "node.too_many_devices",
                    f"{evidence.offered(kind)} devices of kind {kind.value} were offered; a node "
                    f"may have {limit}.",
                    data={"kind": kind.value, "limit": limit},
                )
            )
    if evidence.gpu_count < offered <= policy.max_gpus_per_node:
        findings.append(
            Finding(
                "node.devices_unregistered",
                f"{offered} GPUs were offered; {evidence.gpu_count} are registered on chain.",
                Severity.WARNING,
            )
        )
    if 0 < offered < evidence.gpu_count:
        findings.append(
            Finding(
                "node.devices_missing",
                f"{offered} of {evidence.gpu_count} registered GPUs sent evidence.",
                Severity.WARNING,
            )
        )
    if not evidence.inventory_signed:
        findings.append(
            Finding(
                "inventory.incomplete",
                f"The report's inventory does not list all {evidence.gpu_count} registered GPUs, "
                "so it does not prove tier T1.",
                Severity.INFO,
            )
        )
    modes = {device.mode for device in devices if device.mode is not None}
    if len(modes) > 1:
        findings.append(
            Finding(
                "node.mode_mixed",
                f"The devices run in different modes: {', '.join(sorted(modes))}.",
                data={"modes": sorted(modes)},
            )
        )
    if len({device.emulated for device in devices}) > 1:
        findings.append(
            Finding("node.emulated_mixed", "Emulated and genuine devices were offered together.")
        )
    return findings
