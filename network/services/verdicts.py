"""Judge evidence by a policy and write down the judgement, with the policy it was made by."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from chain.formatting import duration_text
from network.attestation import (
    Appraisal,
    DeviceEvidence,
    EvidenceStale,
    NodeEvidence,
    NodeFacts,
    Policy,
    Severity,
    Status,
    TrustAnchor,
    devices_from_json,
    ear_claims,
    verify_evidence,
)
from network.attestation.allow_lists import AllowLists
from network.attestation.appraisal import DeviceAppraisal
from network.attestation.certificates import DeviceChain
from network.attestation.evidence import DeviceKind
from network.attestation.inventory import inventory_gpu_count
from network.models import (
    Attestation,
    AttestationState,
    DeviceFinding,
    FindingSeverity,
    Node,
    Verdict,
    VerdictStatus,
)
from network.selectors.evidence import evidence_read
from network.selectors.policy import PolicySnapshot
from network.services.collateral_certificates import device_chains_note
from network.services.collateral_inputs import verdict_inputs
from network.services.collateral_lists import lists_in_force
from network.services.collateral_store import collateral_at
from network.services.devices import judged_with_devices
from network.services.epochs_hash import verdict_insert
from network.services.strikes import report_judged_again
from network.verification import CACHES, VERIFIER_BUILD, ear_sign, trust_anchors

#: Length of ``Verdict.sentence``.
SENTENCE_CHARACTERS = 500


@transaction.atomic
def verdict_create(
    *,
    node: Node,
    attestation: Attestation,
    devices: tuple[DeviceEvidence, ...],
    inventory_gpus: int,
    facts: NodeFacts,
    policy: PolicySnapshot,
    at: datetime,
    rejudge_of: Verdict | None = None,
) -> Verdict:
    """Judge one report as of the time it was received and store the verdict with its policy.

    Never raises for anything a node can send. Freshness counts from the report's
    receipt, so judging late or again makes no report younger. ``inventory_gpus`` is how many GPUs
    the report's signed inventory lists; ``facts`` are what the service knew when it came. Which
    other nodes hold its devices is found here, the first time.
    """
    judged_by, lists = policy.appraisal_policy(), lists_in_force(policy.values)

    def judge(known: NodeFacts) -> tuple[Appraisal, _MadeOf]:
        return _appraise(node, attestation, devices, inventory_gpus, known, judged_by, lists)

    if rejudge_of is not None:
        appraisal, made_of = judge(facts)
    else:
        appraisal, made_of = judged_with_devices(
            node=node,
            devices=devices,
            facts=facts,
            policy=policy,
            at=attestation.received_at,
            judge=judge,
        )
    verdict = Verdict(
        attestation=attestation,
        node_id=node.node_id,
        status=VerdictStatus(appraisal.status.value),
        tier=int(appraisal.tier),
        required_tier=int(appraisal.required_tier),
        policy_version=policy.version,
        policy_hash=policy.digest,
        policy_block=policy.block_number,
        policy={"values": policy.values, "judged": judged_by.as_json()},
        findings=findings_json(appraisal),
        inputs=made_of.inputs,
        sentence=_sentence(appraisal, policy, rejudge_of),
        emulated=appraisal.emulated,
        judged_at=at,
        evidence_at=attestation.received_at,
        fresh_until=attestation.received_at + timedelta(seconds=policy.ttl_s),
        rejudge_of=rejudge_of,
    )
    verdict_insert(verdict)
    _findings_write(verdict, appraisal)
    _token_write(verdict, appraisal, judged_by)
    # Last: reports of many nodes share these rows, which stay locked until the end.
    device_chains_note(made_of.chains, at=attestation.received_at)
    return verdict


@dataclass(frozen=True, slots=True)
class _MadeOf:
    """What an appraisal was made from: its record, and the verified chains of the evidence."""

    inputs: dict[str, Any]
    chains: Sequence[tuple[DeviceChain, TrustAnchor]]


def _appraise(
    node: Node,
    attestation: Attestation,
    devices: tuple[DeviceEvidence, ...],
    inventory_gpus: int,
    facts: NodeFacts,
    judged_by: Policy,
    lists: AllowLists,
) -> tuple[Appraisal, _MadeOf]:
    """The outcome, and what it was made from."""
    trust = trust_anchors()
    collateral = collateral_at(devices, trust=trust, caches=CACHES, at=attestation.received_at)
    evidence = NodeEvidence(
        nonce=attestation.challenge_id,
        devices=devices,
        inventory_signed=inventory_gpus >= node.gpu_count,
        gpu_class=node.gpu_class,
        gpu_count=node.gpu_count,
    )
    appraisal = verify_evidence(
        evidence,
        policy=judged_by,
        now=attestation.received_at,
        trust=trust,
        rims=collateral.rims,
        caches=CACHES,
        facts=facts,
        revocation=collateral.revocation,
        allow_lists=lists,
    )
    inputs = verdict_inputs(
        node=node,
        inventory_gpus=inventory_gpus,
        collateral=collateral,
        trust=trust,
        build=VERIFIER_BUILD,
        facts=facts.as_json(),
        lists=lists,
    )
    return appraisal, _MadeOf(inputs, collateral.chains)


def findings_json(appraisal: Appraisal) -> dict[str, Any]:
    """The verifier's whole answer, as ``Verdict.findings`` holds it."""
    return {
        "findings": appraisal.findings_json(),
        "devices": [_device_json(device) for device in appraisal.devices],
    }


