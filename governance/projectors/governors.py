"""Proposals of governors that are not ours: every family, by one projector.

A key begins with who emitted the log: ``<governor hex>:<proposal id>`` is a proposal,
``<timelock hex>:op:<operation id hex>`` an operation, ``<governor hex>:settings`` what a governor
judges by. The last two have no rows: a timelock that is used directly emits nothing on the
governor, and a changed quorum can revive a defeated proposal, so they touch what they concern.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Q

from chain.contracts import text_to_bytes
from chain.decoding import LossyText
from chain.projections import BlockHeader, DecodedLog, History, Projector, Read, RowProjector
from governance.models import (
    GovernorOperation,
    GovernorProposal,
    GovernorVote,
    IndexedGovernor,
)
from governance.projectors.governor_reads import proposal_reads
from governance.projectors.governor_rows import proposal_values
from governance.projectors.times import moment

NAME = "governance.governors"
GOVERNOR_ABIS = ("GovernorOZ", "GovernorBravo")
#: Ours is read by its own name; another governor may act through it too.
CONTROLLER_ABIS = ("TimelockOZ", "TimelockController")
PROPOSAL_EVENTS = (
    "ProposalCreated",
    "ProposalExtended",
    "ProposalQueued",
    "ProposalExecuted",
    "ProposalCanceled",
    "VoteCast",
    "VoteCastWithParams",
    "OverrideVoteCast",
    "VoteReduced",
)
#: They only say that a proposal is to be read again.
VOTE_EVENTS = ("VoteCast", "VoteCastWithParams", "OverrideVoteCast", "VoteReduced")
SETTING_EVENTS = (
    "QuorumNumeratorUpdated",
    "QuorumUpdated",
    "SuperQuorumNumeratorUpdated",
    "TimelockChange",
    "Upgraded",
    "NewImplementation",
)


def proposal_key(governor: bytes, proposal_id: int) -> str:
    """The key of one proposal."""
    return f"{governor.hex()}:{proposal_id}"


def _proposal_part(args: dict[str, Any]) -> Iterable[str]:
    return (str(args["proposalId"]),)


def _setting_part(args: dict[str, Any]) -> Iterable[str]:
    return ("settings",)


def _controller_part(args: dict[str, Any]) -> Iterable[str]:
    return (f"op:{args['id'].hex()}",)


def _compound_part(args: dict[str, Any]) -> Iterable[str]:
    return (f"op:{args['txHash'].hex()}",)


Part = Callable[[dict[str, Any]], Iterable[str]]


def _events() -> dict[tuple[str, str], Part]:
    found: dict[tuple[str, str], Part] = {}
    for abi in GOVERNOR_ABIS:
        found |= {(abi, event): _proposal_part for event in PROPOSAL_EVENTS}
        found |= {(abi, event): _setting_part for event in SETTING_EVENTS}
    for abi in CONTROLLER_ABIS:
        for event in ("CallScheduled", "CallExecuted", "Cancelled"):
            found[(abi, event)] = _controller_part
    for event in ("QueueTransaction", "ExecuteTransaction", "CancelTransaction"):
        found[("TimelockCompound", event)] = _compound_part
    return found


class GovernorProposalProjector(Projector):
    """Writes GovernorProposal and GovernorOperation. Keys: see the module."""

    name = NAME
    models = (GovernorOperation, GovernorProposal)
    #: The part of a key after the emitter's address; ``keys_of`` puts it before.
    events = _events()
    touch_only = frozenset((abi, event) for abi in GOVERNOR_ABIS for event in VOTE_EVENTS)

    def keys_of(self, log: DecodedLog) -> list[str]:
        """The emitter's address, and what of it the log touches."""
        return [f"{log.address.hex()}:{part}" for part in super().keys_of(log)]

    def keys_linked(self, *, keys: list[str], block: BlockHeader) -> Iterable[str]:
        """Proposals behind touched operations, and those that a touched setting concerns."""
        operations: list[Q] = []
        settings: list[bytes] = []
        for key in keys:
            address, part, identity = _key_parts(key)
            if part == "op":
                operations.append(Q(timelock=address, operation_id=bytes.fromhex(identity)))
            elif part == "settings":
                settings.append(address)
        found: list[tuple[bytes, int]] = []
        if operations:
            held = GovernorOperation.objects.filter(reduce(or_, operations))
            found += held.order_by("governor", "proposal_id").values_list("governor", "proposal_id")
        if settings:
            # All of them, not only those that may still move: a quorum asked for again for one
            # proposal is the newest answer for every other with the same snapshot too.
            rows = GovernorProposal.objects.filter(governor__in=settings)
            found += rows.order_by("governor", "proposal_id").values_list("governor", "proposal_id")
        return [proposal_key(governor, number) for governor, number in found]

    def due_keys(self, *, block: BlockHeader) -> Iterable[str]:
        """Proposals whose state time alone may have changed at this block."""
        due = Q(due_block__lte=block.number) | Q(due_time_s__lte=block.timestamp)
        watched = IndexedGovernor.objects.filter(removed_at=None).values("address")
        rows = GovernorProposal.objects.filter(due, governor__in=watched)
        places = rows.order_by("governor", "proposal_id").values_list("governor", "proposal_id")
        return [proposal_key(governor, number) for governor, number in places]

    def reads(self, *, keys: list[str], block: BlockHeader) -> Iterable[Read]:
        """State, votes, deadline, eta and quorum of each proposal."""
        governors = _governors(keys)
        snapshots = _snapshots(keys)
        for key in keys:
            address, part, _ = _key_parts(key)
            governor = governors.get(address)
            if governor is not None and part.isdigit():
                yield from proposal_reads(governor, int(part), snapshots.get(key), block)

    def recompute(self, *, key: str, history: History) -> None:
        """Rebuild one proposal; delete it where its creation is gone."""
        self.recompute_many({key: history})

    def recompute_many(self, histories: Mapping[str, History]) -> None:
        """Rebuild proposals. Operations and settings have touched theirs, and no row themselves."""
        governors = _governors(histories)
        for key, history in histories.items():
            address, part, _ = _key_parts(key)
            if part.isdigit():
                _recompute(governors.get(address), address, int(part), history)


