"""The indexer: look, plan, fetch, commit; again."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from django.db import transaction

from chain import clock, conf
from chain.client import rpc_client
from chain.deployment import deployment
from chain.indexer import fetch, planner, writer
from chain.indexer.backfill import Backfill
from chain.indexer.commit import CursorMoved, batch_commit, chain_check, cursor_start
from chain.indexer.gc_pause import gc_paused
from chain.indexer.join import join_step
from chain.indexer.reorg import reorg_handle
from chain.models import Block, Cursor
from chain.rpc.client import RpcClient
from chain.rpc.errors import BlockUnknown, Inconsistent
from chain.watch import watch_refresh

logger = logging.getLogger(__name__)

#: Seconds between two writes of "the node answered" while nothing happens.
_SEEN_EVERY_S = 5
#: Blocks between two prunings of headers.
_PRUNE_EVERY = 256


class Outcome(StrEnum):
    """What one step did."""

    IDLE = "idle"
    STALE = "stale"
    INDEXED = "indexed"
    REORGANISED = "reorganised"
    HALTED = "halted"
    CONTENDED = "contended"


@dataclass(slots=True)
class Step:
    """One step's outcome; ``blocks`` counts the blocks it moved the cursor by."""

    outcome: Outcome
    blocks: int = 0


class Indexer:
    """One process's indexer. Any number may run; the cursor row decides.

    ``reached`` is told the name of each point where a crash is interesting (for tests).
    """

    def __init__(
        self, client: RpcClient | None = None, *, reached: Callable[[str], None] | None = None
    ) -> None:
        self.client = client or rpc_client()
        self._reached = reached or (lambda name: None)
        self._head_number = 0

    def step(self) -> Step:
        """Look once and do what there is to do: one block, a few, or one window.

        Raises:
            RpcError, DeploymentInvalid, ChainMismatch: nothing was stored.
        """
        chain_check(self.client)
        cursor = Cursor.objects.filter(chain_id=conf.chain_id()).first()
        if cursor is None:
            cursor = cursor_start(self.client, first_block=deployment().first_block)
        if cursor.state != Cursor.State.RUNNING:
            return Step(Outcome.HALTED)
        watch_refresh(bytes(cursor.watch_digest))
        try:
            with gc_paused():
                return self._step(cursor)
        except CursorMoved:
            return Step(Outcome.CONTENDED)
        except Inconsistent as error:
            error_note(cursor, f"The node contradicts itself: {error.detail}")
            raise

    def join_step(self) -> bool:
        """Bring one contract that was added a step nearer to the main lane; whether one moved."""
        return join_step(self.client, reached=self._reached)

    def _step(self, cursor: Cursor) -> Step:
        position = planner.Position(cursor.number, cursor.hash)
        ahead = planner.hot_ahead(position=cursor.number, head=self._head_number)
        seen = fetch.observe(self.client, position=position, ahead=ahead)
        self._head_number = seen.head.number
        self._reached("observed")
        plan = planner.plan(
            position=position,
            seen=seen,
            reorg_window=conf.reorg_window(),
            hash_at_head=self._hash_at(seen.head.number, cursor),
        )
        if isinstance(plan, planner.Idle):
            return self._idle(cursor, stale=plan.stale, complaint=seen.complaint)
        if isinstance(plan, planner.Reorg):
            event = reorg_handle(self.client, cursor=cursor, seen=seen)
            logger.warning("Reorganisation: %s", event)
            return Step(Outcome.HALTED if event.halted else Outcome.REORGANISED)
        if isinstance(plan, planner.Window):
            return self._window(cursor, plan, seen)
        return self._hot(cursor, plan, seen)

    def _hash_at(self, number: int, cursor: Cursor) -> bytes | None:
        if number >= cursor.number:
            return None
        row = Block.objects.filter(chain_id=cursor.chain_id, number=number, canonical=True).first()
        return row.hash if row else None

    def _idle(self, cursor: Cursor, *, stale: bool, complaint: str) -> Step:
        moment = clock.now()
        error = "The node is behind what is already indexed." if stale else complaint
        silent_s = (moment - cursor.seen_at).total_seconds()
        if error != cursor.error or silent_s > _SEEN_EVERY_S:
            Cursor.objects.filter(pk=cursor.pk).update(seen_at=moment, error=error)
        return Step(Outcome.STALE if stale else Outcome.IDLE)

    def _window(self, cursor: Cursor, plan: planner.Window, seen: planner.Observation) -> Step:
        leg = Backfill(
            self.client, cursor=cursor, target=plan.end, seen=seen, reached=self._reached
        )
        return Step(Outcome.INDEXED, leg.run())

    def _hot(self, cursor: Cursor, plan: planner.Hot, seen: planner.Observation) -> Step:
        base = planner.Position(cursor.number, bytes(cursor.hash))
        try:
            batch = fetch.batch_of_blocks(
                self.client,
                base=base,
                blocks=plan.blocks,
                seen=seen,
                pending=writer.keys_pending(cursor),
            )
        except BlockUnknown:
            # The node left a block meanwhile, or has only its header: look again, not at once.
            return Step(Outcome.STALE)
        self._reached("fetched")
        batch_commit(batch)
        self._reached("committed")
        if batch.end.number // _PRUNE_EVERY > base.number // _PRUNE_EVERY:
            writer.headers_prune(below=batch.end.number - 2 * conf.reorg_window())
        return Step(Outcome.INDEXED, len(plan.blocks))


def error_note(cursor: Cursor, text: str) -> None:
    """Show on the pages why indexing does not advance."""
    with transaction.atomic():
        Cursor.objects.filter(pk=cursor.pk).exclude(error=text).update(error=text)


def index_until_head(*, seconds: float | None = None, indexer: Indexer | None = None) -> Step:
    """Step until there is nothing to do, or ``seconds`` are over; return the last step's outcome
    and the blocks of all.

    Raises:
        RpcError
    """
    indexer = indexer or Indexer()
    deadline = None if seconds is None else time.monotonic() + seconds
    blocks = 0
    while True:
        step = indexer.step()
        blocks += step.blocks
        joining = step.outcome != Outcome.HALTED and indexer.join_step()
        if step.outcome in (Outcome.IDLE, Outcome.STALE, Outcome.HALTED) and not joining:
            return Step(step.outcome, blocks)
        if deadline is not None and time.monotonic() > deadline:
            return Step(step.outcome, blocks)
