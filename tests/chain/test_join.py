"""A contract added late: caught up, joined, settled; killed anywhere, reorganised under way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings

from chain import watch
from chain.contracts import contract
from chain.indexer import fetch
from chain.indexer.commit import CursorMoved, batch_commit
from chain.indexer.loop import Indexer, Outcome, index_until_head
from chain.indexer.planner import Position
from chain.indexer.rebuild import projections_rebuild
from chain.models import Block, Cursor, Log, WatchedContract
from chain.rpc.client import RpcClient
from chain.rpc.errors import Permanent, RangeTooLarge
from chain.rpc.transport import HttpTransport
from chain.watch import WatchRefused, contract_unwatch, contract_watch
from tests.chain.conftest import (
    FaultyTransport,
    HolderProjector,
    HolderRow,
    Wallet,
    canonical_digest,
)
from tests.chain.test_crashes import environment, finish, keeper, worker
from tests.chain.test_indexer import pay, treasurer

__all__ = ["environment", "keeper", "treasurer"]

pytestmark = [pytest.mark.chain, pytest.mark.django_db]

ADA, BOB, EVE = b"\xaa" * 20, b"\xbb" * 20, b"\xee" * 20
OTHER = b"\x0f" * 20


@pytest.fixture
def other(rpc: Any, deployment: dict[str, Any]) -> Iterator[bytes]:
    """A second token on the chain, of our token's code, that no deployment file names."""
    code = rpc("eth_getCode", f"0x{contract('AlthingToken').address.hex()}", "latest")
    rpc("anvil_setCode", f"0x{OTHER.hex()}", code)
    yield OTHER
    watch.watch_refresh(b"")


def give(wallet: Wallet, to: bytes) -> None:
    """A transfer of nothing on the other token: a log like any other."""
    wallet.send_raw(OTHER, contract("AlthingToken").encode("transfer", (to, 0)))


def follow(first_block: int = 1) -> WatchedContract:
    return contract_watch(address=OTHER, abi="AlthingToken", first_block=first_block, actor="test")


def chain_logs(client: RpcClient) -> set[tuple[bytes, int]]:
    """Where the other token's logs are on the node's chain now."""
    head = client.header("latest").number
    return {(log.block_hash, log.log_index) for log in client.logs_of_range(0, head, [OTHER])}


def complete(client: RpcClient) -> None:
    """Every log of the other token is stored as canonical, once, and nothing else of it is; its
    keys are projected; and a rebuild gives the same rows."""
    stored = list(Log.objects.filter(address=OTHER, canonical=True))
    places = [(bytes(log.block_hash), log.log_index) for log in stored]
    assert len(places) == len(set(places))
    assert set(places) == chain_logs(client)
    known = {bytes(hash) for hash in Block.objects.values_list("hash", flat=True)}
    assert {place[0] for place in places} <= known
    row = WatchedContract.objects.get()
    assert (row.joined, row.settled, row.error) == (True, True, "")
    found = (canonical_digest(), rows())
    projections_rebuild()
    assert canonical_digest() == found[0]
    assert rows() == found[1]


def rows() -> list[tuple[Any, ...]]:
    """The projected rows, less their running number: in what order accounts are first met is the
    one thing that joining late changes."""
    columns = [f.attname for f in HolderRow._meta.fields if f.attname not in ("id", "number")]
    return sorted(HolderRow.objects.values_list(*columns))


def transfers(to: bytes) -> int:
    return HolderRow.objects.get(address=to.hex()).transfers


@pytest.mark.parametrize("window", [1, 128], ids=["windows", "last stretch only"])
def test_a_contract_added_late_has_every_log_once(
    holders: HolderProjector,
    client: RpcClient,
    treasurer: Wallet,
    other: bytes,
    settings: Any,
    window: int,
) -> None:
    settings.CHAIN_REORG_WINDOW = window
    for _ in range(3):
        give(treasurer, ADA)
        pay(treasurer, BOB)
    index_until_head()
    assert not Log.objects.filter(address=OTHER).exists()
    follow()
    index_until_head()
    assert transfers(ADA) == 3
    complete(client)
    give(treasurer, ADA)
    pay(treasurer, ADA)
    index_until_head()
    assert transfers(ADA) == 5
    complete(client)


def test_it_joins_an_index_that_has_not_begun(
    holders: HolderProjector, client: RpcClient, treasurer: Wallet, other: bytes
) -> None:
    give(treasurer, ADA)
    follow()
    index_until_head()
    assert transfers(ADA) == 1
    complete(client)


POINTS = [
    "join.fetched",
    "join.committed",
    "join.last.fetched",
    "join.joined",
    "join.read",
    "join.settled",
]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("point", POINTS)
def test_killed_at_a_point_it_goes_on(
    holders: HolderProjector,
    environment: dict[str, str],
    client: RpcClient,
    treasurer: Wallet,
    other: bytes,
    settings: Any,
    point: str,
) -> None:
    settings.CHAIN_REORG_WINDOW = 8
    for _ in range(3):
        give(treasurer, ADA)
    client.call("anvil_mine", "0xa")
    index_until_head()
    follow()
    environment |= {"CHAIN_REORG_WINDOW": "8"}
    assert finish(worker(environment, "index", point, "1")) < 0
    pay(treasurer, BOB)
    give(treasurer, ADA)
    assert finish(worker(environment, "index", point, "0.4")) <= 0
    index_until_head()
    assert transfers(ADA) == 4
    complete(client)


