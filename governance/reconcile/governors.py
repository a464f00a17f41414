"""The same comparison for governors that people added: what each line of code can be asked.

Votes are in the token's smallest unit, times in the governor's own clock. Only governors whose
logs are complete (joined to the main lane and settled) are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from django.db.models import Q, QuerySet, Sum

from chain import conf
from chain.models import WatchedContract
from chain.projections import Read
from governance.governors.kinds import Ballot, ClockMode
from governance.models import GovernorProposal, GovernorVote, IndexedGovernor, ReconcileFinding
from governance.projectors.governor_reads import governor_read, has_bravo_views
from governance.projectors.governors import NAME, proposal_key
from governance.reconcile.claims import Claim, as_text
from governance.reconcile.lens import (
    PART,
    PROPOSALS,
    TICK_CLOSED,
    TICK_VOTERS,
    Lens,
    Part,
    vote_parts,
)

_Kind = ReconcileFinding.Kind
#: Ballots whose votes, added up by side, are the governor's own result.
_PLAIN = frozenset({Ballot.SIMPLE, Ballot.BRAVO})
_SIDES = ("against_votes", "for_votes", "abstain_votes")
#: ``IGovernor.ProposalState``: pending, active, succeeded, queued.
_MAY_CHANGE = (0, 1, 4, 5)
#: Where ``proposals(id)`` of Governor Bravo has them: (function's outputs, by position).
_BRAVO = {"against_votes": 6, "for_votes": 5, "abstain_votes": 7, "eta_s": 2, "deadline_clock": 4}


def governors_compared() -> list[IndexedGovernor]:
    """Added governors that are indexed now and completely."""
    whole = WatchedContract.objects.filter(
        chain_id=conf.chain_id(), joined=True, settled=True, removed_at=None
    )
    return list(
        IndexedGovernor.objects.filter(removed_at=None, address__in=whole.values("address"))
    )


def governor_proposal_claims(
    governor: IndexedGovernor, rows: Iterable[GovernorProposal]
) -> Iterator[Claim]:
    """Everything the governor can say of these proposals."""
    for row in rows:
        number = row.proposal_id
        for field, read, position, indexed in _facts(governor, row):
            yield Claim(
                _Kind.PROPOSAL,
                str(number),
                field,
                read,
                str(indexed),
                _at(position),
                proposal_id=number,
            )


_Fact = tuple[str, Read, int | None, int]


def _facts(governor: IndexedGovernor, row: GovernorProposal) -> Iterator[_Fact]:
    number = row.proposal_id
    ended = row.executed_at is not None or row.canceled_at is not None
    # A clock of its own moves without our knowing; such proposals are read again now and then.
    if row.chain_state is not None and (ended or governor.clock_mode != ClockMode.CUSTOM):
        yield "state", governor_read(governor, "state", number), None, row.chain_state
    tallies = dict(zip(_SIDES, (row.against_votes, row.for_votes, row.abstain_votes), strict=True))
    for index, (field, value) in enumerate(tallies.items()):
        if value is not None:
            read, position = _figure(governor, "proposalVotes", field, number, index)
            yield field, read, position, value
            if governor.ballot in _PLAIN:
                yield f"sum_{field}", read, position, _votes_sum(row, index)
    read, position = _figure(governor, "proposalDeadline", "deadline_clock", number, None)
    yield "deadline_clock", read, position, row.deadline_clock
    # OpenZeppelin 4 forgets the eta of what its timelock has done or dropped.
    if not ended:
        read, position = _figure(governor, "proposalEta", "eta_s", number, None)
        yield "eta_s", read, position, row.eta_s or 0


def _figure(
    governor: IndexedGovernor, function: str, field: str, number: int, position: int | None
) -> tuple[Read, int | None]:
    if has_bravo_views(governor):
        return governor_read(governor, "proposals", number), _BRAVO[field]
    return governor_read(governor, function, number), position


def _votes_sum(row: GovernorProposal, support: int) -> int:
    votes = GovernorVote.objects.filter(governor=row.governor, proposal_id=row.proposal_id)
    total = votes.filter(support=support).aggregate(total=Sum("weight"))["total"]
    return int(total or 0)


def _at(position: int | None) -> Callable[[Any], str]:
    return as_text if position is None else lambda values: as_text(values[position])


def governor_voters_after(row: GovernorProposal, *, after: bytes, limit: int) -> list[bytes]:
    """The next voters of a proposal by address."""
    votes = GovernorVote.objects.filter(
        governor=row.governor, proposal_id=row.proposal_id, voter__gt=after
    )
    return [
        bytes(v) for v in votes.order_by("voter").values_list("voter", flat=True).distinct()[:limit]
    ]


def governor_vote_claims(
    governor: IndexedGovernor, row: GovernorProposal, voters: Sequence[bytes]
) -> Iterator[Claim]:
    """What each voter cast, against the governor's receipt, what it counted as used, or the
    voter's power at the snapshot: whichever that ballot has."""
    votes = GovernorVote.objects.filter(
        governor=row.governor, proposal_id=row.proposal_id, voter__in=voters
    )
    cast = {
        bytes(voter): int(weight)
        for voter, weight in votes.order_by().values_list("voter").annotate(Sum("weight"))
    }
    number = row.proposal_id
    for voter in voters:
        answer: Callable[[Any], str] = as_text
        if has_bravo_views(governor):
            read = governor_read(governor, "getReceipt", number, voter)
            answer = _receipt_votes
        elif governor.ballot == Ballot.FRACTIONAL:
            read = governor_read(governor, "usedVotes", number, voter)
        elif governor.ballot == Ballot.SIMPLE:
            read = governor_read(governor, "getVotes", voter, row.snapshot_clock)
        else:
            return  # a holder may take its weight back from its delegate's vote
        yield Claim(
            _Kind.VOTE,
            f"{number}:{voter.hex()}",
            "weight",
            read,
            str(cast.get(voter, 0)),
            answer,
            proposal_id=number,
        )


