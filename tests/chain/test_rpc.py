"""The RPC client: the classifier's table, checked answers."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.rpc import (
    BlockUnknown,
    Call,
    ContractReverted,
    Inconsistent,
    Permanent,
    RpcClient,
    RpcError,
    Transient,
)
from chain.rpc.log_page import logs_parse
from chain.rpc.receipts import parse_receipt
from chain.rpc.send_errors import SendOutcome, send_outcome
from chain.rpc.types import BlockHeader, hex_bytes, hex_int, parse_header
from chain.rpc.validation import bloom_mask, bloom_may_hold


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        (SendOutcome.KNOWN, "already known"),
        (SendOutcome.KNOWN, "transaction already imported"),
        (SendOutcome.NONCE_TOO_LOW, "nonce too low: next nonce 5, tx nonce 4"),
        (SendOutcome.UNDERPRICED, "replacement transaction underpriced"),
        (SendOutcome.UNDERPRICED, "max fee per gas less than block base fee"),
        (SendOutcome.INSUFFICIENT_FUNDS, "insufficient funds for gas * price + value"),
        (SendOutcome.UNKNOWN, "something went wrong"),
    ],
)
def test_send_errors(outcome: SendOutcome, message: str) -> None:
    assert send_outcome(Transient(message)) is outcome


class Script:
    """A transport that answers each request with the next of ``answers``."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.sent: list[Any] = []

    def send(self, body: bytes, *, timeout_s: float | None = None) -> bytes:
        request = orjson.loads(body)
        self.sent.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, bytes):
            return answer
        # Written with ids 0, 1, ...: the client counts on from its last request.
        first = request[0]["id"] if isinstance(request, list) else request["id"]
        for item in answer if isinstance(answer, list) else [answer]:
            if isinstance(item, dict) and isinstance(item.get("id"), int):
                item["id"] += first
        return orjson.dumps(answer)

    def close(self) -> None:
        pass


def ok(number: int, result: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "result": result}


TWO = [Call("a"), Call("b")]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ([ok(0, 1)], Inconsistent),
        ([ok(0, 1), ok(0, 2)], Inconsistent),
        ([ok(0, 1), ok(7, 2)], Inconsistent),
        ([ok(0, 1), "x"], Inconsistent),
        ({"error": {"code": -32600, "message": "invalid request"}}, Permanent),
        ("text", Inconsistent),
        (b"{half", Transient),
    ],
)
def test_batches_that_do_not_answer_each_request_are_refused(
    answer: Any, error: type[RpcError]
) -> None:
    with pytest.raises(error):
        RpcClient(Script(answer), retries=0).batch(TWO)


def test_batch_answers_come_in_the_order_asked_and_errors_stand_in_place() -> None:
    client = RpcClient(
        Script([{"id": 1, "error": {"code": 3, "message": "reverted", "data": "0x11"}}, ok(0, 5)])
    )
    first, second = client.batch(TWO)
    assert first == 5
    assert isinstance(second, ContractReverted)
    assert second.data == b"\x11"


def test_passing_failures_of_reads_are_tried_again_and_sends_never() -> None:
    script = Script(Transient("lost"), ok(0, "0x7a69"))
    assert RpcClient(script).chain_id() == 31337
    script = Script(Transient("lost"), ok(0, "0x" + "11" * 32))
    with pytest.raises(Transient):
        RpcClient(script).send_raw(b"\x02")
    assert len(script.sent) == 1


def test_a_node_that_takes_no_batches_is_asked_one_by_one() -> None:
    refusal = {"id": None, "error": {"code": -32600, "message": "batches are not supported"}}
    script = Script(refusal, ok(0, 7), ok(0, 8), ok(0, 9))
    client = RpcClient(script, retries=0)
    assert client.batch(TWO) == [7, 8]
    assert client.batch(TWO[:1]) == [9]
    assert [isinstance(sent, list) for sent in script.sent] == [True, False, False, False]


def test_large_batches_are_split() -> None:
    script = Script([ok(0, 0), ok(1, 1)], ok(0, 2))
    assert RpcClient(script, batch_max=2).batch([Call("a")] * 3) == [0, 1, 2]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["number", "hash", "parentHash", "timestamp", "logs", "topics"]),
                inner,
            )
        ),
        max_leaves=12,
    )
)
def test_parsers_raise_inconsistent_and_nothing_else(value: Any) -> None:
    for parse in (parse_header, parse_receipt, logs_parse, hex_int, hex_bytes):
        try:
            parse(value)
        except Inconsistent:
            continue


@given(st.lists(st.binary(min_size=20, max_size=32), max_size=20), st.binary(min_size=20))
def test_a_bloom_never_denies_what_was_put_in(items: list[bytes], other: bytes) -> None:
    bits = 0
    for item in items:
        bits |= bloom_mask(item)
    bloom = bits.to_bytes(256, "big")
    assert all(bloom_may_hold(bloom, item) for item in items)
    if not items:
        assert not bloom_may_hold(bloom, other)


@pytest.mark.chain
def test_blooms_of_a_real_chain_name_the_logs(deployment: Any, client: RpcClient) -> None:
    addresses = [bytes.fromhex(c["address"][2:]) for c in deployment["contracts"].values()]
    seen = 0
    for number in range(1, client.header("latest").number + 1):
        header = client.header(number)
        logs = client.logs_of_block(header, addresses)
        assert header.logs_bloom is not None
        for log in logs:
            assert bloom_may_hold(header.logs_bloom, log.address)
            seen += 1
        if not logs:
            assert not any(bloom_may_hold(header.logs_bloom, a) for a in addresses)
    assert seen > 10


@pytest.mark.chain
def test_a_range_beyond_the_head_is_no_short_list(deployment: Any, client: RpcClient) -> None:
    head = client.header("latest").number
    with pytest.raises(RpcError):
        client.logs_of_range(1, head + 5, [b"\x11" * 20])
    with pytest.raises(BlockUnknown):
        client.header(head + 5)
    with pytest.raises(BlockUnknown):
        client.header(b"\x99" * 32)
    unknown = BlockHeader(5, b"\x99" * 32, 0)
    with pytest.raises(BlockUnknown):
        client.logs_of_block(unknown, [b"\x11" * 20])
