"""A sender or indexer in a process of its own, which may be told where to die.

``python -m tests.chain.crash_worker send|index|index_all POINT CHANCE``: kills itself with SIGKILL
when it passes POINT ("any": every point) with the given chance. Leaves when all is done. ``index``
runs the tests' own projector, ``index_all`` those of the service.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable


def killer(point: str, chance: float) -> Callable[[str], None]:
    def reached(name: str) -> None:
        if point in (name, "any") and random.random() < chance:
            os.kill(os.getpid(), signal.SIGKILL)

    return reached


def main() -> None:
    import django

    django.setup()
    from chain import projections
    from chain.indexer.loop import Indexer, Outcome, index_until_head
    from chain.models import TxIntent
    from chain.outbox import Go, intent_kind_register
    from chain.rpc.client import RpcClient
    from chain.rpc.errors import Transient
    from chain.rpc.transport import HttpTransport
    from chain.sender.keys import key_from_private
    from chain.sender.loop import Sender
    from tests.chain.conftest import FaultyTransport, HolderProjector, lose_reply

    what, point, chance = sys.argv[1], sys.argv[2], float(sys.argv[3])
    reached = killer(point, chance)
    if what.startswith("index"):
        if what == "index":
            projections._registry.clear()
            projections.register_projector(HolderProjector())
        while index_until_head(indexer=Indexer(reached=reached)).outcome != Outcome.IDLE:
            pass
        return

    transport = FaultyTransport(HttpTransport(os.environ["RPC_URL"]))

    def spoil(methods: list[str], answer: object) -> object:
        return lose_reply(methods, answer) if random.random() < 0.3 else answer

    transport.spoil = spoil
    intent_kind_register(
        name="test.credit",
        preflight=lambda intent: Go(),
        calls=(("AlthingToken", "delegate"),),
    )
    key = key_from_private(bytes.fromhex(os.environ["TEST_KEEPER_KEY"]))
    sender = Sender(client=RpcClient(transport, retries=0), key=key, reached=reached)
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        try:
            sender.tick()
        except Transient:
            pass  # a lost reply; the next tick finds out
        unsent = TxIntent.objects.filter(state__in=["planned", *TxIntent.UNMINED_STATES])
        if not unsent.exists():
            return
        time.sleep(0.05)
    raise SystemExit("It did not finish in four minutes.")


if __name__ == "__main__":
    main()
