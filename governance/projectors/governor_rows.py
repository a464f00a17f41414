"""A proposal of an added governor as a row: its facts, its operations, its state and when to look
again. All of it from the key's history, so that a rebuild makes the same row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chain.contracts import text_to_bytes
from chain.decoding import LossyText
from chain.projections import BlockHeader, DecodedLog, History
from governance.governors.ids import (
    ContentInvalid,
    ProposalContent,
    compound_transaction_hashes,
    controller_operation_id,
    proposal_id_expected,
)
from governance.governors.kinds import (
    ClockMode,
    Family,
    TimelockKind,
    TimelockSalt,
    counting_mode_parse,
)
from governance.governors.states import GovernorFacts, OperationState, governor_state
from governance.models import GovernorProposal, IndexedGovernor
from governance.projectors.governor_reads import (
    clock_at,
    governor_read,
    has_bravo_views,
    quorum_read,
)
from governance.projectors.times import moment
from governance.state import ProposalState
from governance.text import proposal_title

#: Blocks after which an open proposal of a governor with a clock of its own is read again.
CUSTOM_REREAD_BLOCKS = 25
#: The largest value PostgreSQL's bigint holds; a hostile deadline may lie beyond.
_BIGINT_MAX = 2**63 - 1


def _figures(governor: IndexedGovernor, created: DecodedLog, history: History) -> dict[str, Any]:
    """Votes, deadline and eta as the governor says; from the logs where it does not."""
    proposal_id = created.args["proposalId"]
    queued = history.logs("ProposalQueued")
    extended = history.logs("ProposalExtended")
    deadline = extended[-1].args["extendedDeadline"] if extended else created.args["voteEnd"]
    eta = queued[-1].args["etaSeconds"] if queued else 0
    against = in_favour = abstain = None
    if has_bravo_views(governor):
        row = history.read(governor_read(governor, "proposals", proposal_id))
        if row is not None:
            eta, deadline = row[2], row[4]
            in_favour, against, abstain = row[5], row[6], row[7]
    else:
        votes = history.read(governor_read(governor, "proposalVotes", proposal_id))
        against, in_favour, abstain = votes or (None, None, None)
        deadline = (
            history.read(governor_read(governor, "proposalDeadline", proposal_id)) or deadline
        )
        eta = history.read(governor_read(governor, "proposalEta", proposal_id)) or eta
    return {
        "against_votes": against,
        "for_votes": in_favour,
        "abstain_votes": abstain,
        "quorum_votes": history.read(quorum_read(governor, created.args["voteStart"])),
        "deadline_clock": deadline,
        "eta_s": eta or None,
    }


# --- what follows ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Draft:
    """A proposal before its timelock's logs are known. ``operations`` are the ids that its timelock
    holds it under."""

    governor: IndexedGovernor
    created: DecodedLog
    history: History
    expected_id: int | None
    figures: dict[str, Any]
    operations: list[bytes]

    @property
    def operation_keys(self) -> list[str]:
        """Keys under which a TimelockController's logs of it are found."""
        timelock = self.governor.timelock
        if self.governor.timelock_kind != TimelockKind.CONTROLLER or timelock is None:
            return []
        return [f"{bytes(timelock).hex()}:op:{one.hex()}" for one in self.operations]


def proposal_draft(governor: IndexedGovernor, created: DecodedLog, history: History) -> Draft:
    """What a proposal's own logs and reads say."""
    content = _content(created.args)
    figures = _figures(governor, created, history)
    return Draft(
        governor=governor,
        created=created,
        history=history,
        expected_id=None if content is None else _expected_id(governor, content),
        figures=figures,
        operations=[] if content is None else _operations(governor, content, figures["eta_s"]),
    )


