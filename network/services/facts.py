"""Gather what the service knows of a node beyond the evidence of its report."""

from datetime import datetime
from typing import Any

from network.attestation import NodeFacts
from network.models import Node
from network.selectors.compute import compute_facts
from network.selectors.policy import PolicySnapshot
from network.services.energy import energy_record


def facts_gather(
    *, node: Node, inventory: Any, pq_signed: bool | None, policy: PolicySnapshot, at: datetime
) -> NodeFacts:
    """The facts for one report, as of its receipt. Call it under the lock of the node's reports.

    ``pq_signed`` tells of the request's second signature (``network.api.authentication``).
    """
    return NodeFacts(
        energy=energy_record(node=node, inventory=inventory, policy=policy, at=at),
        pq_signed=pq_signed,
        compute=compute_facts(node, inventory=inventory, at=at),
    )
