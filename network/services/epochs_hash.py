"""What the service publishes of a verdict, and its hash, which the ledger anchors."""

from network.epochs.digest import PublishedVerdict
from network.models import Verdict


def verdict_published(verdict: Verdict) -> PublishedVerdict:
    """What is published of a verdict, from its row, its report's and the replaced verdict's."""
    report, replaced = verdict.attestation, verdict.rejudge_of
    return PublishedVerdict(
        node_id=verdict.node_id,
        report_hash=report.report_hash,
        nonce=report.challenge_id,
        seq=report.seq,
        evidence_at=verdict.evidence_at,
        judged_at=verdict.judged_at,
        fresh_until=verdict.fresh_until,
        status=str(verdict.status),
        tier=verdict.tier,
        required_tier=verdict.required_tier,
        emulated=verdict.emulated,
        policy_version=verdict.policy_version,
        policy_hash=verdict.policy_hash,
        policy_block=verdict.policy_block,
        inputs=verdict.inputs,
        findings=verdict.findings,
        replaces=None if replaced is None else replaced.verdict_hash,
    )


def verdict_insert(verdict: Verdict) -> Verdict:
    """Insert a new verdict with its hash."""
    verdict.verdict_hash = verdict_published(verdict).hash
    verdict.save(force_insert=True)
    return verdict
