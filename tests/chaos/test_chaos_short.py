"""A seeded subset of `make chaos`: the same harness on engines of its own, a few runs per fault.

It runs as a process of its own: it kills databases, which no other test may share.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.chaos.table import FAULTS, PROOFS

pytestmark = pytest.mark.chain

BASE_DIR = Path(__file__).resolve().parents[2]
SHORT = [fault for fault in FAULTS if fault.short]
#: What the harness sets for its own processes and a test run has set for its own.
OURS = ("DATABASE_URL", "CELERY_BROKER_URL", "RPC_URL", "ALTHING_DEPLOYMENT", "CHAIN_FINALITY")


@pytest.fixture(scope="module")
def outcome() -> dict[str, Any]:
    """What `python -m bench.chaos --short` found, once for all tests here."""
    environment = {name: value for name, value in os.environ.items() if name not in OURS}
    done = subprocess.run(
        [sys.executable, "-m", "bench.chaos", "--short", "--seed", "1", "--json"],
        cwd=BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.stdout.strip(), done.stderr[-3000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("name", [fault.name for fault in SHORT])
def test_nothing_is_lost_doubled_wrong_or_stuck(outcome: dict[str, Any], name: str) -> None:
    line = next(item for item in outcome["faults"] if item["fault"] == name)
    assert line["runs"] == next(fault.short for fault in SHORT if fault.name == name)
    found = {kind: line[kind] for kind in ("lost", "doubled", "wrong", "stuck")}
    assert found == dict.fromkeys(found, 0), "\n".join(line["said"])


@pytest.mark.parametrize("proof", PROOFS, ids=lambda proof: proof.name)
def test_a_wrong_component_is_reported(outcome: dict[str, Any], proof: Any) -> None:
    found = next(item for item in outcome["proofs"] if item["component"] == proof.name)
    assert found["expected"] == proof.expected
    assert found["caught"] is True


def test_rows_that_are_not_run_are_never_zero(outcome: dict[str, Any]) -> None:
    ran = {line["fault"] for line in outcome["faults"]}
    assert not ran & set(outcome["not_run"])
    listed = {fault.name for fault in FAULTS} | set(outcome["not_run"])
    assert listed == {f"F{number}" for number in range(1, 27)}
