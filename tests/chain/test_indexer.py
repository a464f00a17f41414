"""The indexer on a real chain: both lanes, faults of the node, crashes, several at once."""

from __future__ import annotations

import threading
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection

from chain.contracts import contract
from chain.indexer.commit import ChainMismatch, CursorMoved, batch_commit
from chain.indexer.loop import Indexer, Outcome, index_until_head
from chain.models import Block, ChainRead, Cursor, KeyTouch, Log, LogKey
from chain.rpc.client import RpcClient
from chain.rpc.errors import Inconsistent, RangeTooLarge
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

pytestmark = [pytest.mark.chain, pytest.mark.django_db]

ADA, BOB = b"\xaa" * 20, b"\xbb" * 20


@pytest.fixture
def treasurer(client: RpcClient, web3_accounts: list[Any], deployment: dict[str, Any]) -> Wallet:
    """An account with tokens."""
    token = contract("AlthingToken")
    for account in web3_accounts:
        data = token.encode("balanceOf", (account.address,))
        if int.from_bytes(client.eth_call(token.address, data), "big") >= 10**20:
            return Wallet(client, account.address)
    raise AssertionError("No test account has tokens.")


def pay(wallet: Wallet, to: bytes, amount_wei: int = 10**18) -> bytes:
    return wallet.send("AlthingToken", "transfer", (to, amount_wei))


def balances_match(client: RpcClient) -> None:
    """Every projected balance is what the chain says now."""
    token = contract("AlthingToken")
    rows = list(HolderRow.objects.all())
    assert rows
    for row in rows:
        data = token.encode("balanceOf", (bytes.fromhex(row.address),))
        answer = client.eth_call(token.address, data)
        assert row.balance_wei == int.from_bytes(answer, "big"), row.address


def test_it_follows_the_chain_to_the_head(
    holders: HolderProjector, client: RpcClient, treasurer: Wallet
) -> None:
    pay(treasurer, ADA)
    pay(treasurer, ADA, 2 * 10**18)
    step = index_until_head()
    assert step.outcome == Outcome.IDLE
    cursor = Cursor.objects.get()
    head = client.header("latest")
    assert (cursor.number, cursor.hash) == (head.number, head.hash)
    row = HolderRow.objects.get(address=ADA.hex())
    assert (row.transfers, row.balance_wei) == (2, 3 * 10**18)
    assert row.as_of == head.number
    balances_match(client)
    assert freshness().state == "ok"
    assert not Log.objects.filter(event="").exists()


def test_every_header_near_the_head_is_stored(
    holders: HolderProjector, client: RpcClient, rpc: Any
) -> None:
    rpc("anvil_mine", "0xa")
    index_until_head()
    rows = list(Block.objects.order_by("number"))
    numbers = [row.number for row in rows]
    assert numbers == list(range(numbers[0], client.header("latest").number + 1))
    for parent, child in pairwise(rows):
        assert child.parent_hash == parent.hash


def test_both_lanes_store_the_same(
    holders: HolderProjector, client: RpcClient, treasurer: Wallet, rpc: Any, settings: Any
) -> None:
    for number in range(6):
        pay(treasurer, bytes([number + 1]) * 20)
        rpc("anvil_mine", "0x3")
    settings.CHAIN_REORG_WINDOW = 1000
    index_until_head()
    hot_logs, hot_rows = canonical_digest(), holder_digest()
    tables_wipe()
    settings.CHAIN_REORG_WINDOW = 4
    index_until_head()
    assert canonical_digest() == hot_logs
    assert holder_digest() == hot_rows
    assert Block.objects.count() < Cursor.objects.get().number


