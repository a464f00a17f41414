"""How fresh is what the pages show? One answer for the strip on every page and for /healthz."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from chain import clock, conf
from chain.models import Cursor

State = Literal["ok", "amber", "red", "halted"]


@dataclass(frozen=True, slots=True)
class Freshness:
    """What is indexed against what the node has. Times aware; ``lag_s`` in seconds.

    ``detail`` is a sentence for people; empty when all is well.
    """

    indexed_number: int
    indexed_at: datetime | None
    head_number: int
    lag_blocks: int
    lag_s: int
    finalized_number: int
    state: State
    detail: str
    #: Block time (Unix s) of the newest indexed block: what deadlines are judged by. 0: none.
    indexed_timestamp: int = 0


def freshness() -> Freshness:
    """How far the index is, from the database alone: a slow node slows no page."""
    return freshness_of(Cursor.objects.filter(chain_id=conf.chain_id()).first())


def freshness_of(cursor: Cursor | None) -> Freshness:
    """How far the index is by its cursor, which the caller has read."""
    if cursor is None:
        return Freshness(0, None, 0, 0, 0, 0, "red", "Nothing is indexed yet.")
    lag_blocks = max(0, cursor.head_number - cursor.number)
    lag_s = max(0, cursor.head_timestamp - cursor.timestamp)
    state, detail = _judge(cursor, lag_blocks)
    return Freshness(
        indexed_number=cursor.number,
        indexed_at=cursor.indexed_at,
        head_number=cursor.head_number,
        lag_blocks=lag_blocks,
        lag_s=lag_s,
        finalized_number=cursor.finalized_number,
        state=state,
        detail=detail,
        indexed_timestamp=cursor.timestamp,
    )


def _judge(cursor: Cursor, lag_blocks: int) -> tuple[State, str]:
    if cursor.state != Cursor.State.RUNNING:
        return "halted", (
            "Indexing has stopped: the chain was reorganised deeper than this service keeps. "
            "The pages show the state before it; a person has to look."
        )
    silent_s = int((clock.now() - cursor.seen_at).total_seconds())
    if silent_s > conf.freshness_stall_s():
        return "red", f"The node has not answered for {silent_s} seconds."
    if lag_blocks >= conf.freshness_red_blocks():
        return "red", f"The pages are {lag_blocks} blocks behind the chain."
    if lag_blocks >= conf.freshness_amber_blocks():
        return "amber", f"The pages are {lag_blocks} blocks behind the chain."
    if cursor.error:
        return "amber", cursor.error
    return "ok", ""
