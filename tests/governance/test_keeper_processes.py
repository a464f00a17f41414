"""Several keepers and senders at once, in processes that die at any point: one effect each."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from chain.client import rpc_client
from chain.models import TxAttempt, TxEvent, TxIntent
from governance.actions.build import build_parameter_set
from governance.state import ProposalState
from tests.chain.test_crashes import BASE_DIR, KILLED, blocks, environment, finish, keeper
from tests.governance.conftest import Dao

__all__ = ["blocks", "environment", "keeper"]

pytestmark = [pytest.mark.chain, pytest.mark.django_db(transaction=True)]

PARAMETERS = [("attest.ttl", 3600), ("attest.nonce_ttl", 150)]


def worker(environment: dict[str, str], chance: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.governance.keeper_worker", chance],
        cwd=BASE_DIR,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def work(environment: dict[str, str]) -> int:
    """Three at once that may die, then two more until one has finished; return the kills."""
    kills = 0
    running = [worker(environment, "0.06") for _ in range(3)]
    for _ in range(8):
        ended = [finish(process) for process in running]
        kills += ended.count(KILLED)
        if 0 in ended:
            return kills
        running = [worker(environment, "0.02") for _ in range(2)]
    assert finish(worker(environment, "0")) == 0
    return kills


def test_keepers_at_once_queue_and_execute_each_proposal_once(
    dao: Dao, environment: dict[str, str], keeper: Any, rpc: Any
) -> None:
    client = rpc_client()
    start = client.nonce(keeper.address)
    proposals = [
        dao.propose(calls=[build_parameter_set([change])], description=f"# {change[0]}")
        for change in PARAMETERS
    ]
    dao.open_vote()
    for proposed in proposals:
        dao.vote(0, proposed)
    dao.close_vote()
    dao.index()
    rpc("evm_setAutomine", False)
    rpc("evm_setIntervalMining", 1)
    try:
        work(environment)
        dao.index()
        assert {dao.state(proposed) for proposed in proposals} == {ProposalState.QUEUED}
        rpc("evm_increaseTime", hex(12))
        rpc("evm_mine")
        dao.index()
        work(environment)
    finally:
        rpc("evm_setIntervalMining", 0)
        rpc("evm_setAutomine", True)
    assert {dao.state(proposed) for proposed in proposals} == {ProposalState.EXECUTED}
    count = 2 * len(proposals)
    assert TxIntent.objects.count() == count
    assert client.nonce(keeper.address) == start + count
    mined = client.receipts(list(TxAttempt.objects.values_list("hash", flat=True)))
    assert sum(receipt is not None for receipt in mined) == count
    assert all(receipt.ok for receipt in mined if receipt is not None)
    assert TxEvent.objects.filter(to_state=TxIntent.State.SIGNED).count() == count


def test_the_command_follows_with_a_real_keystore_and_leaves_when_asked(
    dao: Dao, environment: dict[str, str], keeper: Any, tmp_path: Path
) -> None:
    keystore, passphrase = tmp_path / "keeper.json", tmp_path / "passphrase"
    made = Account.encrypt(keeper.private_key, "open sesame", kdf="pbkdf2", iterations=1000)
    keystore.write_text(json.dumps(made))
    passphrase.write_text("open sesame\n")
    for secret in (keystore, passphrase):
        secret.chmod(0o600)
    proposed = dao.propose()
    dao.pass_vote(proposed)
    dao.index()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "keeper", "--poll-s", "0.1"],
        cwd=BASE_DIR,
        env=environment
        | {
            "ALTHING_KEEPER_KEYSTORE": str(keystore),
            "ALTHING_KEEPER_PASSPHRASE_FILE": str(passphrase),
        },
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        deadline = time.monotonic() + 120
        while dao.state(proposed) is not ProposalState.QUEUED:
            assert time.monotonic() < deadline, "it was never queued"
            time.sleep(0.1)
    finally:
        process.terminate()
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert "1 submitted" in output
    assert "Traceback" not in output
    assert "open sesame" not in output
    assert keeper.private_key.hex() not in output