def test_an_empty_block_costs_one_exchange_and_five_statements(
    holders: HolderProjector,
    faulty: FaultyTransport,
    rpc: Any,
    django_assert_num_queries: Any,
) -> None:
    indexer = Indexer(RpcClient(faulty))
    index_until_head(indexer=indexer)
    rpc("anvil_mine", "0x1")
    faulty.requests.clear()
    # cursor, what is due, savepoint, cursor for update, block, cursor, release
    with django_assert_num_queries(7):
        step = indexer.step()
    assert step.blocks == 1
    assert len(faulty.requests) == 1


def test_due_keys_are_read_and_recomputed_without_a_log(
    holders: HolderProjector, client: RpcClient, treasurer: Wallet, rpc: Any
) -> None:
    pay(treasurer, ADA)
    index_until_head()
    due_at = client.header("latest").number + 2
    holders.due[due_at] = [ADA.hex()]
    rpc("anvil_mine", "0x3")
    index_until_head()
    assert HolderRow.objects.get(address=ADA.hex()).as_of >= due_at
    assert KeyTouch.objects.filter(key=ADA.hex(), block_number__gte=due_at, log_number=None)
    assert ChainRead.objects.filter(block_number__gte=due_at, ok=True).exists()


def test_a_crash_between_fetch_and_commit_loses_and_doubles_nothing(
    holders: HolderProjector, client: RpcClient, treasurer: Wallet
) -> None:
    index_until_head()
    before = (Log.objects.count(), Cursor.objects.get().number)
    pay(treasurer, ADA)

    class Crash(Exception):
        pass

    def crash(name: str) -> None:
        if name == "fetched":
            raise Crash

    with pytest.raises(Crash):
        Indexer(client, reached=crash).step()
    assert (Log.objects.count(), Cursor.objects.get().number) == before
    index_until_head()
    assert HolderRow.objects.get(address=ADA.hex()).transfers == 1
    balances_match(client)


