"""The real engines that the faults are done to: PostgreSQL, Valkey, anvil, each its own process.

Shared by ``make chaos`` and ``make bench-reorg``. Nothing here is used by the service.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from config.embedded.anvil import AnvilServer
from config.embedded.postgres import binaries_for
from config.embedded.process import EngineFailed, service_user
from config.embedded.supervisor import Supervisor

#: The database the code under test works in; made anew for every run.
LIVE = "live"
#: The database a fresh index goes into, to be compared with.
FRESH = "fresh"
#: Migrated and empty; the other databases are copies of it, or of one made from it.
PRISTINE = "pristine"
#: The pristine database after the chain as every run finds it was indexed.
BASE = "base"
#: Blocks. Beyond every chain built here, so that a fresh index takes each block by its hash.
WHOLE_CHAIN_BLOCKS = 1_000_000


@dataclass(slots=True)
class Stage:
    """The engines and the names by which everything finds them.

    ``deployment`` is the deployment file of the contracts on ``anvil``.
    """

    folder: Path
    anvil: AnvilServer
    deployment: Path
    #: Blocks: settings of the code under test (CHAIN_REORG_WINDOW, CHAIN_FINALITY).
    reorg_window: int = 64
    finality_depth: int = 2
    supervisor: Supervisor = field(init=False)
    _context: ForkServerContext | None = field(default=None, init=False)

    def start(self) -> None:
        """Start the engines and set this process's Django up on them."""
        given = {"RPC_URL": self.anvil.url}
        # As durable as a real one: "nothing committed is lost" means nothing otherwise.
        self.supervisor = Supervisor(self.folder, database=PRISTINE, given=given)
        self.supervisor.start()
        os.environ.update(self.environment(PRISTINE))
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        database_use(LIVE)
        self.database_copy(PRISTINE, BASE)
        self.database_copy(PRISTINE, LIVE)

    def stop(self) -> None:
        """Stop every engine and delete their data."""
        from django.db import connections

        connections.close_all()
        self.anvil.stop()
        self.supervisor.remove()
        shutil.rmtree(self.folder, ignore_errors=True)

    def environment(self, database: str) -> dict[str, str]:
        """The variables that a process of the service reads."""
        assert self.supervisor.postgres is not None
        assert self.supervisor.valkey is not None
        return {
            "DJANGO_SETTINGS_MODULE": "bench.chaos.settings",
            "DATABASE_URL": self.supervisor.postgres.url(database),
            "CELERY_BROKER_URL": self.supervisor.valkey.url(0),
            "RPC_URL": self.anvil.url,
            "ALTHING_DEPLOYMENT": str(self.deployment),
            "CHAIN_ID": "31337",
            "CHAIN_FINALITY": str(self.finality_depth),
            "CHAIN_REORG_WINDOW": str(self.reorg_window),
            "SITE_URL": "http://localhost:8000",
            "LOG_LEVEL": "CRITICAL",
        }

    def database_copy(self, source: str, target: str) -> None:
        """Make ``target`` anew as a copy of ``source``; sessions of both are ended."""
        from django.db import connections

        connections.close_all()
        with self.admin() as session:
            for name in (source, target):
                session.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                    [name],
                )
            session.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(target))
            )
            session.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(target), sql.Identifier(source)
                )
            )

    @contextmanager
    def admin(self) -> Iterator[psycopg.Connection[Any]]:
        """A session outside of every database that is made and dropped here."""
        assert self.supervisor.postgres is not None
        with psycopg.connect(self.supervisor.postgres.url("postgres"), autocommit=True) as session:
            yield session

    def fork(self, target: Callable[..., Any], *args: Any) -> multiprocessing.Process:
        """Start ``target(*args)`` in a process of its own, quickly: a server that has Django loaded
        already forks it."""
        if self._context is None:
            self._context = multiprocessing.get_context("forkserver")
            self._context.set_forkserver_preload(["bench.chaos.preload"])
        process = self._context.Process(target=target, args=args, daemon=True)
        process.start()
        return process  # type: ignore[return-value]

    def dump(self) -> Path:
        """Back the live database up with pg_dump."""
        path = self.folder / "live.dump"
        self._tool("pg_dump", "-Fc", "-f", path, "-d", self.url())
        return path

    def restore(self, dump: Path) -> None:
        """Lose the live database and bring the backup back."""
        self.database_copy("template0", LIVE)
        self._tool("pg_restore", "--no-owner", "-d", self.url(), dump)

    def url(self, database: str = LIVE) -> str:
        """The libpq address of a database."""
        assert self.supervisor.postgres is not None
        return self.supervisor.postgres.url(database)

    def disk_spare(self) -> None:
        """Let PostgreSQL not wait for the disk. Commits still reach the operating system before
        they are reported, so a killed server loses none; only a machine without power would.
        """
        with self.admin() as session:
            session.execute("ALTER SYSTEM SET fsync = off")
            session.execute("SELECT pg_reload_conf()")

    def checkpoint(self) -> None:
        """Let PostgreSQL log the copied database's sequences anew. A sequence copied by CREATE
        DATABASE may else hand out numbers again after a crash: PostgreSQL believes them logged,
        which they are, in the database it was copied from.
        """
        with self.admin() as session:
            session.execute("CHECKPOINT")

    def postgres_kill(self, *, by: str) -> None:
        """End PostgreSQL by a signal to its first process, as a machine in trouble would."""
        from django.db import connections

        server = self.supervisor.postgres
        assert server is not None
        assert server.child is not None
        os.kill(server.child.process.pid, signal.Signals[by])
        server.child.process.wait(30)
        # The harness's own session died with it; the next request opens another.
        connections.close_all()

    def postgres_start(self) -> None:
        """Start it again on the same data: it recovers from its log."""
        server = self.supervisor.postgres
        assert server is not None
        for attempt in range(50):
            try:
                server.start()
                return
            except EngineFailed:
                # The killed server's children hold its memory until they have noticed.
                if attempt == 49:
                    raise
                time.sleep(0.2)

    def broker_flush(self) -> None:
        """FLUSHALL."""
        import redis

        redis.Redis.from_url(os.environ["CELERY_BROKER_URL"]).flushall()

    def broker_restart(self) -> None:
        """Kill the broker with all it holds, and start an empty one at the same address."""
        valkey = self.supervisor.valkey
        assert valkey is not None
        assert valkey.child is not None
        port, password = valkey.port, valkey.password
        os.kill(valkey.child.process.pid, signal.SIGKILL)
        valkey.child.process.wait(30)
        time.sleep(0.3)
        valkey.password = password
        for attempt in range(50):
            try:
                valkey._start_once(port)
                return
            except EngineFailed:
                if attempt == 49:
                    raise
                time.sleep(0.2)

    def keystores(self) -> dict[str, str]:
        """The keystores of keeper and attestor, made once; the variables that name them."""
        from bench.chaos.chainside import ATTESTOR_KEY, KEEPER_KEY

        variables: dict[str, str] = {}
        for name, key in (("keeper", KEEPER_KEY), ("attestor", ATTESTOR_KEY)):
            path, secret = self.folder / f"{name}.json", self.folder / f"{name}.passphrase"
            if not path.exists():
                from eth_account import Account

                stored = Account.encrypt(key, "chaos", kdf="pbkdf2", iterations=2)
                for file, text in ((path, json.dumps(stored)), (secret, "chaos")):
                    file.write_text(text, encoding="utf-8")
                    file.chmod(0o600)
            variables[f"ALTHING_{name.upper()}_KEYSTORE"] = str(path)
            variables[f"ALTHING_{name.upper()}_PASSPHRASE_FILE"] = str(secret)
        return variables

    def _tool(self, name: str, *args: object) -> None:
        command = [binaries_for(service_user()) / name, *args]
        done = subprocess.run(
            [str(item) for item in command], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"{name} failed: {done.stderr}")

    def fresh_digest(self, *, reorg_window: int = WHOLE_CHAIN_BLOCKS) -> Digest:
        """Index the chain, and one block that is mined meanwhile, into an empty database, in
        another process. The caller indexes that block too before it compares.

        ``reorg_window``: blocks; a small one lets the index take all but the newest by windows.
        """
        from bench.chaos.digest import fresh_index

        self.database_copy(PRISTINE, FRESH)
        ours, theirs = multiprocessing.get_context("forkserver").Pipe(duplex=False)
        process = self.fork(fresh_index, theirs, self.anvil.url, reorg_window)
        theirs.close()
        try:
            answer = ours.recv()
        except EOFError:
            raise RuntimeError("The fresh index died; its error is above.") from None
        finally:
            process.join(60)
            ours.close()
        return dict(answer)


Digest = dict[str, list[Any]]


def database_use(name: str) -> None:
    """Let this process's Django work in another database of the cluster."""
    from django.db import connection, connections

    connections.close_all()
    connection.settings_dict["NAME"] = name


def folder_make() -> Path:
    """A folder that PostgreSQL's own user may walk into where we are root."""
    folder = Path(tempfile.mkdtemp(prefix="althing-chaos-")).resolve()
    folder.chmod(0o711)
    return folder
