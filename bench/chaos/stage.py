"""The real engines that the faults are done to: PostgreSQL, Valkey, anvil, each its own process.

Shared by ``make chaos`` and ``make bench-reorg``. Nothing here is used by the service.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import tempfile
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
from config.embedded.process import service_user
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
        self._tool("pg_dump", "-Fc", "-f", path, "-d", self._url(LIVE))
        return path

    def restore(self, dump: Path) -> None:
        """Lose the live database and bring the backup back."""
        self.database_copy("template0", LIVE)
        self._tool("pg_restore", "--no-owner", "-d", self._url(LIVE), dump)

    def _url(self, database: str) -> str:
        assert self.supervisor.postgres is not None
        return self.supervisor.postgres.url(database)

    def _tool(self, name: str, *args: object) -> None:
        command = [binaries_for(service_user()) / name, *args]
        done = subprocess.run(
            [str(item) for item in command], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"{name} failed: {done.stderr}")

    def fresh_digest(self, *, reorg_window: int = WHOLE_CHAIN_BLOCKS) -> Digest:
        """Index the chain, and one block that is mined meanwhile, into an empty database, in another
        process. The caller indexes that block too before it compares.

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
