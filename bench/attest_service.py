"""From the POST of a report to its stored verdict: the real server, the real database.

    python -m bench.attest_service [--nodes 24] [--rounds 8]

It starts anvil with the project's contracts, PostgreSQL and gunicorn (one process, so one core),
registers emulated nodes with one GPU each, and sends their signed reports over HTTP: the request's
signature, the nonce, the verifier, the verdict, the token and every row are as in production, and
so are the throttles, at rates that are not met. Challenges are issued between the measured parts.

It prints one line of JSON:

rate_per_s      reports a second with as many connections as reports may be judged at once
p99_ms          the slowest hundredth at half that rate, from sending to the whole answer; p50 too
cpu_ms          CPU time of the server's process for one report
floor_ms        CPU time of one bare P-384 verification of a report, between the rounds
share_of_floor  floor_ms / cpu_ms: how much of the server's work is the one that nobody can spare
queries         queries of one POST
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import queue
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.chain_builder import ROOT, contracts_deploy

if TYPE_CHECKING:
    from tests.network.nodes import TestNode

#: Public on purpose: anvil's first default key, worth nothing anywhere else.
OPERATOR_KEY = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
OPERATOR = 0
READY_S = 60
#: Where a challenge is asked for and where its report goes; answered with 201.
CHALLENGES, REPORTS = "challenges", "attestations"
CLASS, REGION = b"h100_80g".ljust(32, b"\0"), b"eu-north".ljust(32, b"\0")


@dataclass(frozen=True, slots=True)
class Post:
    """One signed request, ready to be sent."""

    path: str
    body: bytes
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Server:
    """The running gunicorn. ``slots`` are how many reports it judges at once."""

    port: int
    pid: int
    slots: int

    def cpu_s(self) -> float:
        """CPU seconds of all its processes so far."""
        import psutil

        whole = psutil.Process(self.pid)
        times = [part.cpu_times() for part in (whole, *whole.children(recursive=True))]
        return sum(one.user + one.system for one in times)


@contextmanager
def engines(folder: Path) -> Iterator[Callable[..., Any]]:
    """Anvil, the contracts, Valkey, PostgreSQL with our tables; lends a call of anvil."""
    from config.embedded.anvil import AnvilServer
    from config.embedded.supervisor import Supervisor

    chain = AnvilServer(folder / "anvil")
    chain.start()
    try:
        deployment = folder / "deployment.json"
        contracts_deploy(chain, deployment, profile="tests")
        given = {**os.environ, "CELERY_BROKER_URL": "", "DATABASE_URL": ""}
        supervisor = Supervisor(folder, durable=True, given=given)
        supervisor.start()
        try:
            os.environ.update(supervisor.environment())
            os.environ |= {
                "DJANGO_SETTINGS_MODULE": "config.settings.test",
                "ALTHING_DEPLOYMENT": str(deployment),
                "ALTHING_EMULATOR_ROOT": str(folder / "emulator"),
                "ALTHING_EAR_KEY": str(folder / "ear.pem"),
                "ALLOWED_HOSTS": "testserver,127.0.0.1",
                "SITE_URL": "http://localhost:8000",
                "CHAIN_ID": "31337",
                "RPC_URL": chain.url,
                "CHAIN_REORG_WINDOW": "8",
                "LOG_LEVEL": "ERROR",
            }
            _django(folder)
            yield chain.rpc
        finally:
            from django.db import connections

            connections.close_all()
            supervisor.remove()
    finally:
        chain.stop()


def _django(folder: Path) -> None:
    import django
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "ear.pem").write_bytes(pem)
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def nodes_make(count: int, folder: Path, rpc: Callable[..., Any]) -> list[TestNode]:
    """Register nodes on chain, index them, prove their keys, and let each report once."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from chain import clock
    from chain.contracts import contract
    from chain.indexer.loop import Indexer, index_until_head
    from network.attestation.emulator import EmulatedGpu, emulator_prepare
    from network.registration import keys_hash
    from network.services.collateral_directories import manifests_import
    from tests.network.nodes import TestNode

    authority = emulator_prepare(folder / "emulator")
    manifests_import(at=clock.now())
    sender = str(rpc("eth_accounts")[OPERATOR])
    operator = bytes.fromhex(sender[2:])
    registry, token = contract("NodeRegistry"), contract("AlthingToken")

    def send(to: bytes, data: bytes) -> None:
        call = {"from": sender, "to": f"0x{to.hex()}", "data": f"0x{data.hex()}", "gas": hex(10**7)}
        sent = rpc("eth_sendTransaction", call)
        rpc("evm_mine")
        found = rpc("eth_getTransactionReceipt", sent)
        if found is None or found["status"] != "0x1":
            raise SystemExit("A transaction of the benchmark failed.")

    send(token.address, token.encode("approve", (registry.address, 10**24)))
    nodes = []
    for number in range(count):
        key = Ed25519PrivateKey.generate()
        hash_ = keys_hash(operator=operator, ed25519=key.public_key().public_bytes_raw())
        args = (hash_, CLASS, 1, REGION, "https://node.example/meta")
        send(registry.address, registry.encode("register", args))
        asked = f"0x{registry.encode('nodeIdOf', (operator, hash_)).hex()}"
        place = {"to": f"0x{registry.address.hex()}", "data": asked}
        node_id = bytes.fromhex(rpc("eth_call", place, "latest")[2:])
        gpu = EmulatedGpu(authority, f"bench/{number}")
        nodes.append(TestNode(node_id, OPERATOR_KEY, [gpu], key))
    for _ in range(4):
        rpc("evm_mine")
    index_until_head(indexer=Indexer())
    for node in nodes:
        for answer in (node.prove_keys(), node.attest()):
            if answer.status_code != 201:
                raise SystemExit(f"A node of the benchmark is refused: {answer.content!r}")
    return nodes


