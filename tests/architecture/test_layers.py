"""The layers hold: config -> governance -> treasury | network -> chain."""

import subprocess
import sys
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parents[2]


def test_import_linter_keeps_every_contract() -> None:
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([linter], cwd=BASE_DIR, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_pure_cores_load_without_django() -> None:
    cores = ["chain.rpc", "chain.decoding", "network.attestation", "network.agent"]
    cores += ["network.compute", "network.epochs.merkle", "treasury.policy", "governance.checks"]
    script = (
        "import importlib, sys\n"
        f"for name in {cores!r}: importlib.import_module(name)\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('django', 'celery')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=BASE_DIR, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
