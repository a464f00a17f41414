"""The new-proposal wizard: its page, and the facts its script works with.

The page works without a wallet until the last step. The script keeps the draft on the server,
asks ``parameters/validate`` while one types and ``proposals/preview`` before one signs.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST, require_safe

from chain.addresses import to_checksum
from chain.client import chain_call
from chain.contracts import ABI_DIR, Deployment, DeploymentInvalid, deployment
from chain.formatting import amount_text
from chain.rpc.errors import ContractReverted, RpcError
from governance.checks import ACTIONS_MAX, DESCRIPTION_MAX_BYTES
from governance.markdown import render_markdown
from governance.models import Delegate, Holder, Proposal, ProposalAction
from governance.state import ProposalState
from governance.views.common import chain_time, viewer
from governance.views.queries import state_condition
from network.models import Parameter, ParameterChange
from network.parameters import allowed_range
from treasury.assets import ASSETS
from treasury.models import Balance

#: States in which a proposal may still change a parameter.
OPEN_STATES = (
    ProposalState.PENDING,
    ProposalState.ACTIVE,
    ProposalState.SUCCEEDED,
    ProposalState.QUEUED,
)


@dataclass(frozen=True, slots=True)
class Eligibility:
    """Whether the viewer can propose now. ``can`` is None when it cannot be told."""

    can: bool | None
    sentence: str
    threshold_wei: int | None
    power_wei: int | None


@require_safe
def proposal_new(request: HttpRequest) -> HttpResponse:
    """The wizard's page. ``?parameter=attest.ttl`` opens the picker on that parameter."""
    return render(
        request,
        "governance/proposal_new.html",
        {
            "eligibility": eligibility(viewer(request)),
            "actions_max": ACTIONS_MAX,
            "description_max": DESCRIPTION_MAX_BYTES,
        },
    )


@require_POST
def text_preview(request: HttpRequest) -> HttpResponse:
    """The typed Markdown as the proposal's page will show it; form field ``text``."""
    text = request.POST.get("text", "")[: DESCRIPTION_MAX_BYTES * 2]
    return HttpResponse(render_markdown(text) or "<p>There is no text yet.</p>")


@require_GET
def wizard_facts(request: HttpRequest) -> JsonResponse:
    """What the wizard's script chooses from: parameters, assets, contracts. Public facts only."""
    response = JsonResponse(
        {
            "parameters": parameter_facts(),
            "assets": asset_facts(),
            "contracts": contract_facts(),
            "limits": {
                "actions": ACTIONS_MAX,
                "description_bytes": DESCRIPTION_MAX_BYTES,
            },
            "block_time": chain_time(),
        }
    )
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def eligibility(account: bytes | None) -> Eligibility:
    """Compare the account's power with ``proposalThreshold()``."""
    threshold = _threshold()
    need = f"{amount_text(threshold)} ALT" if threshold is not None else "the threshold"
    if account is None:
        sentence = (
            f"Submitting needs {need} of voting power. You can write and check the whole "
            "proposal first and sign in at the end."
        )
        return Eligibility(None, sentence, threshold, None)
    power = Delegate.objects.filter(address=account).values_list("power_wei", flat=True).first()
    power = power or 0
    if threshold is None:
        sentence = "The chain could not be asked for the threshold; the last step asks again."
        return Eligibility(None, sentence, None, power)
    if power >= threshold:
        sentence = f"This account has {amount_text(power)} ALT of voting power; {need} are needed."
        return Eligibility(True, sentence, threshold, power)
    return Eligibility(False, _too_little(account, power, need), threshold, power)


def _too_little(account: bytes, power: int, need: str) -> str:
    sentence = (
        f"This account has {amount_text(power)} ALT of voting power and cannot submit: {need} are "
        "needed."
    )
    holder = Holder.objects.filter(address=account).first()
    if holder is not None and holder.balance_wei and holder.delegate is None:
        return f"{sentence} Its {amount_text(holder.balance_wei)} ALT are delegated to nobody."
    return f"{sentence} Ask holders to delegate to it, or hand the draft to a delegate."


def _threshold() -> int | None:
    try:
        return int(chain_call("AlthingGovernor", "proposalThreshold", ()))
    except (RpcError, ContractReverted, DeploymentInvalid):
        return None


