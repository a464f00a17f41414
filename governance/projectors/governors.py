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
from chain.indexer.history import logs_by_key
from chain.projections import BlockHeader, DecodedLog, History, Projector, Read, RowProjector
from chain.tables import row_of, rows_insert, table_of
from governance.models import (
    GovernorOperation,
    GovernorProposal,
    GovernorVote,
    IndexedGovernor,
)
from governance.projectors.governor_reads import proposal_reads
from governance.projectors.governor_rows import Draft, proposal_draft, proposal_row
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
        wanted = {key: one for key, one in histories.items() if _key_parts(key)[1].isdigit()}
        governors = _governors(wanted)
        drafts: dict[str, Draft] = {}
        for key, history in wanted.items():
            governor = governors.get(_key_parts(key)[0])
            created = history.logs("ProposalCreated")
            if governor is not None and created:
                drafts[key] = proposal_draft(governor, created[0], history)
        operation_keys = [key for draft in drafts.values() for key in draft.operation_keys]
        logs = logs_by_key(projector=NAME, keys=operation_keys) if operation_keys else {}
        rows = [proposal_row(draft, _in_order(logs, draft)) for draft in drafts.values()]
        if wanted:
            GovernorOperation.objects.filter(_places(wanted)).delete()
        if gone := wanted.keys() - drafts.keys():
            GovernorProposal.objects.filter(_places(gone)).delete()
        unique = ("governor", "proposal_id")
        rows_insert(
            GovernorProposal,
            [row_of(row) for row in rows],
            unique=unique,
            update=[name for name in table_of(GovernorProposal).columns if name not in unique],
        )
        rows_insert(GovernorOperation, list(_operation_rows(drafts.values())))


def _in_order(logs: Mapping[str, list[DecodedLog]], draft: Draft) -> list[DecodedLog]:
    found = [log for key in draft.operation_keys for log in logs.get(key, ())]
    return sorted(found, key=lambda log: (log.block_number, log.log_index))


def _operation_rows(drafts: Iterable[Draft]) -> Iterable[tuple[Any, ...]]:
    """The columns of GovernorOperation in their order."""
    for draft in drafts:
        address, timelock = bytes(draft.governor.address), draft.governor.timelock
        for operation_id in draft.operations:
            yield timelock, operation_id, address, draft.created.args["proposalId"]


def _places(keys: Iterable[str]) -> Q:
    """The condition that picks the rows of proposals by their keys."""
    numbers: dict[bytes, list[int]] = {}
    for key in keys:
        address, part, _ = _key_parts(key)
        numbers.setdefault(address, []).append(int(part))
    places = [Q(governor=one, proposal_id__in=ids) for one, ids in numbers.items()]
    return reduce(or_, places)


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
    if not wanted:
        return {}
    rows = GovernorProposal.objects.filter(_places(wanted))
    known = {
        proposal_key(governor, number): snapshot
        for governor, number, snapshot in rows.values_list(
            "governor", "proposal_id", "snapshot_clock"
        )
    }
    new = [key for key in wanted if key not in known]
    logs = logs_by_key(projector=NAME, keys=new) if new else {}
    for key, found in logs.items():
        created = [log for log in found if log.event == "ProposalCreated"]
        if created:
            known[key] = created[0].args["voteStart"]
    return known


class GovernorVoteProjector(RowProjector):
    """Writes GovernorVote, a row for each log."""

    name = "governance.governors.votes"
    model = GovernorVote
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
