"""Every way we know for a node to lie, tried on a real chain's honest answers: each is noticed.

Fault F12 of the fault table. A mutant changes one answer; whoever reads must get an error and
never the changed answer. What one node can hide from us, the second one's mutants show.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from chain.rpc import HttpTransport, RpcClient
from chain.rpc.errors import (
    BlockUnknown,
    ContractReverted,
    Inconsistent,
    RpcError,
    Transient,
    WrongChain,
)
from chain.rpc.header_hash import HeaderTrust, header_hash
from chain.rpc.pool import ProviderPool
from chain.rpc.proof import block_logs_proven, receipt_prove, receipts_of_block
from chain.rpc.types import BlockHeader, RawLog
from chain.rpc.validation import check_block_logs

pytestmark = pytest.mark.chain

#: Emits its calldata as a log with one topic.
EMITTER, OTHER = b"\xa1" * 20, b"\xa2" * 20
EMITTER_CODE = "0x36600060003760ff366000a100"

BLOCK, NUMBERED, LOGS = "eth_getBlockByHash", "eth_getBlockByNumber", "eth_getLogs"
RECEIPTS, RECEIPT = "eth_getBlockReceipts", "eth_getTransactionReceipt"


@dataclass
class Liar:
    """A transport that changes honest answers: ``lies`` by method, on the result; ``garble`` on
    the whole body."""

    inner: HttpTransport
    lies: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    garble: Callable[[bytes], bytes] | None = None
    told: int = 0

    def send(self, body: bytes, *, timeout_s: float | None = None) -> bytes:
        requests = orjson.loads(body)
        answers = orjson.loads(self.inner.send(body, timeout_s=timeout_s))
        single = isinstance(requests, dict)
        pairs = zip(
            [requests] if single else requests, [answers] if single else answers, strict=True
        )
        for request, answer in pairs:
            lie = self.lies.get(request["method"])
            if lie is not None and answer.get("result") is not None:
                honest = copy.deepcopy(answer["result"])
                answer["result"] = lie(answer["result"])
                self.told += answer["result"] != honest
        raw = orjson.dumps(answers)
        if self.garble is not None:
            self.told += 1
            return self.garble(raw)
        return raw

    def close(self) -> None:
        self.inner.close()


@dataclass
class Scene:
    """A block with five logs of ours and one of another contract, and who tells of it."""

    liar: Liar
    client: RpcClient
    number: int
    honest: BlockHeader
    logs: list[RawLog]
    transaction: bytes


@pytest.fixture
def scene(anvil_url: str, rpc: Callable[..., Any]) -> Iterator[Scene]:
    for address in (EMITTER, OTHER):
        rpc("anvil_setCode", f"0x{address.hex()}", EMITTER_CODE)
    accounts = rpc("eth_accounts")
    rpc("anvil_mine", "0x8")
    rpc("evm_setAutomine", False)
    for index in range(6):
        target = OTHER if index == 2 else EMITTER
        data = f"0x{bytes([index] * 40 * index).hex()}"
        tx = {"from": accounts[index], "to": f"0x{target.hex()}", "data": data, "gas": "0x30000"}
        rpc("eth_sendTransaction", tx | ({"gasPrice": hex(3 * 10**9)} if index % 2 else {}))
    rpc("evm_mine")
    rpc("evm_setAutomine", True)
    rpc("anvil_mine", "0x2")
    liar = Liar(HttpTransport(anvil_url))
    client = RpcClient(liar, retries=0)
    number = client.header("latest").number - 2
    header = client.header(number)
    logs = client.logs_of_block(header, [EMITTER])
    assert header.hash_verified
    assert len(logs) == 5
    yield Scene(liar, client, number, header, logs, logs[0].transaction_hash)
    liar.close()


# --- what a reader does ---------------------------------------------------------------


def by_hash(scene: Scene) -> Any:
    header = scene.client.header(scene.honest.hash)
    return header, block_logs_proven(scene.client, header, [EMITTER])


def by_number(scene: Scene) -> Any:
    header = scene.client.header(scene.number)
    return header, block_logs_proven(scene.client, header, [EMITTER])


def by_range(scene: Scene) -> Any:
    def window() -> list[RawLog]:
        logs = scene.client.logs_of_range(scene.number - 1, scene.number + 1, [EMITTER])
        for number in sorted({log.block_number for log in logs} | {scene.number}):
            header = scene.client.header(number)
            check_block_logs(header, [log for log in logs if log.block_number == number])
        return logs

    return scene.client.checked(window)


def by_logs(scene: Scene) -> Any:
    return scene.client.logs_of_block(scene.honest, [EMITTER])


def by_receipt(scene: Scene) -> Any:
    return scene.client.receipts([scene.transaction])


def by_proof(scene: Scene) -> Any:
    receipt = scene.client.receipts([scene.transaction])[0]
    assert receipt is not None
    return receipt_prove(scene.client, receipt)


def by_call(scene: Scene) -> Any:
    return scene.client.balance_wei(EMITTER), scene.client.nonce(EMITTER)


READERS = (by_hash, by_number, by_range, by_logs, by_receipt, by_proof, by_call)
Lie = Callable[[Any], Any]


def put(**changes: Any) -> Lie:
    return lambda result: result | changes


def without(*names: str) -> Lie:
    return lambda result: {key: value for key, value in result.items() if key not in names}


def at(index: int, lie: Lie) -> Lie:
    """``lie`` about one element of a list."""

    def told(result: list[Any]) -> list[Any]:
        result[index] = lie(result[index])
        return result

    return told


def log_of(receipt: int, lie: Lie) -> Lie:
    """``lie`` about the log of one receipt."""
    return at(receipt, lambda found: found | {"logs": [lie(found["logs"][0])]})


def const(value: Any) -> Lie:
    return lambda result: value


NULL = const(None)


def rehashed(lie: Lie) -> Lie:
    """A lie that fits its own hash: another block altogether."""

    def told(result: Any) -> Any:
        result = lie(result)
        return result | {"hash": f"0x{(header_hash(result) or b'').hex()}"}

    return told


ZEROS, NINES = f"0x{'00' * 32}", f"0x{'99' * 32}"
BLOOM_ZERO, BLOOM_FULL = f"0x{'00' * 256}", f"0x{'ff' * 256}"
RAW_ADDRESS = f"0x{OTHER.hex()}"

MUTANTS: list[tuple[str, Callable[[Scene], Any], str, Lie]] = [
    # Headers.
    ("another hash, by hash", by_hash, BLOCK, put(hash=NINES)),
    ("another hash, by number", by_number, NUMBERED, put(hash=NINES)),
    ("another block that fits its hash", by_hash, BLOCK, rehashed(put(gasUsed="0x1"))),
    ("another number", by_number, NUMBERED, put(number="0x1")),
    ("another number that fits its hash", by_number, NUMBERED, rehashed(put(number="0x1"))),
    ("bloom emptied", by_hash, BLOCK, put(logsBloom=BLOOM_ZERO)),
    ("bloom emptied, by number", by_number, NUMBERED, put(logsBloom=BLOOM_ZERO)),
    ("bloom filled", by_hash, BLOCK, put(logsBloom=BLOOM_FULL)),
    ("bloom left out", by_hash, BLOCK, without("logsBloom")),
    ("parent swapped", by_number, NUMBERED, put(parentHash=NINES)),
    ("time changed", by_hash, BLOCK, put(timestamp="0x1")),
    ("base fee changed", by_hash, BLOCK, put(baseFeePerGas="0x1")),
    ("receipts root changed", by_hash, BLOCK, put(receiptsRoot=NINES)),
    ("receipts root left out", by_hash, BLOCK, without("receiptsRoot")),
    ("state root changed", by_hash, BLOCK, put(stateRoot=ZEROS)),
    ("fork's field left out", by_hash, BLOCK, without("requestsHash")),
    ("fork's field in the middle left out", by_hash, BLOCK, without("blobGasUsed")),
    ("transaction left out", by_hash, BLOCK, lambda b: b | {"transactions": b["transactions"][1:]}),
    ("transactions swapped", by_hash, BLOCK, lambda b: b | {
        "transactions": b["transactions"][::-1]}),
    ("transaction forged", by_hash, BLOCK, lambda b: b | {"transactions": [NINES] * 6}),
    ("header is null", by_hash, BLOCK, NULL),
    ("header is a list", by_hash, BLOCK, const([])),
    ("header is text", by_number, NUMBERED, const("0x1")),
    ("hash is short", by_hash, BLOCK, put(hash="0x99")),
    ("number is negative", by_number, NUMBERED, put(number="-0x1")),
    ("number is huge", by_number, NUMBERED, put(number=f"0x{'f' * 70}")),
    ("number is no text", by_number, NUMBERED, put(number=5)),
    # Receipts: what proves a block's logs.
    ("log hidden beside others", by_hash, RECEIPTS, at(1, put(logs=[]))),
    ("log's data changed", by_hash, RECEIPTS, log_of(1, put(data="0xdead"))),
    ("log's data cut", by_hash, RECEIPTS, log_of(4, put(data="0x"))),
    ("log's topic changed", by_hash, RECEIPTS, log_of(1, put(topics=[NINES]))),
    ("log's topic left out", by_hash, RECEIPTS, log_of(1, put(topics=[]))),
    ("log's address changed", by_hash, RECEIPTS, log_of(1, put(address=RAW_ADDRESS))),
    ("log of another block", by_hash, RECEIPTS, log_of(1, put(blockHash=NINES))),
    ("log of another number", by_hash, RECEIPTS, log_of(1, put(blockNumber="0x1"))),
    ("log of another transaction", by_hash, RECEIPTS, log_of(1, put(transactionHash=NINES))),
    ("log of another place", by_hash, RECEIPTS, log_of(1, put(transactionIndex="0x3"))),
    ("log index shifted", by_hash, RECEIPTS, log_of(5, put(logIndex="0x9"))),
    ("log index taken twice", by_hash, RECEIPTS, log_of(1, put(logIndex="0x0"))),
    ("log removed by a reorganisation", by_hash, RECEIPTS, log_of(1, put(removed=True))),
    ("log added", by_hash, RECEIPTS, at(5, lambda r: r | {"logs": r["logs"] * 2})),
    ("receipt hidden", by_hash, RECEIPTS, lambda found: found[:-1]),
    ("receipt added", by_hash, RECEIPTS, lambda found: [*found, found[-1]]),
    ("receipt twice", by_hash, RECEIPTS, lambda found: [found[0], *found[:-1]]),
    ("receipts swapped", by_hash, RECEIPTS, lambda f: [
        f[0], f[1] | {"logs": f[3]["logs"]}, *f[2:]]),
    ("status flipped", by_hash, RECEIPTS, at(1, put(status="0x0"))),
    ("gas changed", by_hash, RECEIPTS, at(1, put(cumulativeGasUsed="0x1"))),
    ("receipt's bloom emptied", by_hash, RECEIPTS, at(1, put(logsBloom=BLOOM_ZERO))),
    ("receipt's type changed", by_hash, RECEIPTS, at(1, put(type="0x3"))),
    ("no receipts", by_hash, RECEIPTS, const([])),
    ("receipts are null", by_hash, RECEIPTS, NULL),
    ("receipts are no objects", by_hash, RECEIPTS, const(["0x"])),
    # Logs by block hash and by number.
    ("logs are null", by_logs, LOGS, NULL),
    ("logs are an object", by_logs, LOGS, const({})),
    ("logs of another contract", by_logs, LOGS, at(0, put(address=RAW_ADDRESS))),
    ("log twice", by_logs, LOGS, lambda found: [found[0], *found]),
    ("logs in another order", by_logs, LOGS, lambda found: found[::-1]),
    ("five topics", by_logs, LOGS, at(0, put(topics=[NINES] * 5))),
    ("short topic", by_logs, LOGS, at(0, put(topics=["0x99"]))),
    ("topic outside the bloom", by_logs, LOGS, at(0, put(topics=[NINES]))),
    ("log of another block, by hash", by_logs, LOGS, at(0, put(blockHash=NINES))),
    ("removed log, by hash", by_logs, LOGS, at(0, put(removed=True))),
    ("pending log", by_logs, LOGS, at(0, put(blockHash=None, blockNumber=None))),
    ("one transaction, two places", by_logs, LOGS, lambda f: [f[0], f[1] | {
        "transactionHash": f[0]["transactionHash"]}, *f[2:]]),
    ("two transactions, one place", by_logs, LOGS, at(1, put(transactionIndex="0x0"))),
    ("log below the range", by_range, LOGS, at(0, put(blockNumber="0x1"))),
    ("log above the range", by_range, LOGS, at(-1, put(blockNumber="0xffffff"))),
    ("two hashes of one block", by_range, LOGS, at(0, put(blockHash=NINES))),
    ("forged block", by_range, LOGS, lambda f: [log | {"blockHash": NINES} for log in f]),
    ("log outside the bloom, by range", by_range, LOGS, at(2, put(topics=[NINES]))),
    ("head behind the range", by_range, NUMBERED, NULL),
    ("data of odd length", by_range, LOGS, at(0, put(data="0x123"))),
    # Receipts of one transaction, and numbers.
    ("receipt of another transaction", by_receipt, RECEIPT, put(transactionHash=NINES)),
    ("receipt without status", by_receipt, RECEIPT, without("status")),
    ("receipt without logs", by_receipt, RECEIPT, without("logs")),
    ("receipt is a list", by_receipt, RECEIPT, const([])),
    ("receipt of a removed log", by_receipt, RECEIPT, lambda r: r | {
        "logs": [r["logs"][0] | {"removed": True}]}),
    ("a failure made of a success", by_proof, RECEIPT, put(status="0x0")),
    ("a receipt's log hidden", by_proof, RECEIPT, put(logs=[])),
    ("a receipt of another block", by_proof, RECEIPT, put(blockNumber="0x1")),
    ("a success made of a failure in the block", by_proof, RECEIPTS, at(0, put(status="0x0"))),
    ("balance is null", by_call, "eth_getBalance", NULL),
    ("balance is too large", by_call, "eth_getBalance", const(f"0x{'f' * 65}")),
    ("nonce is text", by_call, "eth_getTransactionCount", const("five")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("read", "method", "lie"), [row[1:] for row in MUTANTS], ids=[row[0] for row in MUTANTS]
)
def test_one_node_is_caught(
    scene: Scene, read: Callable[[Scene], Any], method: str, lie: Lie
) -> None:
    scene.liar.lies = {method: lie}
    # Null is what an honest node says that is behind: asked again, and no lie.
    with pytest.raises((Inconsistent, BlockUnknown, Transient)) as caught:
        read(scene)
    assert isinstance(caught.value, Inconsistent) or lie is NULL
    assert scene.liar.told, "the answer was not changed"
    if isinstance(caught.value, Inconsistent):
        assert caught.value.provider == "node"
        assert scene.client.pool.scores()[0].standing == "lying"


def test_honest_answers_pass(scene: Scene) -> None:
    for read in READERS:
        assert read(scene)
    assert by_hash(scene)[1] == by_number(scene)[1] == by_range(scene) == scene.logs
    found = receipts_of_block(scene.client, scene.honest)
    assert found is not None
    assert found.proven
    assert len(found.logs) == 6
    assert scene.client.pool.scores()[0].inconsistencies == 0


GARBLED: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("half of it", lambda raw: raw[: len(raw) // 2]),
    ("nothing", lambda raw: b""),
    ("a page", lambda raw: b"<html>busy</html>"),
    ("not UTF-8", lambda raw: b"\xff\xfe" + raw),
    ("an answer to another request", lambda raw: orjson.dumps(orjson.loads(raw) | {"id": 999_999})),
    ("no id", lambda raw: orjson.dumps(orjson.loads(raw) | {"id": None})),
    ("neither result nor error", lambda raw: b'{"jsonrpc":"2.0","id":1}'),
    ("a number", lambda raw: b"5"),
    ("a list", lambda raw: b"[" + raw + b"]"),
    ("an error that is none", lambda raw: b'{"jsonrpc":"2.0","id":1,"error":"busy"}'),
    ("deep nesting", lambda raw: b"[" * 100_000 + b"]" * 100_000),
]


@pytest.mark.parametrize("garble", [row[1] for row in GARBLED], ids=[row[0] for row in GARBLED])
@pytest.mark.parametrize("read", [by_hash, by_logs, by_receipt, by_call])
def test_garbled_answers_are_caught(
    scene: Scene, read: Callable[[Scene], Any], garble: Callable[[bytes], bytes]
) -> None:
    scene.liar.garble = garble
    with pytest.raises((Inconsistent, Transient)):
        read(scene)
    assert scene.liar.told


def test_another_chain_is_refused_before_anything_is_read(scene: Scene, anvil_url: str) -> None:
    scene.liar.lies = {"eth_chainId": const("0x1")}
    client = RpcClient(ProviderPool([scene.liar], chain_id=31337))
    with pytest.raises(WrongChain, match="serves chain 1, CHAIN_ID is 31337") as caught:
        client.header("latest")
    assert caught.value.code == "wrong_chain"


def test_a_node_without_receipts_by_block_proves_them_one_by_one(scene: Scene) -> None:
    inner = scene.liar.send

    def send(body: bytes, *, timeout_s: float | None = None) -> bytes:
        if RECEIPTS.encode() in body:
            error = {"code": -32601, "message": "the method does not exist/is not available"}
            return orjson.dumps({"id": orjson.loads(body)["id"], "error": error})
        return inner(body, timeout_s=timeout_s)

    scene.liar.send = send  # type: ignore[method-assign]
    assert by_hash(scene)[1] == scene.logs
    assert scene.client.block_receipts is False
    scene.liar.lies = {RECEIPT: lambda receipt: receipt | {"logs": []}}
    with pytest.raises(Inconsistent):
        by_hash(scene)


def test_once_it_gave_receipts_refusing_them_is_not_believed(scene: Scene) -> None:
    assert by_hash(scene)
    scene.liar.garble = lambda raw: raw.replace(b'"result"', b'"error":{"code":-32601},"_"')
    with pytest.raises(RpcError):
        block_logs_proven(scene.client, scene.honest, [EMITTER])
    assert scene.client.block_receipts is True


@pytest.mark.parametrize(
    ("method", "lie"),
    [
        (BLOCK, put(logsBloom=BLOOM_ZERO, newForkRoot=NINES)),
        (RECEIPTS, at(1, put(type="0x55", logs=[]))),
    ],
    ids=["a field nobody knows", "a type nobody knows"],
)
def test_strictly_what_cannot_be_proven_is_refused_too(scene: Scene, method: str, lie: Lie) -> None:
    """Elsewhere a new fork's fields mean only that nothing is proven."""
    scene.client.header_trust = HeaderTrust("strict")
    scene.liar.lies = {method: lie}
    with pytest.raises(Inconsistent, match="CHAIN_VERIFY_HEADERS"):
        by_hash(scene)


