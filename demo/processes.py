"""The demo's own processes: the web server, the workers and the beat that drives them."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from demo.settings import BASE_DIR

STOP_TIMEOUT_S = 15


class ProcessEnded(RuntimeError):
    """A process of the demo ended by itself; its log says why."""


@dataclass
class Processes:
    """Starts processes and ends exactly those, by their pids."""

    logs: Path
    environment: dict[str, str]
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, command: Sequence[str]) -> None:
        self.logs.mkdir(parents=True, exist_ok=True)
        with (self.logs / f"{name}.log").open("wb") as log:
            self._running[name] = subprocess.Popen(
                command,
                cwd=BASE_DIR,
                env={**os.environ, **self.environment},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def check(self) -> None:
        """Raise ProcessEnded when one is gone."""
        for name, process in self._running.items():
            if process.poll() is not None:
                log = self.logs / f"{name}.log"
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
                raise ProcessEnded(f"{name} ended with {process.returncode}; {log}:\n{tail}")

    def stop(self) -> None:
        for process in self._running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self._running.values():
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self._running.clear()


def start_site(processes: Processes, *, port: int, state: Path) -> None:
    """Start gunicorn, a worker for the index, one for the rest, and Celery's beat."""
    python = sys.executable
    celery = [python, "-m", "celery", "-A", "config", "--quiet"]
    processes.start(
        "web",
        [
            python,
            "-m",
            "gunicorn",
            "config.wsgi",
            "--bind",
            f"127.0.0.1:{port}",
            "--workers",
            "2",
            "--threads",
            "4",
            "--no-control-socket",
        ],
    )
    worker = [*celery, "worker", "--loglevel", "WARNING", "--without-gossip", "--without-mingle"]
    processes.start("worker-index", [*worker, "-Q", "index", "-c", "1", "-n", "index@%h"])
    processes.start("worker", [*worker, "-Q", "execute,notify", "-c", "2", "-n", "rest@%h"])
    processes.start(
        "beat", [*celery, "beat", "--loglevel", "WARNING", "-s", str(state / "beat-schedule")]
    )
