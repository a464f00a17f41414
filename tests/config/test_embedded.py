"""The embedded engines: they start, serve, stop, die with their parent, explain failures."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
import redis

from config.embedded import process as process_module
from config.embedded.anvil import AnvilServer, RpcFailed, anvil_binary, rpc_call
from config.embedded.postgres import PostgresServer, clear_stale_pid, remove_ownerless_clusters
from config.embedded.process import Child, EngineBusy, EngineFailed, EngineMissing, ServiceUser
from config.embedded.supervisor import Supervisor
from config.embedded.valkey import ValkeyServer

BASE_DIR = Path(__file__).resolve().parents[2]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie that nobody has waited for has ended, too.
    state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0]
    return state != "Z"


def wait_until(condition, timeout_s: float = 15.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_postgres_keeps_its_data_over_a_restart(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path / "pg", durable=False)
    server.start()
    try:
        server.database_create("parliament")
        server.database_create("parliament")
        with psycopg.connect(server.url("parliament")) as connection:
            connection.execute("create table seats (holder text)")
            connection.execute("insert into seats values ('Ása')")
            upper = connection.execute("select upper('ásta')").fetchone()
        assert upper == ("ÁSTA",), "the cluster must know Unicode"
        server.stop()
        began = time.monotonic()
        server.start()
        assert time.monotonic() - began < 10
        with psycopg.connect(server.url("parliament")) as connection:
            assert connection.execute("select holder from seats").fetchall() == [("Ása",)]
    finally:
        server.remove()
    assert not (tmp_path / "pg").exists()


def test_postgres_refuses_a_database_name_that_is_no_name(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path / "pg", durable=False)
    server.start()
    try:
        with pytest.raises(EngineFailed, match="no plain database name"):
            server.database_create('x"; drop database postgres; --')
    finally:
        server.remove()


def test_stale_pid_file_of_another_program_is_removed(tmp_path: Path) -> None:
    pid_file = tmp_path / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{tmp_path}\n", encoding="utf-8")
    clear_stale_pid(tmp_path)
    assert not pid_file.exists()
    pid_file.write_text("not a number\n", encoding="utf-8")
    clear_stale_pid(tmp_path)
    assert not pid_file.exists()


def test_live_server_on_the_same_data_is_refused(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path / "pg", durable=False)
    server.start()
    try:
        data = server.data_folder
        with pytest.raises(EngineFailed, match="still runs"):
            clear_stale_pid(data)
        assert (data / "postmaster.pid").exists()
    finally:
        server.remove()


def test_socket_folder_is_closed_to_others_and_short_enough(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    server = PostgresServer(deep, durable=False)
    server.start()
    try:
        sockets = server.socket_folder
        assert len(os.fsencode(sockets)) < 90
        assert sockets.stat().st_mode & 0o077 == 0
        with psycopg.connect(server.url("postgres")) as connection:
            assert connection.execute("show listen_addresses").fetchone() == ("",)
    finally:
        server.remove()
    assert not sockets.exists()


def test_valkey_serves_with_its_password_only(tmp_path: Path) -> None:
    server = ValkeyServer(tmp_path / "valkey")
    server.start()
    try:
        with redis.Redis.from_url(server.url(3)) as client:
            assert client.set("quorum", "4")
            assert client.get("quorum") == b"4"
        with (
            redis.Redis(port=server.port) as stranger,
            pytest.raises(redis.AuthenticationError),
        ):
            stranger.ping()
        commands = Path(f"/proc/{server.child.process.pid}/cmdline").read_bytes()
        assert server.password.encode() not in commands
    finally:
        server.stop()


def test_anvil_keeps_the_chain_over_a_restart(tmp_path: Path) -> None:
    server = AnvilServer(
        tmp_path / "anvil", state_file=tmp_path / "chain.json", genesis_at_s=1_700_000_000
    )
    server.start()
    try:
        server.rpc("evm_mine")
        mined = server.rpc("eth_getBlockByNumber", "0x1", False)
        server.stop()
        server.start()
        assert server.rpc("eth_getBlockByNumber", "0x1", False)["hash"] == mined["hash"]
        assert 1_700_000_000 <= int(mined["timestamp"], 16) < 1_700_000_100
        with pytest.raises(RpcFailed, match="anvil_no_such_method") as failure:
            server.rpc("anvil_no_such_method")
        assert failure.value.code == "rpc_failed"
    finally:
        server.stop()


def test_anvil_binary_names_the_next_step_when_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANVIL_BIN", raising=False)
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr("config.embedded.anvil.BASE_DIR", Path("/nonexistent"))
    with pytest.raises(EngineMissing, match="ANVIL_BIN"):
        anvil_binary()
    monkeypatch.setenv("ANVIL_BIN", "/opt/anvil")
    assert anvil_binary() == Path("/opt/anvil")


def test_second_supervisor_of_a_folder_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    given = {"DATABASE_URL": "postgresql:///elsewhere"}
    first = Supervisor(tmp_path / "var", given=given)
    with first:
        with pytest.raises(EngineBusy, match=str(os.getpid())):
            Supervisor(tmp_path / "var", given=given).start()
        first.check()
        environment = first.environment()
        assert set(environment) == {"CELERY_BROKER_URL"}
        with redis.Redis.from_url(environment["CELERY_BROKER_URL"]) as client:
            assert client.ping()
    with Supervisor(tmp_path / "var", given=given):
        pass


def test_child_that_ends_is_reported_with_its_log(tmp_path: Path) -> None:
    child = Child.start("engine", ["/bin/sh", "-c", "echo broken; exit 3"], log=tmp_path / "log")
    with pytest.raises(EngineFailed, match=r"(?s)status 3.*broken"):
        child.wait_ready(lambda: False)


def test_child_that_never_answers_is_stopped(tmp_path: Path) -> None:
    child = Child.start("engine", ["/bin/sh", "-c", "echo waiting; sleep 60"], log=tmp_path / "log")
    with pytest.raises(EngineFailed, match=r"(?s)did not answer.*waiting"):
        child.wait_ready(lambda: False, timeout_s=0.3)
    assert child.process.poll() is not None


def test_engines_die_with_a_killed_parent_and_start_again(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "config.embedded", "--chain", "--folder", str(tmp_path)]
    environment = {**os.environ, "DATABASE_URL": "", "CELERY_BROKER_URL": "", "RPC_URL": ""}

    def start() -> tuple[subprocess.Popen[str], dict[str, str]]:
        running = subprocess.Popen(
            command, cwd=BASE_DIR, env=environment, stdout=subprocess.PIPE, text=True
        )
        lines = [running.stdout.readline().removeprefix("export ").strip() for _ in range(3)]
        return running, dict(line.split("=", 1) for line in lines)

    running, addresses = start()
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(running.pid)], capture_output=True, text=True, check=True
    )
    pids = [int(pid) for pid in children.stdout.split()]
    assert len(pids) == 3
    assert rpc_call(addresses["RPC_URL"], "eth_chainId") == hex(31337)
    running.kill()
    running.communicate()
    assert wait_until(lambda: not any(is_alive(pid) for pid in pids))
    running, addresses = start()
    assert set(addresses) == {"DATABASE_URL", "CELERY_BROKER_URL", "RPC_URL"}
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=30)
    assert running.returncode == 128 + signal.SIGTERM


def test_service_user_only_when_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_module.os, "geteuid", lambda: 1000)
    assert process_module.service_user() is None
    monkeypatch.setattr(process_module.os, "geteuid", lambda: 0)
    user = process_module.service_user()
    assert user is not None
    assert user.uid != 0


def test_reach_follows_the_folders_modes(tmp_path: Path) -> None:
    stranger = ServiceUser("stranger", uid=54321, gid=54321)
    closed = tmp_path / "closed"
    (closed / "inside").mkdir(parents=True)
    closed.chmod(0o700)
    assert not stranger.can_reach(closed / "inside")
    assert stranger.can_reach(Path("/usr/bin"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root drops to another user")
def test_root_serves_from_a_private_folder(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    server = PostgresServer(private / "pg", durable=False)
    server.start()
    try:
        assert server.socket_folder.stat().st_uid != 0
        with psycopg.connect(server.url("postgres")) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
    finally:
        server.remove()
    assert not server.data_folder.parent.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root drops to another user")
def test_cluster_of_a_deleted_private_folder_is_not_used_again(tmp_path: Path) -> None:
    private = tmp_path / "private"
    homes = []
    for _ in range(2):
        private.mkdir(mode=0o700)
        server = PostgresServer(private / "pg", durable=False)
        server.start()
        homes.append(server.data_folder.parent)
        server.stop()
        shutil.rmtree(private)
    assert homes[0] != homes[1]
    assert not homes[0].exists(), "the second start must sweep the first cluster away"
    remove_ownerless_clusters(homes[1].parent)
    assert not homes[1].exists()
