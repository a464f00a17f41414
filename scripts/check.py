"""Every check and every test, in the order that fails soonest: `make lint` and `make test` call it.

    python scripts/check.py lint            what needs no engine
    python scripts/check.py all [pytest arguments]

A check that fails does not stop the others; the last thing printed is pytest's own summary.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
FRONTEND = ROOT / "frontend"
SHOWN_LINES = 80
TEMPLATES = ["templates", "governance", "network", "treasury", "config"]
# As a real deployment is set, so that the deployment check has something to check.
PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "config.settings.production",
    "SECRET_KEY": "check-only-4fJ7qWm2Zr8Xc1Vt5Yb9Nk3Hd6Gs0Pa7Le2Ui5Ro8Te1",
    "SITE_URL": "https://dao.example",
    "ALLOWED_HOSTS": "dao.example",
    "DATABASE_URL": "postgresql:///althing",
    "CELERY_BROKER_URL": "redis://127.0.0.1:6379/0",
    "RPC_URL": "http://127.0.0.1:8545",
    "DEMO_MODE": "false",
}
# Django warns, and goes on, when it finds no database to compare the applied migrations with.
NO_DATABASE = {
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    **{"PYTHONWARNINGS": "ignore"},
}


@dataclass(frozen=True, slots=True)
class Check:
    """One command; its output is shown when it fails."""

    title: str
    command: list[str]
    env: dict[str, str] = field(default_factory=dict)
    cwd: Path = ROOT


def lint_checks() -> list[Check]:
    """Return the checks that need no engine."""
    manage = [sys.executable, "manage.py"]
    return [
        Check("formatting (ruff format)", [tool("ruff"), "format", "--check", "."]),
        Check("lint (ruff)", [tool("ruff"), "check", "."]),
        Check("layers (import-linter)", [tool("lint-imports")]),
        Check("types (mypy)", [tool("mypy")]),
        Check("templates (djlint)", [tool("djlint"), *existing(TEMPLATES), "--lint", "--quiet"]),
        Check("types of the pages (tsc)", ["npm", "run", "--silent", "typecheck"], cwd=FRONTEND),
        Check(
            "migrations are complete",
            [*manage, "makemigrations", "--check", "--dry-run"],
            {**NO_DATABASE, "DJANGO_SETTINGS_MODULE": "config.settings.local"},
        ),
        Check(
            "settings of a deployment",
            [*manage, "check", "--deploy", "--fail-level", "WARNING"],
            PRODUCTION,
        ),
    ]


def other_checks() -> list[Check]:
    """Return what runs outside pytest: the pages' unit tests and the contracts'."""
    return [
        Check("unit tests of the pages (node)", ["npm", "test", "--silent"], cwd=FRONTEND),
        Check("contracts (ape, forge, slither)", [str(ROOT / "scripts" / "check_contracts.sh")]),
    ]


def main() -> int:
    """Run what was asked for; 0 only if all of it passed."""
    scope, rest = (sys.argv[1] if len(sys.argv) > 1 else "all"), sys.argv[2:]
    if scope not in {"lint", "all"}:
        sys.exit(__doc__)
    checks = lint_checks() + (other_checks() if scope == "all" else [])
    failed = [check.title for check in checks if not passes(check)]
    if scope == "all":
        failed += [title for title, command in test_runs(rest) if not tests_pass(title, command)]
    if failed:
        print(f"FAILED: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def passes(check: Check) -> bool:
    """Run one check, print its title, result and time, and its output when it failed."""
    began = time.monotonic()
    try:
        done = subprocess.run(
            check.command,
            cwd=check.cwd,
            env={**os.environ, **check.env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        code, output = done.returncode, done.stdout + done.stderr
    except FileNotFoundError as error:
        code, output = 127, str(error)
    result = "ok" if code == 0 else f"FAILED ({code})"
    print(f"{check.title:<36} {result:<12} {time.monotonic() - began:6.1f} s", flush=True)
    if code != 0:
        # djlint draws its progress even where nobody watches.
        lines = [line for line in output.splitlines() if not line.lstrip().startswith("Linting ")]
        shown = lines[-SHOWN_LINES:]
        print("\n".join(f"    {line}" for line in shown), flush=True)
    return code == 0


def test_runs(arguments: list[str]) -> list[tuple[str, list[str]]]:
    """Return the two runs of pytest: the browser's alone, then the rest with a worker per core.

    Apart, because Playwright keeps an event loop running in its process, where Django then refuses
    its database, and because a browser that waits for a busy machine fails for no reason of ours.
    """
    pytest = [sys.executable, "-m", "pytest", "-rs", *arguments]
    workers = str(os.cpu_count() or 1)
    rest = ["--ignore", "tests/browser", "-n", workers, "--dist", "loadfile"]
    return [
        ("tests in the browser (pytest)", [*pytest, "tests/browser"]),
        ("tests (pytest)", [*pytest, *rest]),
    ]


def tests_pass(title: str, command: list[str]) -> bool:
    """Run pytest; its output goes straight through."""
    print(f"\n{title}", flush=True)
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def tool(name: str) -> str:
    """Return the path of a tool in this environment."""
    return str(BIN / name)


def existing(folders: list[str]) -> list[str]:
    """Drop the folders that are not there."""
    return [folder for folder in folders if (ROOT / folder).is_dir()]


if __name__ == "__main__":
    sys.exit(main())
