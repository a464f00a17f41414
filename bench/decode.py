"""How fast a log becomes arguments, against web3.py's own way, in one process.

    python -m bench.decode [--logs 10000] [--rounds 3]

Ratios are what counts; the figures are of the machine.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import eth_abi

from chain.contracts import codec_load
from chain.rpc.log_page import logs_parse

ROOT = Path(__file__).resolve().parents[1]
LOGS_PER_BLOCK = 50
VOTERS = 500
GOVERNOR = "0x" + "a1" * 20


def logs_make(count: int) -> list[dict[str, Any]]:
    """VoteCast logs as a node writes them; three in ten have a reason, as in DAOs' histories."""
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
                "blockHash": f"0x{block + 1:064x}",
                "transactionHash": f"0x{number + 1:064x}",
                "transactionIndex": hex(index),
                "logIndex": hex(index),
                "removed": False,
            }
        )
    return logs


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


def median_s(work: Callable[[], None], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def measure(count: int, rounds: int) -> dict[str, Any]:
    """Decode the same logs both ways; they must agree."""
    logs = logs_make(count)
    codec, event = codec_load("AlthingGovernor"), web3_event()
    raw = logs_parse(logs)
    formatted = [web3_receipt(log) for log in logs]
    for mine, web3 in zip(raw, formatted, strict=True):
        args = dict(event.process_log(web3)["args"])
        args["voter"] = bytes.fromhex(args["voter"][2:])
        assert codec.event_decode(mine.topics, mine.data)[1] == args

    def ours() -> None:
        for log in raw:
            codec.event_decode(log.topics, log.data)

    def theirs() -> None:
        for log in formatted:
            event.process_log(log)

    ours_s, theirs_s = median_s(ours, rounds), median_s(theirs, rounds)
    return {
        "logs": count,
        "times_web3": round(theirs_s / ours_s, 1),
        "us_per_log": round(ours_s / count * 1e6, 2),
        "web3_us_per_log": round(theirs_s / count * 1e6, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--logs", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(json.dumps(measure(options.logs, options.rounds)))


if __name__ == "__main__":
    main()
