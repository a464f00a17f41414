"""Votes, log by log: one voter may split power over several."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chain.projections import DecodedLog, History, Projector
from governance.models import Proposal, Vote
from governance.projectors.times import moment

GOVERNOR = "AlthingGovernor"
#: ``GovernorCountingFractional.VOTE_TYPE_FRACTIONAL``.
SUPPORT_FRACTIONAL = 255


def _vote_key(args: dict[str, Any]) -> Iterable[str]:
    return (f"{args['proposalId']}:{args['voter'].hex()}",)


class VoteProjector(Projector):
    """Writes Vote. Keys: ``<proposal id>:<voter hex>``."""

    name = "governance.votes"
    depends_on = ("governance.proposals",)
    models = (Vote,)
    events = {
        (GOVERNOR, "VoteCast"): _vote_key,
        (GOVERNOR, "VoteCastWithParams"): _vote_key,
    }

    def recompute(self, *, key: str, history: History) -> None:
        """Rebuild one voter's votes on one proposal."""
        proposal_id, _, voter = key.partition(":")
        Vote.objects.filter(proposal_id=int(proposal_id), voter=bytes.fromhex(voter)).delete()
        if not Proposal.objects.filter(proposal_id=int(proposal_id)).exists():
            return  # its creation left the chain, and so did every vote on it
        Vote.objects.bulk_create(_vote_row(log) for log in history.logs())


def _vote_row(log: DecodedLog) -> Vote:
    args = log.args
    params = bytes(args.get("params", b""))
    against, in_favour, abstain = vote_split(args["support"], args["weight"], params)
    return Vote(
        proposal_id=args["proposalId"],
        voter=args["voter"],
        support=args["support"],
        weight_wei=args["weight"],
        for_wei=in_favour,
        against_wei=against,
        abstain_wei=abstain,
        reason=args["reason"],
        params=params,
        block_number=log.block_number,
        log_index=log.log_index,
        tx=log.transaction_hash,
        voted_at=moment(log.block_timestamp),
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
