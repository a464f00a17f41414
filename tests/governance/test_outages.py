"""Engines that go away under the running service: Valkey stopped, PostgreSQL restarted.

Real servers of the test's own, gunicorn and ``manage.py index`` as in a deployment.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from config.embedded.process import Child, free_port
from config.embedded.supervisor import Supervisor
from tests.config.test_embedded import is_alive, wait_until

pytestmark = pytest.mark.chain

BASE_DIR = Path(__file__).resolve().parents[2]
#: Seconds; the machine may have much to do.
PATIENCE_S = 120
PAGES = ("/", "/proposals/", "/delegates/?sort=power", "/treasury/")
READS = ("/api/v1/proposals/", "/api/v1/delegates/", "/api/v1/moderation/log/", "/api/v1/status/")


@dataclass
class Service:
    """The site and its indexer on engines of their own."""

    engines: Supervisor
    url: str
    site: Child
    index: Child
    rpc: Any
    client: httpx.Client

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.client.get(self.url + path, headers=headers)

    def unwell(self, paths: tuple[str, ...]) -> dict[str, str]:
        """What is not answered with 200, and with what."""
        answers = {path: self.get(path) for path in paths}
        return {path: a.text[-400:] for path, a in answers.items() if a.status_code != 200}

    def indexed(self) -> int:
        body = self.get("/healthz").json()
        return int(body["index"].get("cursor_block", -1))

    def head(self) -> int:
        return int(self.rpc("eth_blockNumber"), 16)

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        assert wait_until(condition, PATIENCE_S), what


def environment(engines: Supervisor, tmp: Path, url: str) -> dict[str, str]:
    return {
        **os.environ,
        **engines.environment(),
        "DJANGO_SETTINGS_MODULE": "config.settings.local",
        "CHAIN_FINALITY": "2",
        "SITE_URL": url,
        "CACHE_URL": "",
    }


@pytest.fixture
def service(tmp_path: Path, deployment: Any, rpc: Any) -> Iterator[Service]:
    tmp_path.chmod(0o711)
    engines = Supervisor(tmp_path / "engines", durable=False, given={})
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with engines:
        env = environment(engines, tmp_path, url)
        python = sys.executable
        subprocess.run([python, "manage.py", "migrate", "-v0"], cwd=BASE_DIR, env=env, check=True)
        site = [python, "-m", "gunicorn", "config.wsgi", "-b", f"127.0.0.1:{port}", "-w", "1"]
        common: dict[str, Any] = {"cwd": BASE_DIR, "env": env}
        children = [
            Child.start(
                "site",
                [*site, "--threads", "4", "--no-control-socket"],
                log=tmp_path / "site.log",
                **common,
            ),
            Child.start(
                "index",
                [python, "manage.py", "index", "--poll-s", "0.1"],
                log=tmp_path / "index.log",
                **common,
            ),
        ]
        with httpx.Client(timeout=30) as client:
            made = Service(engines, url, children[0], children[1], rpc, client)
            try:
                children[0].wait_ready(lambda: _answers(made), timeout_s=PATIENCE_S)
                made.wait(lambda: made.indexed() == made.head(), "never indexed")
                yield made
            finally:
                for child in children:
                    child.stop()


def _answers(service: Service) -> bool:
    try:
        return service.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


def post(service: Service, path: str, body: dict[str, Any]) -> httpx.Response:
    """As the page's own script posts: with the page's CSRF token."""
    page = service.get("/").text
    token = page.split('name="csrf-token" content="', 1)[1].split('"', 1)[0]
    return service.client.post(
        service.url + path, json=body, headers={"X-CSRFToken": token, "Origin": service.url}
    )


def sign_in(service: Service, account: Any) -> httpx.Response:
    from eth_account import Account
    from eth_account.messages import encode_defunct

    start = post(service, "/auth/siwe/start", {"address": account.checksum})
    assert start.status_code == 200, start.text
    signed = Account.sign_message(encode_defunct(text=start.json()["message"]), account.private_key)
    return post(service, "/auth/siwe", {"signature": f"0x{signed.signature.hex()}"})


def test_valkey_stops_and_comes_back(service: Service, web3_accounts: list[Any]) -> None:
    valkey = service.engines.valkey
    assert valkey is not None
    port = valkey.port
    valkey.stop()
    began = time.monotonic()
    assert service.unwell((*PAGES, *READS)) == {}
    assert time.monotonic() - began < 60, "no request waits for it again and again"
    body = service.get("/healthz").json()
    assert (body["status"], body["broker"]) == ("degraded", "unreachable")
    done = sign_in(service, web3_accounts[3])
    assert done.status_code == 200, done.text
    # A throttle still limits, by this process's own count: sign-ins are 30 a minute.
    answers = [post(service, "/auth/siwe/start", {}).status_code for _ in range(30)]
    assert (answers[0], answers[-1]) == (400, 429)
    service.rpc("evm_mine")
    service.wait(lambda: service.indexed() == service.head(), "the index needs no Valkey")

    valkey._start_once(port)
    service.wait(lambda: service.get("/healthz").json()["broker"] == "ok", "Valkey is back")
    assert service.unwell((*PAGES, *READS)) == {}
    assert "Traceback" not in service.site.log.read_text()


def test_postgres_stops_and_comes_back(service: Service, web3_accounts: list[Any]) -> None:
    assert sign_in(service, web3_accounts[3]).status_code == 200
    postgres = service.engines.postgres
    assert postgres is not None
    assert postgres.child is not None
    url = postgres.url("althing")
    # As a crash: no session is ended in good order.
    os.kill(postgres.child.process.pid, signal.SIGQUIT)
    postgres.child.process.wait(60)
    for path in READS:
        response = service.get(path)
        assert response.status_code == 503, path
        assert response.json() == {
            "code": "database_unavailable",
            "detail": "The database does not answer. Try again shortly.",
            "data": {},
        }
        assert int(response.headers["Retry-After"]) > 0
    for path in PAGES:
        response = service.get(path)
        assert (response.status_code, response.headers["Retry-After"]) == (503, "5"), path
        assert "Nothing is lost" in response.text
    assert service.get("/healthz").status_code == 503
    assert service.get("/metrics").status_code == 503
    service.rpc("evm_mine")
    time.sleep(2)
    assert service.index.process.poll() is None, service.index.log.read_text()

    postgres.child.stop()
    restarted = time.monotonic()
    postgres.start()
    assert postgres.url("althing") == url
    with psycopg.connect(url) as connection:
        assert connection.execute("select count(*) from chain_cursor").fetchone() == (1,)
    # Every thread had a connection that is dead now; none of them shows it.
    for _ in range(8):
        assert service.unwell((*PAGES, *READS)) == {}
    service.wait(lambda: service.indexed() == service.head(), "the index never came back")
    assert time.monotonic() - restarted < PATIENCE_S
    log = service.index.log.read_text()
    assert log.count("The database does not answer") == 1, log
    assert "Traceback" not in log


LAUNCHER = """
import sys, time
from pathlib import Path
from config.embedded.supervisor import Supervisor
from demo.processes import Processes, start_site

