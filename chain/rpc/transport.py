"""The way to a node: bytes in, bytes out, with a cap on time and on size.

Everything above takes a ``Transport``, so that tests can put a faulty one around the real one.
"""

import http.client
import io
import math
import socket
import time
from functools import partial
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import orjson
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from chain.rpc.classifier import classify_http
from chain.rpc.errors import Inconsistent, Permanent, Transient

#: Bytes. 10,000 logs with long reasons fit; a node gone mad does not fill our memory.
RESPONSE_MAX_BYTES = 64 * 1024 * 1024
#: Seconds for one whole exchange.
TIMEOUT_S = 20.0
#: Seconds for a connection to be made: a dead provider must not cost the whole time.
CONNECT_TIMEOUT_S = 5.0
#: Connections kept per node; more threads than that wait for one.
CONNECTIONS_MAX = 8
_CHUNK_BYTES = 1024 * 1024


class Transport(Protocol):
    """Carries one JSON-RPC request body to a node."""

    def send(self, body: bytes, *, timeout_s: float | None = None) -> bytes:
        """Return the response body.

        Raises:
            RateLimited, Transient, Permanent, RangeTooLarge, Inconsistent.
        """

    def close(self) -> None:
        """Let connections go."""


class _Deadline(io.RawIOBase):
    """A socket's reads under one deadline: a timeout alone holds for each read anew, so that one
    byte now and then could keep us for ever."""

    def __init__(self, sock: socket.socket, raw: Any, deadline: float) -> None:
        self._sock, self._raw, self._deadline = sock, raw, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left_s = self._deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the answer took too long")
        self._sock.settimeout(left_s)
        count: int | None = self._raw.readinto(buffer)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, deadline: float, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        raw = self.fp.detach()
        self.fp = io.BufferedReader(_Deadline(sock, raw, deadline))


class _InTime:
    """Gives urllib3's connections responses that end at the request's deadline."""

    timeout: float | None
    response_class: Any

    def getresponse(self) -> Any:
        deadline = time.monotonic() + (self.timeout or TIMEOUT_S)
        self.response_class = partial(_Response, deadline=deadline)
        return super().getresponse()  # type: ignore[misc]


class _Connection(_InTime, HTTPConnection):
    pass


class _TlsConnection(_InTime, HTTPSConnection):
    pass


class HttpTransport:
    """JSON-RPC over HTTP with kept connections. Safe to share between threads.

    A node's address is configuration: no redirect is followed and no proxy is taken from the
    environment, either would be someone else.
    """

    def __init__(
        self, url: str, *, timeout_s: float = TIMEOUT_S, max_bytes: int = RESPONSE_MAX_BYTES
    ) -> None:
        self.url = url
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        parts = urlsplit(url)
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._headers = {"Content-Type": "application/json", "User-Agent": "althing"}
        if parts.hostname not in ("127.0.0.1", "::1", "localhost"):
            # Worth its time on a real way only.
            self._headers["Accept-Encoding"] = "gzip"
        if parts.username:
            given = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers |= urllib3.make_headers(basic_auth=given)
        self._pool = self._pool_make(parts.scheme, parts.hostname or "", parts.port)

    @staticmethod
    def _pool_make(scheme: str, host: str, port: int | None) -> urllib3.HTTPConnectionPool:
        if scheme == "https":
            pool: urllib3.HTTPConnectionPool = urllib3.HTTPSConnectionPool(
                host, port, maxsize=CONNECTIONS_MAX, block=True
            )
            pool.ConnectionCls = _TlsConnection
        else:
            pool = urllib3.HTTPConnectionPool(host, port, maxsize=CONNECTIONS_MAX, block=True)
            pool.ConnectionCls = _Connection
        return pool

    def send(self, body: bytes, *, timeout_s: float | None = None) -> bytes:
        limit_s = timeout_s or self._timeout_s
        timeout = urllib3.Timeout(connect=min(limit_s, CONNECT_TIMEOUT_S), total=limit_s)
        try:
            response = self._pool.urlopen(
                "POST",
                self._target,
                body=body,
                headers=self._headers,
                timeout=timeout,
                pool_timeout=math.ceil(limit_s),
                retries=False,
                redirect=False,
                preload_content=False,
            )
            try:
                answer = self._read(response)
            except BaseException:
                response.close()
                raise
            response.release_conn()
        except urllib3.exceptions.LocationValueError as error:
            raise Permanent(f"The node's address is no HTTP address: {error}") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Transient(f"{type(error).__name__}: {_plain(error)}") from error
        if response.status != 200 and not _is_batch(answer):
            text = answer[:4000].decode("utf-8", "replace")
            raise classify_http(response.status, text, response.headers.get("retry-after"))
        return answer

    def _read(self, response: urllib3.BaseHTTPResponse) -> bytes:
        parts: list[bytes] = []
        size = 0
        while part := response.read1(_CHUNK_BYTES):
            size += len(part)
            if size > self._max_bytes:
                raise Inconsistent(f"The node's answer exceeds {self._max_bytes} bytes.")
            parts.append(part)
        return b"".join(parts)

    def close(self) -> None:
        self._pool.close()


def _is_batch(body: bytes) -> bool:
    """Whether a body answers a batch request by request: some gateways give the status of one
    of its errors to the whole."""
    if not body.startswith(b"["):
        return False
    try:
        answers = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return bool(answers) and all(
        isinstance(item, dict) and isinstance(item.get("id"), int) for item in answers
    )


def _plain(error: Exception) -> str:
    """The cause in words, without the address: keys stand in paths."""
    return str(error.__cause__ or type(error).__doc__ or "").split("\n")[0][:200]
