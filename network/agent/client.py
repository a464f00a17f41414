"""The service's API as the agent uses it: signed posts, coded errors, patience as asked."""

from __future__ import annotations

import email.utils
import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from network.agent.errors import ServiceRefused, ServiceUnreachable
from network.agent.home import NodeKeys
from network.http_signatures import sign_request

#: Seconds for one request; a verdict over 16 GPUs takes well below one.
TIMEOUT_S: Final = 30.0
#: Answers are small; more than this is not ours.
MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024
USER_AGENT: Final = "althing-node/0.1"


class ServiceClient:
    """One service. ``server`` is its public address, for example ``https://dao.example``.

    Requests are signed for exactly this address, so it must be the one the service knows itself
    by; an address that redirects does not work.
    """

    def __init__(
        self,
        server: str,
        *,
        transport: httpx.BaseTransport | None = None,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        parts = urlsplit(server)
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.query:
            raise ValueError(f"{server!r} is not the http(s) address of a service")
        self.server = server.rstrip("/")
        self._now_s = now_s
        self._http = httpx.Client(
            timeout=TIMEOUT_S,
            follow_redirects=False,
            headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
            transport=transport,
        )

    def close(self) -> None:
        """Let connections go."""
        self._http.close()

    def now_s(self) -> int:
        """This machine's Unix time."""
        return int(self._now_s())

    def get(self, path: str) -> dict[str, Any]:
        """Read ``/api/v1/<path>``."""
        return self._answer(self._send("GET", f"{self.server}/api/v1/{path}", b"", {}))

    def clock_offset_s(self) -> float | None:
        """The service's clock minus this machine's, from the Date header; within a second."""
        before = self._now_s()
        response = self._send("GET", f"{self.server}/api/v1/network/policy/", b"", {})
        after = self._now_s()
        date = email.utils.parsedate_tz(response.headers.get("date", ""))
        if date is None:
            return None
        # The header has whole seconds, rounded down: half a second in the middle.
        return email.utils.mktime_tz(date) + 0.5 - (before + after) / 2

    def post_open(self, path: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """Post without a signature."""
        url = f"{self.server}/api/v1/{path}"
        headers = {"Content-Type": "application/json"}
        return self._answer(self._send("POST", url, _encode(content), headers))

    def post_signed(
        self,
        path: str,
        body: bytes,
        *,
        keys: NodeKeys,
        idempotency_key: str,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        """Post signed by every key of the node. The same idempotency key and body may be sent
        again."""
        url = f"{self.server}/api/v1/{path}"
        headers = sign_request(
            method="POST",
            url=url,
            body=body,
            private_key=keys.ed25519,
            ml_dsa_65=keys.ml_dsa_65,
            idempotency_key=idempotency_key,
            now_s=self.now_s(),
            content_type=content_type,
        )
        return self._answer(self._send("POST", url, body, headers))

    def _send(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str]
    ) -> httpx.Response:
        try:
            with self._http.stream(method, url, content=body, headers=dict(headers)) as response:
                content = b""
                for chunk in response.iter_bytes():
                    content += chunk
                    if len(content) > MAX_ANSWER_BYTES:
                        raise ServiceUnreachable(
                            "answer_too_large", f"{url} answers with more than a service would."
                        )
        except httpx.HTTPError as error:
            raise ServiceUnreachable(
                "service_unreachable",
                f"{self.server} does not answer: {type(error).__name__} {error}".rstrip(),
            ) from error
        # The stream is closed; give the response the body it would have had.
        return httpx.Response(response.status_code, headers=_plain(response), content=content)

    def _answer(self, response: httpx.Response) -> dict[str, Any]:
        """The JSON object of a success; the coded error of anything else."""
        try:
            content = json.loads(response.content)
        except ValueError:
            content = None
        status = response.status_code
        if 200 <= status < 300 and isinstance(content, dict):
            return content
        given = content if isinstance(content, dict) else {}
        code = str(given.get("code") or f"http_{status}")
        detail = str(given.get("detail") or f"The service answered with HTTP status {status}.")
        data = given.get("data") if isinstance(given.get("data"), dict) else {}
        if status == 429 or status >= 500 or not 400 <= status < 500:
            raise ServiceUnreachable(code, detail, data, retry_after_s=retry_after_s(response))
        raise ServiceRefused(code, detail, data, http_status=status)


def retry_after_s(response: httpx.Response) -> float | None:
    """Seconds the service asks to wait (RFC 9110, seconds only); None where it does not say."""
    text = response.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 7 else None


def body_encode(content: Mapping[str, Any]) -> bytes:
    """The exact bytes of a report: what is hashed, signed and sent."""
    return _encode(content)


def _encode(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":"), allow_nan=False).encode("utf-8")


def _plain(response: httpx.Response) -> dict[str, str]:
    """Headers without those about an encoding that is undone already."""
    dropped = {"content-encoding", "content-length", "transfer-encoding"}
    return {k: v for k, v in response.headers.items() if k.lower() not in dropped}
