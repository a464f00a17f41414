"""Read the network's tables. Nothing here writes."""

from network.selectors.policy import PolicySnapshot, policy_at, policy_current
from network.selectors.standing import (
    Standing,
    StandingWord,
    node_standing,
    node_standings,
    standing_annotate,
)

__all__ = [
    "PolicySnapshot",
    "Standing",
    "StandingWord",
    "node_standing",
    "node_standings",
    "policy_at",
    "policy_current",
    "standing_annotate",
]
