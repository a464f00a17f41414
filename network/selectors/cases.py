"""Cases against a node, for pages and API."""

from datetime import datetime

from django.db.models import QuerySet

from chain.formatting import amount_text
from network.models import CaseStatus, Node, NodeCase


def cases_of(node: Node) -> QuerySet[NodeCase]:
    """A node's cases, newest first."""
    return NodeCase.objects.filter(node=node).order_by("-case_id")


def case_next_step(case: NodeCase, at: datetime) -> str:
    """Say what can happen in a case now, and who does it, in one sentence."""
    if case.has_run_out(at):
        return "Nobody decided it in 60 days: anybody may dismiss it, and the bond goes back."
    if case.status == CaseStatus.OPEN and at < case.contestable_until:
        return "The operator may answer. A vote can be carried out then, or when this time is over."
    if case.is_open:
        return "A vote may decide it until it runs out."
    if case.owed_wei:
        owed = amount_text(case.owed_wei)
        return f"{owed} ALT are owed: anybody may collect as much as the caps leave."
    if case.status == CaseStatus.UPHELD:
        return "Paid." if case.debt_wei else "The vote took no stake."
    if case.status == CaseStatus.REJECTED:
        return "Rejected as frivolous; the bond went to the treasury."
    return "Nobody decided it; the bond went back."