def proposal_row(draft: Draft, operation: list[DecodedLog]) -> GovernorProposal:
    """The row, given what a TimelockController logged of its operation, in chain order."""
    governor, created, history = draft.governor, draft.created, draft.history
    args = created.args
    counts = governor.sequential_ids or governor.family == Family.BRAVO
    values = {
        "governor": bytes(governor.address),
        "proposal_id": args["proposalId"],
        "proposer": args["proposer"],
        "title": proposal_title(args["description"]),
        "description": str(args["description"]),
        "description_raw": _raw(args["description"]),
        "calls": calls_json(args),
        "recomputed_id": draft.expected_id,
        "id_matches": None if counts else draft.expected_id == args["proposalId"],
        "clock_mode": governor.clock_mode,
        "snapshot_clock": args["voteStart"],
        "extended_count": len(history.logs("ProposalExtended")),
        "created_at": moment(created.block_timestamp),
        "created_block": created.block_number,
        "created_log_index": created.log_index,
        "created_tx": created.transaction_hash,
        **draft.figures,
    }
    values |= _lifecycle(history, operation)
    values |= _judgement(governor, values, _operation_state(operation), history)
    return GovernorProposal(**values)


def _raw(text: str) -> bytes | None:
    return text_to_bytes(text) if isinstance(text, LossyText) else None


def _content(args: dict[str, Any]) -> ProposalContent | None:
    try:
        return ProposalContent(
            targets=tuple(args["targets"]),
            values_wei=tuple(args["values"]),
            calldatas=tuple(args["calldatas"]),
            description=text_to_bytes(args["description"]),
            signatures=tuple(text_to_bytes(text) for text in args["signatures"]),
        )
    except ContentInvalid:
        return None  # it has no id then, and the page says that it does not match


def _expected_id(governor: IndexedGovernor, content: ProposalContent) -> int | None:
    return proposal_id_expected(
        family=Family(governor.family),
        sequential_ids=governor.sequential_ids,
        content=content,
    )


def _operations(
    governor: IndexedGovernor, content: ProposalContent, eta_s: int | None
) -> list[bytes]:
    if governor.timelock is None:
        return []
    family = Family(governor.family)
    if governor.timelock_kind == TimelockKind.CONTROLLER:
        salt = governor.timelock_salt
        salts = [TimelockSalt(salt)] if salt else list(TimelockSalt)
        return [
            controller_operation_id(governor=bytes(governor.address), salt=each, content=content)
            for each in salts
        ]
    if governor.timelock_kind == TimelockKind.COMPOUND and eta_s is not None:
        hashes = compound_transaction_hashes(family=family, content=content, eta=eta_s)
        return list(dict.fromkeys(hashes))
    return []


def calls_json(args: dict[str, Any]) -> list[dict[str, str]]:
    """The calls of a ProposalCreated log as the table holds them."""
    signatures = args["signatures"] or [""] * len(args["targets"])
    calls: list[dict[str, str]] = []
    for target, value, signature, data in zip(
        args["targets"], args["values"], signatures, args["calldatas"], strict=False
    ):
        call = {
            "target": f"0x{target.hex()}",
            "value_wei": str(value),
            "signature": str(signature),
            "calldata": f"0x{data.hex()}",
        }
        if isinstance(signature, LossyText):
            call["signature_raw"] = f"0x{text_to_bytes(signature).hex()}"
        calls.append(call)
    return calls


def _operation_state(logs: list[DecodedLog]) -> OperationState:
    if any(log.event == "CallExecuted" for log in logs):
        return OperationState.DONE
    if not logs:
        return OperationState.NONE
    # A cancelled operation may be scheduled again.
    return OperationState.CANCELED if logs[-1].event == "Cancelled" else OperationState.PENDING


