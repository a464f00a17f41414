"""Compute challenges: proof that a node multiplied large matrices in time. Pure, no Django.

The service's way: a :class:`Challenge` becomes a :class:`Round`, which begins, takes a commitment,
draws rows, and takes their opening, each by the service's own clock; :func:`verify_opening` judges
it. The node's way: a :class:`Prover` with a :class:`Backend`. docs/compute_challenge.md says in
plain words what this proves and what it does not.
"""

from .deadlines import Basis, Deadline, DeadlineTable, packaged_table
from .findings import CODES, RoundError
from .freivalds import EpochSecret
from .params import Challenge, Check, Params
from .prover import Backend, BackendInexact, NumpyBackend, Prover, check_backend
from .rounds import Round
from .verifier import Outcome, verify_absence, verify_opening, verify_silence

__all__ = [
    "CODES",
    "Backend",
    "BackendInexact",
    "Basis",
    "Challenge",
    "Check",
    "Deadline",
    "DeadlineTable",
    "EpochSecret",
    "NumpyBackend",
    "Outcome",
    "Params",
    "Prover",
    "Round",
    "RoundError",
    "check_backend",
    "packaged_table",
    "verify_absence",
    "verify_opening",
    "verify_silence",
]
