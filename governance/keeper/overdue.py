"""What nobody did in time, and everything else about execution that a person should look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from chain import clock, conf
from chain.formatting import duration_text
from chain.sender.alarms import Alarm
from chain.sender.alarms import alarms as sender_alarms
from governance.models import KeeperNote, Proposal
from governance.selectors import chain_time, proposals_in
from governance.state import ProposalState, proposal_state, unix
from network.selectors.suspensions import suspension_alarms


@dataclass(frozen=True, slots=True)
class Overdue:
    """A step nobody took. ``since`` is when it could first be taken, ``sentence`` is whole."""

    step: str
    since: datetime
    sentence: str


def overdue_of(proposal: Proposal, at: int) -> Overdue | None:
    """What is overdue about a proposal at block time ``at`` (Unix s). Asks no node: it must be
    seen when the keeper is dead."""
    state = proposal_state(proposal, at)
    if state is ProposalState.SUCCEEDED:
        step, past, since = "queue", "queued", proposal.deadline_at
    elif state is ProposalState.QUEUED and proposal.executable_at is not None:
        step, past, since = "execute", "executed", proposal.executable_at
    else:
        return None
    late_s = at - unix(since)
    if late_s <= conf.keeper_overdue_s():
        return None
    sentence = (
        f"Nobody has {past} it in the {duration_text(late_s)} since it could be. Anyone may do it "
        "from a wallet."
    )
    return Overdue(step, since, sentence)


def alarms() -> list[Alarm]:
    """Every alarm of keeper, sender and suspensions, oldest first: for health, console, metrics."""
    found = [*sender_alarms(), *_overdue_alarms(), *suspension_alarms(clock.now())]
    return sorted(found, key=lambda alarm: alarm.since)


def _overdue_alarms() -> Iterator[Alarm]:
    at = chain_time()
    notes = dict(KeeperNote.objects.values_list("proposal_id", "sentence"))
    for proposal in proposals_in((ProposalState.SUCCEEDED, ProposalState.QUEUED), at):
        late = overdue_of(proposal, at)
        if late is None:
            continue
        why = notes.get(proposal.proposal_id, "The keeper has never looked at it.")
        yield Alarm(
            f"{late.step}_overdue",
            f"Proposal {proposal.number}: {late.sentence} The keeper says: {why}",
            late.since,
            f"proposal {proposal.number}",
        )
