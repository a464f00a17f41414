"""Reorganisations of a real chain, shallow, deep, repeated; and rebuilds that ask no node."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from chain.indexer import fetch, writer
from chain.indexer.loop import Indexer, Outcome, index_until_head
from chain.indexer.rebuild import projections_rebuild
from chain.models import Block, ChainRead, Cursor, KeyTouch, Log, LogKey, ReorgEvent
from chain.rpc.client import RpcClient
from chain.rpc.errors import Transient
from chain.rpc.types import BlockHeader
from chain.status import freshness
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


def same_as_fresh_index() -> None:
    """What is stored now is what an index from nothing would store, bit for bit."""
    found = (canonical_digest(), holder_digest())
    tables_wipe()
    index_until_head()
    assert (canonical_digest(), holder_digest()) == found


@pytest.mark.parametrize("depth", range(1, 8))
def test_reorg_leaves_what_a_fresh_index_finds(
    holders: HolderProjector,
    client: RpcClient,
    treasurer: Wallet,
    rpc: Any,
    depth: int,
) -> None:
    pay(treasurer, ADA)
    index_until_head()
    snapshot = rpc("evm_snapshot")
    for number in range(depth):
        pay(treasurer, ADA if number % 2 else BOB)
    index_until_head()
    assert HolderRow.objects.get(address=ADA.hex()).transfers == 1 + depth // 2
    old = Cursor.objects.get()
    rpc("evm_revert", snapshot)
    for _ in range(depth):
        pay(treasurer, EVE, 5)
    rpc("anvil_mine", "0x1")
    index_until_head()
    assert not HolderRow.objects.filter(address=BOB.hex()).exists()
    assert HolderRow.objects.get(address=EVE.hex()).transfers == depth
    event = ReorgEvent.objects.get()
    assert (event.depth, event.old_hash, event.halted) == (depth, old.hash, False)
    assert event.crossed_finality is (depth > 2)
    balances_match(client)
    assert Log.objects.filter(canonical=False).count() == depth
    same_as_fresh_index()


def test_a_shorter_chain_is_followed_too(
    holders: HolderProjector, client: RpcClient, treasurer: Wallet, rpc: Any
) -> None:
    index_until_head()
    snapshot = rpc("evm_snapshot")
    for _ in range(5):
        pay(treasurer, ADA)
    index_until_head()
    rpc("evm_revert", snapshot)
    pay(treasurer, BOB)
    index_until_head()
    assert Cursor.objects.get().number == client.header("latest").number
    assert not HolderRow.objects.filter(address=ADA.hex()).exists()
    balances_match(client)
    same_as_fresh_index()


def test_an_event_that_appears_at_a_height_that_was_empty(
    holders: HolderProjector, treasurer: Wallet, rpc: Any
) -> None:
    index_until_head()
    snapshot = rpc("evm_snapshot")
    rpc("anvil_mine", "0x2")
    index_until_head()
    rpc("evm_revert", snapshot)
    pay(treasurer, ADA)
    rpc("anvil_mine", "0x3")
    index_until_head()
    assert HolderRow.objects.get(address=ADA.hex()).transfers == 1
    same_as_fresh_index()


def test_the_same_transaction_in_another_block(
    holders: HolderProjector, treasurer: Wallet, rpc: Any
) -> None:
    index_until_head()
    hash_ = pay(treasurer, ADA)
    raw = rpc("eth_getRawTransactionByHash", f"0x{hash_.hex()}")
    rpc("anvil_mine", "0x1")
    index_until_head()
    first = HolderRow.objects.get(address=ADA.hex())
    rpc("anvil_reorg", 2, [[raw, 1]])
    rpc("anvil_mine", "0x1")
    index_until_head()
    second = HolderRow.objects.get(address=ADA.hex())
    assert Log.objects.filter(transaction_hash=hash_).count() == 2
    assert Log.objects.filter(transaction_hash=hash_, canonical=True).count() == 1
    assert (first.transfers, second.transfers) == (1, 1)
    assert first.last_hash != second.last_hash
    same_as_fresh_index()


def test_two_reorganisations_in_a_row(
    holders: HolderProjector, client: RpcClient, treasurer: Wallet, rpc: Any
) -> None:
    index_until_head()
    for to in (ADA, BOB, EVE):
        snapshot = rpc("evm_snapshot")
        pay(treasurer, to)
        pay(treasurer, to)
        index_until_head()
        assert HolderRow.objects.get(address=to.hex()).transfers == 2
        rpc("evm_revert", snapshot)
        rpc("anvil_mine", "0x3")
        index_until_head()
    assert ReorgEvent.objects.count() == 3
    assert not HolderRow.objects.filter(address__in=[a.hex() for a in (ADA, BOB, EVE)]).exists()
    balances_match(client)
    same_as_fresh_index()


def test_due_touches_of_lost_blocks_are_recomputed(
    holders: HolderProjector, client: RpcClient, treasurer: Wallet, rpc: Any
) -> None:
    pay(treasurer, ADA)
    index_until_head()
    as_of = HolderRow.objects.get(address=ADA.hex()).as_of
    snapshot = rpc("evm_snapshot")
    holders.due[client.header("latest").number + 1] = [ADA.hex()]
    rpc("anvil_mine", "0x1")
    index_until_head()
    assert HolderRow.objects.get(address=ADA.hex()).as_of == as_of + 1
    holders.due.clear()
    rpc("evm_revert", snapshot)
    # In the same second the empty block would be the very same one, hash and all: no reorg.
    rpc("evm_increaseTime", 7)
    rpc("anvil_mine", "0x2")
    index_until_head()
    # What was read in the lost block is read again on the branch that took its place.
    head = client.header("latest").number
    assert HolderRow.objects.get(address=ADA.hex()).as_of == head
    assert KeyTouch.objects.filter(canonical=False).exists()
    assert ChainRead.objects.filter(canonical=False).exists()


def test_a_block_taken_back_after_being_left_keeps_its_rows(
    holders: HolderProjector, treasurer: Wallet, client: RpcClient
) -> None:
    pay(treasurer, ADA)
    index_until_head()
    row = Block.objects.order_by("-number").first()
    assert row is not None
    before = (Log.objects.count(), LogKey.objects.count(), canonical_digest())
    assert "test.holders" in writer.keys_touched(above=row.number - 1)
    writer.rows_orphan(above=row.number - 1)
    parent = Block.objects.get(number=row.number - 1)
    Cursor.objects.update(number=parent.number, hash=parent.hash)
    index_until_head()
    row.refresh_from_db()
    assert row.canonical
    assert (Log.objects.count(), LogKey.objects.count(), canonical_digest()) == before


def test_a_block_met_again_is_judged_by_the_answers_stored_of_it(
    holders: HolderProjector,
    treasurer: Wallet,
    client: RpcClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So that a rebuild, which has only what is stored, gives the same."""
    pay(treasurer, ADA)
    index_until_head()
    row = Block.objects.order_by("-number").first()
    assert row is not None
    before = canonical_digest(), HolderRow.objects.get(address=ADA.hex()).balance_wei
    writer.rows_orphan(above=row.number - 1)
    parent = Block.objects.get(number=row.number - 1)
    Cursor.objects.update(number=parent.number, hash=parent.hash)
    # The node now lies about the balance after that very block.
    monkeypatch.setattr(
        fetch, "multicall", lambda client, calls, at: [(True, bytes(32))] * len(calls)
    )
    index_until_head()
    assert (canonical_digest(), HolderRow.objects.get(address=ADA.hex()).balance_wei) == before


