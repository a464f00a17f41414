"""What an account can vote with on a proposal, and why it is that much: before any prompt."""

import logging
from dataclasses import dataclass

from django.core.cache import cache

from chain.addresses import to_checksum
from chain.client import ContractReverted, chain_call
from chain.conf import chain_id
from chain.contracts import DeploymentInvalid
from chain.formatting import amount_text
from chain.rpc.errors import RpcError
from governance.models import Delegate, Holder, Proposal
from governance.state import ProposalState, unix

logger = logging.getLogger(__name__)

#: Seconds. Past votes never change; only a reorganisation of the newest blocks can touch them.
_CACHE_S = 60


@dataclass(frozen=True, slots=True)
class Power:
    """Voting power in wei at the snapshot (or now, before it), and the reason in a sentence.

    ``wei`` is None when the chain could not be asked; ``why`` then says so.
    """

    wei: int | None
    why: str


def snapshot_power(account: bytes, proposal: Proposal, state: ProposalState) -> Power:
    """Return what ``account`` can vote with on ``proposal``."""
    if state is ProposalState.PENDING:
        power = Delegate.objects.filter(address=account).values_list("power_wei", flat=True).first()
        return Power(
            power or 0,
            "This is your power now. It counts as it stands when voting opens: "
            "delegate before then.",
        )
    try:
        wei = _past_votes(account, unix(proposal.snapshot_at))
    except (RpcError, ContractReverted, DeploymentInvalid) as error:
        logger.warning("getPastVotes of %s failed: %s", to_checksum(account), error)
        return Power(None, "The node could not be asked for your power. Try again in a moment.")
    return Power(wei, _why(wei, account, proposal))


def _past_votes(account: bytes, at: int) -> int:
    key = f"past-votes:{chain_id()}:{account.hex()}:{at}"
    known: int | None = cache.get(key)
    if known is None:
        known = int(chain_call("AlthingToken", "getPastVotes", (account, at)))
        cache.set(key, known, _CACHE_S)
    return known


def _why(wei: int, account: bytes, proposal: Proposal) -> str:
    if wei:
        return "Fixed when voting opened: your own tokens and those delegated to you."
    holder = Holder.objects.filter(address=account).first()
    if holder is None or (holder.balance_wei == 0 and holder.delegated_at is None):
        return "0: this account held no tokens and nobody had delegated to it at the snapshot."
    held = f"{amount_text(holder.balance_wei)} ALT"
    if holder.delegate is None:
        return (
            f"0: your {held} are not delegated, so they carry no vote. "
            "Delegate to yourself to vote from the next proposal on."
        )
    if holder.delegated_at is not None and holder.delegated_at > proposal.snapshot_at:
        return (
            f"0: you delegated at block {holder.delegated_block}, after the snapshot. "
            "It counts from the next proposal on."
        )
    if holder.delegate != account:
        return (
            f"0: your {held} are delegated to {to_checksum(holder.delegate)}, who votes with them."
        )
    return (
        "0: you held no tokens at the snapshot. What came later counts from the next proposal on."
    )