def _lifecycle(history: History, operation: list[DecodedLog]) -> dict[str, Any]:
    """When it was queued, executed and canceled; by the timelock's logs where the governor's are
    silent."""
    queued = history.logs("ProposalQueued")
    executed = history.logs("ProposalExecuted")
    canceled = history.logs("ProposalCanceled")
    direct = False
    if not executed:
        executed = [log for log in operation if log.event == "CallExecuted"][:1]
        direct = bool(executed)
    if not canceled and _operation_state(operation) is OperationState.CANCELED:
        canceled, direct = operation[-1:], True
    values: dict[str, Any] = {
        "timelock_direct": direct,
        "canceled_count": len(canceled),
    }
    # A proposal can be canceled more than once; the first time is the one that counted.
    for name, logs in (
        ("queued", queued[-1:]),
        ("executed", executed[:1]),
        ("canceled", canceled[:1]),
    ):
        log = logs[0] if logs else None
        values[f"{name}_at"] = moment(log.block_timestamp) if log else None
        values[f"{name}_tx"] = log.transaction_hash if log else None
    return values


def _judgement(
    governor: IndexedGovernor,
    values: dict[str, Any],
    operation: OperationState,
    history: History,
) -> dict[str, Any]:
    """The state as derived and as the chain says, and when to look again."""
    block = history.block
    derived = governor_state(_facts(governor, values, operation, block, history))
    created = history.logs("ProposalCreated")[0]
    answer = history.read_at(governor_read(governor, "state", created.args["proposalId"]))
    chain_state = None if answer is None else int(answer[0])
    known = derived if chain_state is None else chain_state
    due_block, due_time_s = _due(governor, values, known, history)
    return {
        "state": None if derived is None else int(derived),
        "chain_state": chain_state,
        "chain_state_block": None if answer is None else answer[1],
        "state_mismatch": (
            derived is not None
            and answer is not None
            and answer[1] == block.number
            and chain_state != int(derived)
        ),
        "due_block": due_block,
        "due_time_s": due_time_s,
    }


def _facts(
    governor: IndexedGovernor,
    values: dict[str, Any],
    operation: OperationState,
    block: BlockHeader,
    history: History,
) -> GovernorFacts:
    return GovernorFacts(
        family=Family(governor.family),
        counting=counting_mode_parse(governor.counting_mode),
        now_clock=clock_at(governor, block),
        now_s=block.timestamp,
        snapshot_clock=values["snapshot_clock"],
        deadline_clock=values["deadline_clock"],
        for_votes=values["for_votes"],
        against_votes=values["against_votes"],
        abstain_votes=values["abstain_votes"],
        quorum_votes=values["quorum_votes"],
        has_super_quorum=governor.has_super_quorum,
        queued=values["queued_at"] is not None,
        eta_s=values["eta_s"],
        grace_period_s=governor.grace_period_s,
        executed=bool(history.logs("ProposalExecuted")),
        canceled=bool(history.logs("ProposalCanceled")),
        operation=operation,
    )


def _due(
    governor: IndexedGovernor, values: dict[str, Any], state: int | None, history: History
) -> tuple[int | None, int | None]:
    """The block number and the time (Unix s) from which the state may be another one."""
    block = history.block
    now = clock_at(governor, block)
    snapshot, deadline = values["snapshot_clock"], values["deadline_clock"]
    at_block: int | None = None
    at_time: int | None = None
    if state in (None, ProposalState.PENDING, ProposalState.ACTIVE):
        if now is None:
            at_block = block.number + CUSTOM_REREAD_BLOCKS
        else:
            at = max((snapshot if snapshot >= now else deadline) + 1, now + 1)
            at_block, at_time = (at, None) if governor.clock_mode == ClockMode.BLOCK else (None, at)
    grace = governor.grace_period_s
    if state == ProposalState.QUEUED and grace is not None and values["eta_s"] is not None:
        at_time = values["eta_s"] + grace
    opened = now is None or snapshot < now
    if opened and not history.was_read(quorum_read(governor, snapshot)):
        # It came and went before it had a row to choose its reads by; the next block asks.
        at_block = block.number + 1
    return _bounded(at_block), _bounded(at_time)


def _bounded(value: int | None) -> int | None:
    return None if value is None else min(value, _BIGINT_MAX)
