"""Finality by depth, by tag, and by two nodes that must agree."""

from __future__ import annotations

from typing import Any

import pytest

from chain import finality as module
from chain.client import chain_finalized
from chain.contracts import contract
from chain.finality import FinalityGuard, NodesDisagree, logs_agree
from chain.indexer.loop import Indexer, index_until_head
from chain.models import Cursor, Log
from chain.rpc.client import RpcClient
from chain.rpc.errors import RangeTooLarge, Transient
from chain.rpc.header_hash import header_hash
from chain.status import freshness
from tests.chain.conftest import FaultyTransport, HolderProjector

pytestmark = [pytest.mark.chain, pytest.mark.django_db]


@pytest.fixture
def second(
    faulty: FaultyTransport, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> FaultyTransport:
    """A second node: the same chain, through a transport that can fail."""
    guard = FinalityGuard(RpcClient(faulty, retries=0))
    settings.RPC_URL_SECOND = "http://second.invalid"
    monkeypatch.setattr(module, "_guard", lambda url: guard)
    return faulty


def test_by_depth_and_by_tag(deployment: Any, client: RpcClient, rpc: Any, settings: Any) -> None:
    rpc("anvil_mine", "0x5")
    head = client.header("latest")
    settings.CHAIN_FINALITY = "3"
    assert chain_finalized(head) == head.number - 3
    settings.CHAIN_FINALITY = "finalized"
    assert chain_finalized(head) == client.header("finalized").number


def test_two_nodes_that_disagree_freeze_finality_and_say_so(
    holders: HolderProjector, second: FaultyTransport, rpc: Any
) -> None:
    index_until_head()
    agreed = Cursor.objects.get().finalized_number
    assert agreed == int(rpc("eth_blockNumber"), 16) - 2

    def other_chain(methods: list[str], answer: Any) -> Any:
        if "parentHash" in answer["result"]:
            answer["result"]["extraData"] = "0x99"
            answer["result"]["hash"] = f"0x{(header_hash(answer['result']) or b'').hex()}"
        return answer

    second.spoil = other_chain
    rpc("anvil_mine", "0x5")
    index_until_head()
    cursor = Cursor.objects.get()
    assert cursor.number == int(rpc("eth_blockNumber"), 16), "pages stay fresh"
    assert cursor.finalized_number == agreed
    assert (freshness().state, freshness().finalized_number) == ("amber", agreed)
    assert "disagree" in freshness().detail
    second.spoil = lambda methods, answer: answer
    rpc("anvil_mine", "0x1")
    Indexer().step()
    assert Cursor.objects.get().finalized_number == cursor.number - 1
    assert freshness().state == "ok"


def test_a_silent_second_node_freezes_finality_too(
    holders: HolderProjector, second: FaultyTransport, rpc: Any
) -> None:
    index_until_head()
    agreed = Cursor.objects.get().finalized_number

    def silent(methods: list[str]) -> None:
        raise Transient("no answer")

    second.fault = silent
    rpc("anvil_mine", "0x5")
    index_until_head()
    assert Cursor.objects.get().finalized_number == agreed
    assert "does not confirm" in freshness().detail


def test_logs_that_the_second_node_does_not_give_are_not_believed(
    deployment: Any, client: RpcClient, second: FaultyTransport
) -> None:
    addresses = [contract("AlthingToken").address]
    end = client.header("latest").number
    logs = client.logs_of_range(0, end, addresses)
    assert logs
    logs_agree(start=0, end=end, addresses=addresses, logs=logs)
    with pytest.raises(NodesDisagree, match=f"block {logs[-1].block_number}: 0 only from the"):
        logs_agree(start=0, end=end, addresses=addresses, logs=logs[:-1])

    def forge(methods: list[str], answer: Any) -> Any:
        if methods == ["eth_getLogs"]:
            answer["result"][0]["data"] += "00"
        return answer

    second.spoil = forge
    with pytest.raises(NodesDisagree) as caught:
        logs_agree(start=0, end=end, addresses=addresses, logs=logs)
    assert caught.value.code == "nodes_disagree"
    assert set(caught.value.evidence) == {"first", "second"}

    def silent(methods: list[str]) -> None:
        raise Transient("no answer")

    second.fault = silent
    with pytest.raises(Transient):
        logs_agree(start=0, end=end, addresses=addresses, logs=logs)


def test_a_second_node_with_narrower_ranges_is_asked_in_halves(
    deployment: Any, client: RpcClient, second: FaultyTransport
) -> None:
    addresses = [contract("AlthingToken").address]
    end = client.header("latest").number
    logs = client.logs_of_range(0, end, addresses)

    def narrow(methods: list[str]) -> None:
        if len(second.requests) < 3:
            raise RangeTooLarge("block range is too wide")

    second.fault = narrow
    logs_agree(start=0, end=end, addresses=addresses, logs=logs)
    assert second.requests.count(["eth_getLogs"]) == 5


def test_a_log_that_one_node_hides_in_final_blocks_stops_the_index_until_they_agree(
    holders: HolderProjector, second: FaultyTransport, rpc: Any, settings: Any
) -> None:
    """By number windows one node alone can hide a log; which of the two lies nobody knows here."""
    settings.CHAIN_REORG_WINDOW = 4
    rpc("anvil_mine", "0x10")

    def hide(methods: list[str], answer: Any) -> Any:
        if methods == ["eth_getLogs"] and answer["result"]:
            answer["result"].pop()
        return answer

    second.spoil = hide
    with pytest.raises(NodesDisagree):
        index_until_head()
    cursor = Cursor.objects.get()
    assert not Log.objects.exists()
    assert "two nodes disagree about the logs" in cursor.error
    second.spoil = lambda methods, answer: answer
    index_until_head()
    assert Log.objects.exists()
    assert Cursor.objects.get().error == ""
