"""The HTTP transport against nodes that misbehave: capped in size and time, and tells no secret."""

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

from chain.rpc import (
    ContractReverted,
    HttpTransport,
    Inconsistent,
    Permanent,
    RateLimited,
    RpcClient,
    RpcError,
    Transient,
)
from tests.chain.test_rpc import TWO, ok

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
