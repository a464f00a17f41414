"""At which block a run looks, and the parts it looks in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from chain.addresses import ZERO_ADDRESS
from chain.rpc.types import BlockHeader
from governance.reconcile.claims import Claim

#: Rows of one part: some thousand reads, which a node answers in a few requests.
PART = 500
#: Closed proposals, and voters of one of them, compared by one tick beside what is open.
TICK_CLOSED, TICK_VOTERS = 5, 500
#: Proposals of one part: each is asked a dozen things.
PROPOSALS = 50


@dataclass(frozen=True, slots=True)
class Lens:
    """The block compared at, and the keys of each projector that were touched after it."""

    block: BlockHeader
    touched: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def unchanged(self, projector: str, key: str) -> bool:
        """Whether a row is as it was at the block."""
        return key not in self.touched.get(projector, ())


#: Reads rows, as they are at the lens's block, into claims. Called again where the index moved.
Part = Callable[[Lens], list[Claim]]
#: The next voters after an address, and the claims of their votes.
VotesRead = Callable[[Lens, bytes], tuple[list[bytes], list[Claim]]]


class _VotePart:
    def __init__(self, read: VotesRead) -> None:
        self._read = read
        self.after = ZERO_ADDRESS
        self.voters: list[bytes] = []

    def __call__(self, lens: Lens) -> list[Claim]:
        self.voters, claims = self._read(lens, self.after)
        return claims


def vote_parts(read: VotesRead, *, size: int, voters_max: int | None) -> Iterator[Part]:
    """Everybody's votes on one proposal, ``size`` voters at a time."""
    part = _VotePart(read)
    count = 0
    while True:
        yield part
        count += len(part.voters)
        if len(part.voters) < size or (voters_max is not None and count >= voters_max):
            return
        part.after = part.voters[-1]