def test_a_failing_projector_rolls_everything_back(
    holders: HolderProjector, treasurer: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    index_until_head()
    number, logs = Cursor.objects.get().number, Log.objects.count()
    pay(treasurer, ADA)

    def fail(self: Any, **kw: Any) -> None:
        raise RuntimeError("a bug in an app")

    with monkeypatch.context() as patch:
        patch.setattr(HolderProjector, "recompute", fail)
        with pytest.raises(RuntimeError):
            index_until_head()
    assert (Cursor.objects.get().number, Log.objects.count()) == (number, logs)
    index_until_head()
    assert HolderRow.objects.filter(address=ADA.hex()).exists()


def test_a_batch_for_another_position_is_refused(
    holders: HolderProjector, client: RpcClient, treasurer: Wallet
) -> None:
    from chain.indexer import fetch, planner

    index_until_head()
    pay(treasurer, ADA)
    cursor = Cursor.objects.get()
    position = planner.Position(cursor.number, cursor.hash)
    seen = fetch.observe(client, position=position, ahead=1)
    batch = fetch.batch_of_blocks(client, base=position, blocks=[seen.next[0]], seen=seen)
    batch_commit(batch)
    logs = Log.objects.count()
    with pytest.raises(CursorMoved):
        batch_commit(batch)
    assert Log.objects.count() == logs


@pytest.mark.django_db(transaction=True)
def test_two_indexers_at_once_store_everything_once(
    holders: HolderProjector, client: RpcClient, treasurer: Wallet, rpc: Any
) -> None:
    for number in range(12):
        pay(treasurer, bytes([number % 3 + 1]) * 20)
    failures: list[Exception] = []
    outcomes: list[Outcome] = []

    def run() -> None:
        try:
            indexer = Indexer(client)
            while (step := indexer.step()).outcome != Outcome.IDLE:
                outcomes.append(step.outcome)
        except Exception as error:  # noqa: BLE001 - shown by the assertion below
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert Cursor.objects.get().number == client.header("latest").number
    assert Outcome.CONTENDED in outcomes
    parallel = (canonical_digest(), holder_digest())
    tables_wipe()
    index_until_head()
    assert (canonical_digest(), holder_digest()) == parallel


def test_a_range_refused_as_too_large_is_asked_in_parts(
    holders: HolderProjector, faulty: FaultyTransport, rpc: Any, settings: Any
) -> None:
    settings.CHAIN_REORG_WINDOW = 4
    rpc("anvil_mine", hex(60))
    import orjson

    asked: list[int] = []
    send = faulty.inner.send

    def limited(body: bytes, *, timeout_s: float | None = None) -> bytes:
        request = orjson.loads(body)
        for call in request if isinstance(request, list) else [request]:
            if call["method"] == "eth_getLogs" and "fromBlock" in call["params"][0]:
                query = call["params"][0]
                size = int(query["toBlock"], 16) - int(query["fromBlock"], 16) + 1
                asked.append(size)
                if size > 10:
                    raise RangeTooLarge("query returned more than 10000 results")
        return send(body, timeout_s=timeout_s)

    faulty.inner.send = limited  # type: ignore[method-assign]
    index_until_head(indexer=Indexer(RpcClient(faulty)))
    assert max(asked) > 10
    assert min(asked) <= 10
    assert Cursor.objects.get().number == int(rpc("eth_blockNumber"), 16)


def test_a_node_without_old_state_is_read_at_a_final_block(
    holders: HolderProjector,
    faulty: FaultyTransport,
    client: RpcClient,
    treasurer: Wallet,
    rpc: Any,
    settings: Any,
) -> None:
    pay(treasurer, ADA)
    rpc("anvil_mine", hex(30))
    settings.CHAIN_REORG_WINDOW = 4
    kept = {
        client.header(number).hash.hex()
        for number in range(client.header("latest").number - 3, client.header("latest").number + 1)
    }

    import orjson

    send = faulty.inner.send

    def pruned(body: bytes, *, timeout_s: float | None = None) -> bytes:
        request = orjson.loads(body)
        answer = orjson.loads(send(body, timeout_s=timeout_s))
        pairs = zip(
            request if isinstance(request, list) else [request],
            answer if isinstance(answer, list) else [answer],
            strict=True,
        )
        for call, reply in pairs:
            if call["method"] == "eth_call" and call["params"][1]["blockHash"][2:] not in kept:
                reply.pop("result")
                reply["error"] = {"code": -32000, "message": "missing trie node 0xabc"}
        return orjson.dumps(answer)

    faulty.inner.send = pruned  # type: ignore[method-assign]
    first = Indexer(RpcClient(faulty))
    first.step()
    Cursor.objects.update(window_blocks=10)
    index_until_head(indexer=first)
    balances_match(client)


@pytest.mark.parametrize("proven", [True, False], ids=["by receipts", "by logs"])
@pytest.mark.parametrize("lie", ["null", "hidden", "foreign", "other-block", "twice"])
def test_a_lying_node_changes_nothing(
    holders: HolderProjector,
    faulty: FaultyTransport,
    client: RpcClient,
    treasurer: Wallet,
    settings: Any,
    lie: str,
    proven: bool,
) -> None:
    settings.CHAIN_VERIFY_RECEIPTS = proven
    indexer = Indexer(RpcClient(faulty))
    index_until_head(indexer=indexer)
    pay(treasurer, ADA)
    before = (Log.objects.count(), Cursor.objects.get().number)

    def spoil(methods: list[str], answer: Any) -> Any:
        if methods != ["eth_getBlockReceipts" if proven else "eth_getLogs"]:
            return answer
        where, key = (answer["result"][0], "logs") if proven else (answer, "result")
        logs = where[key]
        if lie == "null":
            where[key] = None
        elif lie == "hidden":
            where[key] = []
        elif lie == "foreign":
            logs[0]["address"] = "0x" + "99" * 20
        elif lie == "other-block":
            logs[0]["blockHash"] = "0x" + "99" * 32
        else:
            where[key] = logs + logs
        return answer

    faulty.spoil = spoil
    with pytest.raises(Inconsistent):
        indexer.step()
    assert (Log.objects.count(), Cursor.objects.get().number) == before
    assert "contradicts itself" in Cursor.objects.get().error
    assert freshness().state == "amber"
    faulty.spoil = lambda methods, answer: answer
    index_until_head(indexer=indexer)
    assert HolderRow.objects.get(address=ADA.hex()).transfers == 1
    assert freshness().state == "ok"


def test_a_node_that_lags_is_waited_for(
    holders: HolderProjector, faulty: FaultyTransport, client: RpcClient, rpc: Any
) -> None:
    rpc("anvil_mine", "0x5")
    index_until_head()
    cursor = Cursor.objects.get()
    behind = client.call("eth_getBlockByNumber", hex(cursor.number - 3), False)

    def lag(methods: list[str], answers: Any) -> Any:
        if methods[:2] == ["eth_getBlockByNumber"] * 2:
            answers[0]["result"] = None
            answers[1]["result"] = behind
            for answer in answers[2:]:
                answer["result"] = None
        return answers

    faulty.spoil = lag
    step = Indexer(RpcClient(faulty)).step()
    assert step.outcome == Outcome.STALE
    after = Cursor.objects.get()
    assert (after.number, after.hash, after.head_number) == (
        cursor.number,
        cursor.hash,
        cursor.head_number,
    )
    assert freshness().state == "amber"
    assert "behind" in freshness().detail


def test_logs_of_an_event_without_abi_are_kept_and_decoded_later(
    holders: HolderProjector, treasurer: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chain.contracts import codec_load
    from chain.decoding import ContractCodec
    from chain.indexer import dispatch
    from chain.indexer.rebuild import projections_rebuild

    def older(name: str) -> ContractCodec:
        """The ABIs before the token's Transfer was known."""
        codec = ContractCodec([])
        known = codec_load(name).events.items()
        codec.events = {
            topic: event
            for topic, event in known
            if (name, event.name) != ("AlthingToken", "Transfer")
        }
        return codec

    index_until_head()
    with monkeypatch.context() as patch:
        patch.setattr(dispatch, "codec_load", older)
        pay(treasurer, ADA)
        index_until_head()
    kept = Log.objects.get(event="")
    assert "abi_unknown" in kept.undecoded_reason
    assert not HolderRow.objects.filter(address=ADA.hex()).exists()
    projections_rebuild()
    kept.refresh_from_db()
    assert (kept.event, kept.undecoded_reason) == ("Transfer", "")
    assert HolderRow.objects.get(address=ADA.hex()).transfers == 1


def test_old_headers_go_and_history_stays(
    holders: HolderProjector, treasurer: Wallet, rpc: Any
) -> None:
    from chain.indexer.writer import headers_prune

    pay(treasurer, ADA)
    rpc("anvil_mine", "0x14")
    index_until_head()
    logs, keys = Log.objects.count(), LogKey.objects.count()
    number = Cursor.objects.get().number
    assert headers_prune(below=number - 4) > 0
    assert (Log.objects.count(), LogKey.objects.count()) == (logs, keys)
    with_logs = set(Log.objects.values_list("block_number", flat=True))
    kept = set(Block.objects.filter(number__lt=number - 4).values_list("number", flat=True))
    assert with_logs == kept & with_logs
    assert Block.objects.filter(number__gte=number - 4).count() == 5


def test_a_node_of_another_chain_is_refused(
    holders: HolderProjector, faulty: FaultyTransport, rpc: Any
) -> None:
    index_until_head()
    before = Cursor.objects.get()
    rpc("anvil_mine", "0x3")

    def other(methods: list[str], answer: Any) -> Any:
        if methods == ["eth_chainId"]:
            answer["result"] = "0x1"
        return answer

    faulty.spoil = other
    with pytest.raises(ChainMismatch, match="chain 1, CHAIN_ID is 31337"):
        Indexer(RpcClient(faulty)).step()
    assert Cursor.objects.get().number == before.number
