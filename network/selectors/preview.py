"""Policy preview: which nodes would fall out under proposed parameter values, and why.

Nothing is verified again and nothing is written. The verdict that a node's standing rests on
keeps its findings; these are weighed anew by the same ``Policy.judge`` that weighed them first,
once with the values in force at the finalized block and once with the proposed ones, and the
node's standing follows by the same rules as everywhere (``network.selectors.standing``). "Before"
and "after" therefore differ by the proposal alone: a report that the policy in force already
refuses falls out without it. A node whose evidence would be refused falls out as soon as its last
report is judged again; else when that has run out, or after ``slash.strikes`` refused ones. What a
stored verdict cannot answer is said, never guessed.

Many nodes share one situation (the same findings, tier and class), and each situation is judged
once: the work grows with the nodes only by one light row each, without evidence or full findings.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from django.db.models import F, Func, JSONField, QuerySet, Value

from chain import clock
from network.attestation import Policy
from network.models import Node, NodeStatus, Verdict
from network.selectors.policy import PolicySnapshot, policy_current
from network.selectors.preview_judge import Compared, Facts, Judge, Judged, Outcome
from network.selectors.preview_words import preview_sentence
from network.selectors.proposed import ProposedChange, proposed_changes
from network.selectors.standing import COUNTING, REFUSED, StandingWord, basis_verdict

#: What a node's standing rests on, and its newest verdict, which may be another.
_VERDICT: Final = "attestation_state__basis_verdict"
_LATEST: Final = "attestation_state__latest_verdict"
_UNREAD: Final = ("ear_jwt", "policy")


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """One node of a preview. ``before`` and ``after`` are standings; ``code`` is the reason
    (a finding's code, ``tier.required`` or ``evidence.too_old``), empty where nothing changes."""

    node: Node
    outcome: str
    before: str
    after: str
    code: str
    codes: tuple[str, ...]
    sentence: str
    emulated: bool
    verdict_id: int | None

    @property
    def outcome_label(self) -> str:
        return str(Outcome(self.outcome).label)

    @property
    def before_label(self) -> str:
        return str(StandingWord(self.before).label)

    @property
    def after_label(self) -> str:
        """What the node would be called; empty where that cannot be told."""
        return str(StandingWord(self.after).label) if self.after else ""


@dataclass(frozen=True, slots=True)
class PolicyPreview:
    """Two policies and what every node that has not left would be under each. ``counts`` and
    ``emulated`` (the nodes among them whose GPUs are emulated) are by outcome; ``reasons`` are
    (reason, nodes) of those that fall out, the most frequent first."""

    compared: Compared
    counts: Mapping[str, int]
    emulated: Mapping[str, int]
    reasons: list[tuple[str, int]]
    _judged: Mapping[int, Judged] = field(repr=False)

    @property
    def base(self) -> PolicySnapshot:
        return self.compared.base

    @property
    def at(self) -> datetime:
        return self.compared.at

    @property
    def changes(self) -> list[ProposedChange]:
        return self.compared.changes

    @property
    def attested_before(self) -> int:
        """Nodes that count under the policy in force."""
        return sum(row.before in COUNTING for row in self._judged.values())

    @property
    def falls_out(self) -> int:
        return self.counts[Outcome.FALLS_OUT.value]

    @property
    def comes_back(self) -> int:
        return self.counts[Outcome.COMES_BACK.value]

    @property
    def cannot_tell(self) -> int:
        return self.counts[Outcome.CANNOT_TELL.value]

    def nodes(self, outcome: str | None = None) -> QuerySet[Node]:
        """The nodes with an outcome (all without), the newest registration first when ordered by
        ``-position``; for :meth:`rows`. Neither raw evidence nor tokens are read."""
        wanted = [
            position
            for position, judged in self._judged.items()
            if outcome is None or judged.outcome == outcome
        ]
        rows = Node.objects.filter(position__in=wanted).select_related(_VERDICT, _LATEST)
        unread = [f"{path}__{name}" for path in (_VERDICT, _LATEST) for name in _UNREAD]
        return rows.defer(*unread, f"{_LATEST}__findings")

    def rows(self, nodes: Iterable[Node]) -> list[PreviewRow]:
        """Say of nodes from :meth:`nodes` what would become of them, and why. No query."""
        return [_row(self, node, self._judged[node.position]) for node in nodes]


def policy_preview(
    values: Mapping[str, str],
    *,
    at: datetime | None = None,
    base: PolicySnapshot | None = None,
) -> PolicyPreview:
    """Compare the policy in force with the one that ``values`` (text, by name) would make.

    ``at`` defaults to now, ``base`` to the policy at the newest finalized block. 3 queries beside
    the policy's, however many nodes.

    Raises:
        PolicyUnavailable: nothing final is indexed yet.
        NetworkError: the values cannot be read; the codes are those of ``proposed_changes``.
    """
    moment, in_force = at or clock.now(), base or policy_current()
    changes, proposed = proposed_changes(values, policy=in_force)
    facts, emulated_at = _facts(moment, in_force, proposed)
    compared = Compared(in_force, proposed, moment, changes, _stored_policies(facts))
    judge = Judge(compared)
    known: dict[Facts, Judged] = {}
    judged: dict[int, Judged] = {}
    for position, (situation, _) in facts.items():
        if situation not in known:
            known[situation] = judge(situation)
        judged[position] = known[situation]
    reasons = Counter(row.codes[0] for row in judged.values() if row.falls_out)
    return PolicyPreview(
        compared=compared,
        counts=_by_outcome(judged.values()),
        emulated=_by_outcome(judged[position] for position in emulated_at),
        reasons=sorted(reasons.items(), key=lambda item: (-item[1], item[0])),
        _judged=judged,
    )


def _by_outcome(rows: Iterable[Judged]) -> dict[str, int]:
    counted = Counter(row.outcome for row in rows)
    return {outcome.value: counted[outcome] for outcome in Outcome}


# --- what the database is asked -------------------------------------------------------------


def _of_each_finding(name: str) -> Func:
    """One field of every finding of a verdict, in order. Picked out by the database, so that the
    golden and the measured values of thousands of verdicts stay there."""
    return Func(
        F(f"{_VERDICT}__findings"),
        Value(f"$.findings[*].{name}"),
        function="jsonb_path_query_array",
        template="%(function)s(%(expressions)s::jsonpath)",
        output_field=JSONField(),
    )


def _facts(
    at: datetime, base: PolicySnapshot, proposed: PolicySnapshot
) -> tuple[dict[int, tuple[Facts, int | None]], list[int]]:
    """Every node that has not left: by position its situation and its verdict's id; and the
    positions of the emulated ones. 1 query."""
    rows = Node.objects.exclude(status=NodeStatus.EXITED).order_by("-position").values_list(
        "position",
        "gpu_class",
        "status",
        "suspended_until",
        f"{_VERDICT}__pk",
        f"{_VERDICT}__status",
        f"{_VERDICT}__tier",
        f"{_VERDICT}__policy_hash",
        f"{_VERDICT}__evidence_at",
        f"{_VERDICT}__emulated",
        f"{_VERDICT}__attestation__device_count",
        "attestation_state__last_seq",
        "attestation_state__strikes",
        f"{_LATEST}__pk",
        f"{_LATEST}__status",
        _of_each_finding("code"),
        _of_each_finding("severity"),
    )  # fmt: skip
    limits = [at - timedelta(seconds=policy.ttl_s) for policy in (base, proposed)]
    found: dict[int, tuple[Facts, int | None]] = {}
    emulated_at = []
    for row in rows:
        position, gpu_class, status, until, pk, verdict_status, tier, digest, seen = row[:9]
        emulated, device_count, reports, strikes, latest, latest_status = row[9:15]
        codes, severities = row[15:]
        situation = Facts(
            gpu_class=gpu_class,
            status=status,
            is_suspended=until is not None and until > at,
            verdict_status=verdict_status,
            tier=tier or 0,
            policy_hash=bytes(digest or b""),
            findings=tuple(dict.fromkeys(zip(codes or (), severities or (), strict=True))),
            device_count=device_count or 0,
            has_reported=bool(reports),
            strikes=strikes or 0,
            is_refused_since=latest != pk and latest_status in REFUSED,
            fresh=(False, False) if seen is None else (seen > limits[0], seen > limits[1]),
        )
        found[position] = situation, pk
        if emulated:
            emulated_at.append(position)
    return found, emulated_at


def _stored_policies(facts: Mapping[int, tuple[Facts, int | None]]) -> dict[bytes, Policy]:
    """The policies that the verdicts were judged by, one verdict's copy of each. 1 query."""
    one_each = {situation.policy_hash: pk for situation, pk in facts.values() if pk is not None}
    rows = Verdict.objects.filter(pk__in=one_each.values()).order_by()
    found = {}
    for digest, version, values in rows.values_list(
        "policy_hash", "policy_version", "policy__values"
    ):
        numbers = {name: int(v) for name, v in values.items() if not v.startswith("0x")}
        found[bytes(digest)] = Policy.from_parameters(numbers, version=version)
    return found


def _row(preview: PolicyPreview, node: Node, judged: Judged) -> PreviewRow:
    verdict = basis_verdict(node)
    return PreviewRow(
        node=node,
        outcome=judged.outcome.value,
        before=judged.before,
        after=judged.after,
        code=judged.codes[0] if judged.codes else "",
        codes=judged.codes,
        sentence=preview_sentence(preview.compared, node, verdict, judged),
        emulated=verdict is not None and verdict.emulated,
        verdict_id=None if verdict is None else verdict.pk,
    )
