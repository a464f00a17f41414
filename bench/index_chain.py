"""How close the index comes to the speed at which a node can serve, on a chain of real events.

    python -m bench.index_chain                       # 2,000 blocks of 150 events on anvil
    python -m bench.index_chain --blocks 400 --profile

One run measures, against one anvil and one PostgreSQL:

(a) the floor: every log and every header the index needs, fetched and parsed, and thrown away;
(b) the backfill: the same into PostgreSQL, with all projections of all apps, to the head;
(c) the replay: all projections again from the stored raw logs and reads.

It prints one line of JSON. ``backfill_vs_floor`` is floor seconds / backfill seconds and
``replay_logs_per_s`` are logs per second of (c): medians of the rounds, of which (a) and (b) take
turns, so that a busy machine slows both. CPU seconds are those of this process and, as
``*_database_cpu_s``, of its backend in PostgreSQL; they tell a slow machine from slow code.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.chain_builder import chain_build

#: Blocks per request of the floor: what the index settles at on this chain.
FLOOR_WINDOW = 133


@contextmanager
def engines(folder: Path, url: str, deployment: Path) -> Iterator[None]:
    """The real PostgreSQL with our tables, in ``folder``."""
    from config.embedded.supervisor import Supervisor

    given = {**os.environ, "CELERY_BROKER_URL": "redis://127.0.0.1:1/0", "DATABASE_URL": ""}
    supervisor = Supervisor(folder, durable=True, given=given)
    supervisor.start()
    try:
        os.environ.update(supervisor.environment())
        os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.local"
        os.environ |= {"ALTHING_DEPLOYMENT": str(deployment), "CHAIN_ID": "31337", "RPC_URL": url}
        # No block of this chain is ever taken back.
        os.environ |= {"CHAIN_FINALITY": "0", "CHAIN_REORG_WINDOW": "8"}
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        yield
    finally:
        from django.db import connections

        connections.close_all()
        supervisor.remove()


def floor() -> int:
    """Fetch and parse what the index needs, and nothing else; return the number of logs."""
    from chain.client import rpc_client
    from chain.watch import watched_contracts

    client, addresses = rpc_client(), list(watched_contracts())
    head = client.header("latest").number
    count = 0
    for start in range(1, head + 1, FLOOR_WINDOW):
        end = min(head, start + FLOOR_WINDOW - 1)
        logs = client.logs_of_range(start, end, addresses)
        client.headers(sorted({log.block_number for log in logs}))
        count += len(logs)
    return count


def backfill() -> int:
    """Index the whole chain from nothing; return the number of logs."""
    from chain.indexer.loop import Indexer, index_until_head
    from chain.models import Log

    index_until_head(indexer=Indexer())
    return Log.objects.count()


def replay() -> int:
    """Rebuild every projection; return the number of logs."""
    from chain.indexer.rebuild import projections_rebuild
    from chain.models import Log

    projections_rebuild()
    return Log.objects.count()


def tables_empty() -> None:
    """Forget the index and everything projected from it."""
    from django.db import connection

    from chain.models import Block, ChainRead, Cursor, KeyTouch, Log, LogKey
    from chain.projections import registered_projectors

    models: list[Any] = [Block, Log, LogKey, KeyTouch, ChainRead, Cursor]
    for projector in registered_projectors():
        models += projector.models
    with connection.cursor() as sql:
        sql.execute(f"TRUNCATE {', '.join(model._meta.db_table for model in models)} CASCADE")
        sql.execute("CHECKPOINT")


def projected_digest() -> dict[str, str]:
    """A digest of every projected table, to compare the replay with the backfill."""
    from django.db import connection

    from chain.projections import registered_projectors

    found: dict[str, str] = {}
    with connection.cursor() as sql:
        for projector in registered_projectors():
            for model in projector.models:
                table = model._meta.db_table
                sql.execute(
                    f"SELECT md5(string_agg(t, '' ORDER BY t)) FROM "  # noqa: S608 - our own name
                    f"(SELECT (to_jsonb(r) - 'id')::text AS t FROM {table} AS r) AS rows"
                )
                found[table] = sql.fetchone()[0]
    return found


@dataclass(slots=True)
class Timing:
    """Wall and CPU seconds of one piece of work."""

    wall_s: float
    cpu_s: float
    database_cpu_s: float
    logs: int


def timed(work: Callable[[], int]) -> Timing:
    began, cpu, backend = time.perf_counter(), time.process_time(), backend_cpu_s()
    logs = work()
    return Timing(
        time.perf_counter() - began,
        time.process_time() - cpu,
        backend_cpu_s() - backend,
        logs,
    )


def backend_cpu_s() -> float:
    """CPU seconds so far of the PostgreSQL process that serves us; 0 where there is no /proc."""
    from django.db import connection

    connection.ensure_connection()
    stat = Path(f"/proc/{connection.connection.info.backend_pid}/stat")
    if not stat.exists():
        return 0.0
    fields = stat.read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def profiled(name: str, work: Callable[[], int]) -> None:
    profile = cProfile.Profile()
    profile.runcall(work)
    print(f"--- {name}", file=sys.stderr)
    pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(30)


def measure(rounds: int, profile: bool) -> dict[str, Any]:
    """Run the three, in turns; return the figures."""
    floors, backfills, replays = [], [], []
    same = True
    for _ in range(rounds):
        floors.append(timed(floor))
        tables_empty()
        backfills.append(timed(backfill))
        before = projected_digest()
        replays.append(timed(replay))
        same = same and projected_digest() == before
    if profile:
        tables_empty()
        profiled("backfill", backfill)
        profiled("replay", replay)

    def median(timings: list[Timing], name: str) -> float:
        return round(statistics.median(getattr(timing, name) for timing in timings), 3)

    logs = backfills[0].logs
    if floors[0].logs != logs:
        raise SystemExit(f"The floor saw {floors[0].logs} logs, the index {logs}.")
    return {
        "logs": logs,
        "rounds": rounds,
        "backfill_vs_floor": round(
            median(floors, "wall_s") / median(backfills, "wall_s"),
            3,
        ),
        "replay_logs_per_s": round(logs / median(replays, "wall_s")),
        "backfill_logs_per_s": round(logs / median(backfills, "wall_s")),
        "replay_equals_backfill": same,
        "floor_s": median(floors, "wall_s"),
        "backfill_s": median(backfills, "wall_s"),
        "replay_s": median(replays, "wall_s"),
        "floor_cpu_s": median(floors, "cpu_s"),
        "backfill_cpu_s": median(backfills, "cpu_s"),
        "replay_cpu_s": median(replays, "cpu_s"),
        "backfill_database_cpu_s": median(backfills, "database_cpu_s"),
        "replay_database_cpu_s": median(replays, "database_cpu_s"),
        "load_average": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--blocks", type=int, default=2000, help="blocks of 150 events each")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", action="store_true", help="where the time goes, to stderr")
    parser.add_argument("--rpc-url", help="a chain built before, with --deployment")
    parser.add_argument("--deployment", type=Path)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="althing-bench-")).resolve()
    folder.chmod(0o711)
    chain = None
    try:
        if options.rpc_url:
            url, deployment = options.rpc_url, options.deployment.resolve()
        else:
            say = lambda text: print(text, file=sys.stderr)  # noqa: E731
            chain, deployment = chain_build(folder, blocks=options.blocks, say=say)
            url = chain.url
        with engines(folder, url, deployment):
            print(json.dumps(measure(options.rounds, options.profile)))
    finally:
        if chain is not None:
            chain.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
