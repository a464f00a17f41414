"""The ladder of assurance, T0 to T5, in plain words: what a tier proves, and what it does not."""

from dataclasses import dataclass
from typing import Final

from network.catalogue import TIERS

#: Holds for every tier: evidence can be fetched from another machine's genuine GPU in time.
RELAY: Final = (
    "Every tier is relay-resistant, not relay-proof: short deadlines, challenges and one place per "
    "GPU make it costly to pass on another machine's answer, and nothing known makes it impossible."
)


@dataclass(frozen=True, slots=True)
class Tier:
    """One rung. ``proves`` and ``leaves_open`` are whole sentences."""

    level: int
    name: str
    proves: str
    leaves_open: str

    @property
    def label(self) -> str:
        return f"T{self.level}"


_WORDS: Final[dict[int, tuple[str, str]]] = {
    0: (
        "Nothing: the operator has registered the node and put up stake.",
        "Whether any GPU is there at all.",
    ),
    1: (
        "Whoever holds the node's key lists its GPUs and signs the list.",
        "Whether the list is true: software wrote it.",
    ),
    2: (
        "All GPUs of the operator multiplied large matrices at the same time, within a deadline "
        "that their class must hold, and the results were checked.",
        "Whose GPUs they are, and what else runs on them.",
    ),
    3: (
        "The machine runs a measured image in a confidential virtual machine that was verified.",
        "Which GPU is attached to it.",
    ),
    4: (
        "Each GPU signed a fresh report with the key its maker certified, and its firmware matches "
        "the maker's manifest.",
        "Which machine the GPU is in, and that its answer was not passed on.",
    ),
    5: (
        "As T4, and the report is bound to the confidential virtual machine that uses the GPU.",
        "That the enclave's own maker and its firmware are sound.",
    ),
}


def _name(level: int) -> str:
    return TIERS[level].partition(", ")[2]


LADDER: Final[tuple[Tier, ...]] = tuple(
    Tier(level, _name(level), proves, leaves_open)
    for level, (proves, leaves_open) in sorted(_WORDS.items())
)


def tier_of(level: int) -> Tier:
    """The rung of a tier, 0 to 5."""
    return LADDER[level]
