"""What can be wrong with a compute round: stable codes, and the error of a message out of turn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: Code -> what it means, in a sentence. The list in docs/compute_challenge.md is compared with it.
CODES: Final[Mapping[str, str]] = {
    "compute.begin_early": "The round was to begin before its time.",
    "compute.begin_late": "The round was to begin after its window of five seconds.",
    "compute.clock_backwards": "The service's clock went backwards; the round is void.",
    "compute.commit_length": "The commitment does not have its exact length.",
    "compute.entry_range": "An opened entry is larger than any product of int8 rows can be.",
    "compute.index_duplicate": "A row was opened twice.",
    "compute.index_extra": "A row was opened that was not asked for.",
    "compute.index_missing": "A row that was asked for was not opened.",
    "compute.index_order": "The rows were not opened in the order they were asked for.",
    "compute.index_range": "A row was opened that the matrix does not have.",
    "compute.late": "The commitment arrived after its deadline, by the service's clock.",
    "compute.no_commit": "No commitment arrived.",
    "compute.no_opening": "No opening arrived.",
    "compute.open_late": "The opening arrived after its deadline, by the service's clock.",
    "compute.open_length": "The opening does not have its exact length.",
    "compute.out_of_turn": "The message does not belong to this state of the round.",
    "compute.root_mismatch": "An opened row does not lead to the committed root.",
    "compute.row_wrong": "An opened row is not the product of the two matrices.",
    "compute.second_commit": "Another root was sent after the first one.",
    "compute.uncalibrated": "No deadline has been measured for this class and size.",
    "compute.wrong_round": "The message was made for another round, GPU, node, epoch or size.",
}


class RoundError(Exception):
    """A message that changes nothing: it came out of turn or cannot be read. ``code`` is stable
    and one of :data:`CODES`; ``detail`` is one plain sentence."""

    def __init__(self, code: str, detail: str | None = None) -> None:
        self.code = code
        self.detail = detail or CODES[code]
        super().__init__(f"{code}: {self.detail}")
