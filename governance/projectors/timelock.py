"""Operations of the timelock, joined to the proposals that scheduled them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chain.projections import History, Projector
from governance.models import Proposal, TimelockOperation
from governance.models.timelock import OperationState
from governance.projectors.times import moment

TIMELOCK = "TimelockController"


def _operation_key(args: dict[str, Any]) -> Iterable[str]:
    return (args["id"].hex(),)


class TimelockProjector(Projector):
    """Writes TimelockOperation. Keys: the operation's id, hex."""

    name = "governance.timelock"
    depends_on = ("governance.proposals",)
    models = (TimelockOperation,)
    events = {
        (TIMELOCK, event): _operation_key
        for event in ("CallScheduled", "CallExecuted", "Cancelled")
    }

    def recompute(self, *, key: str, history: History) -> None:
        """Rebuild one operation."""
        operation_id = bytes.fromhex(key)
        scheduled = history.logs("CallScheduled")
        if not scheduled:
            TimelockOperation.objects.filter(operation_id=operation_id).delete()
            return
        # A cancelled operation may be scheduled again: the last schedule is the one in force.
        last = scheduled[-1]
        in_force = [log for log in scheduled if log.transaction_hash == last.transaction_hash]
        place = (last.block_number, last.log_index)
        done = history.logs("CallExecuted")
        canceled = [
            log for log in history.logs("Cancelled") if (log.block_number, log.log_index) > place
        ]
        state = OperationState.SCHEDULED
        if done:
            state = OperationState.DONE
        elif canceled:
            state = OperationState.CANCELED
        TimelockOperation.objects.update_or_create(
            operation_id=operation_id,
            defaults={
                "proposal": Proposal.objects.filter(timelock_operation_id=operation_id).first(),
                "state": state,
                "calls_count": len(in_force),
                "delay_s": last.args["delay"],
                "scheduled_at": moment(last.block_timestamp),
                "ready_at": moment(last.block_timestamp + last.args["delay"]),
                "scheduled_block": last.block_number,
                "scheduled_tx": last.transaction_hash,
                "done_at": moment(done[-1].block_timestamp) if done else None,
                "done_tx": done[-1].transaction_hash if done else None,
                "canceled_at": moment(canceled[-1].block_timestamp) if canceled else None,
                "canceled_tx": canceled[-1].transaction_hash if canceled else None,
            },
        )
