"""One run: a world made anew, a fault done to it, time to recover, and the judgement."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from multiprocessing import Process
from typing import Any

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from bench.chain_builder import calldata
from bench.chaos import judge
from bench.chaos.apps import PAY
from bench.chaos.chainside import HOLDER, Chain
from bench.chaos.proxy import Proxy
from bench.chaos.stage import BASE, LIVE, Stage
from bench.chaos.workers import UNCAUGHT, Clock, Work, open_intents, seeded, sender_make, work

#: Looks at the chain, each with a new block, within which everything must have converged.
TICKS_MAX = 90
KILLED = -9


@dataclass(slots=True)
class Counts:
    """What a run found. All zero: the fault did no harm.

    ``lost``: a log of the chain that is not stored, a payment that was wanted and is not on chain,
    a row that was committed and is gone. ``doubled``: two canonical rows of one log, two payments
    of one intent, two transactions of one nonce's intent. ``wrong``: a row that a fresh index does
    not have, or has otherwise; a state that is not the chain's own; an answer that must not be;
    a process that ended by an error nobody catches. ``stuck``: not at the head, or not final,
    within ``TICKS_MAX`` looks and blocks after the fault ended.
    """

    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    stuck: int = 0
    said: list[str] = field(default_factory=list)

    def add(self, kind: str, text: str, count: int = 1) -> None:
        if count:
            setattr(self, kind, getattr(self, kind) + count)
            self.said.append(f"{kind}: {text}"[:1500])

    @property
    def bad(self) -> bool:
        return bool(self.lost or self.doubled or self.wrong or self.stuck)


@dataclass(slots=True)
class World:
    """What every run of a session shares."""

    stage: Stage
    chain: Chain
    proxy: Proxy
    snapshot: str
    first_nonce: int
    long: bool = False

    def run(self, fault: str, seed: int) -> Run:
        """The world as it was before the first run."""
        self.chain.rpc("evm_revert", self.snapshot)
        self.snapshot = self.chain.rpc("evm_snapshot")
        self.chain.rpc("evm_setAutomine", False)
        self.chain.rpc("anvil_dropAllTransactions")
        self.proxy.heal()
        self.stage.database_copy(BASE, LIVE)
        settings_heal(self.stage)
        return Run(self, fault, seed, seeded(seed, fault))


def settings_heal(stage: Stage) -> None:
    """This process's Django: the real node, no second one."""
    from django.conf import settings
    from django.core.cache import cache

    settings.RPC_URL, settings.RPC_URL_SECOND = stage.anvil.url, ""
    settings.CHAIN_REORG_WINDOW = stage.reorg_window
    cache.clear()


