"""Helpers of chain's tests: a sender on the real chain, and a transport that fails on purpose."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import orjson
import pytest
from django.db import connection, models

from chain import outbox, projections
from chain.client import rpc_client
from chain.contracts import contract
from chain.fields import Hash32Field, Uint256Field
from chain.models import Block, ChainRead, Cursor, KeyTouch, Log, LogKey
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
    """A transport around a real one. ``examine(calls)`` and ``fault(methods)`` may raise before the
    request, and ``spoil(methods, answer)`` may change or lose the answer after the node acted."""

    def __init__(self, inner: Transport) -> None:
        self.inner = inner
        self.requests: list[list[str]] = []
        self.examine: Callable[[list[dict[str, Any]]], None] = lambda calls: None
        self.fault: Callable[[list[str]], None] = lambda methods: None
        self.spoil: Callable[[list[str], Any], Any] = lambda methods, answer: answer

    def send(self, body: bytes, *, timeout_s: float | None = None) -> bytes:
        request = orjson.loads(body)
        calls = request if isinstance(request, list) else [request]
        methods = [call["method"] for call in calls]
        self.requests.append(methods)
        self.examine(calls)
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
        sent = bytes.fromhex(self.client.call("eth_sendTransaction", tx)[2:])
        # anvil answers before it has mined.
        automine = self.client.call("anvil_getAutomine")
        while automine and self.client.receipts([sent]) == [None]:
            time.sleep(0.002)
        return sent


@pytest.fixture
def wallet(client: RpcClient, web3_accounts: list[Any], deployment: dict[str, Any]) -> Wallet:
    """The wallet of the test's tenth account."""
    return Wallet(client, web3_accounts[9].address)


class HolderRow(models.Model):
    """A table of the tests' projector."""

    address = models.CharField(max_length=42, unique=True)
    number = models.IntegerField()
    transfers = models.IntegerField()
    balance_wei = Uint256Field(null=True)
    last_hash = Hash32Field()
    as_of = models.BigIntegerField()
    due = models.IntegerField(default=0)

    class Meta:
        app_label = "chain"
        db_table = "test_holder"
        managed = False

    def __str__(self) -> str:
        return self.address


class HolderProjector(projections.Projector):
    """Counts an account's transfers, numbers accounts by first appearance, reads balances."""

    name = "test.holders"
    events: ClassVar = {
        ("AlthingToken", "Transfer"): lambda args: [args["from"].hex(), args["to"].hex()],
        ("AlthingToken", "DelegateChanged"): lambda args: [args["delegator"].hex()],
    }
    models = (HolderRow,)

    def __init__(self) -> None:
        self.due: dict[int, list[str]] = {}

    def due_keys(self, *, block: Any) -> list[str]:
        late = HolderRow.objects.filter(as_of__lt=block.number).values_list("address", "as_of")
        as_of = dict(late)
        return [
            key
            for number, keys in self.due.items()
            for key in keys
            if number <= block.number and as_of.get(key, number) < number
        ]

    def reads(self, *, keys: list[str], block: Any) -> list[projections.Read]:
        return [
            projections.Read("AlthingToken", "balanceOf", (bytes.fromhex(key),)) for key in keys
        ]

    def recompute(self, *, key: str, history: projections.History) -> None:
        logs = history.logs("Transfer", "DelegateChanged")
        if not logs:
            HolderRow.objects.filter(address=key).delete()
            return
        known = HolderRow.objects.filter(address=key).first()
        number = known.number if known else HolderRow.objects.count() + 1
        HolderRow.objects.update_or_create(
            address=key,
            defaults={
                "number": number,
                "transfers": len(history.logs("Transfer")),
                "balance_wei": history.read(
                    projections.Read("AlthingToken", "balanceOf", (bytes.fromhex(key),))
                ),
                "last_hash": logs[-1].block_hash,
                "as_of": history.block.number,
            },
        )


def holder_digest(*, as_of: bool = False) -> list[tuple[Any, ...]]:
    """Every row of the tests' table, less its surrogate key; with ``as_of`` also the block it was
    computed at, which two indexes that took other steps do not share."""
    left = {"id"} if as_of else {"id", "as_of"}
    columns = [field.attname for field in HolderRow._meta.fields if field.attname not in left]
    return sorted(HolderRow.objects.values_list(*columns))


def canonical_digest() -> list[tuple[Any, ...]]:
    """Every canonical raw log, less its surrogate key."""
    columns = [f.attname for f in Log._meta.fields if f.attname not in ("id", "canonical")]
    rows = Log.objects.filter(canonical=True).values_list(*columns)
    return sorted(rows, key=repr)


def tables_wipe() -> None:
    """Forget everything indexed. TRUNCATE passes the triggers that forbid deleting."""
    names = [model._meta.db_table for model in (Block, Log, LogKey, KeyTouch, ChainRead, Cursor)]
    with connection.cursor() as sql:
        sql.execute("SET CONSTRAINTS ALL IMMEDIATE")
        sql.execute(f"TRUNCATE {', '.join([*names, 'test_holder'])} CASCADE")


@pytest.fixture
def holders(
    projectors: dict[str, Any], deployment: dict[str, Any], request: pytest.FixtureRequest
) -> Iterator[HolderProjector]:
    """The tests' projector, registered, with its table."""
    mark = request.node.get_closest_marker("django_db")
    request.getfixturevalue("transactional_db" if mark and mark.kwargs.get("transaction") else "db")
    with connection.schema_editor() as editor:
        editor.create_model(HolderRow)
    projector = HolderProjector()
    projections.register_projector(projector)
    yield projector
    with connection.cursor() as sql:
        sql.execute("SET CONSTRAINTS ALL IMMEDIATE")
        sql.execute("DROP TABLE IF EXISTS test_holder")
