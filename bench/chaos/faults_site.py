"""Faults around the service: its database, its broker, its visitors, its clock."""

from __future__ import annotations

import random
import statistics
import threading
import time
from contextlib import contextmanager
from html.parser import HTMLParser
from typing import Any

from bench.chaos.chainside import HOLDER, mining
from bench.chaos.run import Run
from bench.chaos.workers import UNCAUGHT

PAGES = ("/", "/proposals/", "/treasury/", "/parameters/", "/api/v1/proposals/", "/healthz")
#: Statuses that say "not now" instead of breaking.
NOT_NOW = (503,)


def _get(path: str) -> Any:
    from django.test import Client

    return Client(raise_request_exception=False).get(path, follow=True)


def f14_database_killed(run: Run) -> None:
    """PostgreSQL is killed (SIGKILL, or an immediate stop) in the midst of work, and comes back."""
    from chain.models import Cursor, TxIntent

    run.stage.checkpoint()
    run.pay(2)
    run.traffic(3)
    run.tick()
    cursor, intents = Cursor.objects.get().number, TxIntent.objects.count()
    with mining(run.chain):
        crew = [run.worker(what, ticks=40, follow=True) for what in ("index", "send")]
        time.sleep(run.rng.uniform(0.1, 0.8))
        run.stage.postgres_kill(by=run.rng.choice(("SIGKILL", "SIGQUIT")))
        # What the workers' own supervisor does: those that ended are started again.
        for path in ("/proposals/", "/api/v1/proposals/", "/healthz"):
            answer = _get(path)
            if answer.status_code not in NOT_NOW:
                run.counts.add("wrong", f"{path} answered {answer.status_code} with no database")
            elif path.startswith("/api/") and not answer.headers.get("Retry-After"):
                run.counts.add("wrong", f"{path} says 503 without Retry-After")
        run.stage.postgres_start()
        for process in crew:
            run.ended(process, allowed=(0, UNCAUGHT))
        for what in ("index", "send"):
            run.ended(run.worker(what, ticks=10))
    if Cursor.objects.get().number < cursor or TxIntent.objects.count() < intents:
        run.counts.add("lost", "what was committed before the kill is gone")
    for path in PAGES:
        status = _get(path).status_code
        if status != 200:
            run.counts.add("stuck", f"{path} answers {status} with the database back")
    run.finish()


def f15_refused_by_database(run: Run) -> None:
    """A lock nobody releases in time, a session ended mid-commit, a full disk (its SQLSTATE)."""
    from django.db import connections

    run.pay(1)
    run.traffic(3)
    kind = ("lock", "ended", "disk", "deadlock")[run.seed % 4]
    with _refusal(run, kind), mining(run.chain):
        for what in ("index", "send"):
            run.ended(run.worker(what, ticks=6), allowed=(0, UNCAUGHT))
    # The harness's own session may have been the one that was ended.
    connections.close_all()
    run.finish()


@contextmanager
def _refusal(run: Run, kind: str) -> Any:
    import psycopg

    table = run.rng.choice(("chain_log", "chain_cursor", "governance_holder", "chain_txattempt"))
    with psycopg.connect(run.stage.url(), autocommit=True, application_name="chaos") as session:
        if kind == "disk":
            session.execute(
                "CREATE FUNCTION chaos_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                "RAISE EXCEPTION 'could not extend file: No space left on device' "
                "USING ERRCODE = '53100'; END $$"
            )
            session.execute(
                f"CREATE TRIGGER chaos_full BEFORE INSERT OR UPDATE ON {table} "
                "FOR EACH ROW EXECUTE FUNCTION chaos_full()"
            )
            yield
            session.execute("DROP FUNCTION chaos_full() CASCADE")
            return
        if kind == "ended":
            stop = threading.Event()
            thread = threading.Thread(target=_end_sessions, args=(run, stop), daemon=True)
            thread.start()
            yield
            stop.set()
            thread.join()
            return
        session.execute("ALTER DATABASE live SET lock_timeout = '300ms'")
        if kind == "deadlock":
            session.execute("ALTER DATABASE live SET deadlock_timeout = '50ms'")
        with session.transaction():
            session.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
            yield
        session.execute("ALTER DATABASE live RESET ALL")


