"""Collateral for the tests: manifests and statements under one emulator's authorities, real DER."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from network.attestation import TrustAnchors
from network.attestation.certificates import load_device_chain
from network.attestation.emulator import EmulatedGpu, EmulatorAuthority
from network.attestation.emulator.revocation import EmulatedResponder, RevokedEntry, crl_issue
from network.attestation.ocsp import ocsp_request

AUTHORITY = EmulatorAuthority.from_seed("collateral tests")
TRUST = AUTHORITY.trust(TrustAnchors.nvidia())
GPU = EmulatedGpu(AUTHORITY, "card 0")
#: Leaf, device, provisioner, identity, root.
CHAIN = load_device_chain(GPU.certificate_chain).certificates
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def answer(
    position: int = 1,
    *,
    at: datetime,
    revoked: RevokedEntry | None = None,
    lifetime: timedelta = DAY,
    chain: Any = CHAIN,
    authority: EmulatorAuthority = AUTHORITY,
) -> bytes:
    """The emulator's OCSP response about certificate ``position`` of a chain."""
    entries = {} if revoked is None else {chain[position].serial_number: revoked}
    responder = EmulatedResponder(authority, entries, lifetime)
    return responder.answer(ocsp_request(chain[position], chain[position + 1]), now=at)


def crl(
    level: int = 1,
    *,
    at: datetime,
    revoked: dict[int, RevokedEntry] | None = None,
    authority: EmulatorAuthority = AUTHORITY,
    **options: Any,
) -> bytes:
    """A list of the authority at ``level`` of the device chain: 0 provisioner, 2 root."""
    issuer = authority.device_chain[level]
    return crl_issue(issuer, number=1, this_update=at, revoked=revoked, **options)


def rim_json(rim_id: str, xml: bytes, **changes: Any) -> bytes:
    """What the manifest service answers."""
    body = {
        "id": rim_id,
        "rim": base64.b64encode(xml).decode(),
        "sha256": hashlib.sha256(xml).hexdigest(),
        "rim_format": "SWID",
    }
    return json.dumps(body | changes).encode()


@dataclass
class Server:
    """A vendor's server on this machine. ``answers`` maps a path to what writes the answer."""

    url: str = ""
    answers: dict[str, Callable[[BaseHTTPRequestHandler, bytes], None]] = field(
        default_factory=dict
    )
    requests: list[tuple[str, str, bytes]] = field(default_factory=list)

    def says(self, path: str, body: bytes, *, status: int = 200, **headers: str) -> None:
        """Answer ``path`` with these bytes."""

        def write(handler: BaseHTTPRequestHandler, _: bytes) -> None:
            handler.send_response(status)
            for name, value in headers.items():
                handler.send_header(name.replace("_", "-"), value)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

        self.answers[path] = write


@contextmanager
def serve() -> Iterator[Server]:
    """A real HTTP server for the time of the block."""
    played = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers["Content-Length"])))

        def _answer(self, body: bytes) -> None:
            played.requests.append((self.command, self.path, body))
            write = played.answers.get(self.path)
            if write is None:
                self.send_error(404)
                return
            try:
                write(self, body)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    played.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield played
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
