"""What the index says, each with the question to the chain that must agree with it.

Amounts are in wei, times in Unix seconds. Sources: OpenZeppelin Contracts 5.7 (``IGovernor``,
``GovernorCountingFractional``, ``TimelockController``), ERC-5805 (``getPastVotes``), ERC-20.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, Sum

from chain.addresses import ZERO_ADDRESS, to_checksum
from chain.projections import Read
from governance.models import (
    Delegate,
    GovernorSettingChange,
    GuardianTerm,
    Holder,
    Proposal,
    ReconcileFinding,
    RoutineCall,
    TimelockOperation,
    Vote,
)
from governance.models.timelock import OperationState
from governance.state import proposal_state, unix

GOVERNOR, TOKEN, TIMELOCK = "AlthingGovernor", "AlthingToken", "TimelockController"
_Kind = ReconcileFinding.Kind


def as_text(value: Any) -> str:
    """An answer as text: integers in decimal, addresses in EIP-55, truth as 0 or 1."""
    if isinstance(value, bytes):
        return to_checksum(value) if len(value) == 20 else f"0x{value.hex()}"
    return str(int(value))


@dataclass(frozen=True, slots=True)
class Claim:
    """``indexed`` is what the table says; ``read``, put through ``answer``, must say the same (or,
    with ``at_most``, no less)."""

    kind: str
    subject: str
    field: str
    read: Read
    indexed: str
    answer: Callable[[Any], str] = as_text
    at_most: bool = False
    proposal_id: int | None = None

    def agrees(self, chain: str) -> bool:
        """Whether the chain's answer fits."""
        if self.at_most and chain.isdigit():
            return int(self.indexed) <= int(chain)
        return self.indexed == chain


def _nth(index: int) -> Callable[[Any], str]:
    return lambda values: as_text(values[index])


# --- proposals ------------------------------------------------------------------------


def proposal_claims(proposals: Iterable[Proposal], *, at: int) -> Iterator[Claim]:
    """Everything the governor can say of these proposals at block time ``at``."""
    rows = list(proposals)
    totals = _vote_totals(rows)
    for proposal in rows:
        number = proposal.proposal_id
        for field, read, indexed, answer in (
            *_state_facts(proposal, at),
            *_tally_facts(proposal, totals.get(number, (0, 0, 0))),
        ):
            yield Claim(
                _Kind.PROPOSAL, str(number), field, read, indexed, answer, proposal_id=number
            )


_Fact = tuple[str, Read, str, Callable[[Any], str]]


def _state_facts(proposal: Proposal, at: int) -> Iterator[_Fact]:
    number = (proposal.proposal_id,)
    eta = unix(proposal.eta_at) if proposal.eta_at else 0
    yield "state", Read(GOVERNOR, "state", number), str(int(proposal_state(proposal, at))), as_text
    for field, function, indexed in (
        ("snapshot_at", "proposalSnapshot", str(unix(proposal.snapshot_at))),
        ("deadline_at", "proposalDeadline", str(unix(proposal.deadline_at))),
        ("eta_at", "proposalEta", str(eta)),
        ("proposer", "proposalProposer", to_checksum(proposal.proposer)),
        ("is_constitutional", "isConstitutional", str(int(proposal.is_constitutional))),
    ):
        yield field, Read(GOVERNOR, function, number), indexed, as_text
    actions = list(proposal.actions.all())
    content = (
        tuple(bytes(action.target) for action in actions),
        tuple(action.value_wei for action in actions),
        tuple(bytes(action.calldata) for action in actions),
        bytes(proposal.description_hash),
    )
    # The id is the hash of the raw bytes: what would be executed is what was proposed.
    yield "actions", Read(GOVERNOR, "hashProposal", content), str(number[0]), as_text


def _tally_facts(proposal: Proposal, voted: tuple[int, int, int]) -> Iterator[_Fact]:
    votes = Read(GOVERNOR, "proposalVotes", (proposal.proposal_id,))
    names = ("against_wei", "for_wei", "abstain_wei")
    for index, name in enumerate(names):
        yield name, votes, str(getattr(proposal, name)), _nth(index)
        # A vote that is missing, or twice, or split wrongly shows in the sum of the rows.
        yield f"votes_{name}", votes, str(voted[index]), _nth(index)
    if proposal.quorum_wei is not None:
        quorum = Read(GOVERNOR, "quorum", (unix(proposal.snapshot_at),))
        yield "quorum_wei", quorum, str(proposal.quorum_wei), as_text


def _vote_totals(proposals: Sequence[Proposal]) -> dict[int, tuple[int, int, int]]:
    """(against, for, abstain) as the rows of the votes add up."""
    rows = (
        Vote.objects.filter(proposal__in=[proposal.pk for proposal in proposals])
        .order_by()
        .values_list("proposal_id")
        .annotate(Sum("against_wei"), Sum("for_wei"), Sum("abstain_wei"))
    )
    return {row[0]: (int(row[1]), int(row[2]), int(row[3])) for row in rows}


# --- votes ----------------------------------------------------------------------------


def voters_after(proposal: Proposal, *, after: bytes, limit: int) -> list[bytes]:
    """The next voters of a proposal by address."""
    rows = Vote.objects.filter(proposal=proposal, voter__gt=after).order_by("voter")
    return [bytes(v) for v in rows.values_list("voter", flat=True).distinct()[:limit]]


