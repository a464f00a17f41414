"""Faults of reading: reorganisations, and nodes that lag, lie or break."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.chaos import judge
from bench.chaos.digest import digest_of_live
from bench.chaos.proxy import Answer, Call, Faults, stale, unwell
from bench.chaos.run import Run
from bench.chaos.workers import UNCAUGHT, open_intents, sender_make


def f4_reorg(run: Run) -> None:
    """One to seven blocks are taken back, the keeper's transactions in them, at seeded moments."""
    run.pay(run.rng.randint(0, 3))
    run.traffic(2)
    for _ in range(run.rng.randint(1, 3)):
        run.tick()
    depth = run.rng.randint(1, 7)
    run.traffic(depth, salt="left")
    run.tick()
    if run.rng.random() < 0.5:
        run.chain.reorg(depth)
    else:
        snapshot = run.chain.rpc("evm_snapshot")
        run.traffic(depth, salt="reverted")
        run.tick()
        run.chain.rpc("evm_revert", snapshot)
        run.chain.mine(seconds=3)
    run.traffic(run.rng.randint(0, 2), salt="new")
    run.chain.mine(2)
    run.index()
    # "Equal within two blocks": before any further one.
    judge.logs_judge(run)
    if not run.counts.bad:
        run.finish()


def f5_reordered(run: Run) -> None:
    """A reorganisation drops transactions, or mines them again in other blocks and order."""
    from chain.models import TxEvent

    run.pay(run.rng.randint(1, 2))
    hashes = run.traffic(3, salt="a")
    run.tick()
    run.tick()
    hashes += list(run.chain.sent_by(run.chain.keeper).values())[-1:]
    mined = [item for item in hashes if run.chain.receipt(item)]
    head = run.chain.head()
    depth = run.rng.randint(2, 5)
    low = head - depth
    taken = [
        item
        for item in mined
        if int((run.chain.receipt(item) or {"blockNumber": "0x0"})["blockNumber"], 16) > low
    ]
    raws = [run.chain.raw(item) for item in taken if run.rng.random() < 0.7]
    run.rng.shuffle(raws)
    pairs = sorted(((raw, run.rng.randint(0, depth - 1)) for raw in raws), key=lambda pair: pair[1])
    try:
        run.chain.reorg(depth, pairs)
    except Exception as error:
        # A nonce out of order: the chain would not have made that block either.
        if "nonce" not in str(error).lower():
            raise
        run.chain.reorg(depth)
    run.chain.mine(1, seconds=2)
    run.finish()
    for event in TxEvent.objects.filter(to_state="finalized_ok").select_related("intent"):
        if event.intent.state != "finalized_ok":
            run.counts.add("wrong", f"{event.intent} was called final and no longer is")


def f6_deep(run: Run) -> None:
    """Sixty-five blocks and more: it must halt, write nothing, and go on when told."""
    from django.core.management import call_command

    from chain.models import Cursor

    snapshot = run.chain.rpc("evm_snapshot")
    window = run.stage.reorg_window
    run.traffic(window + run.rng.randint(2, 6), salt="left")
    run.index()
    run.chain.rpc("evm_revert", snapshot)
    run.chain.mine(seconds=5)
    run.traffic(window + 8, salt="new")
    run.pay(1)
    before = digest_of_live()
    for _ in range(4):
        step = run.index()
        with run.clock.ticking():
            sender_make().tick()
        if step.outcome != "halted":
            run.counts.add("wrong", f"a deep reorganisation gave {step.outcome}")
    found = digest_of_live()
    if {**found, "cursor": []} != {**before, "cursor": []}:
        run.counts.add("wrong", "rows were written while halted")
    if Cursor.objects.get().state == Cursor.State.RUNNING:
        run.counts.add("wrong", "the cursor runs")
    import io

    call_command("resolve_reorg", "--yes", "--actor", "chaos", stdout=io.StringIO())
    run.finish()


def f11_stale(run: Run) -> None:
    """Every answer comes from a node up to four blocks behind, another each time."""
    from chain.models import Cursor, ReorgEvent

    run.pay(1)
    run.proxy.faults = stale(run.rng, 4, run.chain.head)
    highest = Cursor.objects.get().number
    for round_ in range(5):
        run.traffic(2, salt=round_)
        for what in ("index", "send"):
            run.ended(run.worker(what, rpc_url=run.proxy.url, ticks=6))
        number = Cursor.objects.get().number
        if number < highest:
            run.counts.add("wrong", f"the cursor went back from {highest} to {number}")
        highest = max(highest, number)
    events = ReorgEvent.objects.count()
    run.counts.add("wrong", "a lagging node was taken for a reorganisation", events)
    run.finish()


# --- lies -------------------------------------------------------------------------------


Logs = list[dict[str, Any]]


def _in_logs(change: Callable[[Logs], Logs]) -> Callable[[Call, Answer], Answer]:
    """The same lie wherever a node gives logs: in eth_getLogs and inside of receipts."""

    def spoil(call: Call, answer: Answer) -> Answer:
        result = answer.get("result")
        if not result:
            return answer
        if call["method"] == "eth_getLogs":
            answer["result"] = change(result)
        elif call["method"] in ("eth_getBlockReceipts", "eth_getTransactionReceipt"):
            for receipt in result if isinstance(result, list) else [result]:
                if receipt["logs"]:
                    receipt["logs"] = change(receipt["logs"])
        return answer

    return spoil