def deep_reorg(treasurer: Wallet, rpc: Any, settings: Any) -> None:
    settings.CHAIN_REORG_WINDOW = 8
    pay(treasurer, ADA)
    index_until_head()
    snapshot = rpc("evm_snapshot")
    for _ in range(10):
        pay(treasurer, BOB)
        index_until_head()
    rpc("evm_revert", snapshot)
    for _ in range(12):
        pay(treasurer, EVE)


def test_one_deeper_than_the_window_halts_until_a_person_resolves_it(
    holders: HolderProjector, client: RpcClient, treasurer: Wallet, rpc: Any, settings: Any
) -> None:
    deep_reorg(treasurer, rpc, settings)
    before = (canonical_digest(), holder_digest(), Cursor.objects.get().number)
    assert index_until_head().outcome == Outcome.HALTED
    cursor = Cursor.objects.get()
    assert cursor.state == Cursor.State.HALTED_DEEP_REORG
    assert "resolve_reorg" in cursor.error
    assert (canonical_digest(), holder_digest(), cursor.number) == before
    assert freshness().state == "halted"
    assert Indexer().step().outcome == Outcome.HALTED
    assert ReorgEvent.objects.get().halted
    with pytest.raises(CommandError, match="halted"):
        call_command("index", "--until-head", stdout=StringIO())
    out = StringIO()
    call_command("resolve_reorg", stdout=out)
    assert "10 blocks down" in out.getvalue()
    assert Cursor.objects.get().state == Cursor.State.HALTED_DEEP_REORG
    call_command("resolve_reorg", "--yes", "--actor", "ada", stdout=out)
    assert ReorgEvent.objects.first().resolved_by == "ada"
    index_until_head()
    assert freshness().state == "ok"
    assert not HolderRow.objects.filter(address=BOB.hex()).exists()
    assert HolderRow.objects.get(address=EVE.hex()).transfers == 12
    balances_match(client)
    with pytest.raises(CommandError, match="nothing to resolve"):
        call_command("resolve_reorg", "--yes", stdout=out)


def test_below_the_finalized_tag_it_halts_however_shallow(
    holders: HolderProjector, treasurer: Wallet, rpc: Any, settings: Any
) -> None:
    index_until_head()
    snapshot = rpc("evm_snapshot")
    pay(treasurer, ADA)
    index_until_head()
    settings.CHAIN_FINALITY = "finalized"
    Cursor.objects.update(finalized_number=Cursor.objects.get().number)
    rpc("evm_revert", snapshot)
    rpc("anvil_mine", "0x3")
    assert Indexer().step().outcome == Outcome.HALTED


