"""The systemd unit: what it holds, what it refuses, and what systemd says of it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from network.agent.cli import main
from network.agent.errors import KeysError
from network.agent.unit import unit_text

PROGRAM, HOME = Path("/bin/true"), Path("/var/lib/althing-node")


def unit(**changes: object) -> str:
    values = {"program": PROGRAM, "home": HOME, "server": "https://dao.example", "user": "althing"}
    return unit_text(**(values | changes))  # type: ignore[arg-type]


def test_it_runs_as_nobody_much() -> None:
    lines = unit().splitlines()
    assert "ExecStart=/bin/true --verbose run" in lines
    assert "User=althing" in lines
    assert "CapabilityBoundingSet=" in lines
    assert "ReadWritePaths=/var/lib/althing-node" in lines


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"home": Path("/a b")}, "unit_path"),
        ({"home": Path("relative")}, "unit_path"),
        ({"home": Path("/a%h")}, "unit_path"),
        ({"program": Path("/x\nExecStart=/bin/sh")}, "unit_path"),
        ({"server": "https://a.example\nUser=root"}, "unit_server"),
        ({"server": "ftp://a.example"}, "unit_server"),
        ({"server": "https://a.example/$HOME"}, "unit_server"),
        ({"user": "root\n"}, "unit_user"),
        ({"user": "A B"}, "unit_user"),
    ],
)
def test_what_would_become_a_line_of_its_own_is_refused(
    changes: dict[str, object], code: str
) -> None:
    with pytest.raises(KeysError) as caught:
        unit(**changes)
    assert caught.value.code == code


def test_the_command_prints_it(tmp_path: Path) -> None:
    arguments = ["--home", str(tmp_path), "--server", "https://dao.example", "systemd"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    assert f"Environment=ALTHING_NODE_HOME={tmp_path}" in done.output
    missing = CliRunner().invoke(main, ["--home", str(tmp_path), "systemd"])
    assert (missing.exit_code, "server_missing" in missing.output) == (9, True)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_finds_nothing_wrong_with_it(tmp_path: Path) -> None:
    path = tmp_path / "althing-node.service"
    path.write_text(unit(), encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
