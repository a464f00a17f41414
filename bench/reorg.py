"""How long a reorganisation takes: from knowing the new head to the commit that makes the index
equal to the new chain.

    python -m bench.reorg [--rounds 5] [--depths 1,10,64] [--profile FILE]

A real anvil, a real PostgreSQL, every projector of the project. The newest 64 blocks hold 5,000
events of the project's own token and governor (78 a block); the blocks that take their place hold
as many, of other votes and transfers. The clock starts when the node's answer with the new head
has arrived and stops at the commit after which the cursor is at that head. After every round the
index is compared with a fresh one, row for row, unless ``--unchecked``. One JSON line at the end.
"""

from __future__ import annotations

import argparse
import cProfile
import io
import json
import pstats
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.chain_builder import ChainBuilder, anvil_start, calldata, contracts_deploy
from bench.chaos.stage import LIVE, Stage, database_use, folder_make
from config.embedded.supervisor import terminate_as_interrupt

DEPTHS = (1, 10, 64)
#: Milliseconds per depth: what the project holds itself to.
TARGETS_MS = {1: 50, 10: 200, 64: 1000}
#: A block's work: 24 votes and 18 transfers of three logs are 78 events; 64 blocks hold 4,992.
VOTES, PASSES = 24, 18
WINDOW_BLOCKS = 64
MEMBERS = 1200
GAS = hex(1_000_000_000)
#: Blocks of votes after which the proposals' voting period (600 s, a block a second) nears its end.
PLACES_MAX = 350


@dataclass(slots=True)
class Bench:
    """One chain, one index, and the rounds on them. Times in seconds."""

    stage: Stage
    builder: ChainBuilder
    place: int = 0
    times: dict[int, list[float]] = field(default_factory=dict)
    unequal: list[str] = field(default_factory=list)

    def renew(self) -> None:
        """New proposals, on which no member has voted yet."""
        self.builder.blocks = 0
        self.builder._round_begin()
        self.place = 0

    def grow(self, blocks: int) -> None:
        """Mine blocks of events on top of the chain."""
        data = []
        for _ in range(blocks):
            proposal, first = divmod(self.place * VOTES, MEMBERS)
            self.place += 1
            number = self.builder.proposals[proposal]
            data.append(
                calldata("work(uint256,uint256,uint256,uint256)", number, first, VOTES, PASSES)
            )
        for item in data:
            self.builder._send(
                {"from": self.builder._owner, "to": self.builder.swarm, "data": item, "gas": GAS}
            )

    def round(self, depth: int, *, profile: cProfile.Profile | None = None) -> tuple[float, Any]:
        """Reorganise ``depth`` blocks and index the new chain; seconds, and where they went."""
        from chain.indexer.loop import Indexer

        server = self.builder.server
        if self.place > PLACES_MAX:
            self.renew()
        self.grow(WINDOW_BLOCKS - depth)
        snapshot, place = server.rpc("evm_snapshot"), self.place
        self.grow(depth)
        indexer = Indexer()
        self._catch_up(indexer)
        server.rpc("evm_revert", snapshot)
        # Other seconds and other voters: no block of the new chain is one of the old.
        server.rpc("evm_increaseTime", 3)
        self.place = place + depth
        self.grow(depth)
        self.place = place + 2 * depth
        stages = Stages()
        known: list[float] = []

        def reached(name: str) -> None:
            if name == "observed" and not known:
                known.append(time.perf_counter())
                stages.begin()
                if profile is not None:
                    profile.enable()

        indexer._reached = reached
        with stages.watching(indexer.client):
            head = int(server.rpc("eth_blockNumber"), 16)
            number = -1
            while number != head:
                indexer.step()
                number = cursor_number()
            ended = time.perf_counter()
        if profile is not None:
            profile.disable()
        return ended - known[0], stages.spent(ended - known[0])

    def _catch_up(self, indexer: Any) -> None:
        from chain.indexer.loop import index_until_head

        index_until_head(indexer=indexer)

    def check(self, depth: int) -> None:
        """Compare with a fresh index."""
        from bench.chaos.digest import differences, digest_of_live
        from chain.indexer.loop import Indexer

        expected = self.stage.fresh_digest()
        self._catch_up(Indexer())
        found = digest_of_live()
        self.unequal += [f"depth {depth}: {text}" for text in differences(found, expected)]


def cursor_number() -> int:
    from chain.models import Cursor

    return Cursor.objects.get().number


