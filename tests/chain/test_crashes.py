"""kill -9 at every point, several processes at once, lost replies: one effect each."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection

from chain.contracts import contract
from chain.indexer.loop import index_until_head
from chain.models import Cursor, TxAttempt, TxEvent, TxIntent
from chain.outbox import intent_submit
from chain.rpc.client import RpcClient
from chain.sender.keys import key_from_private
from tests.chain.conftest import (
    HolderProjector,
    canonical_digest,
    holder_digest,
    tables_wipe,
)
from tests.chain.test_indexer import pay, treasurer

__all__ = ["treasurer"]

pytestmark = [pytest.mark.chain, pytest.mark.django_db(transaction=True)]

BASE_DIR = Path(__file__).resolve().parents[2]
POINTS = ["viewed", "reconciled", "signed", "sent", "recorded"]
KILLED = -9


@pytest.fixture
def keeper(web3_accounts: list[Any]) -> Any:
    return web3_accounts[8]


@pytest.fixture
def environment(deployment: Any, keeper: Any) -> dict[str, str]:
    """For a process of its own: this test's database, chain and deployment."""
    database = connection.settings_dict
    dsn = f"host={database['HOST']} user={database['USER']} dbname={database['NAME']}"
    if database["PORT"]:
        dsn += f" port={database['PORT']}"
    if database["PASSWORD"]:
        dsn += f" password={database['PASSWORD']}"
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": os.environ.get("DJANGO_SETTINGS_MODULE", "config.settings.test"),
        "DATABASE_URL": dsn,
        "RPC_URL": django_settings.RPC_URL,
        "ALTHING_DEPLOYMENT": str(django_settings.ALTHING_DEPLOYMENT),
        "TEST_KEEPER_KEY": keeper.private_key.hex(),
    }


def worker(environment: dict[str, str], *args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.chain.crash_worker", *args],
        cwd=BASE_DIR,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def finish(process: subprocess.Popen[str]) -> int:
    output, _ = process.communicate(timeout=300)
    assert process.returncode in (0, KILLED), output
    return process.returncode


@pytest.fixture
def blocks(rpc: Any) -> Iterator[None]:
    """A block every second, as on a live chain, instead of one per transaction."""
    rpc("evm_setAutomine", False)
    rpc("evm_setIntervalMining", 1)
    yield
    rpc("evm_setIntervalMining", 0)
    rpc("evm_setAutomine", True)


def submit(count: int) -> None:
    token = contract("AlthingToken")
    for number in range(count):
        intent_submit(
            idem_key=f"credit:{number}",
            kind="test.credit",
            to=token.address,
            data=token.encode("delegate", (bytes([number + 1]) * 20,)),
        )


def one_effect_each(client: RpcClient, keeper: Any, count: int, start: int) -> None:
    """Every intent is on chain exactly once, and nothing else of the keeper's is."""
    intents = list(TxIntent.objects.order_by("nonce"))
    assert {intent.state for intent in intents} <= {"mined", "finalized_ok"}
    assert [intent.nonce for intent in intents] == list(range(start, start + count))
    assert client.nonce(keeper.address) == start + count
    for intent in intents:
        hashes = [attempt.hash for attempt in intent.attempts.all()]
        mined = [receipt for receipt in client.receipts(hashes) if receipt is not None]
        assert len(mined) == 1
        assert mined[0].ok
        states = list(TxEvent.objects.filter(intent=intent).values_list("to_state", flat=True))
        assert states.count("mined") == 1


@pytest.mark.parametrize("point", POINTS)
def test_a_sender_killed_at_a_point_leaves_one_effect(
    environment: dict[str, str], client: RpcClient, keeper: Any, blocks: None, point: str
) -> None:
    start = client.nonce(keeper.address)
    submit(2)
    assert finish(worker(environment, "send", point, "1")) == KILLED
    assert finish(worker(environment, "send", "none", "0")) == 0
    one_effect_each(client, keeper, 2, start)


def test_three_senders_with_kills_and_lost_replies(
    environment: dict[str, str], client: RpcClient, keeper: Any, blocks: None
) -> None:
    start, count, kills = client.nonce(keeper.address), 20, 0
    submit(count)
    running = [worker(environment, "send", "any", "0.05") for _ in range(3)]
    for _ in range(12):
        ended = [finish(process) for process in running]
        kills += ended.count(KILLED)
        if 0 in ended:
            break
        running = [worker(environment, "send", "any", "0.02") for _ in range(2)]
    else:
        assert finish(worker(environment, "send", "none", "0")) == 0
    assert kills > 0
    one_effect_each(client, keeper, count, start)
    assert TxAttempt.objects.count() == count


def test_the_key_never_leaves_by_its_representation(keeper: Any) -> None:
    key = key_from_private(keeper.private_key)
    assert keeper.private_key.hex() not in repr(key)


@pytest.mark.parametrize("point", ["observed", "fetched", "committed"])
def test_an_indexer_killed_at_a_point_stores_everything_once(
    holders: HolderProjector,
    environment: dict[str, str],
    client: RpcClient,
    treasurer: Any,
    point: str,
) -> None:
    index_until_head()
    for number in range(4):
        pay(treasurer, bytes([number % 2 + 1]) * 20)
    assert finish(worker(environment, "index", point, "1")) == KILLED
    assert finish(worker(environment, "index", point, "0.3")) in (0, KILLED)
    index_until_head()
    assert Cursor.objects.get().number == client.header("latest").number
    found = (canonical_digest(), holder_digest())
    tables_wipe()
    index_until_head()
    assert (canonical_digest(), holder_digest()) == found


def test_the_index_command_follows_the_chain_and_leaves_when_asked(
    environment: dict[str, str], client: RpcClient, treasurer: Any, rpc: Any
) -> None:
    command = [sys.executable, "manage.py", "index", "--poll-s", "0.1"]
    process = subprocess.Popen(
        command,
        cwd=BASE_DIR,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        for _ in range(3):
            pay(treasurer, b"\x01" * 20)
            head = client.header("latest").number
            reached(head)
    finally:
        process.terminate()
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert "Traceback" not in output


def reached(number: int) -> None:
    """Wait until the index is at a block; it has two minutes, on a machine with much to do."""
    deadline = time.monotonic() + 120
    while not Cursor.objects.filter(number__gte=number).exists():
        assert time.monotonic() < deadline, f"block {number} was never indexed"
        time.sleep(0.05)
