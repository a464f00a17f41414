"""How fast logs are decoded, indexed and replayed, against web3.py's own way, in one process.

    python bench/index.py decode            # bytes -> arguments
    python bench/index.py index             # JSON from a node -> committed rows
    python bench/index.py replay            # stored logs -> recomputed projections
    python bench/index.py all --logs 10000 --rounds 3

Ratios are what counts; the figures are of the machine. The node is a stand-in inside the process
that answers with JSON made beforehand, so that no node's speed is measured. The database is the
real PostgreSQL: DATABASE_URL where set, else one of its own that is deleted at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

LOGS_PER_BLOCK = 50
VOTERS = 500
GOVERNOR = "0x" + "a1" * 20


@contextmanager
def database() -> Iterator[None]:
    """The real PostgreSQL, with our tables."""
    from config.embedded.supervisor import Supervisor

    folder = Path(tempfile.mkdtemp(prefix="althing-bench-")).resolve()
    folder.chmod(0o711)
    given = {**os.environ, "CELERY_BROKER_URL": "redis://127.0.0.1:1/0"}
    engines = Supervisor(folder, durable=True, given=given)
    engines.start()
    try:
        os.environ.update(engines.environment())
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
        deployment = folder / "deployment.json"
        deployment.write_text(
            json.dumps(
                {
                    "chain_id": 31337,
                    "first_block": 1,
                    "contracts": {"AlthingGovernor": {"address": GOVERNOR}},
                }
            )
        )
        os.environ |= {"ALTHING_DEPLOYMENT": str(deployment), "CHAIN_ID": "31337"}
        os.environ["CHAIN_FINALITY"] = "0"
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        yield
    finally:
        from django.db import connections

        connections.close_all()
        engines.remove()
        shutil.rmtree(folder, ignore_errors=True)


def logs_make(count: int) -> list[dict[str, Any]]:
    """VoteCast logs as a node writes them; three in ten have a reason, as in DAOs' histories."""
    import eth_abi

    from chain.contracts import codec_load

    rng = random.Random(1)
    topic = next(t for t, e in codec_load("AlthingGovernor").events.items() if e.name == "VoteCast")
    logs = []
    for number in range(count):
        reason = b"Because it is " + b"so " * rng.randint(8, 50) if rng.random() < 0.3 else b""
        data = eth_abi.encode(
            ["uint256", "uint8", "uint256", "bytes"],
            [rng.randint(1, 20), rng.randint(0, 2), rng.randint(1, 10**24), reason],
        )
        block, index = divmod(number, LOGS_PER_BLOCK)
        logs.append(
            {
                "address": GOVERNOR,
                "topics": ["0x" + topic.hex(), "0x" + f"{number % VOTERS + 1:064x}"],
                "data": "0x" + data.hex(),
                "blockNumber": hex(block + 1),
                "blockHash": block_hash(block + 1),
                "transactionHash": f"0x{number + 1:064x}",
                "transactionIndex": hex(index),
                "logIndex": hex(index),
                "removed": False,
            }
        )
    return logs


def block_hash(number: int) -> str:
    return f"0x{'b1' * 28}{max(0, number):08x}"


class StandIn:
    """A node's answers, made beforehand; only the JSON of a request is put together here."""

    def __init__(self, logs: list[dict[str, Any]]) -> None:
        import orjson

        self._loads, self._dumps = orjson.loads, orjson.dumps
        self.head = len(logs) // LOGS_PER_BLOCK + 1
        self._by_block: dict[int, list[bytes]] = {}
        for log in logs:
            self._by_block.setdefault(int(log["blockNumber"], 16), []).append(orjson.dumps(log))

    def send(self, body: bytes, *, timeout_s: float | None = None) -> bytes:
        request = self._loads(body)
        if isinstance(request, dict):
            return self._one(request)
        return b"[" + b",".join(self._one(item) for item in request) + b"]"

    def close(self) -> None:
        pass

    def _one(self, request: dict[str, Any]) -> bytes:
        result = self._result(request["method"], request["params"])
        return b'{"jsonrpc":"2.0","id":%d,"result":%s}' % (request["id"], result)

    def _result(self, method: str, params: list[Any]) -> bytes:
        if method == "eth_chainId":
            return b'"0x7a69"'
        if method == "eth_getBlockByNumber":
            number = self.head if params[0] == "latest" else int(params[0], 16)
            return self._header(number) if number <= self.head else b"null"
        if method == "eth_getLogs":
            query = params[0]
            if "blockHash" in query:
                first = last = int(query["blockHash"][-8:], 16)
            else:
                first, last = int(query["fromBlock"], 16), int(query["toBlock"], 16)
            found = (log for n in range(first, last + 1) for log in self._by_block.get(n, ()))
            return b"[" + b",".join(found) + b"]"
        raise AssertionError(method)

    def _header(self, number: int) -> bytes:
        header = {"number": hex(number), "hash": block_hash(number), "timestamp": hex(number)}
        return bytes(
            self._dumps(header | {"parentHash": block_hash(number - 1), "gasLimit": "0x1c9c380"})
        )


def measure(work: Callable[[], None], before: Callable[[], None], rounds: int) -> float:
    """Median seconds of ``work``, with ``before`` run unmeasured ahead of each."""
    times = []
    for _ in range(rounds):
        before()
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def report(name: str, count: int, ours_s: float, web3_s: float) -> None:
    print(
        f"{name:8} {count} logs: {ours_s / count * 1e6:9.2f} us/log ({count / ours_s:10,.0f}/s)"
        f"   web3 {web3_s / count * 1e6:9.2f} us/log ({count / web3_s:8,.0f}/s)"
        f"   {web3_s / ours_s:6.1f} x"
    )


