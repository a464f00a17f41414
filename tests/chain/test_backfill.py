"""The finalized lane: windows in pieces, in order, cut short anywhere, and never a wrong block."""

from __future__ import annotations

from typing import Any

import pytest

from chain.indexer import backfill, planner
from chain.indexer.loop import Indexer, index_until_head
from chain.indexer.writer import keys_pending
from chain.models import Cursor, KeyTouch, Log, LogKey
from chain.rpc.client import RpcClient
from chain.rpc.errors import Inconsistent, RangeTooLarge, Transient
from tests.chain.conftest import (
    FaultyTransport,
    HolderProjector,
    HolderRow,
    Wallet,
    canonical_digest,
    holder_digest,
    tables_wipe,
)
from tests.chain.test_indexer import balances_match, pay, treasurer

__all__ = ["treasurer"]

pytestmark = [pytest.mark.chain, pytest.mark.django_db]


@pytest.fixture
def history(
    holders: HolderProjector,
    treasurer: Wallet,
    rpc: Any,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[Any, ...]:
    """A chain of twenty payments, and what an index block by block makes of it; from here on the
    index works in windows of three blocks."""
    for number in range(20):
        pay(treasurer, bytes([number % 5 + 1]) * 20)
    rpc("anvil_mine", "0x9")
    settings.CHAIN_REORG_WINDOW = 1000
    index_until_head()
    found = (canonical_digest(), holder_digest())
    tables_wipe()
    settings.CHAIN_REORG_WINDOW = 4
    monkeypatch.setattr(planner, "WINDOW_MAX", 3)
    return found


def first_windows(client: RpcClient, *, blocks: int = 3) -> None:
    """Start the index, with a window of a few blocks."""
    from chain.deployment import deployment
    from chain.indexer.commit import cursor_start

    cursor_start(client, first_block=deployment().first_block)
    Cursor.objects.update(window_blocks=blocks)


def test_windows_store_what_blocks_one_by_one_store(
    history: tuple[Any, ...], client: RpcClient
) -> None:
    first_windows(client)
    index_until_head()
    assert (canonical_digest(), holder_digest()) == history
    cursor = Cursor.objects.get()
    assert cursor.projected_number == cursor.number
    balances_match(client)


@pytest.mark.parametrize("legs", [1, 2, 4])
def test_a_catch_up_in_several_legs_is_the_same(
    history: tuple[Any, ...], client: RpcClient, monkeypatch: pytest.MonkeyPatch, legs: int
) -> None:
    monkeypatch.setattr(backfill, "WINDOWS_MAX", legs)
    first_windows(client)
    index_until_head()
    assert (canonical_digest(), holder_digest()) == history


@pytest.mark.parametrize("commits", [1, 2, 3, 5])
def test_one_cut_short_after_a_window_is_finished_by_the_next(
    history: tuple[Any, ...], client: RpcClient, commits: int
) -> None:
    class Killed(Exception):
        pass

    seen = [0]

    def reached(name: str) -> None:
        seen[0] += name == "committed"
        if seen[0] == commits:
            raise Killed

    first_windows(client)
    with pytest.raises(Killed):
        index_until_head(indexer=Indexer(reached=reached))
    cursor = Cursor.objects.get()
    # Logs are stored, and the keys they touch known to wait; nothing is shown half.
    assert cursor.projected_number < cursor.number
    assert KeyTouch.objects.exists() == bool(keys_pending(cursor))
    assert not HolderRow.objects.exists()
    index_until_head()
    assert (canonical_digest(), holder_digest()) == history


def test_a_window_the_node_refuses_is_taken_in_pieces(
    history: tuple[Any, ...], faulty: FaultyTransport
) -> None:
    def narrow(calls: list[dict[str, Any]]) -> None:
        for call in calls:
            if call["method"] == "eth_getLogs" and blocks_asked(call) > 2:
                refused.append(blocks_asked(call))
                raise RangeTooLarge("query returned more than 10000 results")

    refused: list[int] = []
    faulty.examine = narrow
    client = RpcClient(faulty)
    first_windows(client, blocks=8)
    index_until_head(indexer=Indexer(client))
    assert {8, 4} <= set(refused)
    assert (canonical_digest(), holder_digest()) == history


def blocks_asked(call: dict[str, Any]) -> int:
    """How many blocks a log request is for; one where it names a hash."""
    query = call["params"][0]
    if "blockHash" in query:
        return 1
    return int(query["toBlock"], 16) - int(query["fromBlock"], 16) + 1


def test_a_final_block_that_does_not_follow_is_refused(
    history: tuple[Any, ...], faulty: FaultyTransport
) -> None:
    def spoil(methods: list[str], answer: Any) -> Any:
        if isinstance(answer, list):
            for item in answer:
                header = item.get("result")
                if isinstance(header, dict) and int(header.get("number", "0x0"), 16) % 3 == 0:
                    header["parentHash"] = "0x" + "77" * 32
        return answer

    client = RpcClient(faulty)
    first_windows(client)
    before = Cursor.objects.get().number
    faulty.spoil = spoil
    with pytest.raises((Inconsistent, Transient)):
        index_until_head(indexer=Indexer(client))
    # What was committed before it is whole, and the rest comes when the node is honest again.
    assert Cursor.objects.get().number >= before
    faulty.spoil = lambda methods, answer: answer
    index_until_head(indexer=Indexer(client))
    assert (canonical_digest(), holder_digest()) == history


def test_two_catching_up_at_once_store_everything_once(
    history: tuple[Any, ...], client: RpcClient
) -> None:
    first_windows(client)
    other = Indexer()

    def reached(name: str) -> None:
        if name == "fetched":
            other.step()

    index_until_head(indexer=Indexer(reached=reached))
    assert (canonical_digest(), holder_digest()) == history


def test_touching_alone_keeps_no_history(
    holders: HolderProjector,
    client: RpcClient,
    treasurer: Wallet,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        HolderProjector, "touch_only", frozenset({("AlthingToken", "Transfer")}), raising=False
    )
    pay(treasurer, b"\x07" * 20)
    index_until_head()
    assert Log.objects.filter(event="Transfer").exists()
    assert not LogKey.objects.filter(log__event="Transfer").exists()
    newest = Log.objects.filter(event="Transfer").order_by("block_number").last()
    touch = KeyTouch.objects.filter(key=(b"\x07" * 20).hex()).get()
    assert newest is not None
    assert (touch.log_number, touch.log_index) == (newest.block_number, newest.log_index)


@pytest.mark.parametrize(
    ("window", "part", "logs", "wanted"),
    [
        (100, 100, 0, 200),
        (100, 100, 40_000, 100),
        (100, 100, 20_000, 200),
        (100, 100, 80_000, 50),
        (100, 100, 400_000, 50),
        (4000, 4000, 0, 5000),
        (100, 12, 40_000, 12),
        (1, 1, 900_000, 1),
    ],
)
def test_a_window_follows_the_logs_it_held(window: int, part: int, logs: int, wanted: int) -> None:
    assert planner.window_next(window, part=part, logs_count=logs) == wanted