@dataclass(slots=True)
class Stages:
    """Where the time goes: waiting for the node, waiting for the database, our own code."""

    seconds: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    _on: bool = False

    def begin(self) -> None:
        self._on = True

    def spent(self, whole_s: float) -> dict[str, Any]:
        """Milliseconds and counts; what is neither node nor database is Python."""
        rest = whole_s - sum(self.seconds.values())
        found = {name: round(value * 1000, 1) for name, value in self.seconds.most_common()}
        return {**found, "python": round(rest * 1000, 1), "counts": dict(self.counts)}

    @contextmanager
    def watching(self, client: Any) -> Iterator[None]:
        """Count and time what passes the client's transport and Django's connection."""
        from django.db import connection

        send = client.transport.send

        def timed_send(body: bytes, **options: Any) -> bytes:
            with self._timed("node"):
                return bytes(send(body, **options))

        def timed_execute(
            execute: Callable[..., Any], query: str, params: Any, many: bool, context: Any
        ) -> Any:
            with self._timed("database"):
                return execute(query, params, many, context)

        client.transport.send = timed_send
        try:
            with connection.execute_wrapper(timed_execute):
                yield
        finally:
            del client.transport.send

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            if self._on:
                self.seconds[name] += time.perf_counter() - began
                self.counts[name] += 1


def profile_text(profile: cProfile.Profile) -> str:
    """The functions that took longest, by their own time and with what they call."""
    text = io.StringIO()
    for order, rows in (("cumulative", 70), ("tottime", 25)):
        pstats.Stats(profile, stream=text).strip_dirs().sort_stats(order).print_stats(rows)
    return text.getvalue()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.reorg", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--depths", default=",".join(map(str, DEPTHS)))
    parser.add_argument("--profile", type=Path, help="write where the time goes to this file")
    parser.add_argument("--unchecked", action="store_true", help="no comparison after each round")
    options = parser.parse_args()
    with terminate_as_interrupt():
        return measure(options)


def measure(options: argparse.Namespace) -> int:
    """Every round of every depth; the report's status."""
    depths = [int(item) for item in options.depths.split(",")]
    folder = folder_make()
    server = anvil_start(folder / "anvil")
    path = folder / "deployment.json"
    contracts_deploy(server, path)
    stage = Stage(folder, server, path, reorg_window=128)
    stage.start()
    try:
        bench = bench_begin(stage)
        for depth in depths:
            for number in range(options.rounds + 1):
                seconds, spent = bench.round(depth)
                said = f"depth {depth}: {seconds * 1000:.1f} ms {json.dumps(spent)}"
                # The first round of a depth warms caches and plans, as a running service has them.
                print(said if number else f"{said} (not counted)", file=sys.stderr, flush=True)
                if number:
                    bench.times.setdefault(depth, []).append(seconds)
                if not options.unchecked:
                    bench.check(depth)
        if options.profile:
            profile_write(bench, depths, options.profile)
        return report(bench)
    finally:
        stage.stop()


def bench_begin(stage: Stage) -> Bench:
    """A chain with its members and proposals, and an index at its head."""
    database_use(LIVE)
    builder = ChainBuilder(
        stage.anvil, json.loads(stage.deployment.read_text(encoding="utf-8")), members=MEMBERS
    )
    builder.start()
    bench = Bench(stage, builder)
    bench.renew()
    return bench


def profile_write(bench: Bench, depths: list[int], path: Path) -> None:
    """One more round of each depth under the profiler; it slows Python to about half."""
    with path.open("w", encoding="utf-8") as file:
        for depth in depths:
            profile = cProfile.Profile()
            seconds, spent = bench.round(depth, profile=profile)
            file.write(f"=== depth {depth}: {seconds * 1000:.1f} ms under the profiler, {spent}\n")
            file.write(profile_text(profile) + "\n")


def report(bench: Bench) -> int:
    """Print the JSON line; 1 where an index was not equal to a fresh one."""
    medians = {depth: statistics.median(times) * 1000 for depth, times in bench.times.items()}
    line = {
        "recovery_ms": {str(depth): round(value, 1) for depth, value in medians.items()},
        "target_ms": {str(depth): TARGETS_MS.get(depth) for depth in medians},
        "worst_ms": {str(d): round(max(t) * 1000, 1) for d, t in bench.times.items()},
        "rounds": min(map(len, bench.times.values()), default=0),
        "events_in_window": WINDOW_BLOCKS * (VOTES + 3 * PASSES),
        "unequal": bench.unequal,
    }
    print(json.dumps(line))
    return 1 if bench.unequal else 0


if __name__ == "__main__":
    sys.exit(main())
