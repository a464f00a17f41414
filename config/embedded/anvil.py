"""The embedded chain: anvil out of its npm package, on loopback."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import sys
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config.embedded.process import Child, EmbeddedError, EngineFailed, EngineMissing, free_port

BASE_DIR = Path(__file__).resolve().parents[2]
# The chain id of every local chain here; wallets know it as a development chain.
CHAIN_ID = 31337
START_ATTEMPTS = 5
REQUEST_TIMEOUT_S = 60.0
# Loopback must never go through a proxy that the environment names.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class RpcFailed(EmbeddedError):
    """The chain answered with a JSON-RPC error; `error` is its object (JSON-RPC 2.0, 5.1)."""

    code = "rpc_failed"

    def __init__(self, method: str, error: dict[str, Any]) -> None:
        super().__init__(f"{method}: {error.get('message', error)}")
        self.error = error


@dataclass(slots=True)
class AnvilServer:
    """One anvil.

    `port` 0 means any free one. `block_time_s` None mines a block per transaction. `genesis_at_s`
    is the first block's Unix time. `state_file` keeps the chain between runs: written every 10 s
    and at a clean stop; blocks, logs and receipts come back, the state at old blocks does not.
    """

    folder: Path
    port: int = 0
    block_time_s: int | None = None
    genesis_at_s: int | None = None
    state_file: Path | None = None
    accounts: int = 20
    balance_eth: int = 10_000
    extra: Sequence[str] = ()
    child: Child | None = field(default=None, init=False)

    def start(self) -> None:
        """Start and wait until it answers. Raises `EngineMissing`, or `EngineFailed` with the end
        of its log.
        """
        cache = self.folder / "cache"
        # anvil leaves old states behind at every exit: gigabytes after a few dozen runs.
        shutil.rmtree(cache, ignore_errors=True)
        cache.mkdir(parents=True)
        wanted = self.port
        for attempt in range(1, START_ATTEMPTS + 1):
            self.port = wanted or free_port()
            try:
                self._start_once(cache)
            except EngineFailed:
                if wanted or attempt == START_ATTEMPTS:
                    raise
            else:
                return

    def stop(self) -> None:
        """Stop it; with a `state_file` it writes the chain first."""
        if self.child is not None:
            self.child.stop()
            self.child = None
        shutil.rmtree(self.folder / "cache", ignore_errors=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def rpc(self, method: str, *params: Any) -> Any:
        """Call one JSON-RPC method and return its result. Raises `RpcFailed`."""
        return rpc_call(self.url, method, *params)

    def _start_once(self, cache: Path) -> None:
        command: list[str | Path] = [
            anvil_binary(),
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
        ]
        command += ["--chain-id", str(CHAIN_ID), "--accounts", str(self.accounts)]
        command += ["--balance", str(self.balance_eth), "--cache-path", cache]
        if self.block_time_s is not None:
            command += ["--block-time", str(self.block_time_s)]
        if self.state_file is not None:
            command += ["--state", self.state_file, "--state-interval", "10"]
        if self.genesis_at_s is not None:
            command += ["--timestamp", str(self.genesis_at_s)]
        self.child = Child.start(
            "anvil",
            [*command, *self.extra],
            log=self.folder / "anvil.log",
            cwd=self.folder,
            env={"HOME": str(self.folder)},
            # Writing the state of a long chain takes a while.
            stop_timeout_s=30.0,
        )
        self.child.wait_ready(self._answers)

    def _answers(self) -> bool:
        # The log says whether it is our process that listens: on a taken port another chain might
        # answer us.
        log = self.folder / "anvil.log"
        if b"Listening on" not in log.read_bytes():
            return False
        with contextlib.suppress(OSError, ValueError):
            return int(self.rpc("eth_chainId"), 16) == CHAIN_ID
        return False


def rpc_call(url: str, method: str, *params: Any) -> Any:
    """Call one JSON-RPC method at `url` and return its result. Raises `RpcFailed`, and `OSError` on
    no connection.
    """
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(url, body, {"content-type": "application/json"})  # noqa: S310  (our own loopback)
    with OPENER.open(request, timeout=REQUEST_TIMEOUT_S) as response:
        reply = json.load(response)
    if "error" in reply:
        raise RpcFailed(method, reply["error"])
    return reply["result"]


def anvil_binary() -> Path:
    """Return anvil's path: `ANVIL_BIN`, else the npm package's, else the one in PATH. Raises
    `EngineMissing`.
    """
    chosen = os.environ.get("ANVIL_BIN")
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    package = (
        BASE_DIR
        / "node_modules"
        / "@foundry-rs"
        / f"anvil-{sys.platform}-{machine}"
        / "bin"
        / "anvil"
    )
    for candidate in (chosen, package if package.exists() else None, shutil.which("anvil")):
        if candidate:
            return Path(candidate)
    raise EngineMissing(
        "anvil, the local chain, is not installed. Run `make setup`. Where no package exists for "
        "this machine, install Foundry and set ANVIL_BIN, or set RPC_URL to a chain of your own."
    )
