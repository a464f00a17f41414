"""Several nodes: the best is asked, the others when it fails, and one that lies waits long."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chain import client as chain_client
from chain.rpc import (
    BlockUnknown,
    Call,
    HttpTransport,
    Inconsistent,
    RangeTooLarge,
    RateLimited,
    RpcClient,
    StateUnavailable,
    Transient,
)
from chain.rpc.errors import Permanent, RpcError, WrongChain
from chain.rpc.pool import (
    FAILED_ASIDE_S,
    LAG_ASIDE_BLOCKS,
    LIED_ASIDE_S,
    PROBE_EVERY_S,
    ProviderPool,
)
from tests.chain.conftest import FaultyTransport

pytestmark = pytest.mark.chain
CHAIN_ID = 31337


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Nodes:
    """Three ways to the test's chain, each of which can fail, and a client over them."""

    def __init__(self, url: str) -> None:
        self.clock = Clock()
        self.a, self.b, self.c = self.all = [FaultyTransport(HttpTransport(url)) for _ in range(3)]
        self.pool = ProviderPool(self.all, chain_id=CHAIN_ID, clock=self.clock)
        self.client = RpcClient(self.pool, retries=0)

    def asked(self) -> list[int]:
        """Requests since the last look, by node, without those for its chain."""
        counts = []
        for node in self.all:
            counts.append(sum(methods != ["eth_chainId"] for methods in node.requests))
            node.requests.clear()
        return counts

    def standing(self) -> list[str]:
        return [score.standing for score in self.pool.scores()]


@pytest.fixture
def nodes(anvil_url: str) -> Iterator[Nodes]:
    made = Nodes(anvil_url)
    yield made
    for node in made.all:
        node.close()


def raising(error: RpcError) -> Callable[[list[str]], None]:
    def fault(methods: list[str]) -> None:
        if methods != ["eth_chainId"]:
            raise error

    return fault


def lie(methods: list[str], answer: Any) -> Any:
    if isinstance(answer, dict) and isinstance(answer["result"], dict):
        answer["result"]["stateRoot"] = f"0x{'99' * 32}"
    return answer


def test_one_node_is_used_as_long_as_it_serves(nodes: Nodes) -> None:
    for _ in range(5):
        nodes.client.header("latest")
    assert nodes.asked() == [5, 0, 0]
    assert nodes.a.requests == []


@pytest.mark.parametrize(
    "error", [Transient("gone"), RateLimited("slow down"), Permanent("HTTP 401: no key")]
)
def test_another_node_answers_at_once_where_one_fails(nodes: Nodes, error: RpcError) -> None:
    nodes.a.fault = raising(error)
    nodes.client.header("latest")
    assert nodes.asked() == [1, 1, 0]
    nodes.client.header("latest")
    assert nodes.asked() == [0, 1, 0]
    assert nodes.standing() == ["failing", "good", "good"]


def test_a_failing_node_returns_and_waits_longer_each_time(nodes: Nodes) -> None:
    nodes.a.fault = raising(Transient("gone"))
    waits = []
    for _ in range(3):
        nodes.b.fault = nodes.c.fault = raising(Transient("gone too"))
        with pytest.raises(Transient):
            nodes.client.header("latest")
        waits.append(nodes.pool.scores()[0].aside_s)
        nodes.clock.now += waits[-1] + 60
    assert waits[0] == FAILED_ASIDE_S[0]
    assert all(later >= 2 * sooner for sooner, later in itertools.pairwise(waits))
    for node in nodes.all:
        node.fault = lambda methods: None
    assert nodes.client.header("latest")
    assert "good" in nodes.standing()


def test_one_that_lies_is_put_aside_for_long_and_others_answer(nodes: Nodes) -> None:
    honest = nodes.client.header("latest")
    nodes.a.spoil = lie
    assert nodes.client.header(honest.hash) == honest
    first = nodes.pool.scores()[0]
    assert (first.standing, first.inconsistencies) == ("lying", 1)
    assert first.aside_s == LIED_ASIDE_S[0]
    assert "do not give its hash" in first.last_error
    # It returns, lies again, and waits twice as long.
    nodes.clock.now += LIED_ASIDE_S[0] + 1
    nodes.b.fault = nodes.c.fault = raising(Transient("gone"))
    with pytest.raises(RpcError):
        nodes.client.header(honest.hash)
    assert nodes.pool.scores()[0].aside_s == 2 * LIED_ASIDE_S[0]


def test_a_liar_is_asked_only_when_nobody_else_is_left(nodes: Nodes) -> None:
    head = nodes.client.header("latest")
    nodes.a.spoil = lie
    nodes.client.header(head.hash)
    nodes.b.fault = raising(Transient("gone"))
    nodes.asked()
    assert nodes.client.header(head.hash)
    assert nodes.asked()[0] == 0


