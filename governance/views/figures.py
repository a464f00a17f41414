"""The figures that a vote bar shows, computed once and in integers.

Widths and places are in thousandths of the bar, so that templates need no
arithmetic and the SVG needs no style. Votes are in wei of the voting token.
"""

from dataclasses import dataclass

#: The bar's length. SVG takes it as the width of its view box.
BAR_UNITS = 1000


@dataclass(frozen=True, slots=True)
class Segment:
    """One side's part of the bar: where it starts, how long it is, and what it stands for."""

    side: str
    start: int
    length: int
    votes_wei: int
    share_bp: int


@dataclass(frozen=True, slots=True)
class VoteBar:
    """For, Abstain and Against in this order, with the quorum's tick.

    For and Abstain come first because they, and they alone, count to the
    quorum: the quorum is reached where their end passes the tick.
    ``quorum_bp`` is None until the snapshot fixes the quorum.
    """

    segments: tuple[Segment, ...]
    cast_wei: int
    quorum_wei: int | None
    quorum_bp: int | None
    quorum_tick: int | None
    quorum_reached: bool
    majority: bool

    @property
    def passing(self) -> bool:
        """Whether the vote would pass if it closed with these totals."""
        return self.quorum_reached and self.majority

    def side(self, name: str) -> Segment:
        """Return the segment of ``for``, ``against`` or ``abstain``."""
        return next(segment for segment in self.segments if segment.side == name)

    @property
    def for_(self) -> Segment:
        return self.side("for")

    @property
    def against(self) -> Segment:
        return self.side("against")

    @property
    def abstain(self) -> Segment:
        return self.side("abstain")


def vote_bar(
    *, for_wei: int, against_wei: int, abstain_wei: int, quorum_wei: int | None
) -> VoteBar:
    """Lay out a bar whose full length is the larger of the votes cast and the quorum.

    The empty part of a bar is therefore what the quorum still misses. The rule
    is OpenZeppelin's GovernorCountingFractional: For plus Abstain count to the
    quorum, and For must be more than Against.
    """
    cast_wei = for_wei + against_wei + abstain_wei
    scale = max(cast_wei, quorum_wei or 0, 1)
    counted_wei = for_wei + abstain_wei
    segments, start, done_wei = [], 0, 0
    for side, votes_wei in (("for", for_wei), ("abstain", abstain_wei), ("against", against_wei)):
        done_wei += votes_wei
        # The end is rounded and not the length: rounded lengths could pass the bar's end.
        end = done_wei * BAR_UNITS // scale
        share_bp = votes_wei * 10_000 // cast_wei if cast_wei else 0
        segments.append(Segment(side, start, end - start, votes_wei, share_bp))
        start = end
    return VoteBar(
        segments=tuple(segments),
        cast_wei=cast_wei,
        quorum_wei=quorum_wei,
        quorum_bp=counted_wei * 10_000 // quorum_wei if quorum_wei else None,
        quorum_tick=quorum_wei * BAR_UNITS // scale if quorum_wei else None,
        quorum_reached=quorum_wei is not None and counted_wei >= quorum_wei,
        majority=for_wei > against_wei,
    )
