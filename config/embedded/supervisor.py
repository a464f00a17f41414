"""Starts the embedded engines of one folder together and stops them together.

Nothing here imports Django: the addresses must be known before its settings are read.

    with Supervisor(Path("var")) as engines:
        os.environ.update(engines.environment())

A variable that is already set wins: with `DATABASE_URL`, `CELERY_BROKER_URL` or `RPC_URL` in the
environment the engine of that name is not started and the real one is used.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO

from config.embedded.anvil import AnvilServer
from config.embedded.postgres import PostgresServer
from config.embedded.process import EngineBusy
from config.embedded.valkey import ValkeyServer

DATABASE = "althing"


@dataclass(slots=True)
class Supervisor:
    """The engines of `folder`. One process at a time may hold them (an advisory lock on
    `engines.lock`).

    `anvil` may be given with its own settings; None leaves the chain to somebody else.
    """

    folder: Path
    durable: bool = True
    database: str = DATABASE
    anvil: AnvilServer | None = None
    given: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    postgres: PostgresServer | None = field(default=None, init=False)
    valkey: ValkeyServer | None = field(default=None, init=False)
    _lock: IO[str] | None = field(default=None, init=False)

    def start(self) -> None:
        """Start what the environment does not already name. Raises `EngineBusy` and the engines'
        own errors.

        Must be called from the main thread (see `Child.start`). What had started is stopped again
        on an error.
        """
        self.folder = self.folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        try:
            self._start_engines()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop every engine, last started first, and give the folder free."""
        for engine in (self.anvil, self.valkey, self.postgres):
            if engine is not None:
                engine.stop()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def remove(self) -> None:
        """Stop everything and delete the folder with all data in it."""
        self.stop()
        if self.postgres is not None:
            self.postgres.remove()
        shutil.rmtree(self.folder, ignore_errors=True)

    def check(self) -> None:
        """Raise `EngineFailed` when an engine has ended by itself."""
        for engine in (self.postgres, self.valkey, self.anvil):
            if engine is not None and engine.child is not None:
                engine.child.check()

    def environment(self) -> dict[str, str]:
        """Return the variables that the settings read, for the engines started here."""
        values: dict[str, str] = {}
        if self.postgres is not None:
            values["DATABASE_URL"] = self.postgres.url(self.database)
        if self.valkey is not None:
            values["CELERY_BROKER_URL"] = self.valkey.url(0)
        if self.anvil is not None:
            values["RPC_URL"] = self.anvil.url
        return values

    def __enter__(self) -> Supervisor:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _start_engines(self) -> None:
        if not self.given.get("DATABASE_URL"):
            self.postgres = PostgresServer(self.folder / "postgres", durable=self.durable)
            self.postgres.start()
            self.postgres.database_create(self.database)
        if not self.given.get("CELERY_BROKER_URL"):
            self.valkey = ValkeyServer(self.folder / "valkey")
            self.valkey.start()
        if self.given.get("RPC_URL"):
            self.anvil = None
        elif self.anvil is not None:
            self.anvil.start()

    def _take_lock(self) -> None:
        lock = (self.folder / "engines.lock").open("a+", encoding="utf-8")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            owner = lock.read().strip() or "unknown"
            lock.close()
            raise EngineBusy(
                f"Process {owner} already runs the engines in {self.folder}. "
                "Stop it (Ctrl-C in its terminal), or use another checkout."
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        self._lock = lock


@contextlib.contextmanager
def terminate_as_interrupt() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into `SystemExit(128 + n)`, so that `with` blocks stop their engines
    on the way out.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("Signals can be handled in the main thread only.")

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
