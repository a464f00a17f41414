"""The way to a node: bytes in, bytes out, with a cap on time and on size.

Everything above takes a ``Transport``, so that tests can put a faulty one around the real one.
"""

import time
from typing import Protocol

import httpx

from chain.rpc.errors import Inconsistent, Transient, classify_http

#: Bytes. 10,000 logs with long reasons fit; a node gone mad does not fill our memory.
RESPONSE_MAX_BYTES = 64 * 1024 * 1024
#: Seconds for one whole exchange.
TIMEOUT_S = 20.0


class Transport(Protocol):
    """Carries one JSON-RPC request body to a node."""

    def send(self, body: bytes, *, timeout_s: float | None = None) -> bytes:
        """Return the response body.

        Raises:
            RateLimited, Transient, Permanent, RangeTooLarge, Inconsistent.
        """

    def close(self) -> None:
        """Let connections go."""


class HttpTransport:
    """JSON-RPC over HTTP with kept connections. Safe to share between threads."""

    def __init__(
        self, url: str, *, timeout_s: float = TIMEOUT_S, max_bytes: int = RESPONSE_MAX_BYTES
    ) -> None:
        self.url = url
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self._client = httpx.Client(
            timeout=timeout_s,
            # A node's address is configuration; a redirect or a proxy would be someone else.
            follow_redirects=False,
            trust_env=False,
            headers={"Content-Type": "application/json"},
        )

    def send(self, body: bytes, *, timeout_s: float | None = None) -> bytes:
        limit = timeout_s or self._timeout_s
        deadline = time.monotonic() + limit
        try:
            with self._client.stream("POST", self.url, content=body, timeout=limit) as response:
                answer = self._read(response, deadline)
                status, retry_after = response.status_code, response.headers.get("retry-after")
        except httpx.HTTPError as error:
            raise Transient(f"{type(error).__name__}: {error}") from error
        if status != 200:
            text = answer[:500].decode("utf-8", "replace")
            raise classify_http(status, text, retry_after)
        return answer

    def _read(self, response: httpx.Response, deadline: float) -> bytes:
        parts: list[bytes] = []
        size = 0
        for part in response.iter_bytes():
            size += len(part)
            if size > self._max_bytes:
                raise Inconsistent(f"The node's answer exceeds {self._max_bytes} bytes.")
            # httpx limits each read, not their sum: a drip of bytes must end too.
            if time.monotonic() > deadline:
                raise Transient("The node's answer took too long.")
            parts.append(part)
        return b"".join(parts)

    def close(self) -> None:
        self._client.close()
