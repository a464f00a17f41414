"""What the service knows beyond the evidence, handed to the verifier as plain values.

Facts are state and not evidence: a GPU that another node proved yesterday looks the same in its own
report. They are stored with the verdict (``Verdict.inputs["facts"]``), so that it can be derived
again when the state has moved on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass, field
from typing import Any, Final

from .measured import ComputeFacts

_HEX_32: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class EnergyFact:
    """What is not believed of a report's energy claims: ``rule`` is the stable code of the rule in
    ``network.energy`` that the claim breaks; ``gpu_uuid`` is empty where the claim names no GPU."""

    gpu_uuid: str
    rule: str
    detail: str


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """``other_nodes`` maps the identities (lowercase hex SHA-256 of certificate 1's key) of devices
    in this report that another node has proven to that node's id, 64 lowercase hex digits;
    ``energy`` is what is not believed of the report's energy claims; ``pq_signed`` tells of the
    request's post-quantum signature: verified, or absent because the node has no such key, or None
    where the network asks for none; ``compute`` is the node's last compute round, None where none
    has ended."""

    other_nodes: Mapping[str, str] = field(default_factory=dict)
    energy: tuple[EnergyFact, ...] = ()
    pq_signed: bool | None = None
    compute: ComputeFacts | None = None

    def as_json(self) -> dict[str, Any]:
        """The facts as stored with a verdict."""
        return {
            "other_nodes": dict(sorted(self.other_nodes.items())),
            "energy": [asdict(fact) for fact in self.energy],
            "pq_signed": self.pq_signed,
            "compute": None if self.compute is None else self.compute.as_json(),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> NodeFacts:
        """Read what :meth:`as_json` wrote; absent facts are empty ones.

        Raises ValueError for what it cannot have written.
        """
        others = stored.get("other_nodes", {})
        if not isinstance(others, Mapping) or not all(
            isinstance(text, str) and _HEX_32.fullmatch(text)
            for text in (*others.keys(), *others.values())
        ):
            raise ValueError("other_nodes must map 64 hex digits to 64 hex digits")
        pq_signed = stored.get("pq_signed")
        if not isinstance(pq_signed, bool | None):
            raise ValueError("pq_signed must be true, false or null")
        compute = stored.get("compute")
        if compute is not None and not isinstance(compute, Mapping):
            raise ValueError("compute must be an object or null")
        return cls(
            other_nodes=dict(others),
            energy=_energy(stored.get("energy", [])),
            pq_signed=pq_signed,
            compute=None if compute is None else ComputeFacts.from_json(compute),
        )


def _energy(stored: Any) -> tuple[EnergyFact, ...]:
    try:
        facts = tuple(EnergyFact(**fact) for fact in stored)
    except TypeError as error:
        raise ValueError("energy must be a list of energy facts") from error
    if not all(isinstance(text, str) for fact in facts for text in astuple(fact)):
        raise ValueError("energy facts are made of text")
    return facts