def test_reads_of_one_batch_come_from_one_node(nodes: Nodes) -> None:
    client = RpcClient(nodes.pool, batch_max=2, retries=0)
    calls = [Call("eth_blockNumber")] * 7

    def later(methods: list[str]) -> None:
        if sum(item != ["eth_chainId"] for item in nodes.a.requests) > 2:
            raise Transient("gone in the middle")

    nodes.a.fault = later
    with pytest.raises(Transient):
        client.batch(calls)
    assert nodes.asked() == [3, 0, 0], "the rest must not come from another"
    assert len(client.batch(calls)) == 7
    assert nodes.asked() == [0, 4, 0]


@pytest.mark.parametrize("error", [BlockUnknown("header not found"), StateUnavailable("pruned")])
def test_what_one_node_lacks_another_may_have(nodes: Nodes, error: RpcError) -> None:
    def lacking(methods: list[str], answer: Any) -> Any:
        words = {"code": -32000, "message": error.detail}
        return answer if methods == ["eth_chainId"] else {"id": answer["id"], "error": words}

    nodes.a.spoil = lacking
    assert nodes.client.balance_wei(b"\x01" * 20) == 0
    assert nodes.standing() == ["good", "good", "good"], "it is no failure not to have it"
    nodes.b.spoil = nodes.c.spoil = lacking
    with pytest.raises(type(error)):
        nodes.client.balance_wei(b"\x01" * 20)


def test_a_range_too_large_is_for_the_caller(nodes: Nodes) -> None:
    nodes.a.fault = raising(RangeTooLarge("block range is too wide"))
    with pytest.raises(RangeTooLarge):
        nodes.client.logs_of_range(0, 0, [b"\x01" * 20])
    assert nodes.asked() == [1, 0, 0]


def test_a_range_that_one_node_does_not_have_whole_is_read_whole_from_another(
    nodes: Nodes, rpc: Callable[..., Any]
) -> None:
    rpc("anvil_mine", "0x3")

    def behind(methods: list[str], answer: Any) -> Any:
        if methods == ["eth_getBlockByNumber"]:
            answer["result"] = None
        return answer

    nodes.a.spoil = behind
    assert nodes.client.logs_of_range(0, 2, [b"\x01" * 20]) == []
    assert nodes.asked() == [2, 2, 0], "its short list is not taken for the other's"
    nodes.b.spoil = nodes.c.spoil = behind
    with pytest.raises(BlockUnknown):
        nodes.client.logs_of_range(0, 2, [b"\x01" * 20])


def test_reads_together_move_together(nodes: Nodes) -> None:
    def work() -> tuple[Any, Any]:
        return nodes.client.call("eth_blockNumber"), nodes.client.call("eth_gasPrice")

    def no_price(methods: list[str]) -> None:
        if methods == ["eth_gasPrice"]:
            raise Transient("gone in the middle")

    nodes.a.fault = no_price
    assert nodes.client.checked(work, together=True)
    assert nodes.asked() == [2, 2, 0]


def test_a_broadcast_answered_with_another_hash_is_a_lie(nodes: Nodes) -> None:
    nodes.a.spoil = lambda methods, answer: (
        {"id": answer["id"], "result": f"0x{'11' * 32}"}
        if methods == ["eth_sendRawTransaction"]
        else answer
    )
    with pytest.raises(Inconsistent, match="another transaction"):
        nodes.client.send_raw(b"\x02")
    assert nodes.standing()[0] == "lying"


def other_chain(methods: list[str], answer: Any) -> Any:
    return answer | {"result": "0x1"} if methods == ["eth_chainId"] else answer


def test_a_node_of_another_chain_is_never_used(nodes: Nodes) -> None:
    nodes.a.spoil = other_chain
    nodes.client.header("latest")
    assert nodes.asked() == [0, 1, 0]
    assert nodes.standing()[0] == "wrong_chain"
    nodes.b.spoil = nodes.c.spoil = other_chain
    for node in nodes.pool.providers:
        node.checked = False
    nodes.clock.now += 10_000
    with pytest.raises(WrongChain, match="serves chain 1, CHAIN_ID is 31337"):
        nodes.client.header("latest")
    assert nodes.asked() == [0, 0, 0]
    # Somebody corrected it.
    nodes.a.spoil = lambda methods, answer: answer
    nodes.clock.now += 10_000
    nodes.client.header("latest")
    assert nodes.asked()[1:] == [0, 0]
    assert nodes.standing()[0] == "good"


