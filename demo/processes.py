"""The demo's own processes: the web server, the workers and the beat that drives them."""

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from config.embedded.process import Child, EngineFailed
from demo.settings import BASE_DIR

STOP_TIMEOUT_S = 15


class ProcessEnded(RuntimeError):
    """A process of the demo ended by itself; its log says why."""


@dataclass
class Processes:
    """Starts processes and ends exactly those. They end by themselves when the demo is killed."""

    logs: Path
    environment: dict[str, str]
    _running: list[Child] = field(default_factory=list)

    def start(self, name: str, command: Sequence[str]) -> None:
        self.logs.mkdir(parents=True, exist_ok=True)
        child = Child.start(
            name,
            command,
            log=self.logs / f"{name}.log",
            cwd=BASE_DIR,
            env={**os.environ, **self.environment},
            stop_timeout_s=STOP_TIMEOUT_S,
        )
        self._running.append(child)

    def check(self) -> None:
        """Raise ProcessEnded when one is gone."""
        for child in self._running:
            try:
                child.check()
            except EngineFailed as error:
                raise ProcessEnded(str(error)) from error

    def stop(self) -> None:
        for child in self._running:
            if child.process.poll() is None:
                child.process.send_signal(signal.SIGTERM)
        for child in self._running:
            child.stop()
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
    processes.start("worker", [*worker, "-Q", "execute,verify,notify", "-c", "2", "-n", "rest@%h"])
    processes.start(
        "beat", [*celery, "beat", "--loglevel", "WARNING", "-s", str(state / "beat-schedule")]
    )