def _recompute(
    governor: IndexedGovernor | None, address: bytes, proposal_id: int, history: History
) -> None:
    created = history.logs("ProposalCreated")
    place: dict[str, Any] = {"governor": address, "proposal_id": proposal_id}
    GovernorOperation.objects.filter(**place).delete()
    if governor is None or not created:
        GovernorProposal.objects.filter(**place).delete()
        return
    values, operations = proposal_values(governor, created[0], history)
    GovernorProposal.objects.update_or_create(**place, defaults=values)
    GovernorOperation.objects.bulk_create(
        GovernorOperation(timelock=governor.timelock, operation_id=operation_id, **place)
        for operation_id in operations
    )


def _key_parts(key: str) -> tuple[bytes, str, str]:
    address, part, *rest = key.split(":")
    return bytes.fromhex(address), part, rest[0] if rest else ""


def _governors(keys: Iterable[str]) -> dict[bytes, IndexedGovernor]:
    addresses = {_key_parts(key)[0] for key in keys}
    return {bytes(row.address): row for row in IndexedGovernor.objects.filter(pk__in=addresses)}


def _snapshots(keys: list[str]) -> dict[str, int]:
    """The snapshots of those proposals that are known: from their rows, or from stored logs of
    proposals that have no row yet."""
    wanted = [key for key in keys if _key_parts(key)[1].isdigit()]
    places = Q(pk__in=[])
    for key in wanted:
        address, part, _ = _key_parts(key)
        places |= Q(governor=address, proposal_id=int(part))
    rows = GovernorProposal.objects.filter(places) if wanted else GovernorProposal.objects.none()
    known = {
        proposal_key(governor, number): snapshot
        for governor, number, snapshot in rows.values_list(
            "governor", "proposal_id", "snapshot_clock"
        )
    }
    for key in wanted:
        if key not in known:
            for log in History(projector=NAME, key=key).logs("ProposalCreated")[:1]:
                known[key] = log.args["voteStart"]
    return known


class GovernorVoteProjector(RowProjector):
    """Writes GovernorVote, a row for each log."""

    name = "governance.governors.votes"
    model = GovernorVote
    models = (GovernorVote,)
    row_events = frozenset((abi, event) for abi in GOVERNOR_ABIS for event in VOTE_EVENTS)

    def rows(self, log: DecodedLog) -> Iterable[tuple[Any, ...]]:
        """The columns of GovernorVote in their order."""
        args = log.args
        voter = args["delegate"] if log.event == "VoteReduced" else args["voter"]
        reason = args.get("reason", "")
        yield (
            log.address,
            args["proposalId"],
            log.event,
            voter,
            args["support"],
            args["weight"],
            reason,
            text_to_bytes(reason) if isinstance(reason, LossyText) else None,
            bytes(args.get("params", b"")),
            log.block_number,
            log.log_index,
            log.transaction_hash,
            moment(log.block_timestamp),
        )
