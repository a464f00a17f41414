"""One round of a compute challenge as the service keeps it: begin, commit, draw, open.

Every step returns a new round; time is the service's clock in milliseconds, given by the caller,
who also holds the lock under which a round is read and written. Rows are drawn once, and only
after a root was committed. A step out of turn raises RoundError and leaves the round as it was.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from . import wire
from .deadlines import Deadline
from .findings import RoundError
from .params import Challenge

#: A round that is not begun this soon after its time would not be the same moment for a cohort.
BEGIN_WINDOW_MS: Final = 5_000
#: When an answer is given up where no deadline has been measured.
GIVE_UP_MS: Final = 120_000


@dataclass(frozen=True, slots=True)
class Round:
    """Times are milliseconds of the service's clock, None until the step was made; ``indices``
    are the drawn rows, ascending."""

    challenge: Challenge
    deadline: Deadline
    starts_ms: int
    begun_ms: int | None = None
    root: bytes | None = None
    committed_ms: int | None = None
    indices: tuple[int, ...] = ()
    drawn_ms: int | None = None
    opened_ms: int | None = None

    def begin(self, now_ms: int) -> Round:
        """Start the clock: from here on the node may know the nonce."""
        if self.begun_ms is not None:
            raise RoundError("compute.out_of_turn")
        if now_ms < self.starts_ms:
            raise RoundError("compute.begin_early")
        if now_ms > self.starts_ms + BEGIN_WINDOW_MS:
            raise RoundError("compute.begin_late")
        return replace(self, begun_ms=now_ms)

    def commit(self, data: bytes, now_ms: int) -> Round:
        """Stop the clock with the node's root. The same root again is the first one's echo and
        changes nothing, its time least of all; another root is refused."""
        if self.begun_ms is None:
            raise RoundError("compute.out_of_turn")
        root = wire.commitment_root(self.challenge, data)
        if self.root is not None:
            if root != self.root:
                raise RoundError("compute.second_commit")
            return self
        return replace(self, root=root, committed_ms=_not_before(self.begun_ms, now_ms))

    def draw(self, now_ms: int, source: random.Random | None = None) -> Round:
        """Draw the rows to open, each at most once. ``source`` is the operating system's generator
        unless a test brings its own."""
        if self.committed_ms is None or self.drawn_ms is not None:
            raise RoundError("compute.out_of_turn")
        params = self.challenge.params
        drawn = (source or secrets.SystemRandom()).sample(range(params.n), params.openings)
        drawn_ms = _not_before(self.committed_ms, now_ms)
        return replace(self, indices=tuple(sorted(drawn)), drawn_ms=drawn_ms)

    def open(self, now_ms: int) -> Round:
        """Take the time at which the one opening of the round arrived."""
        if self.drawn_ms is None or self.opened_ms is not None:
            raise RoundError("compute.out_of_turn")
        return replace(self, opened_ms=_not_before(self.drawn_ms, now_ms))

    @property
    def commit_elapsed_ms(self) -> int | None:
        """From begin to commitment."""
        if self.begun_ms is None or self.committed_ms is None:
            return None
        return self.committed_ms - self.begun_ms

    @property
    def open_elapsed_ms(self) -> int | None:
        """From the drawing of the rows to the opening."""
        if self.drawn_ms is None or self.opened_ms is None:
            return None
        return self.opened_ms - self.drawn_ms

    def as_json(self) -> dict[str, Any]:
        """The whole round, to be stored between two requests."""
        data = {field.name: getattr(self, field.name) for field in fields(self)}
        data["challenge"] = self.challenge.as_json()
        data["deadline"] = self.deadline.as_json()
        data["root"] = None if self.root is None else self.root.hex()
        data["indices"] = list(self.indices)
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Round:
        """Read what :meth:`as_json` wrote."""
        values = dict(data)
        values["challenge"] = Challenge.from_json(data["challenge"])
        values["deadline"] = Deadline.from_json(data["deadline"])
        values["root"] = None if data["root"] is None else bytes.fromhex(data["root"])
        values["indices"] = tuple(data["indices"])
        return cls(**values)


def _not_before(earlier_ms: int, now_ms: int) -> int:
    if now_ms < earlier_ms:
        raise RoundError("compute.clock_backwards")
    return now_ms
