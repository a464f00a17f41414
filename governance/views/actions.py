"""What a proposal does, in words: each call as a card, with what it means today.

A call's own facts come from the proposal (raw bytes and their decoding); the
bounds, the current value, the treasury's balance are today's, and the card says
so where the two have come apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, Subquery

from chain.contracts import DeploymentInvalid, contract_at
from governance.models import Proposal, ProposalAction
from governance.state import ProposalState
from governance.views.common import at_datetime
from network.models import Parameter, ParameterChange
from treasury.assets import ASSETS, ETH, AssetSpec
from treasury.policy import OutflowImpact, outflow_impact
from treasury.selectors import Reconciliation, balances_reconciled

#: The contracts whose transfers take an asset out of the treasury.
_TOKENS = {spec.contract: spec for spec in ASSETS if spec.contract is not None}
#: What a set waits for after it was executed, by the parameter's class.
_CLASS_DELAYS = {"S": "meta.s_extra_delay", "C": "meta.c_extra_delay"}


@dataclass(frozen=True, slots=True)
class ParameterLine:
    """One parameter of a set: from, to, and the rules it is held to."""

    name: str
    unit: str
    expected: str
    proposed: str
    #: Signed change in basis points of the expected value; None where that is no number.
    change_bp: int | None
    parameter: Parameter | None
    #: Number of the proposal that set the current value; None: as defined at genesis.
    changed_by: int | None
    #: When the change took, or takes, effect; None while that depends on the execution.
    effective_at: datetime | None
    #: True when today's value is not the one this proposal expects: it would revert.
    moved: bool

    @property
    def effective_words(self) -> str:
        """Say when a change not yet made takes effect."""
        if self.parameter is None:
            return "when executed"
        words = {
            "now": "when executed",
            "epoch": "at the first epoch boundary at least an hour after execution",
            "new": "for agreements made after execution",
        }[self.parameter.activation]
        delay = _CLASS_DELAYS.get(self.parameter.risk_class)
        return f"{words}, after the delay {delay}" if delay else words


@dataclass(frozen=True, slots=True)
class ActionCard:
    """One call of a proposal, ready for the page."""

    action: ProposalAction
    contract_name: str
    parameters: list[ParameterLine] = field(default_factory=list)
    asset: str = ""
    impact: OutflowImpact | None = None
    arguments: list[tuple[str, str]] = field(default_factory=list)

    @property
    def calldata_hex(self) -> str:
        return f"0x{bytes(self.action.calldata).hex()}"

    @property
    def decoded(self) -> bool:
        return bool(self.action.function)


def _contract_name(address: bytes) -> str:
    """Name one of our contracts; empty for any other, and where nothing is deployed."""
    try:
        return contract_at(address) or ""
    except DeploymentInvalid:
        return ""


def _paid_asset(action: ProposalAction) -> AssetSpec | None:
    """Return the asset a payment takes; None for a token the treasury does not list."""
    if action.kind == "transfer_eth":
        return ETH
    if action.kind == "transfer_erc20":
        return _TOKENS.get(_contract_name(action.target))
    return None


def change_bp(expected: str, proposed: str) -> int | None:
    """Return the change from one decimal string to another in basis points, toward zero."""
    if not (expected.isdecimal() and proposed.isdecimal()) or int(expected) == 0:
        return None
    before, after = int(expected), int(proposed)
    size = abs(after - before) * 10_000 // before
    return size if after >= before else -size


def action_cards(proposal: Proposal, state: ProposalState, *, at: int) -> list[ActionCard]:
    """Build the cards of a proposal, with at most four queries however many calls it has."""
    actions = list(proposal.actions.all())
    lines = _parameter_lines(actions, proposal, state)
    balances = _balances(actions, state, at)
    return [
        ActionCard(
            action=action,
            contract_name=_contract_name(action.target),
            parameters=lines.get(action.index, []),
            asset=paid.code if (paid := _paid_asset(action)) else "",
            impact=_impact(action, balances),
            arguments=[(name, argument_text(value)) for name, value in action.args.items()],
        )
        for action in actions
    ]


def argument_text(value: Any) -> str:
    """Write a decoded argument in full; nothing is shortened where people check a call."""
    if isinstance(value, list):
        return "[" + ", ".join(argument_text(item) for item in value) + "]"
    if isinstance(value, dict):
        inner = ", ".join(f"{name}: {argument_text(item)}" for name, item in value.items())
        return "{" + inner + "}"
    return str(value)


def _parameter_lines(
    actions: Sequence[ProposalAction], proposal: Proposal, state: ProposalState
) -> dict[int, list[ParameterLine]]:
    names = {item["name"] for action in actions for item in action.parameters}
    if not names:
        return {}
    maker = Proposal.objects.filter(executed_tx=OuterRef("last_changed_tx")).order_by()
    known = {
        row.name: row
        for row in Parameter.objects.filter(name__in=names).annotate(
            changed_by=Subquery(maker.values("number")[:1])
        )
    }
    effective: dict[str, datetime] = {}
    if proposal.executed_tx is not None:
        changes = ParameterChange.objects.filter(transaction_hash=proposal.executed_tx)
        effective = dict(changes.values_list("parameter__name", "effective_at"))
    return {
        action.index: [
            _parameter_line(item, known.get(item["name"]), effective, state)
            for item in action.parameters
        ]
        for action in actions
        if action.parameters
    }


def _parameter_line(
    item: dict[str, Any],
    parameter: Any,
    effective: dict[str, datetime],
    state: ProposalState,
) -> ParameterLine:
    expected, proposed = str(item["expected"]), str(item["proposed"])
    return ParameterLine(
        name=item["name"],
        unit=item.get("unit", ""),
        expected=expected,
        proposed=proposed,
        change_bp=change_bp(expected, proposed),
        parameter=parameter,
        changed_by=None if parameter is None else parameter.changed_by,
        effective_at=effective.get(item["name"]),
        moved=(not state.is_final and parameter is not None and parameter.voted_value != expected),
    )


def _balances(
    actions: Sequence[ProposalAction], state: ProposalState, at: int
) -> dict[str, Reconciliation]:
    # What a payment made long ago was of today's treasury would say nothing.
    if state.is_final or not any(_paid_asset(action) for action in actions):
        return {}
    return {row.asset.code: row for row in balances_reconciled(now=at_datetime(at))}


def _impact(action: ProposalAction, balances: dict[str, Reconciliation]) -> OutflowImpact | None:
    paid = _paid_asset(action)
    if paid is None or action.amount_wei is None:
        return None
    row = balances.get(paid.code)
    if row is None:
        return None
    return outflow_impact(
        amount_wei=action.amount_wei,
        balance_wei=row.balance_wei,
        outflow_wei=row.outflow_30d_wei,
    )
