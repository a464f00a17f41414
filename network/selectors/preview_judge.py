"""One node's situation under two policies: what a preview makes of a stored verdict.

A stored finding is first un-judged (its severity before any policy softened it) and then weighed
by ``Policy.judge``; the standing follows from :func:`network.selectors.standing.node_standing`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models.enums import TextChoices

from network.attestation import Finding, Policy, Severity, Status
from network.attestation.appraisal import status_of
from network.models import AttestationState, Node, NodeStatus, Verdict, VerdictStatus
from network.selectors.policy import PolicySnapshot
from network.selectors.proposed import Bearing, ProposedChange
from network.selectors.standing import COUNTING, StandingWord, node_standing

#: The reason of a node whose report would be too old, of one whose tier would not suffice, and of
#: one with too many strikes.
TOO_OLD: Final = "evidence.too_old"
STRIKES: Final = "standing.strikes"
TIER: Final = "tier.required"
TOO_MANY: Final = "node.too_many_devices"
_CLASS_UNKNOWN: Final = "policy.class_unknown"
#: Findings that follow from the policy and the node alone; a preview asks for them again.
DERIVED: Final = frozenset({TIER, _CLASS_UNKNOWN, TOO_MANY})


class Outcome(TextChoices):
    """What the proposed values would mean for one node."""

    FALLS_OUT = "falls_out", "Falls out"
    COMES_BACK = "comes_back", "Would come back"
    CANNOT_TELL = "cannot_tell", "Cannot be told"
    STAYS = "stays", "Stays"
    STAYS_OUT = "stays_out", "Does not count, before or after"


@dataclass(frozen=True, slots=True)
class Compared:
    """What a preview compares: two policies at one moment, and the policies of the verdicts."""

    base: PolicySnapshot
    proposed: PolicySnapshot
    at: datetime
    changes: list[ProposedChange]
    stored: Mapping[bytes, Policy]

    @property
    def unanswered(self) -> list[ProposedChange]:
        """Changes that stored verdicts do not answer."""
        return [item for item in self.changes if item.bearing == Bearing.UNANSWERED]


@dataclass(frozen=True, slots=True)
class Facts:
    """One node's situation, small enough to be shared: what the verdict found that its standing
    rests on, and what of the node a standing asks. ``findings`` are (code, severity) as stored;
    ``fresh`` says whether the report is young enough now and under the proposed policy;
    ``is_refused_since`` whether a newer report was refused."""

    gpu_class: str
    status: str
    is_suspended: bool
    verdict_status: str | None
    tier: int
    policy_hash: bytes
    findings: tuple[tuple[str, str], ...]
    device_count: int
    fresh: tuple[bool, bool]
    strikes: int = 0
    is_refused_since: bool = False
    has_reported: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """A situation under both policies. ``codes`` are why, the weightiest first."""

    outcome: Outcome
    before: str
    after: str
    codes: tuple[str, ...] = ()

    @property
    def falls_out(self) -> bool:
        return self.outcome is Outcome.FALLS_OUT


def unjudged(finding: Finding, *, by: Policy) -> Finding:
    """Undo the judging of a stored finding: ERROR again, where the policy it was judged by would
    have softened an ERROR to just this severity. A finding that a check itself reports as a
    warning or a note stays as it is, because no policy raises a severity."""
    error = Finding(finding.code, finding.detail, Severity.ERROR, finding.data)
    return error if by.judge(error).severity is finding.severity else finding


class Judge:
    """Judges one situation under two policies."""

    def __init__(self, compared: Compared) -> None:
        self.snapshots = (compared.base, compared.proposed)
        self.policies = tuple(snapshot.appraisal_policy() for snapshot in self.snapshots)
        self.stored = compared.stored
        self.at = compared.at
        self.has_unanswered = bool(compared.unanswered)

    def __call__(self, facts: Facts) -> Judged:
        before, before_codes = self._standing(facts, 0)
        after, after_codes = self._standing(facts, 1)
        was, would = (word in COUNTING for word in (before, after))
        if self._is_unanswered(facts, would=would):
            return Judged(Outcome.CANNOT_TELL, before, "", after_codes if not would else ())
        if was and not would:
            return Judged(Outcome.FALLS_OUT, before, after, after_codes)
        if would and not was:
            return Judged(Outcome.COMES_BACK, before, after, before_codes)
        outcome = Outcome.STAYS if was else Outcome.STAYS_OUT
        return Judged(outcome, before, after, before_codes)

    def _is_unanswered(self, facts: Facts, *, would: bool) -> bool:
        if facts.verdict_status is None or self._out_by_status(facts):
            return False
        if facts.verdict_status == VerdictStatus.NONE:
            # The verifier broke down on this report: it says nothing for or against.
            return True
        limits = [policy.max_gpus_per_node for policy in self.policies]
        judged_up_to = self.stored[facts.policy_hash].max_gpus_per_node
        if judged_up_to < facts.device_count <= limits[1]:
            # A change may let the node back in, but the devices beyond were never looked at.
            return limits[0] < limits[1]
        return would and self.has_unanswered

    def _out_by_status(self, facts: Facts) -> bool:
        return facts.status == NodeStatus.SUSPENDED and facts.is_suspended

    def _standing(self, facts: Facts, which: int) -> tuple[str, tuple[str, ...]]:
        """The standing word and, where it is not ``attested``, the reasons' codes."""
        policy, snapshot = self.policies[which], self.snapshots[which]
        errors: tuple[str, ...] = ()
        verdict = None
        if facts.verdict_status is not None:
            judged = weighed(facts, self.stored[facts.policy_hash], policy)
            errors = tuple(item.code for item in judged if item.severity is Severity.ERROR)
            status = status_of(judged)
            if facts.verdict_status == VerdictStatus.NONE:
                status = Status.NONE
            verdict = self._verdict(facts, status, fresh=facts.fresh[which], ttl_s=snapshot.ttl_s)
        word = node_standing(self._node(facts, verdict), self.at, policy=snapshot).standing
        if word == StandingWord.FAILED:
            return word, self._why_failed(facts, errors, which)
        return word, (TOO_OLD,) if word == StandingWord.STALE else ()

    def _why_failed(self, facts: Facts, errors: tuple[str, ...], which: int) -> tuple[str, ...]:
        if facts.strikes >= self.snapshots[which].strikes_max:
            return (STRIKES, *errors)
        if errors:
            return errors
        return (TIER,) if facts.fresh[which] else (TOO_OLD,)

    def _verdict(self, facts: Facts, status: Status, *, fresh: bool, ttl_s: int) -> Verdict:
        """A verdict in memory, as the report would be judged: only ever asked for its standing."""
        age_s = 0 if fresh else ttl_s
        evidence_at = self.at - timedelta(seconds=age_s)
        return Verdict(
            status=status.value,
            tier=facts.tier,
            policy_version=0,
            evidence_at=evidence_at,
            fresh_until=evidence_at + timedelta(seconds=ttl_s),
        )

    def _node(self, facts: Facts, verdict: Verdict | None) -> Node:
        ends = self.at + timedelta(seconds=1 if facts.is_suspended else 0)
        node = Node(gpu_class=facts.gpu_class, status=facts.status, suspended_until=ends)
        refused = Verdict(status=VerdictStatus.CONTRAINDICATED, policy_version=0, pk=1)
        node.attestation_state = AttestationState(
            basis_verdict=verdict,
            latest_verdict=refused if facts.is_refused_since else verdict,
            strikes=facts.strikes,
            last_seq=int(facts.has_reported),
        )
        return node


def weighed(facts: Facts, stored: Policy, policy: Policy) -> tuple[Finding, ...]:
    """A verdict's findings as ``policy`` weighs them, in the order stored; then those that follow
    from the policy and the node alone."""
    found = [
        policy.judge(unjudged(Finding(code, "", Severity(severity)), by=stored))
        for code, severity in facts.findings
        if code not in DERIVED
    ]
    if facts.device_count > min(policy.max_gpus_per_node, stored.max_gpus_per_node):
        found.append(policy.judge(Finding(TOO_MANY, "")))
    required = policy.required_tier(facts.gpu_class)
    if required is None:
        found.append(policy.judge(Finding(_CLASS_UNKNOWN, "")))
    elif facts.tier < required:
        found.append(policy.judge(Finding(TIER, "")))
    return tuple(found)