def _end_sessions(run: Run, stop: threading.Event) -> None:
    rng = random.Random(run.seed)
    with run.stage.admin() as session:
        while not stop.wait(rng.uniform(0.05, 0.3)):
            session.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'live' "
                "AND application_name <> 'chaos' ORDER BY random() LIMIT 1"
            )


# --- broker -------------------------------------------------------------------------------


def _drain(run: Run, rounds: int, copies: int, late_s: float) -> None:
    """Let the real worker take ticks, each enqueued several times, some late."""
    from config.celery import app

    tasks = ("chain.tasks.index_tick", "chain.tasks.outbox_tick", "governance.tasks.keeper_tick")
    queues = {"chain.tasks.index_tick": "index"}
    for _ in range(rounds):
        for task in tasks:
            for copy in range(copies):
                countdown = late_s if copy == copies - 1 else None
                app.send_task(task, queue=queues.get(task, "execute"), countdown=countdown)
        time.sleep(0.4)


def _converged(run: Run) -> bool:
    from chain.models import TxIntent

    open_states = ["planned", *TxIntent.UNMINED_STATES]
    return not TxIntent.objects.filter(state__in=open_states).exists()


def f16_broker_lost(run: Run) -> None:
    """FLUSHALL, or the broker stopped and started empty, under a real Celery worker."""
    from bench.chaos.processes import celery_worker

    run.pay(2)
    run.traffic(2)
    with celery_worker(run), mining(run.chain):
        _drain(run, 2, 2, 0.2)
        if run.rng.random() < 0.5:
            run.stage.broker_flush()
        else:
            run.stage.broker_restart()
            for path in PAGES:
                status = _get(path).status_code
                if status not in (200, *NOT_NOW):
                    run.counts.add("wrong", f"{path} answers {status} after the broker's loss")
        for _ in range(12):
            _drain(run, 1, 1, 0)
            if _converged(run):
                break
        else:
            run.counts.add("stuck", "ticks after the broker's loss did not finish the payments")
    run.finish()


def f17_delivered_often(run: Run) -> None:
    """Every task five times, and once more late, to a real Celery worker of two processes."""
    from bench.chaos.processes import celery_worker

    run.pay(3)
    run.traffic(2)
    with celery_worker(run), mining(run.chain):
        for _ in range(12):
            _drain(run, 1, 5, 0.5)
            if _converged(run):
                break
        else:
            run.counts.add("stuck", "sixty ticks did not finish the payments")
    run.finish()


# --- visitors -----------------------------------------------------------------------------

TEXTS: tuple[bytes, ...] = (
    b"# <script>alert(1)</script>\n\n<img src=x onerror=alert(1)> <svg onload=alert(1)>",
    b"# [x](javascript:alert(1)) ![t](http://evil.example/pixel.png)\n\n<iframe src=//evil>",
    "# \u202egnp.exe \u2066inside\u2069 p\u0430ypal\n\nZ̸̡̢a̷l̵g̶o\u200b\u200d".encode(),
    b"# \x00\xff\xfe not text \xc3\x28\n\n\xed\xa0\x80",
    b"# Deep\n\n" + b"> " * 400 + b"x\n\n" + b"- " * 400 + b"y",
    b"# Wide\n\n|" + b"a|" * 800 + b"\n|" + b"-|" * 800 + b"\n",
    b"# " + b"A" * 4000 + b"\n\n" + b"B" * 60_000,
    b"# '; DROP TABLE chain_log; -- {{ 7*7 }} {% load x %}",
)
#: Elements that the site's own pages never have.
FOREIGN = frozenset({"iframe", "object", "embed", "base", "svg:script"})


