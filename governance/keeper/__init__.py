"""The keeper: queues and executes what the vote decided, through the outbox.

It decides nothing: the chain checks every step again, and anyone else may take it first. One
tick (``plan``) looks at every passed proposal, submits the step that is due once, and writes
down why the others wait (``notes``). Nothing is sent on the database's word alone: the
proposal's id is recomputed from the stored raw bytes, and ``preflight`` asks the chain just
before signing. What nobody did in time is an alarm (``overdue``).
"""

from governance.keeper.notes import Judgement, executed_judgement
from governance.keeper.overdue import Overdue, alarms, overdue_of
from governance.keeper.plan import keeper_rehearse, keeper_tick
from governance.keeper.preflight import pause_sentence, preflight, register_intent_kinds
from governance.keeper.steps import GOVERNOR, SIGNATURES, idem_key, step_calldata, stored_id

__all__ = [
    "GOVERNOR",
    "SIGNATURES",
    "Judgement",
    "Overdue",
    "alarms",
    "executed_judgement",
    "idem_key",
    "keeper_rehearse",
    "keeper_tick",
    "overdue_of",
    "pause_sentence",
    "preflight",
    "register_intent_kinds",
    "step_calldata",
    "stored_id",
]
