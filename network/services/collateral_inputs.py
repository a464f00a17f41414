"""What a verdict was made from besides the evidence, so that anybody can make it again.

The shape of ``Verdict.inputs`` (JSON)::

    {"rims": {manifest id: sha256 hex},
     "revocation": [{"source", "sha256", "this_update", "next_update", "received_at"}],
     "anchors": [{"kind", "spki_sha256", "emulated"}], "build": text,
     "gpu_class": text, "gpu_count": n, "inventory_gpus": n, "facts": {},
     "allow_lists": {"rim" or "driver": root hex}}

``rims`` and ``revocation`` name what was at hand, used or not: a document that spoke of nothing
is as much a part of the outcome as one that spoke. Ids that are not named were asked for in vain;
an allow-list that the policy names and that is not named here was not at hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from network.attestation import TrustAnchors
from network.attestation.allow_lists import AllowLists
from network.models import Node
from network.services.collateral_store import Collateral


def verdict_inputs(
    *,
    node: Node,
    inventory_gpus: int,
    collateral: Collateral,
    trust: TrustAnchors,
    build: str,
    facts: Mapping[str, Any],
    lists: AllowLists,
) -> dict[str, Any]:
    """The record of one judgement; JSON values only."""
    return {
        "rims": dict(sorted(collateral.rims.handed_out.items())),
        "revocation": [statement.as_json() for statement in collateral.statements],
        "anchors": anchors_json(trust),
        "build": build,
        "gpu_class": node.gpu_class,
        "gpu_count": node.gpu_count,
        "inventory_gpus": inventory_gpus,
        "facts": dict(facts),
        "allow_lists": {
            name: allowed.root
            for name, allowed in (("rim", lists.rims), ("driver", lists.drivers))
            if allowed is not None and allowed.digests is not None
        },
    }


def anchors_json(trust: TrustAnchors) -> list[dict[str, Any]]:
    """The pinned roots that counted, device roots first."""
    return [
        {"kind": kind, "spki_sha256": anchor.spki_sha256, "emulated": anchor.emulated}
        for kind, anchors in (("device", trust.device), ("rim", trust.rim))
        for anchor in sorted(anchors.values(), key=lambda item: item.spki_sha256)
    ]
