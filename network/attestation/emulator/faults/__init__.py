"""One switch for every kind of fault: by the code of the finding that it leads to.

A switch takes a scene and changes one thing in it. What follows from that one thing is found too,
so a scene may have more findings than the one that its switch is named by.
"""

from collections.abc import Callable, Mapping
from typing import Final

from network.attestation.emulator.scene import Scene

from . import chain, manifests, node, reports, revocation

Switch = Callable[[Scene], Scene]

FAULTS: Final[Mapping[str, Switch]] = {
    **chain.FAULTS,
    **manifests.FAULTS,
    **node.FAULTS,
    **reports.FAULTS,
    **revocation.FAULTS,
}

__all__ = ["FAULTS", "Switch"]
