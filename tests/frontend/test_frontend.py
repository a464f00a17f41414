"""The browser code's own checks, so that one command runs everything."""

import shutil
import subprocess
from pathlib import Path

import pytest

FRONTEND = Path(__file__).resolve().parents[2] / "frontend"
# The machine may be busy; a hang must still end.
TIMEOUT_S = 300

pytestmark = pytest.mark.skipif(
    shutil.which("npm") is None or not (FRONTEND / "node_modules").is_dir(),
    reason="needs npm and frontend/node_modules (make setup)",
)


def npm(*arguments: str) -> str:
    done = subprocess.run(
        ["npm", *arguments],
        cwd=FRONTEND,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_types() -> None:
    npm("run", "--silent", "typecheck")


def test_units() -> None:
    output = npm("test", "--silent")
    # A runner that finds no file also exits 0.
    assert "# fail 0" in output
    assert "# pass 0" not in output


def test_lock_names_no_address() -> None:
    lock = (FRONTEND / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in lock
    assert "://" not in lock
