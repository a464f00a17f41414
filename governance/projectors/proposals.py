"""Proposals: created, extended, queued, executed, canceled, and what the chain says of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import connection
from django.db.models import Max, Q

from chain.contracts import deployment, text_to_bytes
from chain.decoding import LossyText
from chain.projections import BlockHeader, DecodedLog, History, Projector, Read
from chain.proposal_id import description_hash, timelock_operation_id
from chain.tables import row_of, rows_insert, table_of
from governance.actions.decode import DecodedAction, decode_action, proposal_kind
from governance.actions.parameters import parameter_infos
from governance.models import Proposal, ProposalAction, RoutineCall
from governance.projectors.settings import ROUTINE_KEY, routine_calls
from governance.projectors.times import moment
from governance.state import EXPIRY_S, FINAL_STATES, next_change_at, proposal_state, unix
from governance.text import proposal_title

GOVERNOR = "AlthingGovernor"


def _proposal_key(args: dict[str, Any]) -> Iterable[str]:
    return (str(args["proposalId"]),)


class ProposalProjector(Projector):
    """Writes Proposal and ProposalAction. Keys: the proposal id, decimal."""

    name = "governance.proposals"
    depends_on = ("governance.settings", "network.parameters")
    models = (ProposalAction, Proposal)
    # A vote says that the tally changed; what it is now, proposalVotes() says.
    touch_only = frozenset({(GOVERNOR, "VoteCast"), (GOVERNOR, "VoteCastWithParams")})
    events = {
        (GOVERNOR, event): _proposal_key
        for event in (
            "ProposalCreated",
            "ProposalExtended",
            "ProposalQueued",
            "ProposalExecuted",
            "ProposalCanceled",
            "VoteCast",
            "VoteCastWithParams",
        )
    }

    def due_keys(self, *, block: BlockHeader) -> Iterable[str]:
        """Proposals whose state changes by time at this block, and open ones judged by an older
        routine list."""
        due = Q(due_at__lte=moment(block.timestamp))
        newest = RoutineCall.objects.aggregate(newest=Max("block_number"))["newest"]
        if newest is not None:
            is_open = Q(executed_at=None, canceled_at=None)
            due |= is_open & Q(chain_state_block__lt=newest, created_block__lt=newest)
        rows = Proposal.objects.filter(due).order_by("number")
        return [str(number) for number in rows.values_list("proposal_id", flat=True)]

    def reads(self, *, keys: list[str], block: BlockHeader) -> Iterable[Read]:
        """Tallies, deadline, eta and state of each; the quorum once the snapshot is past."""
        yield Read(GOVERNOR, "constitutionalDelay")
        for key in keys:
            yield from _proposal_reads(int(key))
        waiting = Proposal.objects.filter(
            proposal_id__in=[int(key) for key in keys],
            quorum_wei=None,
            snapshot_at__lt=moment(block.timestamp),
        )
        for snapshot in waiting.values_list("snapshot_at", flat=True):
            yield Read(GOVERNOR, "quorum", (unix(snapshot),))

    def reads_of(self, *, log: DecodedLog, block: BlockHeader) -> Iterable[Read]:
        """The quorum of a proposal that is new and whose snapshot is past already."""
        if log.event == "ProposalCreated" and log.args["voteStart"] < block.timestamp:
            yield Read(GOVERNOR, "quorum", (log.args["voteStart"],))

    def recompute(self, *, key: str, history: History) -> None:
        """Rebuild one proposal and its actions."""
        self.recompute_many({key: history})

    def recompute_many(self, histories: Mapping[str, History]) -> None:
        """Rebuild proposals and their actions; delete them when their creation is gone."""
        created = {
            int(key): logs[0]
            for key, history in histories.items()
            if (logs := history.logs("ProposalCreated"))
        }
        gone = Proposal.objects.filter(
            proposal_id__in={int(key) for key in histories} - created.keys()
        )
        known = Proposal.objects.in_bulk(created)
        decoded = _actions_decode(created)
        built = [
            _proposal_build(log, histories[str(number)], decoded[number])
            for number, log in created.items()
        ]
        moved = [row for row in built if _is_moved(row, known.get(row.proposal_id))]
        _numbers_give(built, known, moved)
        for row in built:
            _judge(row, histories[str(row.proposal_id)])
        left = gone.delete()[0] > 0
        rows_insert(
            Proposal,
            [row_of(row) for row in built],
            unique=("proposal_id",),
            update=table_of(Proposal).columns[1:],
        )
        _actions_write(moved, decoded)
        if left or moved:
            numbers_restore()
        _routine_mark(built, histories)


def _proposal_reads(proposal_id: int) -> Iterable[Read]:
    for function in (
        "proposalVotes",
        "proposalDeadline",
        "proposalEta",
        "isConstitutional",
        "state",
    ):
        yield Read(GOVERNOR, function, (proposal_id,))


def _proposal_build(
    created: DecodedLog, history: History, actions: Sequence[DecodedAction]
) -> Proposal:
    args = created.args
    proposal_id = args["proposalId"]
    raw = text_to_bytes(args["description"])
    against, in_favour, abstain = history.read(Read(GOVERNOR, "proposalVotes", (proposal_id,))) or (
        0,
        0,
        0,
    )
    proposal = Proposal(
        proposal_id=proposal_id,
        proposer=args["proposer"],
        title=proposal_title(args["description"]),
        description=args["description"],
        description_raw=raw if isinstance(args["description"], LossyText) else None,
        description_hash=description_hash(raw),
        snapshot_at=moment(args["voteStart"]),
        deadline_at=moment(_deadline(args, history)),
        created_at=moment(created.block_timestamp),
        created_block=created.block_number,
        created_log_index=created.log_index,
        created_tx=created.transaction_hash,
        for_wei=in_favour,
        against_wei=against,
        abstain_wei=abstain,
        quorum_wei=history.read(Read(GOVERNOR, "quorum", (args["voteStart"],))),
        is_constitutional=bool(history.read(Read(GOVERNOR, "isConstitutional", (proposal_id,)))),
        timelock_operation_id=timelock_operation_id(
            governor=deployment().address(GOVERNOR),
            targets=args["targets"],
            values_wei=args["values"],
            calldatas=args["calldatas"],
            description=raw,
        ),
    )
    proposal.kind = proposal_kind(actions, is_constitutional=proposal.is_constitutional)
    _lifecycle(proposal, history)
    return proposal


def _deadline(args: dict[str, Any], history: History) -> int:
    read = history.read(Read(GOVERNOR, "proposalDeadline", (args["proposalId"],)))
    if read:
        return int(read)
    extended = history.logs("ProposalExtended")
    return int(extended[-1].args["extendedDeadline"] if extended else args["voteEnd"])


def _lifecycle(proposal: Proposal, history: History) -> None:
    """Queued, executed and canceled, from the logs; executable and expiry times from the eta."""
    for log in history.logs("ProposalQueued"):
        eta = int(log.args["etaSeconds"])
        delay = int(history.read(Read(GOVERNOR, "constitutionalDelay")) or 0)
        proposal.queued_at = moment(log.block_timestamp)
        proposal.queued_tx = log.transaction_hash
        proposal.eta_at = moment(eta)
        proposal.executable_at = moment(eta + (delay if proposal.is_constitutional else 0))
        proposal.expires_at = moment(eta + delay + EXPIRY_S)
    for log in history.logs("ProposalExecuted"):
        proposal.executed_at = moment(log.block_timestamp)
        proposal.executed_block = log.block_number
        proposal.executed_tx = log.transaction_hash
    for log in history.logs("ProposalCanceled"):
        proposal.canceled_at = moment(log.block_timestamp)
        proposal.canceled_tx = log.transaction_hash


def _judge(proposal: Proposal, history: History) -> None:
    """Compare our derivation with ``state()`` at the same block, and say when to look again."""
    at = history.block.timestamp
    derived = proposal_state(proposal, at)
    answer = history.read_at(Read(GOVERNOR, "state", (proposal.proposal_id,)))
    if answer is not None:
        proposal.chain_state, proposal.chain_state_block = int(answer[0]), answer[1]
        if answer[1] == history.block.number:
            proposal.state_mismatch = int(answer[0]) != int(derived)
    if proposal.quorum_wei is None and unix(proposal.snapshot_at) < at:
        # A proposal that lived and ended within one window had no row yet when its reads were
        # chosen; the next block asks.
        proposal.due_at = moment(at)
    elif derived in FINAL_STATES:
        proposal.due_at = None
    else:
        due = next_change_at(proposal, at)
        proposal.due_at = None if due is None else moment(due)


def _actions_decode(created: Mapping[int, DecodedLog]) -> dict[int, list[DecodedAction]]:
    """The calls of each proposal, read."""
    infos = parameter_infos() if created else {}
    found: dict[int, list[DecodedAction]] = {}
    for number, log in created.items():
        args = log.args
        calls = zip(args["targets"], args["values"], args["calldatas"], strict=True)
        found[number] = [
            decode_action(index=index, target=target, value_wei=value, calldata=data, infos=infos)
            for index, (target, value, data) in enumerate(calls)
        ]
    return found


def _actions_write(
    proposals: Sequence[Proposal], decoded: Mapping[int, Sequence[DecodedAction]]
) -> None:
    if not proposals:
        return
    ProposalAction.objects.filter(proposal__in=proposals).delete()
    ProposalAction.objects.bulk_create(
        ProposalAction(
            proposal=proposal,
            index=action.index,
            target=action.target,
            value_wei=action.value_wei,
            calldata=action.calldata,
            kind=action.kind,
            function=action.function[:128],
            args=action.args,
            summary=action.summary,
            is_dangerous=action.is_dangerous,
            parameters=action.parameters,
            recipient=action.recipient,
            amount_wei=action.amount_wei,
        )
        for proposal in proposals
        for action in decoded[proposal.proposal_id]
    )


def _routine_mark(proposals: Sequence[Proposal], histories: Mapping[str, History]) -> None:
    """Which actions are routine, by the list as it stood at the block each proposal is judged."""
    if not proposals:
        return
    until = {row.proposal_id: histories[str(row.proposal_id)].block.number for row in proposals}
    any_history = histories[str(proposals[0].proposal_id)]
    logs = any_history.logs(key=ROUTINE_KEY, projector="governance.settings")
    lists = {number: routine_calls(logs, until=number) for number in set(until.values())}
    changed = []
    for action in ProposalAction.objects.filter(proposal__in=proposals):
        call = (bytes(action.target), bytes(action.calldata[:4]))
        is_routine = len(call[1]) == 4 and call in lists[until[action.proposal_id]]
        if action.is_routine != is_routine:
            action.is_routine = is_routine
            changed.append(action)
    ProposalAction.objects.bulk_update(changed, ["is_routine"])


def _is_moved(proposal: Proposal, known: Proposal | None) -> bool:
    """Whether a proposal is new, or stands elsewhere on the chain than it did."""
    if known is None:
        return True
    return _place(known) != _place(proposal)


def _place(proposal: Proposal) -> tuple[int, int, bytes]:
    return (proposal.created_block, proposal.created_log_index, bytes(proposal.created_tx))


def _numbers_give(
    proposals: Iterable[Proposal], known: Mapping[int, Proposal], moved: Sequence[Proposal]
) -> None:
    """Keep the number of a proposal that stands where it stood; those that moved go to the end,
    until ``numbers_restore``."""
    last = (Proposal.objects.aggregate(last=Max("number"))["last"] or 0) if moved else 0
    new = {row.proposal_id: last + place for place, row in enumerate(moved, start=1)}
    for row in proposals:
        row.number = new.get(row.proposal_id) or known[row.proposal_id].number


def numbers_restore() -> None:
    """Number the proposals 1, 2, 3 … by their place on the chain again.

    Only a proposal that came, went or moved in a reorganisation changes a number; the
    constraint is deferred, so the update may pass through duplicates.
    """
    table = connection.ops.quote_name(Proposal._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} AS p SET number = o.place FROM ("  # noqa: S608 - our own table
            "SELECT proposal_id, row_number() OVER (ORDER BY created_block, created_log_index) "
            f"AS place FROM {table}) AS o "
            "WHERE o.proposal_id = p.proposal_id AND p.number <> o.place"
        )
