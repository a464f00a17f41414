"""A deep reorganisation against the real ``manage.py index``: it halts, says so once, stays alive,
loses nothing, and goes on by itself once a person has run one command."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from chain.models import Cursor, Log, ReorgEvent
from chain.rpc.client import RpcClient
from tests.chain.conftest import Wallet
from tests.chain.test_crashes import environment, keeper
from tests.chain.test_indexer import pay, treasurer

__all__ = ["environment", "keeper", "treasurer"]

pytestmark = [pytest.mark.chain, pytest.mark.django_db(transaction=True)]

BASE_DIR = Path(__file__).resolve().parents[2]
ADA = b"\xaa" * 20
#: Seconds; the machine may have much to do.
PATIENCE_S = 120


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@pytest.fixture
def indexing(
    environment: dict[str, str], tmp_path: Path
) -> Iterator[Callable[..., tuple[subprocess.Popen[bytes], Path, dict[str, str]]]]:
    """``indexing(CHAIN_FINALITY=...)`` starts ``manage.py index``; gives process, log and env."""
    running: list[subprocess.Popen[bytes]] = []

    def start(**changes: str) -> tuple[subprocess.Popen[bytes], Path, dict[str, str]]:
        # The tests' settings fix the finality; these read it.
        env = {**environment, "DJANGO_SETTINGS_MODULE": "config.settings.local", **changes}
        log = tmp_path / "index.log"
        with log.open("wb") as output:
            running.append(
                subprocess.Popen(
                    [sys.executable, "manage.py", "index", "--poll-s", "0.1"],
                    cwd=BASE_DIR,
                    env=env,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            )
        return running[-1], log, env

    yield start
    for process in running:
        process.kill()
        process.wait()


def manage(env: dict[str, str], *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", *args]
    return subprocess.run(
        command, cwd=BASE_DIR, env=env, capture_output=True, text=True, timeout=120, check=False
    )


def cursor() -> Cursor | None:
    return Cursor.objects.first()


def at_head(client: RpcClient) -> bool:
    row = cursor()
    return row is not None and row.state == "running" and row.number == _head(client)


def _head(client: RpcClient) -> int:
    return client.header("latest").number


def halted() -> bool:
    row = cursor()
    return row is not None and row.state == Cursor.State.HALTED_DEEP_REORG


def test_deeper_than_the_window(
    indexing: Any, client: RpcClient, treasurer: Wallet, rpc: Any
) -> None:
    process, log, env = indexing(CHAIN_FINALITY="2", CHAIN_REORG_WINDOW="8")
    for _ in range(12):
        pay(treasurer, ADA)
    wait_for(lambda: at_head(client), "never indexed to the head")
    logs = set(Log.objects.filter(canonical=True).values_list("block_hash", "log_index"))
    number = _head(client)

    rpc("anvil_reorg", 12, [])
    rpc("anvil_mine", "0x2")
    wait_for(halted, "never halted")
    time.sleep(3)
    rpc("anvil_mine", "0x3")
    assert process.poll() is None, "the process must stay"
    row = cursor()
    assert row is not None
    assert row.number == number, "what was indexed is shown as it was"
    assert set(Log.objects.filter(canonical=True).values_list("block_hash", "log_index")) == logs
    assert ReorgEvent.objects.filter(halted=True).count() == 1
    body = Client().get("/api/v1/status/").json()
    assert (body["index"]["state"], body["index"]["last_reorg_depth"]) == ("halted", -1)
    assert Client().get("/readyz").status_code == 503
    assert Client().get("/api/v1/proposals/").status_code == 200

    doctor = manage(env, "chain_doctor")
    assert doctor.returncode == 1
    assert "index_halted" in doctor.stdout
    dry = manage(env, "resolve_reorg")
    assert "12 blocks down" in dry.stdout, dry.stderr
    assert halted()
    done = manage(env, "resolve_reorg", "--yes", "--actor", "ada")
    assert done.returncode == 0, done.stderr
    wait_for(lambda: at_head(client), "never went on after it was resolved")
    assert process.poll() is None
    stored = set(Log.objects.values_list("block_hash", "log_index"))
    assert logs <= stored, "raw logs of the dead fork stay"
    assert Log.objects.filter(canonical=False).count() >= 12

    process.terminate()
    assert process.wait(60) == 0
    said = log.read_text()
    assert said.count("(index_halted)") == 1, said
    assert "Indexing goes on (after index_halted)" in said
    assert "Traceback" not in said


def test_below_what_the_chain_called_final(
    indexing: Any, client: RpcClient, treasurer: Wallet, rpc: Any
) -> None:
    pay(treasurer, ADA)
    number = _head(client)
    rpc("anvil_mine", "0x50")
    finalized = client.header("finalized").number
    assert finalized >= number
    process, _, env = indexing(CHAIN_FINALITY="finalized", CHAIN_REORG_WINDOW="128")
    wait_for(lambda: at_head(client), "never indexed to the head")
    row = cursor()
    assert row is not None
    assert row.finalized_number == finalized
    # Well inside the window, and below what is final: no repair without a person.
    rpc("anvil_reorg", _head(client) - number + 1, [])
    rpc("anvil_mine", "0x2")
    wait_for(halted, "never halted")
    assert Log.objects.filter(canonical=True, block_number=number).exists()
    assert "blocks down" in manage(env, "resolve_reorg", "--yes").stdout
    wait_for(lambda: at_head(client), "never went on")
    assert not Log.objects.filter(canonical=True, block_number=number).exists()
    assert Log.objects.filter(canonical=False, block_number=number).exists()
    assert ReorgEvent.objects.order_by("-pk")[0].crossed_finality
    assert process.poll() is None


def test_a_node_that_is_away_at_the_start_is_waited_for(indexing: Any) -> None:
    process, log, _ = indexing(RPC_URL="http://127.0.0.1:9", CHAIN_FINALITY="2")
    wait_for(lambda: b"rpc_unreachable" in log.read_bytes(), "never said what is wrong")
    time.sleep(3)
    assert process.poll() is None
    process.terminate()
    assert process.wait(30) == 0, "it leaves when asked, also while it waits"
    said = log.read_text()
    assert said.count("rpc_unreachable") == 1, said
    assert "Traceback" not in said


def test_without_a_database_or_its_tables_the_commands_say_so(
    environment: dict[str, str], tmp_path: Path
) -> None:
    env = {**environment, "DJANGO_SETTINGS_MODULE": "config.settings.local"}
    away = {**env, "DATABASE_URL": f"postgresql:///none?host={tmp_path}"}
    for command in (("index", "--once"), ("rebuild_projections",), ("reconcile",)):
        done = manage(away, *command)
        assert done.returncode == 1
        assert "(database_unavailable)" in done.stderr, done.stderr
        assert "Traceback" not in done.stderr
    # The database every server has, and we have no tables in.
    empty = {**env, "DATABASE_URL": re.sub(r"dbname=\S+", "dbname=postgres", env["DATABASE_URL"])}
    done = manage(empty, "index", "--until-head")
    assert "(database_not_migrated)" in done.stderr, done.stderr
    doctor = manage(empty, "chain_doctor")
    assert doctor.returncode == 1
    assert "database_unusable" in doctor.stdout