folder = Path(sys.argv[1])
with Supervisor(folder / "engines", durable=False, given={}) as engines:
    processes = Processes(folder / "logs", {
        **engines.environment(), "DJANGO_SETTINGS_MODULE": "config.settings.local",
        "RPC_URL": "http://127.0.0.1:9",
    })
    start_site(processes, port=int(sys.argv[2]), state=folder)
    pids = [child.process.pid for child in processes._running]
    (folder / "pids").write_text(" ".join(map(str, pids)))
    time.sleep(600)
"""


def test_the_demo_killed_leaves_no_process_behind(tmp_path: Path) -> None:
    tmp_path.chmod(0o711)
    launcher = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(tmp_path), str(free_port())],
        cwd=BASE_DIR,
        start_new_session=True,
    )
    family: set[int] = set()
    try:
        assert wait_until(lambda: (tmp_path / "pids").exists(), PATIENCE_S)
        leaders = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
        assert len(leaders) == 4
        # gunicorn's and Celery's own children, once they have started them.
        assert wait_until(lambda: len(descendants(leaders)) >= 4 + 2 + 1 + 2, PATIENCE_S)
        family = descendants(leaders)
    finally:
        launcher.kill()
        launcher.wait()
    assert wait_until(lambda: not any(map(is_alive, family)), PATIENCE_S), {
        pid: Path(f"/proc/{pid}/cmdline").read_text() for pid in family if is_alive(pid)
    }


def descendants(pids: list[int]) -> set[int]:
    """The processes, their children, and theirs."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, waiting = set[int](), list(pids)
    while waiting:
        pid = waiting.pop()
        found.add(pid)
        waiting += parents.get(pid, [])
    return found
