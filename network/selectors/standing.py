"""Does a node count? Asked of the policy in force NOW, of what it proved and of its strikes.

A verdict keeps the values it was judged by. Whether it counts is another question: when token
holders vote a shorter ``attest.ttl`` or a higher required tier, a report accepted yesterday is
stale or insufficient today, and the words here name both policies.

One refused report changes nothing by itself (docs/adr/0018): the report accepted before it counts
until its time is over, and the node is on probation. ``slash.strikes`` refused reports that are
the node's own fault end that at once, until ``attest.trust_consecutive`` accepted ones in a row.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Case, CharField, F, IntegerField, Q, QuerySet, Value, When
from django.db.models.enums import TextChoices

from chain import clock
from chain.formatting import duration_text
from network.models import AttestationState, Node, NodeStatus, Verdict, VerdictStatus
from network.selectors.policy import PolicySnapshot, policy_current


class StandingWord(TextChoices):
    """What a node's standing is called, in the API and on the pages."""

    ATTESTED = "attested", "Attested"
    PROBATION = "probation", "On probation"
    STALE = "stale", "Stale"
    FAILED = "failed", "Failed"
    NEVER = "never", "Never attested"
    SUSPENDED = "suspended", "Suspended"
    EXITED = "exited", "Exited"


#: Standings under which a node counts; under every other it is withheld.
COUNTING = frozenset({StandingWord.ATTESTED, StandingWord.PROBATION})
#: Standings that wear the badge of another word.
BADGE_WORDS = {
    StandingWord.ATTESTED.value: "affirming",
    StandingWord.PROBATION.value: "warning",
    StandingWord.FAILED.value: "contraindicated",
    StandingWord.NEVER.value: "none",
}
REFUSED = (VerdictStatus.CONTRAINDICATED, VerdictStatus.NONE)
_BASIS, _LATEST = "attestation_state__basis_verdict", "attestation_state__latest_verdict"
#: What a standing never asks of a verdict, and what makes its row heavy.
_HEAVY = ("ear_jwt", "findings", "inputs", "policy")


@dataclass(frozen=True, slots=True)
class Standing:
    """A node's standing at ``at`` under ``policy_version``, and why, in one sentence.

    ``verdict`` is the one it rests on, ``judged_by_policy_version`` that verdict's policy; the two
    policies differ when the policy has changed since. Tiers are 0..5. Verdict fields are None
    without a verdict. ``good_in_row`` counts accepted reports since the last strike.
    """

    standing: str
    sentence: str
    at: datetime
    policy_version: int
    ttl_s: int
    required_tier: int
    strikes: int = 0
    strikes_max: int = 0
    good_in_row: int = 0
    good_needed: int = 0
    judged_by_policy_version: int | None = None
    judged_ttl_s: int | None = None
    verdict: Verdict | None = None
    fresh_until: datetime | None = None
    fresh_until_under_current_policy: datetime | None = None

    @property
    def counts(self) -> bool:
        """Whether the node counts; one that does not is withheld wherever nodes are counted."""
        return self.standing in COUNTING

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
    return _standing(node, at or clock.now(), policy or policy_current())


def node_standings(
    nodes: Iterable[Node], at: datetime | None = None, *, policy: PolicySnapshot | None = None
) -> list[Standing]:
    """Judge many nodes, fetched with :func:`nodes_with_verdicts`: no query a node."""
    now, in_force = at or clock.now(), policy or policy_current()
    return [_standing(node, now, in_force) for node in nodes]


def nodes_with_verdicts(queryset: QuerySet[Node]) -> QuerySet[Node]:
    """Fetch each node with its latest verdict, and what its standing rests on, in one query."""
    return queryset.select_related(_LATEST, _BASIS).defer(*(f"{_BASIS}__{n}" for n in _HEAVY))


def attestation_state(node: Node) -> AttestationState | None:
    """Where the node's reports stand; None before its first."""
    return getattr(node, "attestation_state", None)


def latest_verdict(node: Node) -> Verdict | None:
    """The node's newest verdict, or None."""
    state = attestation_state(node)
    return None if state is None else state.latest_verdict


def basis_verdict(node: Node) -> Verdict | None:
    """The verdict that the node's standing rests on: its newest accepted one; where none ever was
    accepted, its newest. None without any, and where it was dropped because of its age."""
    state = attestation_state(node)
    return None if state is None else state.basis_verdict


