"""What is no governor, and what a node may do: each a coded error that names the next step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import orjson
import pytest

from chain.rpc.client import RpcClient
from chain.rpc.errors import BlockUnknown, Inconsistent, StateUnavailable, Transient
from chain.rpc.transport import HttpTransport
from config.embedded.process import free_port
from governance.governors.creation import POINTS
from governance.governors.errors import GovernorProbeError
from governance.governors.kinds import (
    ClockMode,
    clock_mode_parse,
    clock_unit,
    counting_mode_parse,
)
from governance.governors.probe import governor_probe
from tests.chain.conftest import FaultyTransport
from tests.governance.governors.deploy import address_next

CHAIN_ID = 31337


@pytest.fixture
def faulty(anvil_url: str) -> Iterator[FaultyTransport]:
    transport = FaultyTransport(HttpTransport(anvil_url))
    yield transport
    transport.close()


@pytest.fixture
def client(faulty: FaultyTransport) -> RpcClient:
    return RpcClient(faulty, retries=0)


def refused(client: RpcClient, address: bytes, **options: Any) -> GovernorProbeError:
    with pytest.raises(GovernorProbeError) as caught:
        governor_probe(client=client, **{"address": address, "chain_id": CHAIN_ID, **options})
    # Every one says what to do: two sentences at least.
    assert caught.value.detail.rstrip(".").count(". ") >= 1, caught.value.detail
    return caught.value


HOSTILE: dict[str, tuple[Any, ...]] = {
    "Silent": (),
    "Refusing": (),
    "Garbage": (),
    "Burning": (),
    "Megabyte": (),
    "Pretender": (),
    "Box": (),
}


@pytest.mark.chain
@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_governor_is_told_in_time(
    name: str, local_chain: Any, client: RpcClient
) -> None:
    place = local_chain.deploy(name, *HOSTILE[name])
    began = time.monotonic()
    error = refused(client, place)
    assert error.code == "governor_not_a_governor"
    assert time.monotonic() - began < 20
    assert "COUNTING_MODE()" in error.detail


@pytest.mark.chain
@pytest.mark.parametrize("word", [0, 1, 32, 96, 2**256 - 1])
def test_one_word_for_every_question_is_no_governor(
    word: int, local_chain: Any, client: RpcClient
) -> None:
    place = local_chain.deploy("Constant", word)
    assert refused(client, place).code == "governor_not_a_governor"


@pytest.mark.chain
def test_a_governors_token_and_timelocks_are_no_governors(
    governor_factory: Any, client: RpcClient
) -> None:
    for kind in ("oz5_timelock", "bravo"):
        governor = governor_factory(kind)
        for place in (governor.token, governor.timelock):
            assert refused(client, place).code == "governor_not_a_governor"


@pytest.mark.chain
def test_half_a_governor_and_an_older_one_are_not_supported(
    governor_factory: Any, local_chain: Any, client: RpcClient
) -> None:
    half = local_chain.deploy("HalfGovernor")
    assert refused(client, half).code == "governor_unsupported"
    bravo = governor_factory("bravo")
    alpha = local_chain.deploy("GovernorAlpha", bravo.timelock, bravo.token)
    error = refused(client, alpha)
    assert error.code == "governor_unsupported"
    assert error.data == {"kind": "governor_alpha"}


@pytest.mark.chain
def test_no_code_wrong_chain_and_a_start_in_the_future(
    governor_factory: Any, local_chain: Any, client: RpcClient
) -> None:
    governor = governor_factory("oz5_overridable")
    assert refused(client, address_next(local_chain)).code == "governor_no_code"
    wrong = refused(client, governor.address, chain_id=1)
    assert (wrong.code, wrong.data) == ("governor_wrong_chain", {"served": CHAIN_ID, "expected": 1})
    head = local_chain.block()[0]
    late = refused(client, governor.address, from_block=head + 1)
    assert late.code == "governor_start_in_future"
    assert str(head) in late.detail
    before = refused(client, governor.address, from_block=-1)
    assert before.code == "governor_start_invalid"


def test_nobody_at_the_address_of_the_node() -> None:
    transport = HttpTransport(f"http://127.0.0.1:{free_port()}", timeout_s=2)
    error = refused(RpcClient(transport, retries=0), b"\x01" * 20)
    transport.close()
    assert error.code == "governor_node_unreachable"
    assert "--rpc" in error.detail


@pytest.mark.chain
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Transient("connection lost."), "governor_node_unreachable"),
        (Inconsistent("half an answer."), "governor_node_inconsistent"),
        (StateUnavailable("missing trie node."), "governor_history_missing"),
        (BlockUnknown("header not found."), "governor_node_inconsistent"),
    ],
)
def test_a_node_that_fails_at_any_request_is_told(
    fault: Exception,
    code: str,
    governor_factory: Any,
    faulty: FaultyTransport,
    client: RpcClient,
) -> None:
    """At every one of the probe's exchanges in turn."""
    place = governor_factory("oz5_timelock").address
    report = governor_probe(client=client, address=place, chain_id=CHAIN_ID)
    exchanges = len(faulty.requests)
    assert exchanges > 5
    assert report.limits == ()
    for failing in range(exchanges):
        faulty.requests.clear()
        faulty.fault = _at(faulty, failing, fault)
        assert refused(client, place).code == code


def _at(faulty: FaultyTransport, number: int, fault: Exception) -> Callable[[list[str]], None]:
    def raise_at(methods: list[str]) -> None:
        if len(faulty.requests) == number + 1:
            raise fault

    return raise_at


# --- where it begins --------------------------------------------------------------------


