"""Components that are wrong on purpose: the proof that the harness sees what it looks for.

They stand in for the real ones in a worker of the harness, and nowhere else.
"""

from __future__ import annotations

from typing import Any

from bench.chaos.chainside import KEEPER_KEY

#: Name -> the count that must not stay zero.
EXPECTED = {
    "sign_twice": "doubled",
    "never_send": "stuck",
    "skip_log": "lost",
    "wrong_row": "wrong",
}


class SignTwice:
    """A sender that prepares a transaction anew instead of sending the same bytes again."""

    def __init__(self, sender: Any) -> None:
        self._sender, self._done = sender, False

    def tick(self) -> None:
        self._sender.tick()
        self._again()

    def _again(self) -> None:
        from chain.models import TxIntent
        from chain.sender.keys import key_from_private

        client = self._sender.client
        intent = TxIntent.objects.filter(state="broadcast").first()
        if intent is None or self._done:
            return
        self._done = True
        key = key_from_private(KEEPER_KEY)
        nonce = int(client.call("eth_getTransactionCount", f"0x{key.address.hex()}", "pending"), 16)
        from chain.addresses import to_checksum

        fields = {
            "type": 2,
            "chainId": intent.chain_id,
            "nonce": nonce,
            "to": to_checksum(intent.to),
            "value": 0,
            "data": intent.data,
            "gas": intent.gas_limit,
            "maxFeePerGas": 10**11,
            "maxPriorityFeePerGas": 10**9,
        }
        client.send_raw(key.sign(fields).raw)


class NeverSend:
    """A sender that does nothing."""

    def __init__(self, sender: Any) -> None:
        self.client = sender.client

    def tick(self) -> None:
        return


class SkipLog:
    """An indexer that leaves the newest log out of the canonical chain."""

    def __init__(self, indexer: Any) -> None:
        self._indexer, self._done = indexer, False

    def step(self) -> Any:
        step = self._indexer.step()
        from chain.models import Log

        newest = Log.objects.filter(canonical=True).order_by("-pk").first()
        if step.outcome == "idle" and newest is not None and not self._done:
            self._done = True
            Log.objects.filter(pk=newest.pk).update(canonical=False)
        return step


class WrongRow:
    """An indexer that adds to a balance what it should have read."""

    def __init__(self, indexer: Any) -> None:
        self._indexer, self._done = indexer, False

    def step(self) -> Any:
        step = self._indexer.step()
        from governance.models import Holder

        holder = Holder.objects.order_by("address").last()
        if step.outcome == "idle" and holder is not None and not self._done:
            self._done = True
            holder.balance_wei += 1
            holder.save()
        return step


def sender(name: str, real: Any) -> Any:
    """The real sender, or the wrong one of that name."""
    return {"sign_twice": SignTwice, "never_send": NeverSend}.get(name, lambda item: item)(real)


def indexer(name: str, real: Any) -> Any:
    """The real indexer, or the wrong one of that name."""
    return {"skip_log": SkipLog, "wrong_row": WrongRow}.get(name, lambda item: item)(real)


def prove(run: Any, name: str) -> None:
    """Work with the wrong component; judge what it left, with the harness's own oracles."""
    from bench.chaos import judge
    from bench.chaos.chainside import mining

    if EXPECTED[name] in ("doubled", "stuck"):
        run.pay(2)
    run.traffic(2)
    with mining(run.chain):
        run.ended(run.worker("index", sabotage=name))
        if EXPECTED[name] in ("doubled", "stuck"):
            run.ended(run.worker("send", ticks=15, sabotage=name))
    wrong = name if name == "never_send" else ""
    run.recover(sabotage=wrong)
    judge.logs_judge(run)
    judge.payments_judge(run)
    judge.balances_judge(run)
