"""A node that fails on purpose: an HTTP server in front of the real one."""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import urllib3

#: What a fault may do to an exchange instead of answering it.
DROP, GARBAGE_MB = "drop", 10

Call = dict[str, Any]
Answer = dict[str, Any]


@dataclass(slots=True)
class Faults:
    """What goes wrong, decided per exchange or per call. All harmless until set.

    ``before`` may give (status, body) instead of asking the node; ``rewrite`` changes a call on
    its way; ``spoil`` changes one answer; ``after`` may give (status, body) or DROP instead of
    the node's answer, which then has acted all the same.
    """

    before: Callable[[list[Call]], tuple[int, bytes] | None] = lambda calls: None
    rewrite: Callable[[Call], Call | Answer] = lambda call: call
    spoil: Callable[[Call, Answer], Answer] = lambda call, answer: answer
    after: Callable[[list[Call], bytes], tuple[int, bytes] | str | None] = lambda calls, body: None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up, or was killed, is what we are here for."""


@dataclass(slots=True)
class Proxy:
    """Listens on loopback; ``url`` is its address. ``exchanges`` counts what came."""

    upstream: str
    faults: Faults = field(default_factory=Faults)
    exchanges: int = 0
    #: Answers that ``spoil`` changed.
    spoilt: int = 0
    _server: _Server | None = None
    _pool: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(maxsize=16))

    def start(self) -> None:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                proxy.exchanges += 1
                answer = proxy._answer(body)
                if isinstance(answer, str):
                    self.close_connection = True
                    return
                status, content = answer
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                if status == 429:
                    self.send_header("Retry-After", "0")
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                """Silence: every run makes thousands of lines."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.server_port}"

    def heal(self) -> None:
        self.faults = Faults()

    def _answer(self, body: bytes) -> tuple[int, bytes] | str:
        faults = self.faults
        request = json.loads(body)
        calls: list[Call] = request if isinstance(request, list) else [request]
        early = faults.before(calls)
        if early is not None:
            return early
        answers = [self._one(faults, call) for call in calls]
        content = json.dumps(answers if isinstance(request, list) else answers[0]).encode()
        late = faults.after(calls, content)
        return (200, content) if late is None else late

    def _one(self, faults: Faults, call: Call) -> Answer:
        wanted = faults.rewrite(dict(call))
        if "method" not in wanted:
            return wanted
        raw = self._pool.request(
            "POST",
            self.upstream,
            body=json.dumps(wanted).encode(),
            headers={"Content-Type": "application/json"},
        ).data
        answer = json.loads(raw)
        answer["id"] = call.get("id")
        before = json.dumps(answer)
        answer = faults.spoil(call, answer)
        self.spoilt += json.dumps(answer) != before
        return answer


# --- the faults -----------------------------------------------------------------------


def replies_lost(rng: random.Random, share: float) -> Faults:
    """The node takes transactions, and its answer never arrives."""

    def after(calls: list[Call], body: bytes) -> str | None:
        sends = any(call["method"] == "eth_sendRawTransaction" for call in calls)
        return DROP if sends and rng.random() < share else None

    return Faults(after=after)


def unwell(rng: random.Random, share: float, *, slow_s: float = 0.4) -> Faults:
    """Too many requests, server errors, slowness, half an answer, ten megabytes of nothing."""

    def before(calls: list[Call]) -> tuple[int, bytes] | None:
        if rng.random() >= share:
            return None
        kind = rng.choice(["429", "503", "500", "slow", "error", "empty"])
        if kind == "slow":
            time.sleep(slow_s)
            return None
        if kind == "error":
            error = {"code": -32005, "message": "limit exceeded"}
            one = {"jsonrpc": "2.0", "id": calls[0].get("id"), "error": error}
            return 200, json.dumps(one).encode()
        return {"429": (429, b"{}"), "503": (503, b"busy"), "500": (500, b"<html>")}.get(
            kind, (200, b"")
        )

    def after(calls: list[Call], body: bytes) -> tuple[int, bytes] | None:
        if rng.random() >= share / 3:
            return None
        if rng.random() < 0.8:
            return 200, body[: len(body) // 2]
        return 200, b'{"jsonrpc":"2.0","id":0,"result":"' + b"0" * (GARBAGE_MB * 10**6) + b'"}'

    return Faults(before=before, after=after)


def stale(rng: random.Random, behind_max: int, upstream: Callable[[], int]) -> Faults:
    """Each exchange is answered by a node that is a few blocks behind, another few each time."""
    heads = {"now": 0}

    def before(calls: list[Call]) -> None:
        heads["now"] = max(0, upstream() - rng.randint(0, behind_max))

    def rewrite(call: Call) -> Call | Answer:
        head = heads["now"]
        nothing = {"jsonrpc": "2.0", "id": call.get("id"), "result": None}
        params = call.get("params") or []
        if call["method"] == "eth_blockNumber":
            return nothing | {"result": hex(head)}
        for index, item in enumerate(params):
            if item in ("latest", "pending"):
                params[index] = hex(head)
            elif item == "finalized":
                params[index] = hex(max(0, head - 2))
        if call["method"] == "eth_getBlockByNumber" and int(params[0], 16) > head:
            return nothing
        return call

    return Faults(before=before, rewrite=rewrite)  # type: ignore[arg-type]
