"""Proposals: created, extended, queued, executed, canceled, and what the chain says of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import connection
from django.db.models import Max, Q

from chain.contracts import deployment, text_to_bytes
from chain.decoding import LossyText
from chain.projections import BlockHeader, DecodedLog, History, Projector, Read
from chain.proposal_id import description_hash, timelock_operation_id
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

    def recompute(self, *, key: str, history: History) -> None:
        """Rebuild one proposal and its actions; delete them when its creation is gone."""
        created = history.logs("ProposalCreated")
        if not created:
            Proposal.objects.filter(proposal_id=int(key)).delete()
            numbers_restore()
            return
        proposal = _proposal_build(created[0], history)
        known = Proposal.objects.filter(proposal_id=proposal.proposal_id).first()
        moved = known is None or _place(known) != _place(proposal)
        proposal.number = _number_next() if known is None or moved else known.number
        _judge(proposal, history)
        proposal.save(force_insert=known is None, force_update=known is not None)
        if moved:
            _actions_write(proposal, created[0])
            numbers_restore()
        _routine_mark(proposal, history)


def _proposal_reads(proposal_id: int) -> Iterable[Read]:
    for function in (
        "proposalVotes",
        "proposalDeadline",
        "proposalEta",
        "isConstitutional",
        "state",
    ):
        yield Read(GOVERNOR, function, (proposal_id,))


def _proposal_build(created: DecodedLog, history: History) -> Proposal:
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
    proposal.kind = proposal_kind(_decoded(created), is_constitutional=proposal.is_constitutional)
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


def _decoded(created: DecodedLog) -> list[DecodedAction]:
    infos = parameter_infos()
    args = created.args
    calls = zip(args["targets"], args["values"], args["calldatas"], strict=True)
    return [
        decode_action(index=index, target=target, value_wei=value, calldata=data, infos=infos)
        for index, (target, value, data) in enumerate(calls)
    ]


def _actions_write(proposal: Proposal, created: DecodedLog) -> None:
    ProposalAction.objects.filter(proposal=proposal).delete()
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
        for action in _decoded(created)
    )


def _routine_mark(proposal: Proposal, history: History) -> None:
    """Which of the actions are routine, by the list as it stood at the block judged."""
    logs = history.logs(key=ROUTINE_KEY, projector="governance.settings")
    routine = routine_calls(logs, until=history.block.number)
    changed = []
    for action in ProposalAction.objects.filter(proposal=proposal):
        call = (bytes(action.target), bytes(action.calldata[:4]))
        is_routine = len(call[1]) == 4 and call in routine
        if action.is_routine != is_routine:
            action.is_routine = is_routine
            changed.append(action)
    ProposalAction.objects.bulk_update(changed, ["is_routine"])


def _place(proposal: Proposal) -> tuple[int, int, bytes]:
    return (proposal.created_block, proposal.created_log_index, bytes(proposal.created_tx))


def _number_next() -> int:
    return (Proposal.objects.aggregate(last=Max("number"))["last"] or 0) + 1


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