def parameter_facts() -> list[dict[str, Any]]:
    """Every parameter: rules, value, what one change may do now, who else would change it."""
    changes = _last_changes()
    pending = _open_changes()
    return [
        _parameter_fact(row, changes.get(bytes(row.key)), pending.get(row.name, []))
        for row in Parameter.objects.order_by("name")
    ]


def _parameter_fact(
    row: Parameter, changed: dict[str, Any] | None, pending: list[int]
) -> dict[str, Any]:
    fact: dict[str, Any] = {
        "name": row.name,
        "key": f"0x{bytes(row.key).hex()}",
        "group": row.group,
        "kind": row.kind,
        "unit": row.unit,
        "risk_class": row.risk_class,
        "activation": row.activation,
        "value": row.value,
        "voted_value": row.voted_value,
        "min": str(row.min),
        "max": str(row.max),
        "step": str(row.step),
        "changed": changed,
        "pending_proposals": pending,
        "allowed_at": None,
        "low": None,
        "high": None,
    }
    if row.is_numeric:
        low, high = allowed_range(
            current=int(row.voted_value),
            low=row.min,
            high=row.max,
            max_abs=row.max_abs,
            max_rel_bps=row.max_rel_bps,
            step=row.step,
        )
        fact |= {"low": str(low), "high": str(high)}
    if changed and row.min_interval_s:
        fact["allowed_at"] = changed["at"] + row.min_interval_s
    return fact


def _last_changes() -> dict[bytes, dict[str, Any]]:
    """The newest change of each key that was not vetoed or withdrawn, and its proposal."""
    numbers = dict(Proposal.objects.exclude(executed_tx=None).values_list("executed_tx", "number"))
    found: dict[bytes, dict[str, Any]] = {}
    for change in ParameterChange.objects.select_related("set").order_by("-position"):
        key = bytes(change.parameter_id)
        if key in found or change.set.is_dropped:
            continue
        found[key] = {
            "at": int(change.scheduled_at.timestamp()),
            "effective_at": int(change.effective_at.timestamp()),
            "proposal": numbers.get(change.transaction_hash),
        }
    return found


def _open_changes() -> dict[str, list[int]]:
    """Parameter name -> numbers of the open proposals that would set it."""
    at = chain_time()
    is_open = Q()
    for state in OPEN_STATES:
        is_open |= state_condition(state, at)
    open_ids = Proposal.objects.filter(is_open).values("pk")
    found: dict[str, list[int]] = {}
    actions = ProposalAction.objects.filter(proposal__in=open_ids).select_related("proposal")
    for action in actions:
        for row in action.parameters:
            found.setdefault(str(row["name"]), []).append(action.proposal.number)
    return found


def asset_facts() -> list[dict[str, Any]]:
    """What the treasury can pay with, and how much of it there is."""
    balances = dict(Balance.objects.values_list("asset_id", "amount_wei"))
    known = _deployment()
    facts = []
    for spec in ASSETS:
        token = known.address(spec.contract) if known and spec.contract else None
        facts.append(
            {
                "code": spec.code,
                "name": spec.name,
                "decimals": spec.decimals,
                "token": to_checksum(token) if token else None,
                "balance_wei": str(balances.get(spec.code, 0)),
            }
        )
    return facts


def contract_facts() -> list[dict[str, Any]]:
    """Our contracts with the functions a proposal may call."""
    known = _deployment()
    if known is None:
        return []
    return [
        {
            "name": name,
            "address": to_checksum(known.address(name)),
            "functions": writable_functions(name),
        }
        for name in sorted(known.contracts)
    ]


@lru_cache(maxsize=16)
def writable_functions(name: str) -> list[dict[str, Any]]:
    """The functions of a contract's ABI that change something, by name. Inputs keep their ABI form
    (``name``, ``type``, ``components``) because the browser encodes from it."""
    path = ABI_DIR / f"{name}.json"
    if not path.is_file():
        return []
    abi = json.loads(path.read_text(encoding="utf-8"))["abi"]
    found = [
        {
            "name": item["name"],
            "inputs": item.get("inputs", []),
            "payable": item["stateMutability"] == "payable",
        }
        for item in abi
        if item.get("type") == "function" and item["stateMutability"] in {"nonpayable", "payable"}
    ]
    return sorted(found, key=lambda item: (item["name"], len(item["inputs"])))


def _deployment() -> Deployment | None:
    try:
        return deployment()
    except DeploymentInvalid:
        return None
