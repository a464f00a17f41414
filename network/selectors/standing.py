"""Does a node's last verdict still count? Asked of the policy in force NOW, never of an old one.

A verdict keeps the values it was judged by. Whether it counts is another
question: when token holders vote a shorter ``attest.ttl`` or a higher required
tier, a report accepted yesterday is stale or insufficient today, and the words
here name both policies.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Case, CharField, F, IntegerField, Q, QuerySet, Value, When
from django.db.models.enums import TextChoices

from chain import clock
from chain.formatting import duration_text
from network.models import Node, NodeStatus, Verdict, VerdictStatus
from network.selectors.policy import PolicySnapshot, policy_current


class StandingWord(TextChoices):
    """What a node's standing is called, in the API and on the pages."""

    ATTESTED = "attested", "Attested"
    STALE = "stale", "Stale"
    FAILED = "failed", "Failed"
    NEVER = "never", "Never attested"
    SUSPENDED = "suspended", "Suspended"
    EXITED = "exited", "Exited"


#: Standings that wear the badge of another word.
BADGE_WORDS = {
    StandingWord.ATTESTED.value: "affirming",
    StandingWord.FAILED.value: "contraindicated",
    StandingWord.NEVER.value: "none",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """A node's standing at ``at`` under ``policy_version``, and why, in one sentence.

    ``judged_by_policy_version`` is the policy of the verdict; the two differ when the
    policy has changed since. Tiers are 0..5. Verdict fields are None without a verdict.
    """

    standing: str
    sentence: str
    at: datetime
    policy_version: int
    ttl_s: int
    required_tier: int
    judged_by_policy_version: int | None = None
    judged_ttl_s: int | None = None
    verdict: Verdict | None = None
    fresh_until: datetime | None = None
    fresh_until_under_current_policy: datetime | None = None

    @property
    def label(self) -> str:
        return StandingWord(self.standing).label

    @property
    def badge_word(self) -> str:
        """The word whose colour and glyph the badge wears (chain.templatetags.althing)."""
        return BADGE_WORDS.get(self.standing, self.standing)

    @property
    def policy_changed(self) -> bool:
        """Whether the policy is another than the one the verdict was judged by."""
        return self.judged_by_policy_version not in (None, self.policy_version)


def node_standing(
    node: Node, at: datetime | None = None, *, policy: PolicySnapshot | None = None
) -> Standing:
    """Judge one node's standing. ``at`` defaults to now, ``policy`` to the one in force.

    Raises:
        PolicyUnavailable: nothing final is indexed yet.
    """
    verdict = latest_verdict(node)
    return _standing(node, verdict, at or clock.now(), policy or policy_current())


def node_standings(
    nodes: Iterable[Node], at: datetime | None = None, *, policy: PolicySnapshot | None = None
) -> list[Standing]:
    """Judge many nodes, fetched with :func:`nodes_with_verdicts`: no query a node."""
    now, in_force = at or clock.now(), policy or policy_current()
    return [_standing(node, latest_verdict(node), now, in_force) for node in nodes]


def nodes_with_verdicts(queryset: QuerySet[Node]) -> QuerySet[Node]:
    """Fetch each node with its latest verdict in the same query."""
    return queryset.select_related("attestation_state__latest_verdict")


def latest_verdict(node: Node) -> Verdict | None:
    """The node's newest verdict, or None."""
    state = getattr(node, "attestation_state", None)
    return None if state is None else state.latest_verdict


def _standing(
    node: Node, verdict: Verdict | None, at: datetime, policy: PolicySnapshot
) -> Standing:
    required = policy.required_tier(node.gpu_class)
    common: dict[str, Any] = {
        "at": at,
        "policy_version": policy.version,
        "ttl_s": policy.ttl_s,
        "required_tier": required,
    }
    if verdict is not None:
        common |= {
            "judged_by_policy_version": verdict.policy_version,
            "judged_ttl_s": int((verdict.fresh_until - verdict.evidence_at).total_seconds()),
            "verdict": verdict,
            "fresh_until": verdict.fresh_until,
            "fresh_until_under_current_policy": (
                verdict.evidence_at + timedelta(seconds=policy.ttl_s)
            ),
        }
    word, sentence = _judge(node, verdict, at, policy, required)
    return Standing(standing=word, sentence=sentence, **common)


def _judge(
    node: Node, verdict: Verdict | None, at: datetime, policy: PolicySnapshot, required: int
) -> tuple[str, str]:
    status = node.status_at(at)
    if status == NodeStatus.EXITED:
        return StandingWord.EXITED, "The node has left the network."
    if status == NodeStatus.SUSPENDED and node.suspended_until is not None:
        reason = f" ({node.suspended_reason})" if node.suspended_reason else ""
        return (
            StandingWord.SUSPENDED,
            f"Suspended by the attestor{reason} until {node.suspended_until:%Y-%m-%d %H:%M} UTC.",
        )
    if verdict is None:
        return StandingWord.NEVER, "The node has never sent a report that could be judged."
    if verdict.status in (VerdictStatus.CONTRAINDICATED, VerdictStatus.NONE):
        return (
            StandingWord.FAILED,
            f"Refused under policy {verdict.policy_version}: {verdict.sentence}",
        )
    if verdict.tier < required:
        return StandingWord.FAILED, _tier_sentence(node, verdict, policy, required)
    return _freshness(verdict, at, policy)


def _tier_sentence(node: Node, verdict: Verdict, policy: PolicySnapshot, required: int) -> str:
    return (
        f"Accepted at tier T{verdict.tier} under policy {verdict.policy_version}, but policy "
        f"{policy.version} asks tier T{required} of class {node.gpu_class}."
    )


def _freshness(verdict: Verdict, at: datetime, policy: PolicySnapshot) -> tuple[str, str]:
    age_s = max(0, int((at - verdict.evidence_at).total_seconds()))
    fresh_until = verdict.evidence_at + timedelta(seconds=policy.ttl_s)
    ttl, age = duration_text(policy.ttl_s), duration_text(age_s)
    if at < fresh_until:
        sentence = f"The report is {age} old and counts for {ttl} under policy {policy.version}."
        if verdict.policy_version != policy.version:
            sentence += f" It was judged under policy {verdict.policy_version}."
        return StandingWord.ATTESTED, sentence
    if at < verdict.fresh_until:
        before = duration_text(int((verdict.fresh_until - verdict.evidence_at).total_seconds()))
        return (
            StandingWord.STALE,
            f"The report is {age} old. Policy {verdict.policy_version}, under which it was "
            f"accepted, let it count for {before}; policy {policy.version} lets it count for "
            f"{ttl}.",
        )
    return (
        StandingWord.STALE,
        f"The report is {age} old; policy {policy.version} lets it count for {ttl}.",
    )


def standing_annotate(
    queryset: QuerySet[Node], *, at: datetime, policy: PolicySnapshot
) -> QuerySet[Node]:
    """Add ``standing`` in SQL, for filters and counts; it agrees with :func:`node_standing`."""
    path = "attestation_state__latest_verdict"
    prefix = "attest.required_tier_"
    required = Case(
        *(
            When(gpu_class=name.removeprefix(prefix), then=Value(int(value)))
            for name, value in policy.values.items()
            if name.startswith(prefix)
        ),
        default=Value(0),
        output_field=IntegerField(),
    )
    refused = [VerdictStatus.CONTRAINDICATED, VerdictStatus.NONE]
    suspended = Q(status=NodeStatus.SUSPENDED, suspended_until__gt=at)
    stale_before = at - timedelta(seconds=policy.ttl_s)
    return queryset.annotate(required_tier=required).annotate(
        standing=Case(
            When(status=NodeStatus.EXITED, then=Value(StandingWord.EXITED.value)),
            When(suspended, then=Value(StandingWord.SUSPENDED.value)),
            When(**{path: None}, then=Value(StandingWord.NEVER.value)),
            When(**{f"{path}__status__in": refused}, then=Value(StandingWord.FAILED.value)),
            When(
                **{f"{path}__tier__lt": F("required_tier")},
                then=Value(StandingWord.FAILED.value),
            ),
            When(
                **{f"{path}__evidence_at__lte": stale_before},
                then=Value(StandingWord.STALE.value),
            ),
            default=Value(StandingWord.ATTESTED.value),
            output_field=CharField(),
        )
    )
