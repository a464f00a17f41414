"""How the network's tables follow the chain. One projector a family of tables."""

from network.projectors.cases import CasesProjector
from network.projectors.ledger import LedgerProjector
from network.projectors.nodes import NodesProjector
from network.projectors.parameters import ParametersProjector
from network.projectors.sets import ParameterSetsProjector

__all__ = [
    "CasesProjector",
    "LedgerProjector",
    "NodesProjector",
    "ParameterSetsProjector",
    "ParametersProjector",
]
