"""What the service knows beyond the evidence, handed to the verifier as plain values.

Facts are state and not evidence: a GPU that another node proved yesterday looks the same in its own
report. They are stored with the verdict (``Verdict.inputs["facts"]``), so that it can be derived
again when the state has moved on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_HEX_32: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """``other_nodes`` maps the identities (lowercase hex SHA-256 of certificate 1's key) of devices
    in this report that another node has proven to that node's id, 64 lowercase hex digits."""

    other_nodes: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The facts as stored with a verdict."""
        return {"other_nodes": dict(sorted(self.other_nodes.items()))}

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
        return cls(other_nodes=dict(others))
