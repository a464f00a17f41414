"""Processes of the service that may be told where to die. Each is forked with Django loaded."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.chaos.chainside import KEEPER_KEY
from bench.chaos.stage import LIVE, database_use

#: Exit status of a worker that met an error the service does not catch.
UNCAUGHT = 3


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker does: "index", "send", or "serve" (index, keep and send in turn).

    It kills itself (SIGKILL) when it passes ``point`` for the ``nth`` time; "any" is every point.
    ``ticks`` bounds its looks. ``clock_s`` shifts its wall clock (time_machine, so everything in
    the process sees it). ``second_url`` is a second node. ``sabotage`` names a component that is
    wrong on purpose (bench.chaos.sabotage).
    """

    what: str
    rpc_url: str
    ticks: int = 60
    point: str = ""
    nth: int = 1
    clock_s: int = 0
    second_url: str = ""
    reorg_window: int = 0
    follow: bool = False
    sabotage: str = ""


def work(order: Work) -> None:
    """The worker's main. Leaves with 0 when there is nothing more to do."""
    from django.conf import settings

    database_use(LIVE)
    settings.RPC_URL = order.rpc_url
    settings.RPC_URL_SECOND = order.second_url
    if order.reorg_window:
        settings.CHAIN_REORG_WINDOW = order.reorg_window
    try:
        if order.clock_s:
            import time_machine

            there = datetime.now(UTC) + timedelta(seconds=order.clock_s)
            with time_machine.travel(there, tick=True):
                _run(order)
        else:
            _run(order)
    except Exception as error:  # noqa: BLE001 - the harness tells what the service does not catch
        name = getattr(error, "code", type(error).__name__)
        sys.stderr.write(f"worker {order.what}: {name}: {error}\n")
        if os.environ.get("CHAOS_TRACE"):
            traceback.print_exc()
        sys.stderr.flush()
        os._exit(UNCAUGHT)
    finally:
        from django.db import connections

        connections.close_all()


def killer(point: str, nth: int) -> Callable[[str], None]:
    """Die at the nth pass of a point."""
    passed = 0

    def reached(name: str) -> None:
        nonlocal passed
        if point and point in (name, "any"):
            passed += 1
            if passed >= nth:
                os.kill(os.getpid(), signal.SIGKILL)

    return reached


def _run(order: Work) -> None:
    from bench.chaos import sabotage
    from chain.indexer.loop import Indexer, Outcome
    from chain.rpc.errors import RpcError

    reached = killer(order.point, order.nth)
    indexer = sabotage.indexer(order.sabotage, Indexer(reached=reached))
    sender = sabotage.sender(order.sabotage, sender_make(reached))
    clock = Clock()
    with clock.ticking():
        for _ in range(order.ticks):
            clock.tick()
            idle = True
            try:
                if order.what in ("index", "serve"):
                    idle = _index(indexer, Outcome)
                if order.what == "serve":
                    from governance.keeper import keeper_tick

                    keeper_tick()
                if order.what in ("send", "serve"):
                    sender.tick()
                    idle = idle and not open_intents()
            except RpcError:
                # What the service's own loops do: the next tick asks again.
                time.sleep(0.01)
                continue
            if idle and not order.follow:
                return
            time.sleep(0.03)


def _index(indexer: Any, outcome: Any) -> bool:
    for _ in range(400):
        step = indexer.step()
        if step.outcome in (outcome.IDLE, outcome.STALE, outcome.HALTED):
            return bool(step.outcome != outcome.STALE)
    return False


def sender_make(reached: Callable[[str], None] | None = None) -> Any:
    """A sender with the keeper's key, on the node of the settings."""
    from chain.client import rpc_client
    from chain.sender.keys import key_from_private
    from chain.sender.loop import Sender

    return Sender(client=rpc_client(), key=key_from_private(KEEPER_KEY), reached=reached)


def open_intents() -> int:
    """Intents that still have a way to go before they are final."""
    from chain.models import TxIntent

    return int(TxIntent.objects.filter(state__in=["planned", *TxIntent.OPEN_STATES]).count())


class Clock:
    """The service's clock, a second further at every tick: nothing waits for real seconds."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def tick(self, seconds: float = 1) -> None:
        self._ahead += timedelta(seconds=seconds)

    def ticking(self) -> Any:
        from chain import clock

        return clock.clock_override(lambda: datetime.now(UTC) + self._ahead)


def seeded(seed: int, name: str) -> random.Random:
    """The one source of chance of a run."""
    return random.Random(f"{name}:{seed}")
