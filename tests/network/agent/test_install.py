"""The extra ``node``: what the agent's lock installs is enough for it, and has no Django."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
REQUIREMENTS = ROOT / "requirements"


def names(path: Path) -> dict[str, str]:
    """The requirements of a file: the version that it pins, or empty, by name."""
    lines = path.read_text(encoding="utf-8").splitlines()
    found = (re.match(r"([A-Za-z0-9-]+)(?:\[[^]]*\])?(?:==([^ ;]+))?", line) for line in lines)
    return {match[1].lower(): match[2] or "" for match in found if match}


def test_the_agent_needs_a_part_of_what_the_service_needs_in_the_same_versions() -> None:
    base, agent = names(REQUIREMENTS / "base.txt"), names(REQUIREMENTS / "agent.txt")
    assert {name: version for name, version in agent.items() if base.get(name) != version} == {}
    assert not [name for name in agent if name.startswith(("django", "celery", "psycopg", "web3"))]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the agent's lock and nothing else."""
    folder = tmp_path_factory.mktemp("agent")
    venv, lock = folder / "venv", REQUIREMENTS / "agent.txt"
    beside = str(Path(sys.executable).parent)
    uv = shutil.which("uv", path=beside) or shutil.which("uv")
    target = venv / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    install = [uv, "pip", "install", "--python", str(target)] if uv else [target, "-m", "pip"]
    install += [] if uv else ["install"]
    subprocess.run([*map(str, install), "--require-hashes", "-r", str(lock)], check=True)
    return target


def run(python: Path, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(home)}
    env.pop("DJANGO_SETTINGS_MODULE", None)
    return subprocess.run(
        [str(python), *arguments], env=env, capture_output=True, text=True, check=False
    )


def test_the_agent_runs_there_and_django_does_not(python: Path, tmp_path: Path) -> None:
    assert "No module named 'django'" in run(python, tmp_path, "-c", "import django").stderr
    every = (
        "import importlib, pkgutil, network.agent\n"
        "for found in pkgutil.walk_packages(network.agent.__path__, 'network.agent.'):\n"
        "    importlib.import_module(found.name)\n"
    )
    done = run(python, tmp_path, "-c", every)
    assert done.returncode == 0, done.stderr
    program = ("-m", "network.agent.cli", "--home", str(tmp_path / "node"))
    made = run(python, tmp_path, *program, "keygen")
    assert made.returncode == 0, made.stderr
    examined = run(python, tmp_path, *program, "doctor", "--json")
    assert '"node key"' in examined.stdout, examined.stderr
