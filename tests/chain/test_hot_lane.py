"""Blocks near the head: several in one commit, and branches that part inside such a batch."""

from __future__ import annotations

from typing import Any

import pytest

from chain.indexer import planner
from chain.indexer.loop import Indexer, Outcome, index_until_head
from chain.models import ChainRead, Cursor, KeyTouch, Log, ReorgEvent
from chain.rpc.client import RpcClient
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

ADA, BOB, EVE = b"\xaa" * 20, b"\xbb" * 20, b"\xee" * 20


@pytest.mark.parametrize("fork", range(1, 6))
def test_a_branch_that_parts_inside_a_batch(
    holders: HolderProjector,
    client: RpcClient,
    treasurer: Wallet,
    rpc: Any,
    monkeypatch: pytest.MonkeyPatch,
    fork: int,
) -> None:
    """Six blocks in one commit, of which the last ones leave the chain."""
    for account in (ADA, BOB, EVE):
        pay(treasurer, account)
    index_until_head()
    snapshot = None
    for number in range(6):
        if number == fork:
            snapshot = rpc("evm_snapshot")
        # Each account is touched by some blocks that stay and some that do not.
        pay(treasurer, (ADA, BOB, EVE)[number % 3])
    monkeypatch.setattr(planner, "hot_ahead", lambda **kw: planner.HOT_BATCH_MAX)
    before = Cursor.objects.get().number
    assert Indexer().step().blocks == 6
    assert KeyTouch.objects.filter(block_number__gt=before).values("block_number").distinct()
    rpc("evm_revert", snapshot)
    rpc("evm_increaseTime", 7)
    pay(treasurer, EVE, 5)
    index_until_head()
    event = ReorgEvent.objects.get()
    assert (event.depth, event.ancestor_number) == (6 - fork, before + fork)
    assert Log.objects.filter(canonical=False).count() == 6 - fork
    balances_match(client)
    found = (canonical_digest(), holder_digest())
    tables_wipe()
    index_until_head()
    assert (canonical_digest(), holder_digest()) == found


def test_two_branches_that_part_inside_the_same_batch(
    holders: HolderProjector,
    client: RpcClient,
    treasurer: Wallet,
    rpc: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second goes below the block that the first one kept its keys as of."""
    for account in (ADA, BOB, EVE):
        pay(treasurer, account)
    index_until_head()
    snapshots = []
    for number in range(6):
        snapshots.append(rpc("evm_snapshot"))
        pay(treasurer, (ADA, BOB)[number % 2])
    monkeypatch.setattr(planner, "hot_ahead", lambda **kw: planner.HOT_BATCH_MAX)
    index_until_head()
    for place in (4, 2):
        rpc("evm_revert", snapshots[place])
        rpc("evm_increaseTime", 7)
        pay(treasurer, EVE, place)
        index_until_head()
        balances_match(client)
    assert ReorgEvent.objects.count() == 2
    found = (canonical_digest(), holder_digest())
    tables_wipe()
    index_until_head()
    assert (canonical_digest(), holder_digest()) == found
    assert HolderRow.objects.get(address=BOB.hex()).transfers == 2


def test_reads_of_a_branch_that_was_left_are_never_used(
    holders: HolderProjector, client: RpcClient, treasurer: Wallet, rpc: Any
) -> None:
    pay(treasurer, ADA)
    index_until_head()
    snapshot = rpc("evm_snapshot")
    pay(treasurer, ADA)
    index_until_head()
    rpc("evm_revert", snapshot)
    # In the same second the empty block would be the very same one, hash and all: no reorg.
    rpc("evm_increaseTime", 7)
    rpc("anvil_mine", "0x1")
    index_until_head()
    assert ChainRead.objects.filter(canonical=False).exists()
    assert HolderRow.objects.get(address=ADA.hex()).balance_wei == 10**18


def test_a_block_the_node_lacks_is_not_asked_for_without_end(
    holders: HolderProjector, faulty: FaultyTransport, treasurer: Wallet
) -> None:
    indexer = Indexer(RpcClient(faulty))
    index_until_head(indexer=indexer)
    pay(treasurer, ADA)

    def spoil(methods: list[str], answer: Any) -> Any:
        def gone(item: dict[str, Any]) -> dict[str, Any]:
            error = {"code": -32000, "message": "unknown block"}
            return {"jsonrpc": "2.0", "id": item["id"], "error": error}

        asked = {"eth_getLogs", "eth_getBlockReceipts", "eth_getTransactionReceipt"}
        if not asked.intersection(methods):
            return answer
        return [gone(item) for item in answer] if isinstance(answer, list) else gone(answer)

    faulty.spoil = spoil
    assert index_until_head(indexer=indexer).outcome == Outcome.STALE
    assert not HolderRow.objects.filter(address=ADA.hex()).exists()
    faulty.spoil = lambda methods, answer: answer
    index_until_head(indexer=indexer)
    assert HolderRow.objects.get(address=ADA.hex()).transfers == 1


@pytest.mark.parametrize(
    ("missing", "ahead"),
    [(0, 1), (1, 1), (2, 1), (3, 2), (10, 5), (127, 64), (128, 64), (10**6, 64)],
)
def test_batches_grow_small_towards_the_head(missing: int, ahead: int) -> None:
    assert planner.hot_ahead(position=100, head=100 + missing) == ahead