def _token_write(verdict: Verdict, appraisal: Appraisal, judged_by: Policy) -> None:
    """Sign the verdict as an EAR, or say in the verdict why there is no token.

    Its id is in the token, so the row has to be there first.
    """
    try:
        claims = ear_claims(
            appraisal,
            policy=judged_by,
            issuer=settings.SITE_URL,
            build=VERIFIER_BUILD,
            nonce=verdict.attestation.challenge_id,
            policy_digest=verdict.policy_hash,
            verdict_hash=verdict.verdict_hash,
            token_id=f"verdict-{verdict.pk}",
            now_s=int(verdict.judged_at.timestamp()),
            evidence_s=int(verdict.evidence_at.timestamp()),
            fresh_until_s=int(verdict.fresh_until.timestamp()),
        )
    except EvidenceStale as error:
        _token_withhold(verdict, error.code, error.detail)
        return
    verdict.ear_jwt = ear_sign(claims)
    if not verdict.ear_jwt:
        _token_withhold(verdict, "token.no_key", "The service has no signing key in force.")
        return
    verdict.save(update_fields=["ear_jwt"])


def _token_withhold(verdict: Verdict, code: str, detail: str) -> None:
    reason = f" No token was signed. {detail}"
    verdict.sentence = verdict.sentence[: SENTENCE_CHARACTERS - len(reason)] + reason
    verdict.findings["token_withheld"] = {"code": code, "detail": detail}
    verdict.save(update_fields=["sentence", "findings"])


@transaction.atomic
def verdict_rejudge(*, node: Node, policy: PolicySnapshot, at: datetime) -> Verdict | None:
    """Judge again, under another policy, the report that the node's standing rests on, and its
    newest where that is another; None where nothing would change, else the newest new verdict.

    Older verdicts stay; a new one names the one it replaces and both policy versions. A report
    that counts no longer gets a verdict and no token.
    """
    rows = AttestationState.objects.select_for_update(of=("self",))
    state = rows.filter(node_id=node.node_id).first()
    if state is None:
        return None
    ids = {pk for pk in (state.basis_verdict_id, state.latest_verdict_id) if pk is not None}
    again = None
    for before in Verdict.objects.filter(pk__in=ids).select_related("attestation").order_by("pk"):
        if before.policy_hash == policy.digest:
            continue
        again = _judge_again(node, before, policy, at)
        report_judged_again(state=state, before=before, after=again)
    if again is not None:
        state.save(update_fields=["basis_verdict", "latest_verdict"])
    return again


def _judge_again(node: Node, before: Verdict, policy: PolicySnapshot, at: datetime) -> Verdict:
    body = json.loads(evidence_read(before.attestation))
    return verdict_create(
        node=node,
        attestation=before.attestation,
        devices=devices_from_json(body["devices"]),
        inventory_gpus=inventory_gpu_count(body.get("inventory")),
        # What was known when the report came: a rejudgement changes the policy and nothing else.
        facts=NodeFacts.from_json(before.inputs.get("facts", {})),
        policy=policy,
        at=at,
        rejudge_of=before,
    )


def _sentence(appraisal: Appraisal, policy: PolicySnapshot, rejudge_of: Verdict | None) -> str:
    """Say in one sentence why: the first finding that weighs most, or that all checks passed."""
    again = ""
    if rejudge_of is not None:
        again = (
            f"Judged again under policy {policy.version} (it was {rejudge_of.status} under "
            f"policy {rejudge_of.policy_version}): "
        )
    # What a device did comes before what follows from it for the node.
    findings = [*(f for d in appraisal.devices for f in d.findings), *appraisal.findings]
    for severity in (Severity.ERROR, Severity.WARNING):
        worst = [finding for finding in findings if finding.severity is severity]
        if worst:
            more = f" ({len(worst) - 1} more)" if len(worst) > 1 else ""
            return f"{again}{worst[0].detail}{more}"[:SENTENCE_CHARACTERS]
    if appraisal.status is Status.NONE:
        return f"{again}The verifier could not judge this report."
    devices = sum(device.kind is DeviceKind.GPU for device in appraisal.devices)
    return (
        f"{again}{devices} device{'' if devices == 1 else 's'} proved tier "
        f"{appraisal.tier.name}; the report counts for {duration_text(policy.ttl_s)}."
    )


def _findings_write(verdict: Verdict, appraisal: Appraisal) -> None:
    severity = {
        Severity.ERROR: FindingSeverity.ERROR,
        Severity.WARNING: FindingSeverity.WARNING,
        Severity.INFO: FindingSeverity.INFO,
    }
    found: list[tuple[int | None, str, Any]]
    found = [(None, "", finding) for finding in appraisal.findings]
    for device in appraisal.devices:
        found += [(device.index, _device_name(device), item) for item in device.findings]
    DeviceFinding.objects.bulk_create(
        DeviceFinding(
            verdict=verdict,
            device_index=index,
            device_id=name,
            code=finding.code[:64],
            severity=severity[finding.severity],
            detail=finding.detail[:500],
            data=dict(finding.data),
        )
        for index, name, finding in found
    )


def _device_name(device: DeviceAppraisal) -> str:
    return device.identity_sha256 or ""


def _device_json(device: DeviceAppraisal) -> dict[str, Any]:
    return {
        "index": device.index,
        "kind": device.kind.value,
        "appraised_as": device.appraised_as.value,
        "status": device.status.value,
        "tier": int(device.tier),
        "emulated": device.emulated,
        "identity_sha256": device.identity_sha256,
        "serial": device.device_serial,
        "chip": device.chip,
        "architecture": device.architecture,
        "driver_version": device.driver_version,
        "vbios_version": device.vbios_version,
        "mode": device.mode,
        "report_sha256": device.report_sha256,
        "unknown_fields": [entry.as_json() for entry in device.unknown_fields],
        "measurements_compared": device.measurements_compared,
        "measurements_matched": device.measurements_matched,
    }