def test_the_chain_is_checked_again_after_a_lost_connection(nodes: Nodes) -> None:
    nodes.client.header("latest")
    nodes.a.fault = raising(Transient("lost"))
    nodes.client.header("latest")
    nodes.a.fault, nodes.a.spoil = (lambda methods: None), other_chain
    nodes.b.fault = nodes.c.fault = raising(Transient("lost"))
    nodes.clock.now += 1
    nodes.asked()
    with pytest.raises(RpcError):
        nodes.client.header("latest")
    assert nodes.asked()[0] == 0
    assert nodes.standing()[0] == "wrong_chain"


def test_a_broadcast_goes_to_one_node_once(nodes: Nodes) -> None:
    nodes.a.fault = raising(Transient("no reply"))
    with pytest.raises(Transient):
        nodes.client.send_raw(b"\x02")
    assert nodes.asked() == [1, 0, 0]
    # The next attempt, which the sender decides on, goes to another.
    with pytest.raises(RpcError):
        nodes.client.send_raw(b"\x02")
    assert nodes.asked() == [0, 1, 0]


def test_a_node_that_lags_is_noticed_and_left(nodes: Nodes, rpc: Callable[..., Any]) -> None:
    rpc("anvil_mine", hex(LAG_ASIDE_BLOCKS + 5))
    nodes.client.header("latest")

    def behind(methods: list[str], answer: Any) -> Any:
        if methods == ["eth_blockNumber"]:
            answer["result"] = hex(int(answer["result"], 16) - LAG_ASIDE_BLOCKS)
        return answer

    nodes.a.spoil = behind
    nodes.clock.now += PROBE_EVERY_S + 1
    nodes.asked()
    nodes.client.call("eth_gasPrice")
    first, second, _ = nodes.pool.scores()
    assert (first.standing, first.lag_blocks) == ("lagging", LAG_ASIDE_BLOCKS)
    assert second.lag_blocks == 0
    assert "blocks behind" in first.last_error
    assert ["eth_gasPrice"] not in nodes.a.requests


def test_scores_fall_with_failures_and_show_no_secret(anvil_url: str) -> None:
    secret = "s3cr3t"
    urls = (f"http://user:{secret}@127.0.0.1:9/v2/{secret}?key={secret}", anvil_url)
    pool = ProviderPool([HttpTransport(url) for url in urls])
    client = RpcClient(pool, retries=0)
    client.header("latest")
    bad, good = pool.scores()
    assert bad.name == "127.0.0.1:9"
    assert secret not in repr(pool.scores())
    assert bad.score < good.score
    assert (bad.failures, good.failures) == (1, 0)
    assert good.last_head == client.header("latest").number
    assert bad.last_error.startswith("rpc_transient: ")
    pool = ProviderPool([HttpTransport("http://one.example")] * 3)
    assert [s.name for s in pool.scores()] == ["one.example", "one.example #2", "one.example #3"]


def test_many_threads_share_a_pool(nodes: Nodes) -> None:
    gone = threading.Event()
    results: list[Any] = []

    def flaky(methods: list[str]) -> None:
        if gone.is_set():
            raise Transient("gone")

    nodes.a.fault = flaky

    def work() -> None:
        for _ in range(10):
            results.append(nodes.client.headers([0, "latest"]))
            gone.set()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 60
    assert all(None not in headers for headers in results)
    scores = nodes.pool.scores()
    assert sum(score.requests - score.failures for score in scores) == 60


def test_the_services_client_takes_a_list(settings: Any, anvil_url: str) -> None:
    settings.RPC_URL = f"http://127.0.0.1:9, {anvil_url}"
    settings.RPC_URLS = f"{anvil_url},http://two.example/key"
    assert chain_client.chain_head().number >= 0
    names = [score.name for score in chain_client.provider_scores()]
    assert names == ["127.0.0.1:9", anvil_url.removeprefix("http://"), "two.example"]
    assert chain_client.rpc_client() is chain_client.rpc_client()
    assert chain_client.header_trust(1, "auto").strict
    assert not chain_client.header_trust(31337, "auto").strict
    with pytest.raises(ValueError, match="CHAIN_VERIFY_HEADERS"):
        chain_client.header_trust(1, "perhaps")


def test_an_answer_to_the_chain_question_that_is_none(nodes: Nodes) -> None:
    def odd(methods: list[str], answer: Any) -> Any:
        return {"id": 0, "result": None} if methods == ["eth_chainId"] else answer

    nodes.a.spoil = odd
    nodes.client.header("latest")
    assert nodes.asked() == [0, 1, 0]
    assert nodes.pool.scores()[0].inconsistencies == 1


def test_distrust_blames_once(nodes: Nodes) -> None:
    nodes.client.header("latest")
    error = Inconsistent("found elsewhere", evidence={"asked": 1})
    assert nodes.client.distrust(error)
    assert not nodes.client.distrust(error)
    assert nodes.pool.scores()[0].inconsistencies == 1
