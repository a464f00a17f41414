"""The RPC client: the classifier's table, checked answers, capped transports."""

from __future__ import annotations

import base64
import gzip
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.rpc import (
    BlockUnknown,
    Call,
    ContractReverted,
    HttpTransport,
    Inconsistent,
    Permanent,
    RateLimited,
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


Handler = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture
def server() -> Iterator[Callable[[Handler], str]]:
    """A node that misbehaves over HTTP: ``server(handler)`` starts it and gives its address."""
    started: list[ThreadingHTTPServer] = []

    def start(handle: Handler) -> str:
        class Node(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                handle(self)

            def log_message(self, *args: Any) -> None:
                """Quiet."""

        node = ThreadingHTTPServer(("127.0.0.1", 0), Node)
        threading.Thread(target=node.serve_forever, daemon=True).start()
        started.append(node)
        return f"http://127.0.0.1:{node.server_port}"

    yield start
    for node in started:
        node.shutdown()
        node.server_close()


def flood(node: BaseHTTPRequestHandler) -> None:
    node.send_response(200)
    node.end_headers()
    try:
        for _ in range(200):
            node.wfile.write(b"x" * 65536)
    except OSError:
        pass


def drip(node: BaseHTTPRequestHandler) -> None:
    node.send_response(200)
    node.end_headers()
    try:
        for _ in range(50):
            node.wfile.write(b" ")
            node.wfile.flush()
            time.sleep(0.05)
    except OSError:
        pass


def limit(node: BaseHTTPRequestHandler) -> None:
    node.send_response(429)
    node.send_header("Retry-After", "3")
    node.end_headers()


def move(node: BaseHTTPRequestHandler) -> None:
    node.send_response(302)
    node.send_header("Location", "http://127.0.0.1:9/")
    node.end_headers()


def header_drip(node: BaseHTTPRequestHandler) -> None:
    try:
        for letter in b"HTTP/1.1 200 OK\r\n" + b"X-Slow: very\r\n" * 9:
            node.wfile.write(bytes([letter]))
            node.wfile.flush()
            time.sleep(0.05)
    except OSError:
        pass


#: Five megabytes of nothing, in five kilobytes.
BOMB = gzip.compress(bytes(5_000_000))


def bomb(node: BaseHTTPRequestHandler) -> None:
    node.send_response(200)
    node.send_header("Content-Encoding", "gzip")
    node.end_headers()
    try:
        node.wfile.write(BOMB)
    except OSError:
        pass


def cut(node: BaseHTTPRequestHandler) -> None:
    node.send_response(200)
    node.send_header("Content-Length", "1000")
    node.end_headers()
    node.wfile.write(b"{")


def silence(node: BaseHTTPRequestHandler) -> None:
    time.sleep(1.6)


@pytest.mark.parametrize(
    ("handler", "error"),
    [
        (flood, Inconsistent),
        (drip, Transient),
        (header_drip, Transient),
        (silence, Transient),
        (cut, Transient),
        (bomb, Inconsistent),
        (limit, RateLimited),
        (move, Permanent),
    ],
)
def test_the_transport_is_capped_in_size_and_time(
    server: Callable[[Handler], str], handler: Handler, error: type[RpcError]
) -> None:
    transport = HttpTransport(server(handler), timeout_s=1, max_bytes=1_000_000)
    with pytest.raises(error):
        transport.send(b"{}")
    transport.close()


def test_a_lost_answer_does_not_spoil_the_next(server: Callable[[Handler], str]) -> None:
    """A connection whose answer was not read to its end is not used again."""
    turns: list[Handler] = [drip, cut, flood]

    def handle(node: BaseHTTPRequestHandler) -> None:
        if turns:
            turns.pop()(node)
        else:
            node.send_response(200)
            node.end_headers()
            node.wfile.write(b"good")

    transport = HttpTransport(server(handle), timeout_s=1, max_bytes=100_000)
    for _ in range(3):
        with pytest.raises(RpcError):
            transport.send(b"{}")
    assert transport.send(b"{}") == b"good"
    transport.close()


def test_a_batch_under_an_errors_status_is_still_a_batch(server: Callable[[Handler], str]) -> None:
    def handle(node: BaseHTTPRequestHandler) -> None:
        error = {"code": 3, "message": "execution reverted", "data": "0x11"}
        body = orjson.dumps([ok(1, 5), {"id": 2, "error": error}])
        node.send_response(500)
        node.send_header("Content-Length", str(len(body)))
        node.end_headers()
        node.wfile.write(body)

    client = RpcClient(HttpTransport(server(handle)), retries=0)
    first, second = client.batch(TWO)
    assert first == 5
    assert isinstance(second, ContractReverted)


def test_what_is_sent(server: Callable[[Handler], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The key in the path and the password go to the node; no proxy is asked; a distant node may
    compress."""
    seen: list[tuple[str, dict[str, str]]] = []

    def handle(node: BaseHTTPRequestHandler) -> None:
        seen.append((node.path, {name.lower(): said for name, said in node.headers.items()}))
        packed = "Accept-Encoding" in node.headers and "gzip" in node.headers["Accept-Encoding"]
        node.send_response(200)
        if packed:
            node.send_header("Content-Encoding", "gzip")
        node.end_headers()
        node.wfile.write(gzip.compress(b"good") if packed else b"good")

    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    address = server(handle)
    near = HttpTransport(address.replace("//", "//me:p%40ss@") + "/v3/key?net=1")
    # The same machine by another name, which is not taken for this one.
    far = HttpTransport(address.replace("127.0.0.1", "127.1"))
    assert (near.send(b"{}"), far.send(b"{}")) == (b"good", b"good")
    (path, headers), (_, distant) = seen
    assert path == "/v3/key?net=1"
    assert base64.b64decode(headers["authorization"].split()[1]) == b"me:p@ss"
    assert headers["accept-encoding"] == "identity"
    assert distant["accept-encoding"] == "gzip"
    near.close()
    far.close()


def test_an_address_that_is_none() -> None:
    for url in ("", "http://", "localhost", "http://[::1"):
        with pytest.raises((Permanent, Transient, ValueError)):
            HttpTransport(url, timeout_s=1).send(b"{}")


def test_errors_show_no_key() -> None:
    transport = HttpTransport("http://user:s3cr3t@127.0.0.1:9/s3cr3t?key=s3cr3t", timeout_s=1)
    with pytest.raises(Transient) as caught:
        transport.send(b"{}")
    assert "s3cr3t" not in caught.value.detail
    transport.close()


def test_no_node_at_all_is_transient() -> None:
    transport = HttpTransport("http://127.0.0.1:9", timeout_s=1)
    with pytest.raises(Transient):
        transport.send(b"{}")
    transport.close()
