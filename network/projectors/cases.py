"""Cases against nodes. Keys: the case's number in decimal.

The logs carry every figure whole: what is owed after a payment, never what was paid so far.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from chain.projections import DecodedLog, History, Projector
from network.models import CaseKind, CaseStatus, NodeCase
from network.projectors.nodes import CONTRACT
from network.projectors.parameters import time_of

#: In the order of ``INodeCases.CaseKind``.
KINDS = (CaseKind.DOWNTIME, CaseKind.CHALLENGE_FAIL, CaseKind.SPOOF)
EVENTS = ("CaseOpened", "CaseContested", "CaseDecided", "CaseDismissed", "DebtCollected")


def _case_key(args: dict[str, Any]) -> Iterable[str]:
    return [str(args["caseId"])]


class CasesProjector(Projector):
    """Writes NodeCase."""

    name = "network.cases"
    models = (NodeCase,)
    depends_on = ("network.nodes",)
    events: Mapping[tuple[str, str], Callable[[dict[str, Any]], Iterable[str]]] = {
        (CONTRACT, event): _case_key for event in EVENTS
    }

    def recompute(self, *, key: str, history: History) -> None:
        newest = {log.event: log for log in history.logs()}
        opened = newest.get("CaseOpened")
        if opened is None:
            NodeCase.objects.filter(case_id=int(key)).delete()
            return
        NodeCase.objects.update_or_create(
            case_id=int(key), defaults=_opened_fields(opened) | _later_fields(newest)
        )


def _opened_fields(opened: DecodedLog) -> dict[str, Any]:
    args = opened.args
    return {
        "node_id": args["nodeId"],
        "opener": args["opener"],
        "kind": KINDS[args["kind"]],
        "evidence_hash": args["evidenceHash"],
        "stake_wei": args["stake"],
        "max_bps": args["maxBps"],
        "bond_wei": args["bond"],
        "opened_at": time_of(opened.block_timestamp),
        "opened_tx": opened.transaction_hash,
        "contestable_until": time_of(args["contestableUntil"]),
        "expires_at": time_of(args["expiresAt"]),
        "block_number": opened.block_number,
    }


def _later_fields(newest: Mapping[str, DecodedLog]) -> dict[str, Any]:
    """What came after the opening; whatever a reorganisation took back is empty again."""
    contested, decided = newest.get("CaseContested"), newest.get("CaseDecided")
    ended = decided or newest.get("CaseDismissed")
    paid = newest.get("DebtCollected")
    upheld = decided is not None and decided.args["upheld"]
    debt_wei = decided.args["debt"] if decided else 0
    return {
        "status": _status(contested, decided, ended),
        "answer_hash": contested.args["answerHash"] if contested else None,
        "ended_at": time_of(ended.block_timestamp) if ended else None,
        "ended_tx": ended.transaction_hash if ended else None,
        "decided_bps": decided.args["bps"] if decided and upheld else None,
        "debt_wei": debt_wei,
        "collected_wei": debt_wei - paid.args["owed"] if paid else 0,
    }


def _status(
    contested: DecodedLog | None, decided: DecodedLog | None, ended: DecodedLog | None
) -> CaseStatus:
    if decided is not None:
        return CaseStatus.UPHELD if decided.args["upheld"] else CaseStatus.REJECTED
    if ended is not None:
        return CaseStatus.DISMISSED
    return CaseStatus.OPEN if contested is None else CaseStatus.CONTESTED
