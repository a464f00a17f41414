"""The plain words of a policy preview: why a node falls out, would come back, or cannot be told."""

from dataclasses import replace
from typing import Any

from chain.formatting import duration_text
from network.attestation import Finding, Severity
from network.models import Node, Verdict, VerdictStatus
from network.selectors.policy import PolicySnapshot
from network.selectors.preview_judge import (
    DERIVED,
    STRIKES,
    TIER,
    TOO_MANY,
    TOO_OLD,
    Compared,
    Judged,
    Outcome,
    unjudged,
)
from network.selectors.proposed import ProposedChange
from network.selectors.standing import COUNTING, node_standing


def preview_sentence(
    compared: Compared, node: Node, verdict: Verdict | None, judged: Judged
) -> str:
    """Say in plain words why the outcome of ``node`` is what it is."""
    if verdict is None:
        return node_standing(node, compared.at, policy=compared.base).sentence
    words = {
        Outcome.STAYS_OUT: _stays_out,
        Outcome.STAYS: _stays,
        Outcome.CANNOT_TELL: _cannot_tell,
    }
    return words.get(judged.outcome, _moves)(compared, node, verdict, judged)


def _moves(compared: Compared, node: Node, verdict: Verdict, judged: Judged) -> str:
    """Why a node falls out or would come back, with both values of what makes it so."""
    falls = judged.outcome is Outcome.FALLS_OUT
    code, more = judged.codes[0], len(judged.codes) - 1
    if code == TOO_OLD:
        return _age_words(compared, verdict, falls=falls)
    if code == TIER:
        return _tier_words(compared, node, verdict)
    if code == STRIKES:
        before, after = (p.strikes_max for p in (compared.base, compared.proposed))
        strikes = node_standing(node, compared.at, policy=compared.base).strikes
        return f"It has {strikes} strikes; the limit goes from {before} to {after}."
    also = f" ({more} more reason{'s' if more > 1 else ''})" if more else ""
    if code == TOO_MANY:
        limits = [
            p.appraisal_policy().max_gpus_per_node for p in (compared.base, compared.proposed)
        ]
        return f"It reports more GPUs than the limit, which goes from {limits[0]} to {limits[1]}."
    detail = _detail(verdict, code)
    cause = _cause(compared, verdict, code)
    rule = f"{cause.name} from {cause.current} to {cause.proposed}" if cause else "The proposal"
    if falls:
        return f"{detail} Today this only marks the report; {rule} refuses it{also}."
    return f"{detail} Today this refuses the report; {rule} only marks it{also}."


def _age_words(compared: Compared, verdict: Verdict, *, falls: bool) -> str:
    age = duration_text(max(0, int((compared.at - verdict.evidence_at).total_seconds())))
    before, after = (duration_text(p.ttl_s) for p in (compared.base, compared.proposed))
    words = f"Its last report is {age} old and would count for {after} instead of {before}."
    return f"{words} It counts again as soon as the node reports." if falls else words


def _tier_words(compared: Compared, node: Node, verdict: Verdict) -> str:
    before, after = (p.required_tier(node.gpu_class) for p in (compared.base, compared.proposed))
    return (
        f"It proves tier T{verdict.tier}; class {node.gpu_class} would have to prove T{after} "
        f"instead of T{before}."
    )


def _stays_out(compared: Compared, node: Node, verdict: Verdict, judged: Judged) -> str:
    now = node_standing(node, compared.at, policy=compared.base)
    if not now.counts or not judged.codes:
        return now.sentence
    # A vote was executed since the last report, and nobody judged that again.
    return (
        f"{_detail(verdict, judged.codes[0])} The policy in force refuses this already from the "
        "node's next report on."
    )


def _stays(compared: Compared, node: Node, verdict: Verdict, judged: Judged) -> str:
    now = node_standing(node, compared.at, policy=compared.base)
    words = "Its last report counts before and after."
    if not now.counts:
        words = "The policy in force accepts its last report, and so would the proposed one."
    policy = compared.proposed.appraisal_policy()
    marks = [
        item["code"]
        for item in _findings(verdict)
        if item["code"] not in DERIVED
        and policy.judge(_raw(compared, verdict, item)).severity is Severity.WARNING
    ]
    if marks:
        words += f" It stays marked, not refused, for: {', '.join(dict.fromkeys(marks))}."
    if policy.enforce_measurements and _uncompared(verdict):
        words += " Its measurements were not compared, because no manifest for it was at hand."
    return words


def _cannot_tell(compared: Compared, node: Node, verdict: Verdict, judged: Judged) -> str:
    if verdict.status == VerdictStatus.NONE:
        return "The verifier failed on its last report, so that says nothing for or against it."
    if judged.before in COUNTING or not judged.codes:
        notes = [item.note for item in compared.unanswered]
        if notes:
            return " ".join(dict.fromkeys(notes))
    return "It reported more GPUs than the limit of then, and those beyond it were not judged."


def _findings(verdict: Verdict) -> list[dict[str, Any]]:
    return list(verdict.findings.get("findings", []))


def _uncompared(verdict: Verdict) -> bool:
    devices = verdict.findings.get("devices", [])
    return any(not device.get("measurements_compared") for device in devices)


def _detail(verdict: Verdict, code: str) -> str:
    for item in _findings(verdict):
        if item["code"] == code:
            where = "" if item["device"] is None else f"GPU {item['device']}: "
            return f"{where}{item['detail']}"
    return f"The report has the finding {code}."


def _raw(compared: Compared, verdict: Verdict, item: dict[str, Any]) -> Finding:
    """A stored finding as the check reported it, before any policy."""
    stored = compared.stored[bytes(verdict.policy_hash)]
    return unjudged(Finding(item["code"], item["detail"], Severity(item["severity"])), by=stored)


def _cause(compared: Compared, verdict: Verdict, code: str) -> ProposedChange | None:
    """The one change that alone moves this finding's weight across refusal; None if several do."""
    item = next((item for item in _findings(verdict) if item["code"] == code), None)
    if item is None:
        return None
    raw = _raw(compared, verdict, item)
    refused = compared.base.appraisal_policy().judge(raw).severity is Severity.ERROR
    for change in compared.changes:
        alone = _with(compared.base, change).appraisal_policy()
        if (alone.judge(raw).severity is Severity.ERROR) is not refused:
            return change
    return None


def _with(base: PolicySnapshot, change: ProposedChange) -> PolicySnapshot:
    return replace(base, values={**base.values, change.name: change.proposed})