@contextmanager
def server() -> Iterator[Server]:
    """Gunicorn with one process of several threads, as the deployment runs it."""
    import urllib3
    from django.conf import settings

    from config.embedded.process import free_port

    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{port}"]
    command += ["--workers", "1", "--threads", "4", "--no-control-socket", "--log-level", "error"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=sys.stderr)
    try:
        deadline = time.monotonic() + READY_S
        while True:
            try:
                urllib3.request("GET", f"http://127.0.0.1:{port}/healthz", retries=False, timeout=5)
                break
            except urllib3.exceptions.HTTPError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit("The server did not start.") from None
                time.sleep(0.1)
        yield Server(port, process.pid, settings.ATTEST_CONCURRENCY)
    finally:
        process.terminate()
        process.wait(20)


def posts_prepare(nodes: list[TestNode]) -> list[Post]:
    """One signed report of every node, each answering a challenge of its own."""
    posts = []
    for node in nodes:
        given = node.signed(REPORTS, node.report(node.challenge()))
        headers = {**given["headers"], "Content-Type": given["content_type"]}
        posts.append(Post(given["path"], given["data"], headers))
    return posts


def posts_send(port: int, posts: list[Post], *, connections: int, per_s: float = 0) -> list[float]:
    """Send all, ``connections`` at a time; the seconds that each took.

    With ``per_s`` the n-th is due at n / per_s, and what it waits for its turn counts: nobody is
    spared a slow answer by being sent later.
    """
    waiting: queue.SimpleQueue[tuple[float, Post]] = queue.SimpleQueue()
    began = time.perf_counter()
    for number, post in enumerate(posts):
        waiting.put((number / per_s if per_s else 0.0, post))
    taken: list[float] = []
    refused: list[str] = []

    def work() -> None:
        while not refused:
            try:
                due, post = waiting.get_nowait()
            except queue.Empty:
                break
            started = began + due if per_s else time.perf_counter()
            time.sleep(max(0.0, started - time.perf_counter()))
            try:
                status, content = _post(port, post)
            except OSError as error:
                status, content = 0, str(error).encode()
            taken.append(time.perf_counter() - started)
            if status != 201:
                refused.append(f"{status} {content[:300]!r}")

    threads = [threading.Thread(target=work) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if refused:
        raise SystemExit(f"A report was refused: {refused[0]}")
    return taken


def _post(port: int, post: Post) -> tuple[int, bytes]:
    """Send over a connection of its own, as a node does that comes every quarter of an hour."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", post.path, post.body, post.headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def floor_s(node: TestNode, calls: int = 40) -> float:
    """CPU seconds of one bare verification of a report's signature."""
    from network.attestation.certificates import load_device_chain
    from network.attestation.signatures import raw_signature_verify
    from network.attestation.spdm import parse_report

    evidence = node.gpus[0].evidence(bytes(32))
    report, key = parse_report(evidence.report), load_device_chain(evidence.certificate_chain)
    assert key.leaf_key is not None
    began = time.process_time()
    for _ in range(calls):
        assert raw_signature_verify(key.leaf_key, report.signature, report.signed)
    return (time.process_time() - began) / calls


def queries_count(node: TestNode) -> int:
    """Queries of one POST, by the application itself in this process."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    given = node.signed(REPORTS, node.report(node.challenge()))
    with CaptureQueriesContext(connection) as found:
        assert node.client.post(**given).status_code == 201
    return len(found)


def measure(nodes: list[TestNode], found: Server, rounds: int) -> dict[str, Any]:
    from network.models import Verdict

    posts_send(found.port, posts_prepare(nodes), connections=found.slots)
    before = Verdict.objects.count()
    rates, cpu_s, floors, calm_s = [], [], [], []
    for _ in range(rounds):
        floors.append(floor_s(nodes[0]))
        posts = posts_prepare(nodes)
        cpu, began = found.cpu_s(), time.perf_counter()
        posts_send(found.port, posts, connections=found.slots)
        rates.append(len(posts) / (time.perf_counter() - began))
        cpu_s.append((found.cpu_s() - cpu) / len(posts))
        calm_s += posts_send(
            found.port, posts_prepare(nodes), connections=found.slots, per_s=rates[-1] / 2
        )
    stored = Verdict.objects.count() - before
    if stored != 2 * rounds * len(nodes):
        raise SystemExit(f"{stored} verdicts are stored of {2 * rounds * len(nodes)} reports.")
    cpu_ms, floor_ms = statistics.median(cpu_s) * 1000, statistics.median(floors) * 1000
    return {
        "evidence": "emulated",
        "rate_per_s": round(statistics.median(rates), 1),
        "p50_ms": round(statistics.median(calm_s) * 1000, 1),
        "p99_ms": round(statistics.quantiles(calm_s, n=100)[98] * 1000, 1),
        "cpu_ms": round(cpu_ms, 2),
        "floor_ms": round(floor_ms, 3),
        "share_of_floor": round(floor_ms / cpu_ms, 3),
        "queries": queries_count(nodes[0]),
        "reports": stored,
        "connections": found.slots,
        "load_average": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nodes", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=8)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="althing-bench-")).resolve()
    folder.chmod(0o711)
    try:
        with engines(folder) as rpc:
            nodes = nodes_make(options.nodes, folder, rpc)
            with server() as found:
                print(json.dumps(measure(nodes, found, options.rounds)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
