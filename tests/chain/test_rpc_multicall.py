"""Many reads in one call: the same answers as each read alone, whatever the targets do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chain.rpc import (
    BlockUnknown,
    Call,
    ContractReverted,
    HttpTransport,
    Inconsistent,
    RpcClient,
    StateUnavailable,
)
from chain.rpc.client import block_param, eth_call_request
from chain.rpc.multicall import Answer, Read, answer_unpack, multicall
from chain.rpc.read_many import INITCODE, LISTING
from chain.rpc.types import hex_int
from tests.chain.conftest import FaultyTransport

pytestmark = pytest.mark.chain

#: Contracts, each of the kind that breaks somebody's multicall.
TARGETS = {
    "answers 42": "602a60005260206000f3",
    "echoes": "366000600037366000f3",
    "reverts, silent": "60006000fd",
    "reverts, echoing": "366000600037366000fd",
    "invalid opcode": "fe",
    "burns all gas": "5b600056",
    "returns 22,000 bytes": "6155f06000f3",
    "returns 64 KiB": "620100006000f3",
    "writes": "600160005560016000526020 6000f3".replace(" ", ""),
    # Calls the one that burns, and answers whether that worked: with little gas it cannot.
    "catches": f"600060006000600073{0xA1000005:040x}5afa60005260206000f3",
    "no code": "",
}


def address(index: int) -> bytes:
    return (0xA1000000 + index).to_bytes(20, "big")


@pytest.fixture
def block(rpc: Callable[..., Any], client: RpcClient) -> bytes:
    """The hash of a block in which the targets stand; the last holds some ether."""
    for index, code in enumerate(TARGETS.values()):
        rpc("anvil_setCode", f"0x{address(index).hex()}", f"0x{code}")
    rpc("anvil_setBalance", f"0x{address(1).hex()}", hex(10**20 + 7))
    rpc("anvil_mine", "0x1")
    return client.header("latest").hash


def alone(client: RpcClient, read: Read, block: bytes) -> Answer:
    """One read as a request of its own, written again so as not to share the code tested."""
    target, data = read
    try:
        if data is None:
            result = client.call("eth_getBalance", f"0x{target.hex()}", block_param(block))
            return True, hex_int(result).to_bytes(32, "big")
        return True, client.eth_call(target, data, block)
    except ContractReverted as error:
        return False, error.data


reads = st.tuples(
    st.integers(0, len(TARGETS) - 1).map(address), st.none() | st.binary(max_size=100)
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=st.lists(reads, max_size=24))
def test_the_answers_are_those_of_single_calls(
    client: RpcClient, block: bytes, calls: list[Read]
) -> None:
    assert multicall(client, calls, block) == [alone(client, read, block) for read in calls]
    assert client.deployless


@pytest.fixture
def counted(anvil_url: str) -> Iterator[tuple[RpcClient, FaultyTransport]]:
    transport = FaultyTransport(HttpTransport(anvil_url))
    yield RpcClient(transport, retries=0), transport
    transport.close()


Counted = tuple[RpcClient, FaultyTransport]


def test_hundreds_of_reads_take_one_exchange(counted: Counted, block: bytes) -> None:
    client, transport = counted
    calls = [(address(1), index.to_bytes(36, "big")) for index in range(1500)]
    assert multicall(client, calls, block) == [(True, data) for _, data in calls]
    assert transport.requests == [["eth_call"] * 6]


def test_one_that_burns_all_gas_costs_the_others_nothing(counted: Counted, block: bytes) -> None:
    client, transport = counted
    burner, calm = address(5), address(0)
    answers = multicall(client, [(burner, b""), *[(calm, b"")] * 50, (burner, b"x")], block)
    assert [ok for ok, _ in answers] == [False, *[True] * 50, False]
    # Both burners are asked again, each alone: nobody else is.
    assert transport.requests == [["eth_call"], ["eth_call"] * 2]


def test_what_does_not_fit_goes_into_further_calls(counted: Counted, block: bytes) -> None:
    client, transport = counted
    large, calm = address(6), address(0)
    answers = multicall(client, [(large, b""), (large, b"1"), (calm, b""), (large, b"2")], block)
    assert [len(value) for _, value in answers] == [22_000, 22_000, 32, 22_000]
    assert len(transport.requests) <= 3
    assert multicall(client, [(address(1), b"x" * 60_000), (calm, b"")], block)[0] == (
        True,
        b"x" * 60_000,
    )
    answers = multicall(client, [(address(1), b"y" * 30_000)] * 3, block)
    assert answers == [(True, b"y" * 30_000)] * 3


def test_a_sender_is_what_the_target_sees(rpc: Any, client: RpcClient) -> None:
    rpc("anvil_setCode", f"0x{address(0).hex()}", "0x3360005260206000f3")
    sender = b"\x77" * 20
    answers = multicall(client, [(address(0), b"")] * 3, "latest", sender=sender)
    assert answers == [(True, sender.rjust(32, b"\0"))] * 3


@pytest.mark.parametrize(
    "refusal",
    [
        {"error": {"code": -32602, "message": "invalid argument: missing `to`"}},
        {"error": {"code": -32000, "message": "execution reverted"}},
        {"result": "0x"},
        {"result": "0x01000020"},
        {"result": "0x05000000"},
    ],
    ids=["permanent", "reverted", "empty", "short", "unknown status"],
)
def test_a_node_that_refuses_is_asked_one_by_one_and_remembered(
    counted: Counted, block: bytes, refusal: dict[str, Any]
) -> None:
    client, transport = counted
    inner = transport.inner.send

    def send(body: bytes, *, timeout_s: float | None = None) -> bytes:
        request = orjson.loads(body)
        if isinstance(request, dict) and INITCODE.hex() in body.decode():
            return orjson.dumps({"jsonrpc": "2.0", "id": request["id"], **refusal})
        return inner(body, timeout_s=timeout_s)

    transport.inner.send = send  # type: ignore[method-assign]
    calls: list[Read] = [(address(0), b""), (address(2), b""), (address(1), None)]
    expected = [alone(client, read, block) for read in calls]
    assert multicall(client, calls, block) == expected
    assert not client.deployless
    transport.requests.clear()
    assert multicall(client, calls, block) == expected
    assert transport.requests == [["eth_call", "eth_call", "eth_getBalance"]]


def test_unknown_blocks_and_lost_state_are_said(counted: Counted, block: bytes) -> None:
    client, transport = counted
    calls: list[Read] = [(address(0), b""), (address(1), b"")]
    with pytest.raises(BlockUnknown):
        multicall(client, calls, b"\x99" * 32)

    def pruned(methods: list[str], answer: Any) -> Any:
        error = {"code": -32000, "message": "missing trie node 5f (path ) state is not available"}
        return {"jsonrpc": "2.0", "id": answer["id"], "error": error}

    transport.spoil = pruned
    with pytest.raises(StateUnavailable):
        multicall(client, calls, block)
    assert client.deployless, "says nothing about the kind of call"


@given(st.binary(max_size=60), st.integers(0, 5))
def test_foreign_bytes_are_refused_or_read_whole(raw: bytes, count: int) -> None:
    try:
        entries = answer_unpack(raw, count)
    except Inconsistent:
        return
    assert sum(4 + len(value) for _, value in entries) == len(raw)


def test_the_listing_is_the_code() -> None:
    """Offsets add up, every jump goes to a JUMPDEST of that name, LEN is the code's length."""
    rows = [line.split(maxsplit=3) for line in LISTING.splitlines() if line and line[0] != ";"]
    at, labels = 0, {}
    for offset, code, _, assembly in rows:
        assert int(offset, 16) == at
        if (name := assembly.split()[0]).endswith(":"):
            assert code.startswith("5b")
            labels[name[:-1]] = at
        at += len(code) // 2
    assert at == len(INITCODE)
    for _, code, _, assembly in rows:
        for word in assembly.split():
            if word.startswith("@"):
                assert f"61{labels[word[1:]]:04x}" in code
            if word == "LEN":
                assert f"61{at:04x}" in code
    # Nothing newer than Constantinople: no PUSH0 (5f), MCOPY (5e), CHAINID (46)... as opcodes.
    assert {0x5F, 0x5E, 0x46, 0x47, 0x48}.isdisjoint(opcodes(INITCODE))


def opcodes(code: bytes) -> Iterator[int]:
    at = 0
    while at < len(code):
        yield code[at]
        at += 1 + (code[at] - 0x5F if 0x60 <= code[at] <= 0x7F else 0)


def test_a_single_read_is_a_plain_call(counted: Counted, block: bytes) -> None:
    client, transport = counted
    assert multicall(client, [(address(0), b"")], block)[0][1][-1] == 42
    assert multicall(client, [], block) == []
    assert transport.requests == [["eth_call"]]
    assert client.batch([eth_call_request(address(0), b"", block), Call("eth_chainId")])