def _forge(run: Run) -> Callable[[Call, Answer], Answer]:
    """A log that no transaction made, in a place that is free."""

    def change(logs: Logs) -> Logs:
        forged = dict(logs[-1])
        forged["logIndex"] = hex(int(forged["logIndex"], 16) + 1)
        forged["topics"] = [*forged["topics"][:-1], "0x" + "00" * 12 + "ee" * 20]
        return [*logs, forged]

    return _in_logs(change)


def _hide(run: Run) -> Callable[[Call, Answer], Answer]:
    """One log is left out."""
    return _in_logs(lambda logs: [item for item in logs if item is not logs[len(logs) // 2]])


def _alter(run: Run) -> Callable[[Call, Answer], Answer]:
    """The data of a log is another: no bloom can tell, only the receipts' root."""

    def change(logs: Logs) -> Logs:
        if len(logs[-1]["data"]) > 4:
            logs[-1]["data"] = logs[-1]["data"][:-2] + "77"
        return logs

    return _in_logs(change)


def _chain_id(run: Run) -> Callable[[Call, Answer], Answer]:
    """The node serves another chain."""

    def spoil(call: Call, answer: Answer) -> Answer:
        if call["method"] in ("eth_chainId", "net_version"):
            answer["result"] = "0x1"
        return answer

    return spoil


def _receipt(run: Run) -> Callable[[Call, Answer], Answer]:
    """Receipts of blocks that never were."""

    def spoil(call: Call, answer: Answer) -> Answer:
        if call["method"] == "eth_getTransactionReceipt" and answer.get("result"):
            answer["result"]["blockHash"] = "0x" + "ab" * 32
        return answer

    return spoil


def _fork(run: Run) -> Callable[[Call, Answer], Answer]:
    """Headers of another chain, consistent in themselves: only a second node can tell."""

    def spoil(call: Call, answer: Answer) -> Answer:
        if call["method"] == "eth_getBlockByNumber" and answer.get("result"):
            answer["result"]["stateRoot"] = "0x" + "cd" * 32
        return answer

    return spoil


LIES = (_forge, _hide, _alter, _chain_id, _receipt, _fork)


def f12_lies(run: Run) -> None:
    """One lie per run. Nothing false may be stored while it lasts, and all be well after it."""
    from chain.models import Cursor

    lie = LIES[run.seed % len(LIES)]
    run.pay(2)
    run.tick()
    run.traffic(3, salt="lied about")
    run.chain.must(run.chain.transfer(0, run.recipient("certain"), 5))
    told = run.proxy.spoilt
    run.proxy.faults = Faults(spoil=lie(run))
    second = run.direct if lie is _fork else ""
    for what in ("index", "send"):
        process = run.worker(what, rpc_url=run.proxy.url, second_url=second, ticks=8)
        run.ended(process, allowed=(0, UNCAUGHT) if lie is _chain_id else (0,))
        run.chain.mine()
    if run.proxy.spoilt == told:
        run.counts.add("wrong", f"{lie.__name__}: the harness told no lie")
    cursor = Cursor.objects.get()
    _stored_judge(run, cursor.number, lie.__name__)
    run.finish()


def _stored_judge(run: Run, until: int, lie: str) -> None:
    """What was stored under the lie, up to the cursor, is the truth."""
    from chain.models import Log

    truth = {
        (item["blockHash"], int(item["logIndex"], 16), item["data"])
        for item in run.chain.logs()
        if int(item["blockNumber"], 16) <= until
    }
    stored = {
        (f"0x{row.block_hash.hex()}", row.log_index, f"0x{row.data.hex()}")
        for row in Log.objects.filter(canonical=True, block_number__lte=until)
    }
    run.counts.add(
        "wrong", f"{lie}: stored and false {list(stored - truth)[:2]}", len(stored - truth)
    )
    run.counts.add("lost", f"{lie}: true and not stored", len(truth - stored))


def f13_unwell(run: Run) -> None:
    """429, 5xx, slow answers, half of them, ten megabytes; meanwhile the pages ask no node."""
    from django.conf import settings
    from django.test import Client

    run.pay(2)
    run.traffic(4)
    run.proxy.faults = unwell(run.rng, 0.3)
    for what in ("index", "send"):
        run.ended(run.worker(what, rpc_url=run.proxy.url, ticks=4))
    before = run.proxy.exchanges
    settings.RPC_URL = run.proxy.url
    for path in ("/", "/proposals/", "/treasury/", "/delegates/", "/api/v1/proposals/"):
        status = Client(raise_request_exception=False).get(path, follow=True).status_code
        if status != 200:
            run.counts.add("wrong", f"{path} answered {status} while the node was unwell")
    asked = run.proxy.exchanges - before
    run.counts.add("wrong", f"reading pages asked the node {asked} times", asked)
    run.finish()


def f24_reindex(run: Run) -> None:
    """Indexed live through a reorganisation, anew by windows, and rebuilt: three times the same."""
    from bench.chaos.digest import differences
    from chain.indexer.rebuild import projections_rebuild

    run.traffic(5)
    run.tick()
    run.traffic(3, salt="left")
    run.tick()
    run.chain.reorg(run.rng.randint(1, 4))
    run.traffic(2, salt="new")
    run.finish()
    expected = run.stage.fresh_digest(reorg_window=8)
    run.index()
    live = digest_of_live()
    for text in differences(live, expected):
        run.counts.add("wrong", f"by windows: {text}")
    projections_rebuild()
    for text in differences(digest_of_live(), live):
        run.counts.add("wrong", f"rebuilt: {text}")
    if open_intents():
        run.counts.add("stuck", "intents where none were asked for")