def test_a_reorganisation_during_the_last_stretch(
    holders: HolderProjector, client: RpcClient, treasurer: Wallet, other: bytes, rpc: Any
) -> None:
    give(treasurer, ADA)
    index_until_head()
    snapshot = rpc("evm_snapshot")
    give(treasurer, BOB)
    give(treasurer, BOB)
    pay(treasurer, BOB)
    index_until_head()
    follow()
    left = iter([True])

    def reached(name: str) -> None:
        if name == "join.last.fetched" and next(left, False):
            rpc("evm_revert", snapshot)
            for _ in range(4):
                give(treasurer, EVE)

    index_until_head(indexer=Indexer(reached=reached))
    index_until_head()
    assert (transfers(ADA), transfers(EVE)) == (1, 4)
    assert not HolderRow.objects.filter(address=BOB.hex()).exists()
    complete(client)


@pytest.mark.parametrize("point", ["join.fetched", "join.committed", "join.joined", "join.read"])
def test_a_reorganisation_at_any_stage(
    holders: HolderProjector,
    client: RpcClient,
    treasurer: Wallet,
    other: bytes,
    rpc: Any,
    settings: Any,
    point: str,
) -> None:
    """Finality is a depth of two here, and the branch goes back below it: the widest case that is
    still repaired without a person."""
    settings.CHAIN_REORG_WINDOW = 8
    for _ in range(6):
        give(treasurer, ADA)
    snapshot = rpc("evm_snapshot")
    for _ in range(5):
        give(treasurer, BOB)
    index_until_head()
    settings.CHAIN_REORG_WINDOW = 1
    follow()
    left = iter([True])

    def reached(name: str) -> None:
        if name == point and next(left, False):
            settings.CHAIN_REORG_WINDOW = 8
            rpc("evm_revert", snapshot)
            for _ in range(7):
                give(treasurer, EVE)
            Indexer().step()  # another process meets the reorganisation first

    index_until_head(indexer=Indexer(reached=reached))
    index_until_head()
    assert next(left, None) is None, "the point was not reached"
    assert (transfers(ADA), transfers(EVE)) == (6, 7)
    assert not HolderRow.objects.filter(address=BOB.hex()).exists()
    complete(client)


def test_what_happened_while_it_was_left_out_is_caught_up(
    holders: HolderProjector, client: RpcClient, treasurer: Wallet, other: bytes
) -> None:
    give(treasurer, ADA)
    follow()
    index_until_head()
    contract_unwatch(address=OTHER, actor="test")
    give(treasurer, ADA)
    index_until_head()
    assert transfers(ADA) == 1
    assert Log.objects.filter(address=OTHER).count() == 1
    give(treasurer, ADA)
    follow()
    index_until_head()
    assert transfers(ADA) == 3
    complete(client)


def test_a_batch_fetched_before_a_contract_joined_is_refused(
    holders: HolderProjector, client: RpcClient, treasurer: Wallet, other: bytes
) -> None:
    index_until_head()
    give(treasurer, ADA)
    cursor = Cursor.objects.get()
    position = Position(cursor.number, bytes(cursor.hash))
    seen = fetch.observe(client, position=position, ahead=1)
    stale = fetch.batch_of_blocks(client, base=position, blocks=[seen.next[0]], seen=seen)
    assert not stale.logs.rows
    follow()
    assert Indexer(client).join_step()
    assert WatchedContract.objects.get().joined
    with pytest.raises(CursorMoved, match="joined or left"):
        batch_commit(stale)
    index_until_head()
    assert transfers(ADA) == 1
    complete(client)


def test_two_indexers_at_once_join_it_once(
    holders: HolderProjector, client: RpcClient, treasurer: Wallet, other: bytes
) -> None:
    for _ in range(3):
        give(treasurer, ADA)
    index_until_head()
    follow()
    second = Indexer(client)
    turns = iter(range(3))

    def reached(name: str) -> None:
        if name.startswith("join.") and next(turns, None) is not None:
            second.step()
            second.join_step()

    index_until_head(indexer=Indexer(client, reached=reached))
    assert transfers(ADA) == 3
    complete(client)


def test_a_refused_window_is_halved(
    holders: HolderProjector,
    faulty: FaultyTransport,
    client: RpcClient,
    treasurer: Wallet,
    other: bytes,
    settings: Any,
) -> None:
    settings.CHAIN_REORG_WINDOW = 1
    for _ in range(8):
        give(treasurer, ADA)
    index_until_head()
    follow()
    refusals = iter(range(2))

    def fault(methods: list[str]) -> None:
        if "eth_getLogs" in methods and next(refusals, None) is not None:
            raise RangeTooLarge("too many blocks")

    faulty.fault = fault
    index_until_head(indexer=Indexer(RpcClient(faulty)))
    assert WatchedContract.objects.get().window_blocks < 500
    assert transfers(ADA) == 8
    complete(client)


