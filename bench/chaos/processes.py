"""Whole processes of the service: a Celery worker, a web server, one that lives long."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

import psutil

from bench.chaos.stage import LIVE, database_use
from config.embedded.anvil import BASE_DIR
from config.embedded.process import free_port

if TYPE_CHECKING:
    from bench.chaos.run import Run

READY_S = 60


def _start(run: Run, name: str, command: list[str]) -> subprocess.Popen[bytes]:
    log = (run.stage.folder / f"{name}.log").open("wb")
    with log:
        return subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=BASE_DIR,
            env={**os.environ, **run.stage.environment(LIVE), **run.stage.keystores()},
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def celery_worker(run: Run) -> Iterator[subprocess.Popen[bytes]]:
    """A real worker of the queues that matter, with the keeper's key."""
    from config.celery import app

    command = ["celery", "-A", "config", "--quiet", "worker", "--loglevel", "ERROR"]
    command += ["--without-gossip", "--without-mingle", "-Q", "index,execute", "-c", "2"]
    # The harness's own connections may be to a broker that a run before this one has killed.
    app._after_fork()
    app.control.purge()
    process = _start(run, "celery", command)
    try:
        deadline = time.monotonic() + READY_S
        while not app.control.inspect(timeout=0.5).ping():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((run.stage.folder / "celery.log").read_text()[-2000:])
        yield process
        if process.poll() is not None:
            run.counts.add("wrong", f"the Celery worker ended with {process.returncode}")
    finally:
        _end(process)


@dataclass(slots=True)
class Site:
    """A running gunicorn."""

    url: str
    pid: int

    def memory_mb(self) -> float:
        """Resident memory of all its processes."""
        whole = psutil.Process(self.pid)
        parts = [whole, *whole.children(recursive=True)]
        return round(sum(part.memory_info().rss for part in parts) / 2**20, 1)

    def memory_mb_after(self, work: Callable[[], Any]) -> float:
        work()
        return self.memory_mb()


@contextmanager
def site(run: Run) -> Iterator[Site]:
    """Gunicorn as the deployment runs it, with the real throttles."""
    import urllib3

    port = free_port()
    os.environ["CHAOS_REAL_THROTTLES"] = "1"
    command = ["gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{port}", "--workers", "2"]
    process = _start(run, "web", [*command, "--threads", "4", "--no-control-socket"])
    del os.environ["CHAOS_REAL_THROTTLES"]
    found = Site(f"http://127.0.0.1:{port}", process.pid)
    try:
        deadline = time.monotonic() + READY_S
        while True:
            try:
                urllib3.request("GET", f"{found.url}/proposals/", retries=False, timeout=5)
                break
            except urllib3.exceptions.HTTPError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((run.stage.folder / "web.log").read_text()[-2000:]) from None
                time.sleep(0.1)
        yield found
    finally:
        _end(process)


def flood(url: str, *, seconds: float, threads: int = 8) -> dict[str, Any]:
    """Ask as fast as the machine can from several threads; one reader among them is timed."""
    import urllib3

    from bench.chaos.faults_site import p95_ms

    pool = urllib3.PoolManager(maxsize=threads + 1, retries=False)
    statuses: list[int] = []
    reads_s: list[float] = []
    deadline = time.monotonic() + seconds
    bad = ("/api/v1/attestations", "/api/v1/proposals/?page=zzz", "/no/such/page")

    def attack(number: int) -> None:
        while time.monotonic() < deadline:
            statuses.append(
                _status(pool, url + bad[number % len(bad)], "POST" if number % 3 == 0 else "GET")
            )

    def read() -> None:
        while time.monotonic() < deadline:
            began = time.monotonic()
            statuses.append(_status(pool, f"{url}/proposals/", "GET"))
            reads_s.append(time.monotonic() - began)
            time.sleep(0.05)

    crew = [threading.Thread(target=attack, args=(number,)) for number in range(threads)]
    crew.append(threading.Thread(target=read))
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    return {
        "requests per second": round(len(statuses) / seconds),
        "reads p95 ms under flood": p95_ms(reads_s),
        "5xx": sum(500 <= status for status in statuses),
        "unanswered": statuses.count(0),
    }


def _status(pool: Any, url: str, method: str) -> int:
    import urllib3

    try:
        return int(pool.request(method, url, timeout=30.0, redirect=False).status)
    except urllib3.exceptions.HTTPError:
        return 0


# --- soak -----------------------------------------------------------------------------------


def soak(run: Run, blocks: int) -> dict[str, Any]:
    """Index ``blocks`` blocks in one process as they come; its memory, in steps."""
    import multiprocessing

    ours, theirs = multiprocessing.get_context("forkserver").Pipe()
    process = run.stage.fork(_soak_worker, theirs, run.direct)
    theirs.close()
    memory: list[tuple[int, int]] = []
    step, done, lag = 50, 0, 0
    while done < blocks:
        if done % 250 == 0:
            run.traffic(1, salt=done)
        run.chain.rpc("anvil_mine", hex(step))
        done += step
        ours.send("index")
        rss, number = ours.recv()
        lag = run.chain.head() - number
        memory.append((done, rss))
    ours.send("end")
    process.join(30)
    half = [item for item in memory if item[0] > blocks / 3]
    (first, low), (last, high) = half[0], half[-1]
    return {
        "blocks": done,
        "memory KB at the end": memory[-1][1] // 1024,
        "KB per 300 blocks (an hour of 12 s)": round((high - low) / 1024 / (last - first) * 300, 1),
        "lag in blocks": lag,
    }


def _soak_worker(pipe: Connection, rpc_url: str) -> None:
    from django.conf import settings

    from chain.indexer.loop import Indexer
    from chain.models import Cursor

    database_use(LIVE)
    settings.RPC_URL = rpc_url
    indexer, me = Indexer(), psutil.Process()
    while pipe.recv() != "end":
        while indexer.step().outcome not in ("idle", "stale", "halted"):
            pass
        pipe.send((me.memory_info().rss, Cursor.objects.get().number))
