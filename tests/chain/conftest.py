"""Helpers of chain's tests: a sender on the real chain, and a transport that fails on purpose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest

from chain import outbox, projections
from chain.client import rpc_client
from chain.contracts import contract
from chain.rpc.client import RpcClient
from chain.rpc.errors import Transient
from chain.rpc.transport import HttpTransport, Transport


@pytest.fixture
def projectors(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """An empty projector registry, so that other apps' projectors do not run here."""
    registry: dict[str, Any] = {}
    monkeypatch.setattr(projections, "_registry", registry)
    return registry


@pytest.fixture
def intent_kinds(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """An empty registry of intent kinds."""
    kinds: dict[str, Any] = {}
    monkeypatch.setattr(outbox, "_kinds", kinds)
    return kinds


class FaultyTransport:
    """A transport around a real one. ``fault(methods, body)`` may raise before the request, and
    ``spoil(methods, answer)`` may change or lose the answer after the node acted."""

    def __init__(self, inner: Transport) -> None:
        self.inner = inner
        self.requests: list[list[str]] = []
        self.fault: Callable[[list[str]], None] = lambda methods: None
        self.spoil: Callable[[list[str], Any], Any] = lambda methods, answer: answer

    def send(self, body: bytes, *, timeout_s: float | None = None) -> bytes:
        request = orjson.loads(body)
        calls = request if isinstance(request, list) else [request]
        methods = [call["method"] for call in calls]
        self.requests.append(methods)
        self.fault(methods)
        answer = orjson.loads(self.inner.send(body, timeout_s=timeout_s))
        return orjson.dumps(self.spoil(methods, answer))

    def close(self) -> None:
        self.inner.close()


def lose_reply(methods: list[str], answer: Any) -> Any:
    """The node took the transaction, and we never hear of it."""
    if "eth_sendRawTransaction" in methods:
        raise Transient("The connection was lost after the request was sent.")
    return answer


@pytest.fixture
def faulty(anvil_url: str) -> Iterator[FaultyTransport]:
    """A faulty transport to the test's chain, harmless until told otherwise."""
    transport = FaultyTransport(HttpTransport(anvil_url))
    yield transport
    transport.close()


@pytest.fixture
def client(anvil_url: str) -> RpcClient:
    """The shared client of the test's chain."""
    return rpc_client()


class Wallet:
    """Sends plain transactions to our contracts from one of anvil's accounts."""

    def __init__(self, client: RpcClient, address: bytes) -> None:
        self.client = client
        self.address = address

    def send(self, name: str, function: str, args: tuple[Any, ...] = ()) -> bytes:
        """Call a contract's function; return the transaction's hash."""
        target = contract(name)
        return self.send_raw(target.address, target.encode(function, args))

    def send_raw(self, to: bytes, data: bytes = b"", value_wei: int = 0) -> bytes:
        tx = {
            "from": f"0x{self.address.hex()}",
            "to": f"0x{to.hex()}",
            "data": f"0x{data.hex()}",
            "value": hex(value_wei),
            "gas": hex(2_000_000),
        }
        return bytes.fromhex(self.client.call("eth_sendTransaction", tx)[2:])


@pytest.fixture
def wallet(client: RpcClient, web3_accounts: list[Any], deployment: dict[str, Any]) -> Wallet:
    """The wallet of the test's tenth account."""
    return Wallet(client, web3_accounts[9].address)