def vote_claims(proposal: Proposal, voters: Sequence[bytes]) -> Iterator[Claim]:
    """What each voter cast, against what the governor counted, and against its power at the
    snapshot."""
    rows = (
        Vote.objects.filter(proposal=proposal, voter__in=voters)
        .order_by()
        .values_list("voter")
        .annotate(cast=Sum("weight_wei"), nominal=Count("pk", filter=~Q(support=255)))
    )
    cast = {bytes(voter): (int(weight), nominal) for voter, weight, nominal in rows}
    number, snapshot = proposal.proposal_id, unix(proposal.snapshot_at)
    for voter in voters:
        weight, nominal = cast.get(voter, (0, 0))
        subject = f"{number}:{voter.hex()}"
        yield Claim(
            _Kind.VOTE,
            subject,
            "weight_wei",
            Read(GOVERNOR, "usedVotes", (number, voter)),
            str(weight),
            proposal_id=number,
        )
        # A plain vote casts all that is left; a fractional one may leave some.
        yield Claim(
            _Kind.VOTE,
            subject,
            "past_votes_wei",
            Read(TOKEN, "getPastVotes", (voter, snapshot)),
            str(weight),
            at_most=not nominal,
            proposal_id=number,
        )


# --- holders and delegates --------------------------------------------------------------


def holder_claims(holders: Iterable[Holder]) -> Iterator[Claim]:
    """Balance and delegate of each; and the power of delegates that have no row of their own."""
    rows = list(holders)
    for holder in rows:
        address, subject = bytes(holder.address), holder.address.hex()
        delegate = ZERO_ADDRESS if holder.delegate is None else bytes(holder.delegate)
        yield Claim(
            _Kind.HOLDER,
            subject,
            "balance_wei",
            Read(TOKEN, "balanceOf", (address,)),
            str(holder.balance_wei),
        )
        yield Claim(
            _Kind.HOLDER,
            subject,
            "delegate",
            Read(TOKEN, "delegates", (address,)),
            to_checksum(delegate),
        )
    named = {bytes(row.delegate) for row in rows if row.delegate is not None}
    known = {bytes(a) for a in _delegates(named).values_list("address", flat=True)}
    yield from (power_claim(address, 0) for address in sorted(named - known))


def supply_claim() -> Claim:
    """All holders together hold what exists: a holder that was never indexed shows here."""
    total = Holder.objects.aggregate(total=Sum("balance_wei"))["total"] or 0
    return Claim(_Kind.HOLDER, "all", "total_wei", Read(TOKEN, "totalSupply"), str(int(total)))


def _delegates(addresses: Iterable[bytes]) -> Any:
    return Delegate.objects.filter(address__in=list(addresses))


def delegate_claims(delegates: Iterable[Delegate]) -> Iterator[Claim]:
    """Voting power of each."""
    for delegate in delegates:
        yield power_claim(bytes(delegate.address), delegate.power_wei)


def power_claim(address: bytes, power_wei: int) -> Claim:
    """Voting power of one delegate; 0 for one without a row."""
    return Claim(
        _Kind.DELEGATE,
        address.hex(),
        "power_wei",
        Read(TOKEN, "getVotes", (address,)),
        str(power_wei),
    )


# --- timelock and settings ----------------------------------------------------------------


def operation_claims(operations: Iterable[TimelockOperation]) -> Iterator[Claim]:
    """``getTimestamp``: 0 unknown or cancelled, 1 done, else when it is ready."""
    for operation in operations:
        indexed = {OperationState.DONE.value: 1, OperationState.CANCELED.value: 0}.get(
            operation.state, unix(operation.ready_at)
        )
        yield Claim(
            _Kind.OPERATION,
            operation.operation_id.hex(),
            "ready_at",
            Read(TIMELOCK, "getTimestamp", (bytes(operation.operation_id),)),
            str(indexed),
            proposal_id=operation.proposal_id,
        )


_SETTINGS = {
    "voting_delay_s": Read(GOVERNOR, "votingDelay"),
    "voting_period_s": Read(GOVERNOR, "votingPeriod"),
    "proposal_threshold_wei": Read(GOVERNOR, "proposalThreshold"),
    "quorum_numerator": Read(GOVERNOR, "quorumNumerator()"),
    "late_quorum_extension_s": Read(GOVERNOR, "lateQuorumVoteExtension"),
    "timelock_delay_s": Read(TIMELOCK, "getMinDelay"),
}


def setting_claims() -> Iterator[Claim]:
    """The governor's numbers, its guardian and its routine list, as the newest rows have them."""
    rows = GovernorSettingChange.objects.order_by("block_number", "log_index")
    newest = {row.name: row.new_value for row in rows}
    for name, value in newest.items():
        if name in _SETTINGS:
            yield Claim(_Kind.SETTING, name, "value", _SETTINGS[name], str(value))
    term = GuardianTerm.objects.order_by("-block_number", "-log_index").first()
    if term is not None:
        until = unix(term.until) if term.until else 0
        guardian = to_checksum(term.guardian)
        for field, function, indexed in (
            ("address", "proposalGuardian", guardian),
            ("until", "guardianUntil", str(until)),
        ):
            yield Claim(_Kind.SETTING, "guardian", field, Read(GOVERNOR, function), indexed)
    routine = {
        (bytes(row.target), bytes(row.selector)): row.allowed
        for row in RoutineCall.objects.order_by("block_number", "log_index")
    }
    for (target, selector), allowed in routine.items():
        subject = f"routine:{target.hex()}:{selector.hex()}"
        read = Read(GOVERNOR, "routine", (target, selector))
        yield Claim(_Kind.SETTING, subject, "allowed", read, str(int(allowed)))
