"""How the set-up runs a step: once per change of its inputs, and with errors that say what to do.

Standard library only. Everything is said on stderr, so that a command's own output stays clean.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"
STAMPS = CACHE / "bootstrap"
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
# Bytes. The environment takes 0.5 GB, the npm packages 0.4 GB, caches and the demo's data the rest.
DISK_NEEDED = 2_000_000_000
TICK_S = 0.2
SAY_EVERY_S = 15
ERROR_LINES = 25
CA_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)
# What a shell may carry that would bend an installation, or double Ape's start (no bytecode).
UNSET = (
    "PYTHONDONTWRITEBYTECODE PYTHONPATH PYTHONHOME PYTHONSTARTUP VIRTUAL_ENV CONDA_PREFIX "
    "PIP_TARGET PIP_PREFIX PIP_USER PIP_REQUIRE_VIRTUALENV UV_PROJECT_ENVIRONMENT "
    "UV_SYSTEM_PYTHON NODE_ENV NODE_OPTIONS npm_config_prefix npm_config_global npm_config_omit "
    "MAKEFLAGS MAKELEVEL MFLAGS"
).split()

# (pattern in the output, what it means, what to do next)
DIAGNOSES = (
    (
        r"No space left on device|ENOSPC|Disk quota exceeded",
        "The disk is full.",
        "Free about 2 GB (df -h shows where) and run the same command again; finished steps are "
        "kept.",
    ),
    (
        r"UnknownIssuer|CERTIFICATE_VERIFY_FAILED|SELF_SIGNED_CERT|self.signed certificate|"
        r"unable to get (local )?issuer",
        "A certificate on the way to the package registry is not trusted.",
        "Behind a proxy that inspects TLS, set SSL_CERT_FILE to a bundle with its certificate and "
        "run again.",
    ),
    (
        r"Temporary failure in name resolution|Name or service not known|getaddrinfo|ENOTFOUND|"
        r"EAI_AGAIN|dns error|"
        r"ECONNREFUSED|Connection refused|Network is unreachable|ETIMEDOUT|timed out|"
        r"Could not resolve host|"
        r"Failed to establish a new connection|error sending request",
        "The package registry cannot be reached.",
        "Check the network and the proxy (HTTPS_PROXY), then run the same command again; finished "
        "steps are kept.",
    ),
    (
        r"HASHES|hash mismatch|Hash mismatch|EINTEGRITY|do not match the hashes",
        "A package differs from the one that was locked.",
        "Do not go on. Clear the package caches (uv cache clean, npm cache clean --force) and try "
        "again; if it stays, "
        "the registry serves a changed package.",
    ),
    (
        r"command '[^']*(gcc|cc|clang)[^']*' failed|gcc: not found|"
        r"No such file or directory: '(gcc|cc)'|"
        r"Unknown compiler|Python\.h: No such file",
        "A package has no ready-made build for this Python and needs a C compiler.",
        "Use Python 3.11 or 3.12 (make PYTHON=python3.12 ...), which need none, or install gcc "
        "and the Python headers.",
    ),
    (
        r"No matching distribution|No solution found|has no wheels with a matching|"
        r"not a supported wheel",
        "A locked package does not exist for this Python or this kind of machine.",
        "Use Python 3.11 or 3.12 on Linux (x86-64 or arm64, glibc 2.35 or newer) or macOS.",
    ),
    (
        r"Permission denied|EACCES",
        "A file or folder belongs to another user.",
        "If it was made by root before, remove .venv, .cache, node_modules and "
        "frontend/node_modules, then run again.",
    ),
)


class SetupError(Exception):
    """The set-up cannot go on. The text says what happened and what to do next."""


@dataclass
class Step:
    """One piece of the set-up, done again only when its inputs change or an output is gone."""

    name: str
    title: str
    action: Callable[[Log], None]
    inputs: Sequence[Path | str | Callable[[], str]] = ()
    outputs: Sequence[Path] = ()
    hint: str = ""

    @property
    def stamp(self) -> Path:
        return STAMPS / f"{self.name}.json"

    def digest(self) -> str:
        """Hash the inputs (files by content, calls by result) and where the checkout is."""
        state = hashlib.sha256(f"{ROOT}\0{platform.machine()}\0{self.title}".encode())
        for item in self.inputs:
            if not isinstance(item, Path):
                state.update(b"\0" + (item if isinstance(item, str) else item()).encode())
                continue
            files = sorted(item.rglob("*")) if item.is_dir() else [item]
            for file in files:
                if file.is_file():
                    state.update(f"\0{file.relative_to(ROOT)}\0".encode() + file.read_bytes())
        return state.hexdigest()

    def is_fresh(self) -> bool:
        with contextlib.suppress(OSError, ValueError):
            stored = json.loads(self.stamp.read_text(encoding="utf-8"))
            return stored == self.digest() and all(path.exists() for path in self.outputs)
        return False


@dataclass
class Log:
    """The log of one step, and how it runs its commands."""

    path: Path
    env: dict[str, str]
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Keep a sentence to be shown when the step is done."""
        self.notes.append(text)

    def run(
        self, *command: str | Path, cwd: Path = ROOT, env: dict[str, str] | None = None
    ) -> None:
        """Run one command into the log. Raises `SetupError` with the log's end and what to do."""
        code = self.attempt(*command, cwd=cwd, env=env)
        if code != 0:
            raise SetupError(explain(self.path, command, code))

    def attempt(
        self, *command: str | Path, cwd: Path = ROOT, env: dict[str, str] | None = None
    ) -> int:
        """Run one command into the log, saying every now and then that it goes on; return its
        status.
        """
        with self.path.open("ab") as output:
            output.write(f"$ {' '.join(map(str, command))}\n".encode())
            output.flush()
            try:
                process = subprocess.Popen(
                    [str(part) for part in command],
                    cwd=cwd,
                    env={**self.env, **(env or {})},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            except FileNotFoundError:
                output.write(f"{command[0]}: not found\n".encode())
                return 127
        began = said = time.monotonic()
        try:
            while process.poll() is None:
                time.sleep(TICK_S)
                if time.monotonic() - said >= SAY_EVERY_S:
                    said = time.monotonic()
                    say(f"      still working, {said - began:.0f} s ...")
        except BaseException:
            process.terminate()
            process.wait()
            raise
        return process.returncode


def say(text: str) -> None:
    """Tell the person in front of the terminal."""
    print(text, file=sys.stderr, flush=True)


def explain(log: Path, command: Sequence[str | Path], code: int) -> str:
    """Turn a failed command into what happened, what to do, and where the whole output is."""
    text = log.read_text(encoding="utf-8", errors="replace")
    tail = "\n".join(f"      | {line}" for line in text.splitlines()[-ERROR_LINES:])
    head = f"`{' '.join(map(str, command))[:160]}` ended with status {code}."
    for pattern, meaning, advice in DIAGNOSES:
        if re.search(pattern, text):
            head = f"{meaning}\n  Next: {advice}\n  ({head})"
            break
    return f"{head}\n{tail}\n  The whole output: {log}"


def environment() -> dict[str, str]:
    """Return the environment of every command: the caller's, less what bends installs, plus caches
    and CAs.
    """
    env = {name: value for name, value in os.environ.items() if name not in UNSET}
    env["PATH"] = os.pathsep.join([str(VENV / "bin"), env.get("PATH", os.defpath)])
    home = Path(env.get("HOME") or "/nonexistent")
    if not (home.is_dir() and os.access(home, os.W_OK)):
        # No home, or not ours: keep caches and settings below the checkout.
        home = CACHE / "home"
        home.mkdir(parents=True, exist_ok=True)
        env["HOME"] = str(home)
    found = next((path for path in CA_BUNDLES if Path(path).exists()), "")
    bundle = env.get("SSL_CERT_FILE") or found
    if bundle:
        # uv and npm bring their own lists and would not know a company's own authority.
        env["SSL_CERT_FILE"] = bundle
        env.setdefault("NODE_EXTRA_CA_CERTS", bundle)
        env.setdefault("PIP_CERT", bundle)
    env |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "npm_config_update_notifier": "false"}
    env |= {"NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}
    return env


def perform(steps: Sequence[Step], env: dict[str, str]) -> None:
    """Do the steps that are not fresh, in order. Raises `SetupError`."""
    stale = [step for step in steps if not step.is_fresh()]
    if not stale:
        return
    check_disk()
    began = time.monotonic()
    say(f"Setting up Althing in {ROOT}: {len(stale)} of {len(steps)} steps to do.")
    for number, step in enumerate(steps, 1):
        # A step may make a later one stale, or this one may have become so by an earlier.
        if step.is_fresh():
            continue
        hint = f" ({step.hint})" if step.hint else ""
        say(f"[{number}/{len(steps)}] {step.title}{hint}")
        _perform_one(step, env)
    say(f"Set up in {time.monotonic() - began:.1f} s.")


def _perform_one(step: Step, env: dict[str, str]) -> None:
    STAMPS.mkdir(parents=True, exist_ok=True)
    path = STAMPS / f"{step.name}.log"
    path.write_bytes(b"")
    step.stamp.unlink(missing_ok=True)
    log = Log(path, env)
    began = time.monotonic()
    try:
        step.action(log)
    except OSError as error:
        raise SetupError(f"{step.title}: {error}") from error
    missing = [str(output) for output in step.outputs if not output.exists()]
    if missing:
        raise SetupError(f"{step.title}: done, yet {', '.join(missing)} is not there. See {path}.")
    step.stamp.write_text(json.dumps(step.digest()), encoding="utf-8")
    for note in log.notes:
        say(f"      {note}")
    say(f"      done in {time.monotonic() - began:.1f} s")


def check_disk() -> None:
    """Raise `SetupError` when the disk cannot hold what is to come."""
    free = shutil.disk_usage(ROOT).free
    if free < DISK_NEEDED:
        raise SetupError(
            f"Only {free / 1e9:.1f} GB are free on the disk of {ROOT}; the set-up needs about "
            f"{DISK_NEEDED / 1e9:.0f} GB.\n  Next: free some space, or clone onto another disk."
        )


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Let one set-up at a time work in this checkout; a second one waits and says so."""
    STAMPS.mkdir(parents=True, exist_ok=True)
    with (STAMPS / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another set-up is working in this checkout; waiting for it ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