def test_a_contract_the_node_gives_no_logs_of_holds_up_no_other(
    holders: HolderProjector,
    faulty: FaultyTransport,
    client: RpcClient,
    treasurer: Wallet,
    other: bytes,
    settings: Any,
) -> None:
    settings.CHAIN_REORG_WINDOW = 1
    for _ in range(5):
        give(treasurer, ADA)
    index_until_head()
    follow()

    def fault(methods: list[str]) -> None:
        if "eth_getLogs" in methods:
            raise Permanent("this address is not served")

    faulty.fault = fault
    lane = Indexer(RpcClient(faulty))
    assert not lane.join_step()
    assert "not served" in WatchedContract.objects.get().error
    faulty.fault = lambda methods: None
    pay(treasurer, BOB)
    assert index_until_head().outcome == Outcome.IDLE
    complete(client)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"address": b"\x77" * 20}, "watch_no_code"),
        ({"first_block": 10**9}, "watch_future"),
        ({"first_block": -1}, "watch_block"),
        ({"abi": "NoSuchContract"}, "watch_abi"),
        ({"abi": "../conf"}, "watch_abi"),
    ],
)
def test_what_cannot_be_watched_is_refused_with_the_next_step(
    client: RpcClient, other: bytes, db: None, changes: dict[str, Any], code: str
) -> None:
    wanted: dict[str, Any] = {
        "address": OTHER,
        "abi": "AlthingToken",
        "first_block": 1,
        "actor": "test",
    }
    with pytest.raises(WatchRefused) as refused:
        contract_watch(**wanted | changes)
    assert refused.value.code == code
    assert not WatchedContract.objects.exists()


def test_ours_and_those_watched_already_are_refused(
    client: RpcClient, other: bytes, db: None, settings: Any
) -> None:
    with pytest.raises(WatchRefused, match="our own AlthingToken"):
        contract_watch(
            address=contract("AlthingToken").address, abi="AlthingToken", first_block=1, actor="t"
        )
    follow()
    with pytest.raises(WatchRefused) as refused:
        follow()
    assert refused.value.code == "watch_known"
    contract_unwatch(address=OTHER, actor="test")
    with pytest.raises(WatchRefused) as refused:
        contract_unwatch(address=OTHER, actor="test")
    assert refused.value.code == "watch_unknown"
    with pytest.raises(WatchRefused) as refused:
        contract_watch(address=OTHER, abi="NodeRegistry", first_block=1, actor="test")
    assert refused.value.code == "watch_abi_differs"
    elsewhere = RpcClient(HttpTransport(django_settings.RPC_URL))
    settings.CHAIN_ID = django_settings.CHAIN_ID + 1
    with pytest.raises(WatchRefused) as refused:
        contract_watch(
            address=OTHER, abi="AlthingToken", first_block=1, actor="test", client=elsewhere
        )
    assert refused.value.code == "watch_chain"


def test_a_list_is_named_by_its_content_alone() -> None:
    one, two = (b"\x01" * 20, "A"), (b"\x02" * 20, "B")
    assert watch.watch_digest([one, two]) == watch.watch_digest([two, one])
    assert watch.watch_digest([one]) != watch.watch_digest([(one[0], "B")])
    assert watch.watch_digest([]) == b""


def test_without_added_contracts_nothing_is_asked(
    holders: HolderProjector, client: RpcClient, django_assert_num_queries: Any
) -> None:
    index_until_head()
    indexer = Indexer(client)
    with django_assert_num_queries(1):  # the contracts that have not settled: none
        assert not indexer.join_step()


def test_one_that_is_to_begin_earlier_passes_its_own_logs_once_more(
    holders: HolderProjector, client: RpcClient, treasurer: Wallet, other: bytes, settings: Any
) -> None:
    settings.CHAIN_REORG_WINDOW = 1
    for _ in range(3):
        give(treasurer, ADA)
    middle = client.header("latest").number + 1
    for _ in range(3):
        give(treasurer, BOB)
    follow(first_block=middle)
    index_until_head()
    assert not HolderRow.objects.filter(address=ADA.hex()).exists()
    watch.watch_begin(address=OTHER, abi="AlthingToken", first_block=1, actor="test")
    assert not WatchedContract.objects.get().joined
    give(treasurer, BOB)
    index_until_head()
    assert (transfers(ADA), transfers(BOB)) == (3, 4)
    complete(client)


def test_starting_over_begins_below_every_contract_ever_added(
    client: RpcClient, other: bytes, db: None
) -> None:
    assert watch.watch_first_block(7) == 7
    follow(first_block=3)
    assert watch.watch_first_block(7) == 3
    contract_unwatch(address=OTHER, actor="test")
    assert watch.watch_first_block(7) == 3
    assert watch.watch_first_block(2) == 2
