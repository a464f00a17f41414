"""Questions about governance, answered from the tables. Nothing here writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Count, Q, QuerySet, Sum

from chain import clock, conf
from chain.models import Cursor
from governance.models import (
    GovernorSettingChange,
    GuardianTerm,
    Holder,
    KeeperNote,
    ModerationAction,
    Proposal,
    RoutineCall,
    Vote,
)
from governance.state import ProposalState
from governance.views.queries import state_condition

OPEN_STATES = (
    ProposalState.PENDING,
    ProposalState.ACTIVE,
    ProposalState.SUCCEEDED,
    ProposalState.QUEUED,
)


def chain_time() -> int:
    """Time of the newest indexed block (Unix s); the wall clock before any is indexed.

    States follow the chain's clock: a vote is open until a block says otherwise.
    """
    indexed = Cursor.objects.filter(chain_id=conf.chain_id()).values_list("timestamp", flat=True)
    return indexed.first() or clock.now_s()


def proposals_in(states: Iterable[ProposalState], at: int | None = None) -> QuerySet[Proposal]:
    """Proposals in any of ``states`` at block time ``at`` (the indexed one if left out)."""
    moment = chain_time() if at is None else at
    condition = Q(pk__in=[])
    for state in states:
        condition |= state_condition(state, moment)
    return Proposal.objects.filter(condition)


def open_proposals(at: int | None = None) -> QuerySet[Proposal]:
    """Proposals that may still change something: pending, active, succeeded or queued."""
    return proposals_in(OPEN_STATES, at)


def proposal_by_tx(transaction_hash: bytes) -> Proposal | None:
    """The proposal executed in a transaction, or else created, queued or canceled in it."""
    for field in ("executed_tx", "created_tx", "queued_tx", "canceled_tx"):
        found = Proposal.objects.filter(**{field: transaction_hash}).order_by("number").first()
        if found is not None:
            return found
    return None


# --- settings -----------------------------------------------------------------------


def governor_settings(at: datetime | None = None) -> dict[str, int]:
    """The governor's numbers in force (``voting_delay_s`` …), by name."""
    rows = GovernorSettingChange.objects.order_by("block_number", "log_index")
    if at is not None:
        rows = rows.filter(changed_at__lte=at)
    return {row.name: row.new_value for row in rows}


def guardian_current(at: int | None = None) -> GuardianTerm | None:
    """The guardian whose term runs at block time ``at``; None when nobody's does."""
    term = GuardianTerm.objects.order_by("-block_number", "-log_index").first()
    moment = datetime.fromtimestamp(chain_time() if at is None else at, UTC)
    if term is None or not any(bytes(term.guardian)):
        return None
    return term if term.until is not None and moment < term.until else None


def routine_list() -> list[RoutineCall]:
    """The (target, selector) pairs that are routine now."""
    newest: dict[tuple[bytes, bytes], RoutineCall] = {}
    for row in RoutineCall.objects.order_by("block_number", "log_index"):
        newest[(bytes(row.target), bytes(row.selector))] = row
    return [row for row in newest.values() if row.allowed]


# --- people -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Participation:
    """How many of the last closed votes a delegate took part in."""

    voted: int
    of: int


def voting_power_total_wei() -> int:
    """Tokens in existence, in wei: what shares of voting power are a part of."""
    return int(Holder.objects.aggregate(total=Sum("balance_wei"))["total"] or 0)


def delegates_participation(
    addresses: Sequence[bytes], *, last: int = 10, at: int | None = None
) -> dict[bytes, Participation]:
    """Participation of each in the ``last`` proposals whose vote has closed. Two queries."""
    moment = datetime.fromtimestamp(chain_time() if at is None else at, UTC)
    closed = list(
        Proposal.objects.filter(deadline_at__lt=moment, canceled_at=None)
        .order_by("-number")
        .values_list("proposal_id", flat=True)[:last]
    )
    votes = (
        Vote.objects.filter(proposal__in=closed, voter__in=list(addresses))
        .order_by()
        .values_list("voter")
        .annotate(voted=Count("proposal", distinct=True))
    )
    counted = {bytes(voter): voted for voter, voted in votes}
    return {address: Participation(counted.get(address, 0), len(closed)) for address in addresses}


def keeper_note(proposal: Proposal) -> KeeperNote | None:
    """What the keeper says of a proposal; None when it never looked."""
    return KeeperNote.objects.filter(proposal_id=proposal.proposal_id).first()


def moderation_log() -> QuerySet[ModerationAction]:
    """The public log, newest first."""
    return ModerationAction.objects.select_related("moderator")
