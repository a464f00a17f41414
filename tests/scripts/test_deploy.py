"""The deploy script on a local chain that mines at intervals, as a demo's or a testnet's does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.embedded.anvil import AnvilServer

BASE_DIR = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.chain


@pytest.fixture
def slow_chain(tmp_path: Path) -> Iterator[AnvilServer]:
    anvil = AnvilServer(tmp_path / "anvil", block_time_s=1)
    anvil.start()
    yield anvil
    anvil.stop()


def test_it_deploys_where_a_block_comes_every_second(
    slow_chain: AnvilServer, tmp_path: Path
) -> None:
    out = tmp_path / "deployment.json"
    command = [sys.executable, str(BASE_DIR / "scripts" / "deploy.py")]
    command += ["--rpc-url", slow_chain.url, "--profile", "tests", "--out", str(out)]
    done = subprocess.run(
        command,
        cwd=BASE_DIR,
        env={**os.environ, "APE_DATA_FOLDER": str(tmp_path / "ape")},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    contracts = json.loads(out.read_text())["contracts"]
    for contract in contracts.values():
        assert slow_chain.rpc("eth_getCode", contract["address"], "latest") != "0x"
    assert len({item["block_number"] for item in contracts.values()}) == len(contracts)
