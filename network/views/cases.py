"""The cases against a node on its page: where each stands, and how one is opened or answered."""

from dataclasses import dataclass
from datetime import datetime

from network.models import Node, NodeCase
from network.selectors.cases import case_next_step, cases_of
from network.selectors.policy import PolicySnapshot

CASES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One case with what can happen in it now."""

    case: NodeCase
    next_step: str
    locked_wei: int


@dataclass(frozen=True, slots=True)
class CasesCard:
    """The section's content. ``bond_wei`` and ``window_s`` are those of a case opened now; zero
    where no policy is final yet."""

    rows: list[CaseRow]
    bond_wei: int
    window_s: int


def cases_card(node: Node, policy: PolicySnapshot | None, *, at: datetime) -> CasesCard:
    """Return a node's newest cases as of ``at``. 1 query; none where the node was fetched with
    ``had_cases`` and had none."""
    cases = cases_of(node)[:CASES_SHOWN] if getattr(node, "had_cases", True) else []
    return CasesCard(
        rows=[CaseRow(case, case_next_step(case, at), case.locked_wei(at)) for case in cases],
        bond_wei=0 if policy is None else policy.number("slash.dispute_deposit"),
        window_s=0 if policy is None else policy.number("slash.dispute_window"),
    )