def web3_event() -> Any:
    from web3 import Web3

    path = ROOT / "chain" / "abi" / "AlthingGovernor.json"
    abi = json.loads(path.read_text(encoding="utf-8"))["abi"]
    contract = Web3().eth.contract(address=Web3.to_checksum_address(GOVERNOR), abi=abi)
    return contract.events.VoteCast()


def web3_receipt(log: dict[str, Any]) -> Any:
    """A log as web3's get_logs formats it, which process_log takes."""
    from web3._utils.method_formatters import log_entry_formatter
    from web3.datastructures import AttributeDict

    return AttributeDict.recursive(log_entry_formatter(log))


def bench_decode(logs: list[dict[str, Any]], rounds: int) -> None:
    from chain.contracts import codec_load
    from chain.rpc.types import parse_log

    codec, event = codec_load("AlthingGovernor"), web3_event()
    raw = [parse_log(log) for log in logs]
    formatted = [web3_receipt(log) for log in logs]

    def ours() -> None:
        for log in raw:
            codec.event_decode(log.topics, log.data)

    def theirs() -> None:
        for log in formatted:
            event.process_log(log)

    for mine, web3 in zip(raw, formatted, strict=True):
        args = dict(event.process_log(web3)["args"])
        args["voter"] = bytes.fromhex(args["voter"][2:])
        assert codec.event_decode(mine.topics, mine.data)[1] == args
    none = lambda: None  # noqa: E731
    report("decode", len(logs), measure(ours, none, rounds), measure(theirs, none, rounds))


def tables_empty() -> None:
    from django.db import connection

    with connection.cursor() as sql:
        sql.execute(
            "TRUNCATE chain_block, chain_log, chain_logkey, chain_keytouch, chain_chainread, "
            "chain_cursor CASCADE"
        )


def projector_register() -> None:
    """One projector that follows the votes, and writes nothing: pages' work is not measured."""
    from chain import projections

    class Votes(projections.Projector):
        name = "bench.votes"
        events = {("AlthingGovernor", "VoteCast"): lambda args: [args["voter"].hex()]}

        def recompute(self, *, key: str, history: Any) -> None:
            assert history.logs("VoteCast")

    projections._registry.clear()
    projections.register_projector(Votes())


def bench_index(logs: list[dict[str, Any]], rounds: int) -> None:
    from chain.indexer.loop import Indexer, index_until_head
    from chain.models import Cursor, Log
    from chain.rpc.client import RpcClient

    node = StandIn(logs)
    projector_register()
    from django.conf import settings

    settings.CHAIN_REORG_WINDOW = 8

    def ours() -> None:
        index_until_head(indexer=Indexer(RpcClient(node)))

    ours_s = measure(ours, tables_empty, rounds)
    assert Log.objects.count() == len(logs)
    assert Cursor.objects.get().number == node.head
    theirs_s = measure(lambda: web3_index(node, len(logs)), tables_empty, rounds)
    assert Log.objects.count() == len(logs)
    report("index", len(logs), ours_s, theirs_s)


def web3_index(node: StandIn, count: int) -> None:
    """The usual way: get_logs, process_log, bulk_create(ignore_conflicts), window by window."""
    from web3 import Web3
    from web3.providers import BaseProvider

    from chain.models import Log

    class Provider(BaseProvider):
        def make_request(self, method: Any, params: Any) -> Any:
            import orjson

            body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            return json.loads(node.send(orjson.dumps(body)))

    web3, event, window = Web3(Provider()), web3_event(), 200
    for first in range(1, node.head + 1, window):
        query = {
            "fromBlock": hex(first),
            "toBlock": hex(min(first + window - 1, node.head)),
            "address": Web3.to_checksum_address(GOVERNOR),
        }
        rows = []
        for log in web3.eth.get_logs(query):  # type: ignore[arg-type]
            decoded = event.process_log(log)
            rows.append(
                Log(
                    chain_id=31337,
                    block_number=log["blockNumber"],
                    block_hash=bytes(log["blockHash"]),
                    block_timestamp=0,
                    transaction_hash=bytes(log["transactionHash"]),
                    transaction_index=log["transactionIndex"],
                    log_index=log["logIndex"],
                    address=bytes.fromhex(log["address"][2:]),
                    topics=b"".join(bytes(topic) for topic in log["topics"]),
                    data=bytes(log["data"]),
                    contract="AlthingGovernor",
                    event=decoded["event"],
                )
            )
        Log.objects.bulk_create(rows, ignore_conflicts=True)


def bench_replay(logs: list[dict[str, Any]], rounds: int) -> None:
    """A whole rebuild against decoding the stored logs once with web3."""
    from chain.indexer.loop import Indexer, index_until_head
    from chain.indexer.rebuild import projections_rebuild
    from chain.rpc.client import RpcClient

    projector_register()
    tables_empty()
    index_until_head(indexer=Indexer(RpcClient(StandIn(logs))))

    def ours() -> None:
        projections_rebuild()

    ours_s = measure(ours, lambda: None, rounds)
    event = web3_event()

    def theirs() -> None:
        for log in logs:
            event.process_log(web3_receipt(log))

    report("replay", len(logs), ours_s, measure(theirs, lambda: None, rounds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["decode", "index", "replay", "all"])
    parser.add_argument("--logs", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    chosen = ["decode", "index", "replay"] if options.what == "all" else [options.what]
    with database():
        logs = logs_make(options.logs)
        for name in chosen:
            {"decode": bench_decode, "index": bench_index, "replay": bench_replay}[name](
                logs, options.rounds
            )


if __name__ == "__main__":
    main()
