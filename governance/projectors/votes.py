"""Votes, log by log: one voter may split power over several."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chain.projections import DecodedLog, RowProjector
from governance.models import Vote
from governance.projectors.times import moment

GOVERNOR = "AlthingGovernor"
#: ``GovernorCountingFractional.VOTE_TYPE_FRACTIONAL``.
SUPPORT_FRACTIONAL = 255


class VoteProjector(RowProjector):
    """Writes Vote, a row per vote log."""

    name = "governance.votes"
    depends_on = ("governance.proposals",)
    model = Vote
    row_events = frozenset({(GOVERNOR, "VoteCast"), (GOVERNOR, "VoteCastWithParams")})

    def rows(self, log: DecodedLog) -> Iterable[tuple[Any, ...]]:
        """The vote as its log says it."""
        args = log.args
        params = args.get("params", b"")
        support, weight = args["support"], args["weight"]
        against, in_favour, abstain = vote_split(support, weight, params)
        yield (
            args["proposalId"],
            args["voter"],
            support,
            weight,
            in_favour,
            against,
            abstain,
            args["reason"],
            params,
            log.block_number,
            log.log_index,
            log.transaction_hash,
            moment(log.block_timestamp),
        )


def vote_split(support: int, weight_wei: int, params: bytes) -> tuple[int, int, int]:
    """(against, for, abstain) of one vote log, in wei.

    Source: ``GovernorCountingFractional``: support 0, 1, 2 puts the whole weight on one side;
    255 carries three packed uint128, against, for, abstain.
    """
    if support == SUPPORT_FRACTIONAL and len(params) == 48:
        against, in_favour, abstain = (
            int.from_bytes(params[start : start + 16], "big") for start in (0, 16, 32)
        )
        return against, in_favour, abstain
    return (
        weight_wei if support == 0 else 0,
        weight_wei if support == 1 else 0,
        weight_wei if support == 2 else 0,
    )
