"""Incidents for pages and API, and what an operator does next."""

from typing import Final

from django.db.models import QuerySet

from network.models import Incident, Node
from network.selectors.standing import Standing, StandingWord

#: How to contradict: shown with every incident.
APPEAL: Final = (
    "You may appeal: reply in the DAO's discussion with the verdict's number, or propose a vote. "
    "The service's staff can release the node or dismiss the incident, with a reason that is "
    "shown here; the guardian can revoke the attestor's role. A suspension lasts 72 hours at most, "
    "7 days in 30 unless a case is open, and never stops an exit. No stake is taken without a "
    "case that token holders decide."
)
_STEPS: Final[dict[str, str]] = {
    StandingWord.ATTESTED: "Nothing: keep reporting.",
    StandingWord.STALE: (
        "Send a report: start the agent, and ask althing-node doctor why it stopped."
    ),
    StandingWord.NEVER: "Prove the node's keys, then let the agent report: althing-node run.",
    StandingWord.SUSPENDED: (
        "Read the incident: it names the reason, the cure and how to appeal. Keep reporting "
        "meanwhile; a node that is cured is resumed."
    ),
    StandingWord.EXITED: "Nothing more: the stake can be withdrawn when its time is over.",
}


def next_step(standing: Standing) -> str:
    """What the node's operator does next, in plain words."""
    if standing.standing in _STEPS:
        return _STEPS[standing.standing]
    if standing.strikes:
        left = max(0, standing.good_needed - standing.good_in_row)
        return (
            "Mend what the last refused report names, then keep reporting: "
            f"{left} more accepted reports in a row clear the strikes."
        )
    verdict = standing.verdict
    if verdict is not None and verdict.tier < standing.required_tier:
        return f"Prove tier T{standing.required_tier}; the ladder says what that takes."
    return "Mend what the refused report names, then send another: one accepted report is enough."


def incidents_of(node: Node) -> QuerySet[Incident]:
    """A node's incidents with their audit, newest first. 2 queries, however many."""
    return (
        Incident.objects.filter(node_id=node.node_id)
        .select_related("suspend_intent__mined_attempt")
        .prefetch_related("events")
        .order_by("-id")
    )


def suspension_hash(incident: Incident) -> bytes | None:
    """The hash of the transaction that suspended the node; None where none is in a block."""
    intent = incident.suspend_intent
    if intent is None or intent.mined_attempt is None:
        return None
    return bytes(intent.mined_attempt.hash)
