"""Index without end: what a failure of the node, of the database, or a halt does to the process.

It never ends by itself: a supervisor that starts it again and again would hide what is wrong. It
says each trouble once, keeps asking, ever more slowly, and says when the trouble is over.
"""

import logging
import time
from collections.abc import Callable

from django.db import InterfaceError, OperationalError, connections

from chain.deployment import DeploymentInvalid
from chain.doctor import ChainSetupError, NodeProblem, halt_problem, index_check
from chain.indexer.commit import ChainMismatch
from chain.indexer.loop import Indexer, Outcome, Step, index_until_head
from chain.models import Cursor
from chain.rpc.errors import RpcError
from chain.telemetry import telemetry_publish

logger = logging.getLogger(__name__)

#: Seconds waited after the first failure, and at most.
BACKOFF_S = (0.5, 15.0)
#: Seconds between looks at a halted index: one that a person has resolved goes on soon.
HALTED_LOOK_S = 2.0
#: Seconds between two looks at whether to stop while waiting.
_STOP_LOOK_S = 0.2


class _Trouble:
    """One trouble at a time, told once, with the wait it causes."""

    def __init__(self) -> None:
        self.told = ""
        self.wait_s = BACKOFF_S[0]

    def meet(self, code: str, text: str) -> float:
        """Tell a trouble if it is new; return the seconds to wait."""
        if code != self.told:
            # A node that is away for a while is no fault of ours, and comes back.
            is_node = code.startswith(("rpc_", "rate_", "block_", "state_", "range_"))
            logger.log(logging.WARNING if is_node else logging.ERROR, "%s", text)
            self.told, self.wait_s = code, BACKOFF_S[0]
        wait_s = self.wait_s
        self.wait_s = min(wait_s * 2, BACKOFF_S[1])
        return wait_s

    def over(self) -> None:
        if self.told:
            logger.warning("Indexing goes on (after %s).", self.told)
        self.told, self.wait_s = "", BACKOFF_S[0]


def index_forever(
    *, poll_s: float, stop: Callable[[], bool], indexer: Indexer | None = None
) -> None:
    """Follow the chain until ``stop()``.

    Raises:
        ChainSetupError, DeploymentInvalid, ChainMismatch: the set-up is wrong, and waiting does
            not help: another chain, no contract, a corrupt cursor.
    """
    trouble = _Trouble()
    checked = False
    while not stop():
        try:
            if not checked:
                index_check(indexer.client if indexer else None)
                indexer, checked = indexer or Indexer(), True
            step = index_until_head(seconds=5, indexer=indexer)
            telemetry_publish(step)
        except (RpcError, NodeProblem) as error:
            if isinstance(error, NodeProblem) and error.code != "rpc_unreachable":
                raise
            pause(trouble.meet(error.code, f"The node: {error.detail} ({error.code})"), stop)
        except (OperationalError, InterfaceError) as error:
            connections.close_all()
            pause(trouble.meet("database_unavailable", database_sentence(error)), stop)
        else:
            _after(step, trouble, poll_s, stop)


_tick_trouble = _Trouble()
_tick_checked = False


def index_tick_run(*, seconds: float) -> None:
    """What a worker's tick does: the same as above, for some seconds, once.

    Ticks come every second, so each trouble is told once and not at every tick.
    """
    global _tick_checked
    try:
        if not _tick_checked:
            index_check()
            _tick_checked = True
        step = index_until_head(seconds=seconds)
    except RpcError as error:
        _tick_trouble.meet(error.code, f"The node: {error.detail} ({error.code})")
    except (ChainSetupError, DeploymentInvalid, ChainMismatch) as error:
        _tick_trouble.meet(error.code, f"Indexing does not begin: {error}")
    except (OperationalError, InterfaceError) as error:
        _tick_trouble.meet("database_unavailable", database_sentence(error))
    else:
        telemetry_publish(step)
        if step.outcome == Outcome.HALTED:
            _tick_trouble.meet("index_halted", halt_sentence())
        else:
            _tick_trouble.over()


def _after(step: Step, trouble: _Trouble, poll_s: float, stop: Callable[[], bool]) -> None:
    if step.outcome == Outcome.HALTED:
        trouble.meet("index_halted", halt_sentence())
        pause(HALTED_LOOK_S, stop)
        return
    trouble.over()
    if step.outcome != Outcome.INDEXED:
        pause(poll_s, stop)


def pause(seconds: float, stop: Callable[[], bool]) -> None:
    """Sleep, but not past the wish to stop."""
    until = time.monotonic() + seconds
    while not stop() and (left := until - time.monotonic()) > 0:
        time.sleep(min(left, _STOP_LOOK_S))


def halt_sentence() -> str:
    """Why the index is halted and what to do, for the log."""
    cursor = Cursor.objects.filter(state=Cursor.State.HALTED_DEEP_REORG).first()
    return "Indexing is halted." if cursor is None else str(halt_problem(cursor))


def database_sentence(error: Exception) -> str:
    """The database's trouble in one line: the driver's first, for it may quote the statement."""
    first = (str(error).splitlines() or [type(error).__name__])[0]
    return (
        f"The database does not answer: {first} (database_unavailable) Nothing is lost; check that "
        "it runs and DATABASE_URL is right."
    )