@dataclass(slots=True)
class Run:
    """A run of one fault. Faults use it to act; ``finish`` lets it recover and judges."""

    world: World
    fault: str
    seed: int
    rng: random.Random
    counts: Counts = field(default_factory=Counts)
    #: Recipient -> how many payments of one wei the outbox was asked for.
    wanted: dict[str, int] = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)
    serving: bool = False
    #: Transactions of the keeper that a restored backup cannot know; their effect still counts.
    forgotten: set[str] = field(default_factory=set)
    #: What is worth printing beside the counts.
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def chain(self) -> Chain:
        return self.world.chain

    @property
    def proxy(self) -> Proxy:
        return self.world.proxy

    @property
    def stage(self) -> Stage:
        return self.world.stage

    @property
    def direct(self) -> str:
        """The node's own address."""
        return self.stage.anvil.url

    # --- acting -----------------------------------------------------------------------

    def recipient(self, name: object) -> str:
        """An address nobody ever paid."""
        return to_checksum_address(keccak(f"{self.fault}:{self.seed}:{name}".encode())[:20])

    def pay(self, count: int, *, kind: str = PAY) -> None:
        """Ask the outbox for payments of one wei, each to a recipient of its own."""
        from chain.outbox import intent_submit

        token = self.chain.address("AlthingToken")
        for _ in range(count):
            to = self.recipient(len(self.wanted))
            self.wanted[to] = 1
            intent_submit(
                idem_key=f"{kind}:{to}",
                kind=kind,
                to=bytes.fromhex(token[2:]),
                data=bytes.fromhex(calldata("transfer(address,uint256)", to, 1)[2:]),
            )

    def traffic(self, blocks: int, *, salt: object = "") -> list[str]:
        """Blocks of token transfers by several people, some of them empty; the transactions."""
        sent: list[str] = []
        for number in range(blocks):
            for item in range(self.rng.choice((0, 1, 1, 2, 3))):
                who = self.rng.choice((HOLDER, 3, 4, 5))
                if self.rng.random() < 0.2:
                    to = self.chain.accounts[self.rng.choice((3, 4, 5))]
                    sent.append(self.chain.delegate(who, to))
                    continue
                to = self.recipient(f"traffic{salt}:{number % 5}:{item}")
                sent.append(self.chain.transfer(who, to, self.rng.randint(1, 10**15)))
            self.chain.mine()
        return sent

    def index(self) -> Any:
        """Index to the head in this process; the last step."""
        from chain.indexer.loop import Indexer

        indexer, step = Indexer(), None
        for _ in range(2000):
            step = indexer.step()
            if step.outcome in ("idle", "stale", "halted"):
                break
        return step

    def settle(self) -> None:
        """Index to the head and one block more: what a leg of catching up leaves due is done then,
        within the two blocks that the table allows.
        """
        self.index()
        self.chain.mine()
        self.index()

    def worker(self, what: str, **options: Any) -> Process:
        """Start a worker; the proxied node unless told otherwise."""
        return self.stage.fork(work, Work(what, options.pop("rpc_url", self.direct), **options))

    def ended(self, process: Process, *, allowed: tuple[int, ...] = (0, KILLED)) -> int:
        """Wait for a worker; an error that the service does not catch counts as wrong."""
        process.join(120)
        if process.exitcode is None:
            process.kill()
            process.join()
            self.counts.add("stuck", "a worker did not end by itself")
        code = process.exitcode if process.exitcode is not None else UNCAUGHT
        if code not in allowed:
            self.counts.add("wrong", f"a worker ended with status {code}")
        return code

    def tick(self, *, sender: Any = None) -> None:
        """What a second brings: a block, the index, the keeper, the sender."""
        from governance.keeper import keeper_tick

        self.chain.mine()
        self.clock.tick()
        with self.clock.ticking():
            self.index()
            if self.serving:
                keeper_tick()
            (sender or sender_make()).tick()

    # --- the end ------------------------------------------------------------------------

    def recover(self, *, sabotage: str = "") -> None:
        """The fault is over: give the service its bounded time.

        ``sabotage``: a wrong sender recovers in place of the real one (bench.chaos.sabotage).
        """
        from bench.chaos import sabotage as wrong_components
        from chain.models import Cursor
        from chain.rpc.errors import RpcError

        self.proxy.heal()
        settings_heal(self.stage)
        failures: list[str] = []
        for _ in range(TICKS_MAX):
            try:
                self.tick(sender=wrong_components.sender(sabotage, sender_make()))
            except RpcError as error:
                failures.append(f"{error.code}: {error.detail}")
                continue
            if not open_intents():
                break
        else:
            count = max(1, open_intents())
            self.counts.add("stuck", f"{count} intents open: {judge.intents_text()}", count)
        if failures:
            self.counts.add("wrong", f"the healthy node was refused: {failures[:3]}")
        self.index()
        cursor, head = Cursor.objects.get(), self.chain.block()
        if (cursor.number, f"0x{cursor.hash.hex()}") != (int(head["number"], 16), head["hash"]):
            self.counts.add("stuck", f"the cursor is at {cursor}, the head at {head['number']}")

    def finish(self, *, fresh: bool = True) -> None:
        """Recover and judge by everything."""
        self.recover()
        judge.logs_judge(self)
        judge.payments_judge(self)
        judge.balances_judge(self)
        if fresh:
            judge.fresh_judge(self)


__all__ = ["BASE", "LIVE", "Counts", "Run", "World"]
