"""A real Chromium with a test wallet in it, for ``make demo ONCE=1`` and the browser tests.

The wallet speaks EIP-6963 and EIP-1193 and signs with anvil's unlocked accounts.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

SCRIPT = Path(__file__).with_name("wallet.js")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# EIP-1193 codes.
REJECTED = {"code": 4001, "message": "User rejected the request."}
UNRECOGNIZED_CHAIN = {"code": 4902, "message": "Unrecognized chain ID."}


def chromium_path() -> str | None:
    """Find Chromium: ``CHROMIUM_BIN``, else the usual names on PATH."""
    names = (os.environ.get("CHROMIUM_BIN"), "chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if name and (found := shutil.which(name))), None)


@contextmanager
def browser_open() -> Iterator[Browser]:
    """Start Chromium.

    Raises:
        FileNotFoundError: there is none on this machine.
    """
    path = chromium_path()
    if path is None:
        raise FileNotFoundError("No Chromium found; install it or set CHROMIUM_BIN.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Wallet:
    """What the page's wallet is and does next."""

    rpc_url: str
    account: str
    chain_id: int = 31337
    #: Methods the person rejects (EIP-1193 code 4001).
    rejects: set[str] = field(default_factory=set)
    #: Every method the page asked for, in order.
    requests: list[str] = field(default_factory=list)

    def install(self, context: BrowserContext) -> None:
        context.expose_binding("__althingWalletRequest", lambda _source, call: self.answer(call))
        context.add_init_script(path=SCRIPT)

    def answer(self, call: dict[str, Any]) -> dict[str, Any]:
        method, params = call["method"], call.get("params") or []
        self.requests.append(method)
        if method in self.rejects:
            return {"error": REJECTED}
        match method:
            case "eth_requestAccounts" | "eth_accounts":
                return {"result": [self.account]}
            case "eth_chainId":
                return {"result": hex(self.chain_id)}
            case "wallet_switchEthereumChain":
                return self._switch_chain(int(params[0]["chainId"], 16))
            case _:
                return self._forward(method, params)

    def _switch_chain(self, chain_id: int) -> dict[str, Any]:
        if chain_id != 31337:
            return {"error": UNRECOGNIZED_CHAIN}
        self.chain_id = chain_id
        return {"result": None}

    def _forward(self, method: str, params: list[Any]) -> dict[str, Any]:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = httpx.post(self.rpc_url, json=body, timeout=30).json()
        if "error" in answer:
            return {"error": {"code": -32603, **answer["error"]}}
        return {"result": answer["result"]}

    def switch_account(self, page: Page, account: str) -> None:
        """Choose another account in the wallet, as a person would, and tell the page."""
        self.account = account
        page.evaluate("a => window.__althingWalletEmit('accountsChanged', [a])", account)

    def switch_network(self, page: Page, chain_id: int) -> None:
        self.chain_id = chain_id
        page.evaluate("c => window.__althingWalletEmit('chainChanged', c)", hex(chain_id))
