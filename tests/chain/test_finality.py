"""Finality by depth, by tag, and by two nodes that must agree."""

from __future__ import annotations

from typing import Any

import pytest

from chain import finality as module
from chain.client import chain_finalized
from chain.finality import FinalityGuard
from chain.indexer.loop import Indexer, index_until_head
from chain.models import Cursor
from chain.rpc.client import RpcClient
from chain.rpc.errors import Transient
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
        answer["result"]["hash"] = "0x" + "99" * 32
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
