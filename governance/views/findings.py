"""What is odd about an open proposal: look-alike addresses, conflicts, prose that says otherwise.

The checks are ``governance.checks``, the same that the wizard ran before
somebody signed; proposals made elsewhere never met them.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from chain.contracts import DeploymentInvalid
from chain.formatting import amount_text
from governance.actions.preview import UNITS, known_addresses
from governance.checks import CheckContext, CheckedAction, check_proposal
from governance.models import Proposal, ProposalAction
from governance.selectors import open_proposals

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}\Z", re.ASCII)
#: Conflicts named per parameter: more of them say nothing more.
CONFLICTS_MAX = 3
#: Said by the cards themselves, in red.
_ON_THE_CARD = {"changes_control", "unknown_call"}


@dataclass(frozen=True, slots=True)
class Remark:
    """One finding as ``components/findings.html`` shows it."""

    level: str
    title: str


def proposal_remarks(
    proposal: Proposal, actions: Sequence[ProposalAction], *, at: int
) -> list[Remark]:
    """Check an open proposal against what is known today. Two queries."""
    checked = [_checked(action) for action in actions]
    try:
        known: Mapping[bytes, str] = known_addresses()
    except DeploymentInvalid:
        known = {}
    context = CheckContext(
        known=known, pending_keys=_pending_keys(proposal, actions, at), units=UNITS
    )
    found = check_proposal(checked, proposal.description, context)
    return [
        Remark(finding.severity, finding.sentence)
        for finding in found
        if finding.code not in _ON_THE_CARD and finding.severity != "info"
    ]


def _checked(action: ProposalAction) -> CheckedAction:
    figures = [row[side] for row in action.parameters for side in ("proposed", "expected")]
    if action.amount_wei is not None:
        whole = amount_text(action.amount_wei, places=None).replace("\u202f", "")
        figures += [whole, str(action.amount_wei)]
    addresses = list(_addresses_in(action.args))
    if action.recipient is not None:
        addresses.append(bytes(action.recipient))
    return CheckedAction(
        index=action.index,
        target=bytes(action.target),
        value_wei=action.value_wei,
        calldata=bytes(action.calldata),
        kind=action.kind,
        addresses=tuple(dict.fromkeys(addresses)),
        figures=tuple(dict.fromkeys(figures)),
        parameter_keys=tuple(row["name"].encode() for row in action.parameters),
        is_dangerous=action.is_dangerous,
    )


def _addresses_in(value: Any) -> Iterator[bytes]:
    if isinstance(value, str) and _ADDRESS.match(value):
        yield bytes.fromhex(value[2:])
    elif isinstance(value, dict):
        for item in value.values():
            yield from _addresses_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from _addresses_in(item)


def _pending_keys(
    proposal: Proposal, actions: Sequence[ProposalAction], at: int
) -> dict[bytes, list[int]]:
    """Find the other open proposals that set one of the same parameters, by its name."""
    names = {row["name"] for action in actions for row in action.parameters}
    if not names:
        return {}
    same = Q()
    for name in names:
        same |= Q(parameters__contains=[{"name": name}])
    others = open_proposals(at).exclude(pk=proposal.pk).values("pk")
    rows = ProposalAction.objects.filter(same, proposal__in=others).values_list(
        "proposal__number", "parameters"
    )
    pending: dict[bytes, list[int]] = {}
    for number, parameters in rows.order_by("proposal__number"):
        for row in parameters:
            if row["name"] in names:
                pending.setdefault(row["name"].encode(), []).append(number)
    return {key: numbers[:CONFLICTS_MAX] for key, numbers in pending.items()}
