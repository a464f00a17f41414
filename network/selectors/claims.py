"""What a node says of itself beyond the signed reports of its GPUs: claims, shown as such."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from network.attestation.evidence import MAX_DEVICES
from network.errors import NotFound
from network.models import Attestation, AttestationEvidence, Node
from network.selectors.evidence import evidence_read
from network.selectors.standing import latest_verdict

#: Characters of one value that a table shows.
VALUE_CHARACTERS = 60
GIB = 2**30


@dataclass(frozen=True, slots=True)
class NodeClaims:
    """The inventory of a node's newest judged report: any JSON value, as sent. Never part of a
    verdict's token; a verdict uses its list of UUIDs and its energy counters alone."""

    inventory: Any
    received_at: datetime
    emulated: bool


@dataclass(frozen=True, slots=True)
class GpuClaim:
    """One GPU's claims in words; a value that is missing or of another type is empty."""

    index: int
    name: str
    uuid: str
    memory: str
    power: str
    temperature: str
    memory_errors: str
    xids: str
    sliced: str
    error: str


def with_newest_body(nodes: QuerySet[Node]) -> QuerySet[Node]:
    """Fetch the body of each node's newest judged report in the same query. For single nodes: a
    fleet's reports fill a memory."""
    newest = "attestation_state__latest_verdict__attestation"
    bodies = AttestationEvidence.objects.filter(
        attestation_id=OuterRef(newest), received_at=OuterRef(f"{newest}__received_at")
    )
    return nodes.annotate(newest_body=Subquery(bodies.values("body")))


def node_claims(node: Node) -> NodeClaims | None:
    """The claims of the node's newest judged report; None without one, or where it is older than
    evidence is kept. No query for a node of :func:`with_newest_body`, else 2."""
    verdict = latest_verdict(node)
    if verdict is None:
        return None
    attestation = verdict.attestation
    body = _body(node, attestation)
    if body is None:
        return None
    inventory = json.loads(body).get("inventory")
    return NodeClaims(inventory, attestation.received_at, verdict.emulated)


def _body(node: Node, attestation: Attestation) -> bytes | None:
    if hasattr(node, "newest_body"):
        body: bytes | None = node.newest_body
        return body
    try:
        return evidence_read(attestation)
    except NotFound:
        return None


def gpu_claims(claims: NodeClaims) -> list[GpuClaim]:
    """The GPUs of an inventory for a table. Whatever a node may have sent, this raises nothing."""
    gpus = claims.inventory.get("gpus") if isinstance(claims.inventory, Mapping) else None
    if not isinstance(gpus, list):
        return []
    listed = [gpu for gpu in gpus[:MAX_DEVICES] if isinstance(gpu, Mapping)]
    return [_gpu(index, gpu) for index, gpu in enumerate(listed)]


def _gpu(index: int, gpu: Mapping[str, Any]) -> GpuClaim:
    error = gpu.get("error")
    return GpuClaim(
        index=index,
        name=_text(gpu.get("name")),
        uuid=_text(gpu.get("uuid")),
        memory=_number(gpu.get("memory_total_bytes"), GIB, "GiB"),
        power=_number(gpu.get("power_mw"), 1000, "W"),
        temperature=_number(gpu.get("temperature_c"), 1, "°C"),
        memory_errors=_number(gpu.get("ecc_uncorrected"), 1, ""),
        xids=_xids(gpu.get("xid_counts")),
        sliced=", ".join(word for word in ("mig", "vgpu") if gpu.get(word) is True),
        error=_text(error.get("detail")) if isinstance(error, Mapping) else "",
    )


def _text(value: Any) -> str:
    return value[:VALUE_CHARACTERS] if isinstance(value, str) else ""


def _number(value: Any, per: int, unit: str) -> str:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**63:
        return ""
    return f"{value // per:,} {unit}".rstrip()


def _xids(counts: Any) -> str:
    if not isinstance(counts, Mapping):
        return ""
    known = [f"{_text(xid)}: {_number(count, 1, '')}" for xid, count in list(counts.items())[:8]]
    return ", ".join(known) or "none"