class Active(HTMLParser):
    """What a browser would run, load or follow of the corpus; its plain text is harmless."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in FOREIGN:
            self.found.append(tag)
        if tag == "script" and not values.get("src") and values.get("type") != "application/json":
            self.found.append("an inline script")
        for name, value in attrs:
            text = "".join((value or "").split()).lower()
            if name.startswith("on") or text.startswith(("javascript:", "data:text/html")):
                self.found.append(f"{tag} {name}={value}"[:80])
            if name == "src" and "evil" in text:
                self.found.append(f"{tag} loads {value}"[:80])


def _active(content: bytes) -> list[str]:
    parser = Active()
    parser.feed(content.decode("utf-8", "replace"))
    parser.close()
    return parser.found


def f22_malicious_text(run: Run) -> None:
    """Proposals and reasons out of the corpus, to every page that shows them."""
    data = bytes.fromhex("")
    texts = run.rng.sample(TEXTS, 3)
    made = []
    for number, text in enumerate(texts):
        # A salt keeps the ids apart; the text stays as it is.
        salted = text + f"\n\n{run.seed}-{number}".encode()
        made.append(run.chain.propose([(run.recipient(number), 0, data)], salted))
    run.chain.mine(seconds=6)
    reason = "<script>alert(2)</script> \u202e <img src=x onerror=alert(1)>"
    run.chain.must(*(run.chain.vote(HOLDER, proposal, 1, reason) for proposal in made))
    run.settle()
    from governance.models import Proposal

    numbers = list(Proposal.objects.values_list("number", flat=True))
    if len(numbers) != len(made) + 1:
        run.counts.add("lost", f"{len(made) + 1} proposals on chain, {len(numbers)} stored")
    paths = ["/", "/proposals/", "/api/v1/proposals/", *(f"/proposals/{n}/" for n in numbers)]
    for path in paths:
        answer = _get(path)
        found = [] if path.startswith("/api/") else _active(answer.content)
        if answer.status_code != 200:
            run.counts.add("wrong", f"{path} answers {answer.status_code} to {texts!r:.80}")
        elif found:
            run.counts.add("wrong", f"{path} carries {found[:3]}")
        elif not path.startswith("/api/") and "Content-Security-Policy" not in answer.headers:
            run.counts.add("wrong", f"{path} has no content security policy")
    run.finish()


def f21_flood(run: Run) -> None:
    """As many unauthenticated requests as this machine can make, at a real gunicorn."""
    from bench.chaos.processes import flood, site

    run.traffic(2)
    run.settle()
    with site(run) as address:
        before = address.memory_mb()
        figures = flood(address.url, seconds=6)
        after = address.memory_mb()
        again = address.memory_mb_after(lambda: flood(address.url, seconds=6))
    run.figures |= figures | {"memory MB before, after, after a second": (before, after, again)}
    run.counts.add("wrong", f"{figures['5xx']} answers 5xx", figures["5xx"])
    run.counts.add("stuck", f"{figures['unanswered']} requests unanswered", figures["unanswered"])
    # The first flood fills caches; only growth under the second is a leak.
    if again - after > 30:
        run.counts.add("wrong", f"memory grew from {after} to {again} MB under the second flood")
    run.finish()


# --- time ---------------------------------------------------------------------------------


def f23_migration(run: Run) -> None:
    """The newest migrations run while readers with the old tables' columns go on."""
    from bench.chaos.migration import migrate_under_readers

    for text in migrate_under_readers(run):
        run.counts.add("wrong", text)
    run.finish()


def f26_soak(run: Run) -> None:
    """Blocks as fast as they come through one long-lived process, its memory measured."""
    from bench.chaos.processes import soak

    blocks = 20_000 if run.world.long else 900
    figures = soak(run, blocks)
    run.figures |= figures
    # Two per mille of slack: Python's heap moves in steps of a few pages.
    if figures["KB per 300 blocks (an hour of 12 s)"] > 1024:
        run.counts.add("wrong", f"memory grows: {figures}")
    if figures["lag in blocks"] > 3:
        run.counts.add("stuck", f"it lags: {figures}")
    run.finish()


def p95_ms(times_s: list[float]) -> float:
    """The 95th percentile, in ms."""
    return round(statistics.quantiles(times_s, n=20)[-1] * 1000, 1) if len(times_s) > 1 else 0.0
