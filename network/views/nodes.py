"""Nodes: the network at a glance, and one node with its proofs."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import BadRequest
from django.db.models import Exists, OuterRef, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from chain import clock
from chain.addresses import AddressInvalid, parse_address
from chain.formatting import percent_text
from chain.paging import keyset_page
from network.attestation.codes import code_words, next_steps
from network.errors import PolicyUnavailable
from network.models import Incident, Node, NodeCase, Verdict
from network.selectors.claims import gpu_claims, node_claims, with_newest_body
from network.selectors.compute import rounds_of_node
from network.selectors.epoch_proofs import with_epochs
from network.selectors.incidents import APPEAL, incidents_of, next_step
from network.selectors.nodes import (
    FailureReason,
    NetworkSummary,
    failure_reasons,
    network_summary,
    verdicts_of,
)
from network.selectors.policy import PolicySnapshot, policy_current
from network.selectors.standing import (
    Standing,
    StandingWord,
    latest_verdict,
    node_standing,
    node_standings,
    nodes_with_verdicts,
    standing_annotate,
)
from network.selectors.suspensions import suspension_notice
from network.tiers import LADDER, RELAY
from network.views.cases import cases_card
from network.views.common import page_links
from network.views.energy import energy_card

PAGE_SIZE = 25
VERDICTS_PAGE_SIZE = 15
EVENTS_SHOWN = 50
INCIDENTS_SHOWN = 20


class NodeFilter(forms.Form):
    """What the list can be asked."""

    q = forms.CharField(required=False, max_length=66)
    standing = forms.ChoiceField(required=False, choices=StandingWord.choices)
    gpu_class = forms.CharField(required=False, max_length=32)
    region = forms.CharField(required=False, max_length=32)
    cursor = forms.CharField(required=False, max_length=512)


@dataclass(frozen=True, slots=True)
class NodeRow:
    """One line of the list."""

    node: Node
    standing: Standing
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class ReasonBar:
    """A reason of failure with the length of its bar, in percent of the longest."""

    reason: FailureReason
    width: float


@require_safe
def node_list(request: HttpRequest) -> HttpResponse:
    """Show the network. 9 queries of its own, however many nodes."""
    form = NodeFilter(request.GET)
    if not form.is_valid():
        raise BadRequest("The nodes cannot be asked that.")
    wanted = form.cleaned_data
    try:
        policy = policy_current()
    except PolicyUnavailable as error:
        return render(request, "network/node_list.html", {"unavailable": error.detail})
    at = clock.now()
    summary = network_summary(at=at, policy=policy)
    nodes = _wanted(standing_annotate(Node.objects.all(), at=at, policy=policy), wanted)
    page = keyset_page(
        nodes_with_verdicts(nodes), order=("-position",), cursor=wanted["cursor"], size=PAGE_SIZE
    )
    standings = node_standings(page.items, at, policy=policy)
    context = {
        "policy": policy,
        "summary": summary,
        "notice": suspension_notice(at) if summary.to_suspend else "",
        "attested_share": percent_text(summary.attested_nodes, summary.live_nodes),
        "tabs": _tabs(request, summary),
        "rows": [
            NodeRow(node, standing, standing.verdict)
            for node, standing in zip(page.items, standings, strict=True)
        ],
        "reasons": _bars(failure_reasons()),
        "regions": sorted(
            Node.objects.order_by().values_list("region", flat=True).distinct()[:200]
        ),
        "wanted": wanted,
        "is_filtered": any(wanted[name] for name in ("q", "standing", "gpu_class", "region")),
        "page": page_links(
            request, previous=page.previous_cursor, following=page.next_cursor, anchor="nodes"
        ),
    }
    return render(request, "network/node_list.html", context)


def _wanted(nodes: Any, wanted: dict[str, str]) -> Any:
    for name in ("standing", "gpu_class", "region"):
        if wanted[name]:
            nodes = nodes.filter(**{name: wanted[name]})
    text = wanted["q"].strip()
    if not text:
        return nodes
    found = Q(region__iexact=text) | Q(gpu_class__iexact=text)
    try:
        found |= Q(operator=parse_address(text))
    except AddressInvalid:
        # Not an address: a node's id, or part of neither.
        if len(text) == 66 and text.startswith("0x"):
            try:
                found |= Q(node_id=bytes.fromhex(text[2:]))
            except ValueError:
                return nodes.none()
    return nodes.filter(found)


def _tabs(request: HttpRequest, summary: NetworkSummary) -> list[dict[str, Any]]:
    """The standings as tabs with their counts; ``url`` keeps the other filters."""
    chosen = request.GET.get("standing", "")
    tabs = []
    for word, label in [("", "All"), *StandingWord.choices]:
        query = request.GET.copy()
        query.pop("cursor", None)
        query["standing"] = word
        count = summary.standings.get(word, 0) if word else summary.nodes
        tabs.append(
            {
                "label": label,
                "count": count,
                "url": f"?{query.urlencode()}#nodes",
                "is_current": word == chosen,
            }
        )
    return tabs


def _bars(reasons: list[FailureReason]) -> list[ReasonBar]:
    longest = max((reason.nodes for reason in reasons), default=1)
    return [ReasonBar(reason, round(100 * reason.nodes / longest, 1)) for reason in reasons]


@require_safe
def node_detail(request: HttpRequest, node_id: str) -> HttpResponse:
    """Show one node: standing and why, GPUs, reports, keys, what happened on chain."""
    node = _node(node_id)
    form = NodeFilter(request.GET)
    if not form.is_valid():
        raise BadRequest("This node cannot be asked that.")
    page = keyset_page(
        with_epochs(verdicts_of(node)),
        order=("-id",),
        cursor=form.cleaned_data["cursor"],
        size=VERDICTS_PAGE_SIZE,
    )
    verdict = latest_verdict(node)
    policy = _policy_or_none()
    claims = node_claims(node)
    standing = None if policy is None else node_standing(node, policy=policy)
    context = {
        "node": node,
        "claims": claims,
        "gpu_claims": [] if claims is None else gpu_claims(claims),
        "policy": policy,
        "standing": standing,
        "next_step": "" if standing is None else next_step(standing),
        "ladder": _ladder(standing),
        "relay": RELAY,
        "incidents": _incidents(node),
        "appeal": APPEAL,
        "verdict": verdict,
        "devices": [] if verdict is None else verdict.findings.get("devices", []),
        "findings": [] if verdict is None else _findings(verdict),
        "verdicts": page.items,
        "compute": rounds_of_node(node),
        "keys": node.keys.order_by("-verified_at")[:20],
        "energy": None if policy is None else energy_card(node, policy),
        "cases": cases_card(node, policy, at=clock.now()),
        "events": node.events.order_by("-position")[:EVENTS_SHOWN],
        "page": page_links(
            request, previous=page.previous_cursor, following=page.next_cursor, anchor="reports"
        ),
    }
    return render(request, "network/node_detail.html", context)


def _incidents(node: Node) -> list[Incident]:
    if not getattr(node, "had_incidents", True):
        return []
    return list(incidents_of(node)[:INCIDENTS_SHOWN])


def _ladder(standing: Standing | None) -> list[dict[str, Any]]:
    """The tiers with what this node makes of them."""
    verdict = None if standing is None else standing.verdict
    proven = -1 if verdict is None else verdict.tier
    asked = -1 if standing is None else standing.required_tier
    return [
        {"tier": tier, "is_proven": tier.level == proven, "is_asked": tier.level == asked}
        for tier in LADDER
    ]


def _node(node_id: str) -> Node:
    text = node_id.removeprefix("0x")
    try:
        key = bytes.fromhex(text) if len(text) == 64 and text.isascii() else b""
    except ValueError:
        key = b""
    node = _with_all(key) if key else None
    if node is None:
        raise Http404("No node with this id is registered.")
    return node


def _with_all(node_id: bytes) -> Node | None:
    """The node with its newest report, and whether it ever had an incident or a case: 1 query."""
    rows = Node.objects.filter(node_id=node_id).annotate(
        had_incidents=Exists(Incident.objects.filter(node_id=OuterRef("node_id"))),
        had_cases=Exists(NodeCase.objects.filter(node_id=OuterRef("node_id"))),
    )
    whole = nodes_with_verdicts(with_newest_body(rows))
    return whole.select_related("attestation_state__latest_verdict__attestation").first()


def _policy_or_none() -> PolicySnapshot | None:
    """The policy in force; None while nothing is final, which the page says."""
    try:
        return policy_current()
    except PolicyUnavailable:
        return None


def _findings(verdict: Verdict) -> list[dict[str, Any]]:
    """The latest verdict's findings for ``components/findings.html``, the worst first, each with
    what its code means and what the operator does next."""
    order = {"error": 0, "warning": 1, "info": 2}
    found = sorted(
        verdict.findings.get("findings", []), key=lambda item: order.get(item["severity"], 3)
    )
    words = code_words(item["code"] for item in found)
    return [
        {
            "level": item["severity"],
            "title": item["code"],
            "detail": item["detail"]
            if item["device"] is None
            else f"GPU {item['device']}: {item['detail']}",
            "meaning": words.get(item["code"], {}).get("meaning", ""),
            "next": () if item["severity"] == "info" else next_steps([item["code"]]),
        }
        for item in found
    ]