@pytest.mark.chain
@pytest.mark.parametrize("after", [0, 1, POINTS - 1, POINTS, POINTS + 1, 700])
def test_the_first_block_is_found(
    after: int, governor_factory: Any, local_chain: Any, client: RpcClient
) -> None:
    local_chain.mine(37)
    governor = governor_factory("oz5_overridable")
    if after:
        local_chain.mine(after)
    report = governor_probe(client=client, address=governor.address, chain_id=CHAIN_ID)
    assert report.creation_block == governor.created_at


class PrunedTransport:
    """A node that dropped the states of the blocks below ``oldest``."""

    ERROR: ClassVar = {"code": -32000, "message": "missing trie node 0x12 (path ) not available"}

    def __init__(self, inner: HttpTransport, oldest: int) -> None:
        self.inner = inner
        self.oldest = oldest

    def send(self, body: bytes, *, timeout_s: float | None = None) -> bytes:
        request = orjson.loads(body)
        answer = orjson.loads(self.inner.send(body, timeout_s=timeout_s))
        if isinstance(request, list):
            pairs = zip(request, answer, strict=True)
            return orjson.dumps([self._pruned(call, reply) for call, reply in pairs])
        return orjson.dumps(self._pruned(request, answer))

    def _pruned(self, call: dict[str, Any], reply: dict[str, Any]) -> dict[str, Any]:
        block = call["params"][-1] if call["method"] == "eth_getCode" else None
        if isinstance(block, str) and int(block, 16) < self.oldest:
            return {"jsonrpc": "2.0", "id": reply["id"], "error": self.ERROR}
        return reply

    def close(self) -> None:
        self.inner.close()


@pytest.mark.chain
@pytest.mark.parametrize("after", [1, 50, 300])
def test_a_node_with_few_old_states(
    after: int, governor_factory: Any, local_chain: Any, anvil_url: str
) -> None:
    """Found where the state before it is kept; else its first block is asked for."""
    local_chain.mine(40)
    governor = governor_factory("oz5_overridable")
    local_chain.mine(after)
    transport = PrunedTransport(HttpTransport(anvil_url), governor.created_at - 1)
    client = RpcClient(transport, retries=0)
    options = {"address": governor.address, "chain_id": CHAIN_ID}
    report = governor_probe(client=client, **options)
    assert (report.creation_block, report.limits) == (governor.created_at, ())
    for oldest in (governor.created_at, governor.created_at + 1, 10**9):
        transport.oldest = oldest
        error = refused(client, governor.address)
        assert error.code == "governor_history_missing"
        assert "--from-block" in error.detail
    report = governor_probe(client=client, **options, from_block=governor.created_at)
    assert report.creation_block == governor.created_at
    assert [limit.code for limit in report.limits] == ["history_unchecked"]
    transport.close()


@pytest.mark.chain
def test_a_later_start_is_taken_and_told(
    governor_factory: Any, local_chain: Any, client: RpcClient
) -> None:
    governor = governor_factory("oz5_overridable")
    local_chain.mine(50)
    options = {"address": governor.address, "chain_id": CHAIN_ID}
    late = governor_probe(client=client, **options, from_block=governor.created_at + 10)
    assert late.creation_block == governor.created_at + 10
    assert [limit.code for limit in late.limits] == ["history_partial"]
    for early in (0, governor.created_at):
        report = governor_probe(client=client, **options, from_block=early)
        assert (report.creation_block, report.limits) == (early, ())


# --- modes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "mode", "unit"),
    [
        ("", ClockMode.BLOCK, "blocks"),
        ("mode=blocknumber&from=default", ClockMode.BLOCK, "blocks"),
        ("mode=blocknumber", ClockMode.BLOCK, "blocks"),
        ("mode=blocknumber&from=eip155:1", ClockMode.CUSTOM, "blocknumber"),
        ("mode=timestamp", ClockMode.TIMESTAMP, "seconds"),
        ("mode=livepeer_round", ClockMode.CUSTOM, "livepeer_round"),
        ("block numbers, mostly", ClockMode.CUSTOM, "units of its own"),
        ("mode=" + "x" * 500, ClockMode.CUSTOM, "x" * 60),
    ],
)
def test_clock_modes(text: str, mode: ClockMode, unit: str) -> None:
    assert clock_mode_parse(text) is mode
    assert clock_unit(mode, text) == unit


@pytest.mark.parametrize(
    ("text", "support", "quorum", "params", "overridable"),
    [
        ("support=bravo&quorum=for,abstain", ("bravo",), ("for", "abstain"), (), False),
        ("support=bravo&quorum=bravo", ("bravo",), ("for",), (), False),
        (
            "support=bravo,fractional&quorum=for,abstain&params=fractional",
            ("bravo", "fractional"),
            ("for", "abstain"),
            ("fractional",),
            False,
        ),
        (
            "support=bravo,override&quorum=for,abstain&overridable=true",
            ("bravo", "override"),
            ("for", "abstain"),
            (),
            True,
        ),
        (
            "support=bravo&quorum=for,abstain,against",
            ("bravo",),
            ("for", "abstain", "against"),
            (),
            False,
        ),
        ("", (), (), (), False),
        ("&&=&support", (), (), (), False),
        ("support=%62ravo&support=other", ("other",), (), (), False),
    ],
)
def test_counting_modes(
    text: str,
    support: tuple[str, ...],
    quorum: tuple[str, ...],
    params: tuple[str, ...],
    overridable: bool,
) -> None:
    mode = counting_mode_parse(text)
    assert (mode.support, mode.quorum, mode.params) == (support, quorum, params)
    assert mode.overridable is overridable
    assert mode.text == text
