"""A keeper and its sender in a process of their own, which may be told to die.

``python -m tests.governance.keeper_worker CHANCE``: looks, signs and sends until no intent is
left to be mined; kills itself with SIGKILL at any point with the given chance, and loses every
fifth reply of the node to what it sends.
"""

from __future__ import annotations

import os
import random
import sys
import time


def main() -> None:
    import django

    django.setup()
    from chain.models import TxIntent
    from chain.rpc.client import RpcClient
    from chain.rpc.errors import RpcError
    from chain.rpc.transport import HttpTransport
    from chain.sender.keys import key_from_private
    from chain.sender.loop import Sender
    from governance.keeper import keeper_tick
    from tests.chain.conftest import FaultyTransport, lose_reply
    from tests.chain.crash_worker import killer

    transport = FaultyTransport(HttpTransport(os.environ["RPC_URL"]))

    def spoil(methods: list[str], answer: object) -> object:
        return lose_reply(methods, answer) if random.random() < 0.2 else answer

    transport.spoil = spoil
    reached = killer("any", float(sys.argv[1]))
    key = key_from_private(bytes.fromhex(os.environ["TEST_KEEPER_KEY"]))
    sender = Sender(client=RpcClient(transport, retries=0), key=key, reached=reached)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        keeper_tick()
        reached("planned")
        try:
            sender.tick()
        except RpcError:
            pass  # a lost reply; the next tick finds out
        unsent = TxIntent.objects.filter(state__in=["planned", *TxIntent.UNMINED_STATES])
        if not unsent.exists():
            return
        time.sleep(0.05)
    raise SystemExit("It did not finish in two minutes.")


if __name__ == "__main__":
    main()