def test_a_chain_that_hashes_otherwise_is_read_but_not_proven(scene: Scene) -> None:
    scene.client.header_trust = HeaderTrust("learn")
    scene.liar.lies = {BLOCK: put(mixHash=NINES)}
    header, logs = by_hash(scene)
    assert not header.hash_verified
    assert logs == scene.logs
    # What the node says twice must at least be the same.
    scene.liar.lies[LOGS] = lambda found: found[:-1]
    with pytest.raises(Inconsistent, match="other logs"):
        by_hash(scene)


def test_a_revert_is_no_lie(scene: Scene, rpc: Callable[..., Any]) -> None:
    rpc("anvil_setCode", f"0x{OTHER.hex()}", "0x60006000fd")
    with pytest.raises(ContractReverted):
        scene.client.eth_call(OTHER, b"")
    assert scene.client.pool.scores()[0].failures == 0


def test_evidence_is_kept_and_bounded(scene: Scene) -> None:
    scene.liar.lies = {BLOCK: put(stateRoot=NINES, extraData="0x" + "00" * 100_000)}
    with pytest.raises(Inconsistent) as caught:
        scene.client.header(scene.honest.hash)
    assert caught.value.evidence["recomputed"]
    assert all(len(value) <= 2000 for value in caught.value.evidence.values())


def test_f12_has_at_least_forty_mutants() -> None:
    assert len(MUTANTS) + len(GARBLED) >= 80
