"""What a vote's totals mean under the governor's rule, in integers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VoteTotals:
    """The totals of one vote in wei of voting power, judged.

    The rule is OpenZeppelin's GovernorCountingFractional: For plus Abstain
    count to the quorum, and For must be more than Against. ``quorum_wei`` is
    None until the snapshot fixes it; shares are basis points, rounded down.
    """

    for_wei: int
    against_wei: int
    abstain_wei: int
    quorum_wei: int | None

    @property
    def cast_wei(self) -> int:
        """Everything cast."""
        return self.for_wei + self.against_wei + self.abstain_wei

    @property
    def counted_wei(self) -> int:
        """What counts to the quorum."""
        return self.for_wei + self.abstain_wei

    @property
    def quorum_bp(self) -> int | None:
        """How much of the quorum is reached; None while it is unknown or zero."""
        return self.counted_wei * 10_000 // self.quorum_wei if self.quorum_wei else None

    @property
    def missing_wei(self) -> int:
        """What the quorum still lacks."""
        return max((self.quorum_wei or 0) - self.counted_wei, 0)

    @property
    def quorum_reached(self) -> bool:
        return self.quorum_wei is not None and self.counted_wei >= self.quorum_wei

    @property
    def majority(self) -> bool:
        """Whether For is more than Against: a tie fails."""
        return self.for_wei > self.against_wei

    @property
    def passing(self) -> bool:
        """Whether the vote would pass if it closed with these totals."""
        return self.quorum_reached and self.majority

    @property
    def sides(self) -> list[tuple[str, int]]:
        """The three sides in the bar's order."""
        return [
            ("for", self.for_wei),
            ("abstain", self.abstain_wei),
            ("against", self.against_wei),
        ]
