"""A proposal's way in time, and what can be done with it now and by whom."""

from dataclasses import dataclass
from typing import Any

from chain.conf import chain_id
from chain.models import Signer
from governance.keeper.overdue import overdue_of
from governance.models import KeeperNote, Proposal
from governance.selectors import guardian_current
from governance.state import ProposalState
from governance.views.common import at_datetime, proposal_totals

_BAD = {ProposalState.DEFEATED, ProposalState.CANCELED, ProposalState.EXPIRED}


@dataclass(frozen=True, slots=True)
class Act:
    """A transaction one may send now. ``tx`` is queue, execute or cancel; ``who`` is a sentence."""

    tx: str
    text: str
    who: str

    @property
    def is_danger(self) -> bool:
        return self.tx == "cancel"


@dataclass(frozen=True, slots=True)
class ActionBar:
    """What a proposal waits for. Sentences are whole and may be shown as they are."""

    acts: list[Act]
    waits: str
    keeper: str
    #: That nobody took the step in time; empty while there is time.
    overdue: str
    executed_by: bytes | None
    #: True when another account than this server's keeper executed it.
    executed_elsewhere: bool


def timeline_steps(proposal: Proposal, state: ProposalState, *, at: int) -> list[dict[str, Any]]:
    """Return the steps for the ``timeline`` tag; those that only may come are not done."""
    now = at_datetime(at)
    steps: list[dict[str, Any]] = [
        {
            "label": "Created",
            "at": proposal.created_at,
            "done": True,
            "block": proposal.created_block,
            "tx": proposal.created_tx,
            "by": proposal.proposer,
        }
    ]
    canceled = proposal.canceled_at
    for label, moment in (
        ("Voting opens", proposal.snapshot_at),
        ("Voting closes", proposal.deadline_at),
    ):
        if canceled is None or moment < canceled:
            steps.append({"label": label, "at": moment, "done": moment < now})
    if state in _BAD:
        return [*steps, _bad_end(proposal, state)]
    steps.append(
        {
            "label": "Queued in the timelock",
            "at": proposal.queued_at,
            "done": proposal.queued_at is not None,
            "tx": proposal.queued_tx,
        }
    )
    executable = proposal.executable_at
    steps.append(
        {
            "label": "Can be executed",
            "at": executable,
            "done": executable is not None and executable <= now,
            "detail": "With the constitutional delay." if proposal.is_constitutional else "",
        }
    )
    steps.append(
        {
            "label": "Executed",
            "at": proposal.executed_at,
            "done": proposal.executed_at is not None,
            "block": proposal.executed_block,
            "tx": proposal.executed_tx,
        }
    )
    return steps


def _bad_end(proposal: Proposal, state: ProposalState) -> dict[str, Any]:
    if state is ProposalState.CANCELED:
        return {
            "label": "Canceled",
            "at": proposal.canceled_at,
            "done": "bad",
            "tx": proposal.canceled_tx,
        }
    if state is ProposalState.EXPIRED:
        return {
            "label": "Expired",
            "at": proposal.expires_at,
            "done": "bad",
            "detail": "Nobody executed it in time.",
        }
    totals = proposal_totals(proposal)
    reason = (
        "For was not more than Against." if totals.quorum_reached else "The quorum was not reached."
    )
    return {"label": "Defeated", "at": proposal.deadline_at, "done": "bad", "detail": reason}


def action_bar(
    proposal: Proposal, state: ProposalState, *, at: int, account: bytes | None
) -> ActionBar:
    """Say what may be done now. At most three queries."""
    acts, waits, keeper, overdue = [], "", "", ""
    if state is ProposalState.SUCCEEDED:
        acts.append(Act("queue", "Queue", "Anyone may queue it; it costs only gas."))
    elif state is ProposalState.QUEUED:
        executable = proposal.executable_at
        if executable is not None and executable <= at_datetime(at):
            acts.append(Act("execute", "Execute", "Anyone may execute it; it costs only gas."))
        elif proposal.is_constitutional:
            waits = "It changes who controls something, so it waits the constitutional delay too."
        else:
            waits = "It waits in the timelock, so that whoever disagrees can act."
    if state in (ProposalState.SUCCEEDED, ProposalState.QUEUED):
        note = KeeperNote.objects.filter(proposal_id=proposal.pk).first()
        keeper = note.sentence if note else ""
        late = overdue_of(proposal, at)
        overdue = late.sentence if late else ""
    cancel = None if state.is_final else _cancel_act(proposal, state, at=at, account=account)
    if cancel is not None:
        acts.append(cancel)
    executed_by = proposal.executed_by if state is ProposalState.EXECUTED else None
    ours = (
        executed_by is not None
        and Signer.objects.filter(chain_id=chain_id(), address=executed_by).exists()
    )
    elsewhere = executed_by is not None and not ours
    return ActionBar(acts, waits, keeper, overdue, executed_by, elsewhere)


def _cancel_act(
    proposal: Proposal, state: ProposalState, *, at: int, account: bytes | None
) -> Act | None:
    """Offer to cancel only to who may: the proposer while Pending, a live guardian at any time."""
    if account is None:
        return None
    if account == proposal.proposer and state is ProposalState.PENDING:
        return Act("cancel", "Cancel", "You proposed it, and voting has not opened yet.")
    term = guardian_current(at)
    if term is not None and term.guardian == account:
        return Act("cancel", "Cancel", "You are the guardian.")
    return None