def test_another_chain_starts_over_when_resolved(
    holders: HolderProjector, client: RpcClient, treasurer: Wallet
) -> None:
    pay(treasurer, ADA)
    index_until_head()
    digest = (canonical_digest(), holder_digest())
    # As if every stored block were of a chain that is gone.
    for row in Block.objects.all():
        Block.objects.filter(pk=row.pk).update(hash=bytes(31) + bytes([row.number % 256]))
    last = Block.objects.order_by("-number").first()
    assert last is not None
    Cursor.objects.update(hash=last.hash)
    assert Indexer().step().outcome == Outcome.HALTED
    call_command("resolve_reorg", "--yes", stdout=StringIO())
    index_until_head()
    assert (canonical_digest(), holder_digest()) == digest
    balances_match(client)


# --- rebuild --------------------------------------------------------------------------


def busy_chain(holders: HolderProjector, client: RpcClient, treasurer: Wallet, rpc: Any) -> None:
    for number in range(4):
        pay(treasurer, (ADA, BOB)[number % 2])
    index_until_head()
    snapshot = rpc("evm_snapshot")
    pay(treasurer, EVE)
    index_until_head()
    rpc("evm_revert", snapshot)
    holders.due[client.header("latest").number + 1] = [BOB.hex()]
    rpc("anvil_mine", "0x2")
    pay(treasurer, ADA)
    index_until_head()


def test_rebuild_gives_identical_tables_with_no_node(
    holders: HolderProjector, client: RpcClient, treasurer: Wallet, rpc: Any, settings: Any
) -> None:
    busy_chain(holders, client, treasurer, rpc)
    before = holder_digest(as_of=True)
    assert HolderRow.objects.values("as_of").distinct().count() > 1, "as-of blocks differ"
    settings.RPC_URL = "http://127.0.0.1:9"
    with pytest.raises(Transient):
        index_until_head()
    HolderRow.objects.update(transfers=0, balance_wei=None)
    out = StringIO()
    call_command("rebuild_projections", stdout=out)
    assert holder_digest(as_of=True) == before
    assert "test.holders" in out.getvalue()
    HolderRow.objects.all().delete()
    call_command("rebuild_projections", "--projector", "test.holders", stdout=out)
    assert holder_digest(as_of=True) == before


def test_rebuild_of_an_unknown_projector_is_refused(holders: HolderProjector) -> None:
    with pytest.raises(CommandError, match="No projector is named nobody"):
        call_command("rebuild_projections", "--projector", "nobody", stdout=StringIO())


def test_rebuild_that_fails_keeps_the_tables(
    holders: HolderProjector,
    client: RpcClient,
    treasurer: Wallet,
    rpc: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    busy_chain(holders, client, treasurer, rpc)
    before = holder_digest()

    def fail(self: Any, **kw: Any) -> None:
        raise RuntimeError("a bug in an app")

    monkeypatch.setattr(HolderProjector, "recompute", fail)
    with pytest.raises(RuntimeError):
        projections_rebuild()
    assert holder_digest() == before


def test_lost_replies_while_walking_back_change_nothing(
    holders: HolderProjector, faulty: FaultyTransport, treasurer: Wallet, rpc: Any
) -> None:
    snapshot = rpc("evm_snapshot")
    pay(treasurer, ADA)
    indexer = Indexer(RpcClient(faulty, retries=0))
    index_until_head(indexer=indexer)
    before = (canonical_digest(), Cursor.objects.get().number)
    rpc("evm_revert", snapshot)
    pay(treasurer, BOB)
    rpc("anvil_mine", "0x2")
    seen: list[int] = []

    def fault(methods: list[str]) -> None:
        seen.append(1)
        if len(seen) > 1:
            raise Transient("The connection was lost.")

    faulty.fault = fault
    with pytest.raises(Transient):
        indexer.step()
    assert (canonical_digest(), Cursor.objects.get().number) == before
    faulty.fault = lambda methods: None
    index_until_head(indexer=indexer)
    assert not HolderRow.objects.filter(address=ADA.hex()).exists()


def test_planner_follows_only_headers_that_chain() -> None:
    from chain.indexer.planner import Hot, Observation, Position, Window, plan

    def header(number: int, parent: int | None = None) -> BlockHeader:
        above = number - 1 if parent is None else parent
        return BlockHeader(number, bytes([number]) * 32, number, bytes([above]) * 32)

    seen = Observation(header(5), header(9), 3, [header(6), header(7), header(8, parent=99)])
    here = Position(5, header(5).hash)
    common: dict[str, Any] = {"hash_at_head": None, "position": here}
    found = plan(seen=seen, reorg_window=8, **common)
    assert isinstance(found, Hot)
    assert [block.number for block in found.blocks] == [6, 7]
    far = Observation(header(5), header(200), 190, [header(6)])
    window = plan(seen=far, reorg_window=20, **common)
    assert window == Window(180)