def _standing(node: Node, at: datetime, policy: PolicySnapshot) -> Standing:
    state, verdict = attestation_state(node), basis_verdict(node)
    common: dict[str, Any] = {
        "at": at,
        "policy_version": policy.version,
        "ttl_s": policy.ttl_s,
        "required_tier": policy.required_tier(node.gpu_class),
        "strikes": 0 if state is None else state.strikes,
        "strikes_max": policy.strikes_max,
        "good_in_row": 0 if state is None else state.good_in_row,
        "good_needed": policy.trust_consecutive,
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
    word, sentence = _judge(node, state, at, policy)
    return Standing(standing=word, sentence=sentence, **common)


def _judge(
    node: Node, state: AttestationState | None, at: datetime, policy: PolicySnapshot
) -> tuple[str, str]:
    status = node.status_at(at)
    if status == NodeStatus.EXITED:
        return StandingWord.EXITED, "The node has left the network."
    if status == NodeStatus.SUSPENDED and node.suspended_until is not None:
        reason = f" ({node.suspended_reason})" if node.suspended_reason else ""
        until = f"{node.suspended_until:%Y-%m-%d %H:%M} UTC"
        return StandingWord.SUSPENDED, f"Suspended by the attestor{reason} until {until}."
    basis = None if state is None else state.basis_verdict
    if state is None or (basis is None and not state.last_seq):
        return StandingWord.NEVER, "The node has never sent a report that could be judged."
    if basis is None:
        return StandingWord.STALE, "Its last report is older than verdicts are kept here."
    if state.strikes >= policy.strikes_max:
        return StandingWord.FAILED, _strikes_sentence(state, policy)
    if basis.status in REFUSED:
        sentence = f"Refused under policy {basis.policy_version}: {basis.sentence}"
        return StandingWord.FAILED, sentence
    if basis.tier < policy.required_tier(node.gpu_class):
        return StandingWord.FAILED, _tier_sentence(node, basis, policy)
    return _by_time(state, basis, at, policy)


def _by_time(
    state: AttestationState, basis: Verdict, at: datetime, policy: PolicySnapshot
) -> tuple[str, str]:
    """The standing of an accepted report of a sufficient tier, by its age and what came after."""
    word, sentence = _freshness(basis, at, policy)
    refused = _refused_since(state, basis)
    if word == StandingWord.STALE and refused is not None:
        return StandingWord.FAILED, (
            f"Refused under policy {refused.policy_version}: {refused.sentence} The report "
            "accepted before it counts no longer."
        )
    if word == StandingWord.ATTESTED and state.strikes:
        return StandingWord.PROBATION, (
            f"{state.strikes} of {policy.strikes_max} strikes. {sentence} "
            f"{policy.trust_consecutive} accepted reports in a row clear the strikes; there are "
            f"{state.good_in_row} since the last."
        )
    if word == StandingWord.ATTESTED and refused is not None:
        sentence = f"{sentence} The newest one does not count, without a strike: {refused.sentence}"
    return word, sentence


def _refused_since(state: AttestationState, basis: Verdict) -> Verdict | None:
    """The newest verdict where it refuses a report newer than the accepted one."""
    latest = state.latest_verdict
    if latest is None or latest.pk == basis.pk or latest.status not in REFUSED:
        return None
    return latest


def _strikes_sentence(state: AttestationState, policy: PolicySnapshot) -> str:
    refused = state.latest_verdict
    why = f" The last: {refused.sentence}" if refused and refused.status in REFUSED else ""
    return (
        f"{state.strikes} strikes; at {policy.strikes_max} a node counts no longer.{why} "
        f"{policy.trust_consecutive} accepted reports in a row clear them; there are "
        f"{state.good_in_row} since the last."
    )


def _tier_sentence(node: Node, verdict: Verdict, policy: PolicySnapshot) -> str:
    return (
        f"Accepted at tier T{verdict.tier} under policy {verdict.policy_version}, but policy "
        f"{policy.version} asks tier T{policy.required_tier(node.gpu_class)} of class "
        f"{node.gpu_class}."
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
    sentence = f"The report is {age} old; policy {policy.version} lets it count for {ttl}."
    return StandingWord.STALE, sentence


def standing_annotate(
    queryset: QuerySet[Node], *, at: datetime, policy: PolicySnapshot
) -> QuerySet[Node]:
    """Add ``standing`` in SQL, for filters and counts; it agrees with :func:`node_standing`."""
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
    # The row itself, not the column: a verdict that was dropped because of its age is none.
    gone = Q(**{f"{_BASIS}__status": None})
    stale = Q(**{f"{_BASIS}__evidence_at__lte": at - timedelta(seconds=policy.ttl_s)})
    refused_since = Q(**{f"{_LATEST}__status__in": REFUSED}) & ~Q(
        **{f"{_LATEST}_id": F(f"{_BASIS}_id")}
    )
    struck_out = Q(attestation_state__strikes__gte=policy.strikes_max)
    words = [
        (Q(status=NodeStatus.EXITED), StandingWord.EXITED),
        (Q(status=NodeStatus.SUSPENDED, suspended_until__gt=at), StandingWord.SUSPENDED),
        (gone & Q(attestation_state__last_seq__gt=0), StandingWord.STALE),
        (gone, StandingWord.NEVER),
        (struck_out, StandingWord.FAILED),
        (Q(**{f"{_BASIS}__status__in": REFUSED}), StandingWord.FAILED),
        (Q(**{f"{_BASIS}__tier__lt": F("required_tier")}), StandingWord.FAILED),
        (stale & refused_since, StandingWord.FAILED),
        (stale, StandingWord.STALE),
        (Q(attestation_state__strikes__gt=0), StandingWord.PROBATION),
    ]
    return queryset.annotate(required_tier=required).annotate(
        standing=Case(
            *(When(condition, then=Value(word.value)) for condition, word in words),
            default=Value(StandingWord.ATTESTED.value),
            output_field=CharField(),
        )
    )