def _receipt_votes(receipt: dict[str, int]) -> str:
    return as_text(receipt["votes"])


# --- parts --------------------------------------------------------------------------------


def governors_parts(resume: dict[str, Any] | None) -> Iterator[Part]:
    """Every added governor's proposals and votes; with ``resume`` those that may still change, and
    the next few of the rest."""
    for governor in governors_compared():
        rows = GovernorProposal.objects.filter(governor=governor.address).order_by("pk")
        if resume is None:
            keys, voters_max = list(rows.values_list("pk", flat=True)), None
        else:
            keys, voters_max = _keys_next(governor, rows, resume), TICK_VOTERS
        for start in range(0, len(keys), PROPOSALS):
            yield partial(_proposals, governor=governor, keys=keys[start : start + PROPOSALS])
        for key in keys:
            read = partial(_votes, governor=governor, key=key)
            yield from vote_parts(read, size=PART, voters_max=voters_max)


def _keys_next(
    governor: IndexedGovernor, rows: QuerySet[GovernorProposal], resume: dict[str, Any]
) -> list[int]:
    may_change = Q(chain_state__in=_MAY_CHANGE) | Q(chain_state=None)
    keys = list(rows.filter(may_change).values_list("pk", flat=True)[:PART])
    place = f"governor:{governor.address.hex()}"
    rest = rows.filter(pk__gt=int(resume.get(place, 0))).values_list("pk", flat=True)[:TICK_CLOSED]
    turn = list(rest)
    resume[place] = turn[-1] if len(turn) == TICK_CLOSED else 0
    return list(dict.fromkeys([*keys, *turn]))


def _unchanged(lens: Lens, row: GovernorProposal) -> bool:
    return row.created_block <= lens.block.number and lens.unchanged(
        NAME, proposal_key(bytes(row.governor), row.proposal_id)
    )


def _proposals(lens: Lens, *, governor: IndexedGovernor, keys: list[int]) -> list[Claim]:
    rows = [row for row in GovernorProposal.objects.filter(pk__in=keys) if _unchanged(lens, row)]
    return list(governor_proposal_claims(governor, rows))


def _votes(
    lens: Lens, after: bytes, *, governor: IndexedGovernor, key: int
) -> tuple[list[bytes], list[Claim]]:
    row = GovernorProposal.objects.filter(pk=key).first()
    if row is None or not _unchanged(lens, row):
        return [], []
    voters = governor_voters_after(row, after=after, limit=PART)
    return voters, list(governor_vote_claims(governor, row, voters))


def governors_again(lens: Lens, findings: Iterable[ReconcileFinding]) -> list[Claim]:
    """The subjects of open findings that are added governors', to be looked at again."""
    governors = {bytes(governor.address): governor for governor in governors_compared()}
    claims: list[Claim] = []
    seen: set[tuple[bytes, str]] = set()
    for finding in findings:
        governor = governors.get(bytes(finding.contract))
        if governor is None or (bytes(governor.address), finding.subject) in seen:
            continue
        seen.add((bytes(governor.address), finding.subject))
        number, _, voter = finding.subject.partition(":")
        rows = GovernorProposal.objects.filter(governor=governor.address, proposal_id=int(number))
        for row in rows:
            if voter:
                claims += governor_vote_claims(governor, row, [bytes.fromhex(voter)])
            else:
                claims += governor_proposal_claims(governor, [row])
    return claims
