"""The chain by raw JSON-RPC: what the harness does to it, and what the oracles read from it.

Nothing here uses the code under test.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from eth_abi import decode, encode
from eth_utils.crypto import keccak

from bench.chain_builder import calldata, selector
from config.embedded.anvil import AnvilServer, RpcFailed

#: Accounts of anvil's mnemonic, by what they are here. 0 holds 100,000 ALT and votes.
HOLDER, VOTERS, STRANGER, KEEPER = 0, (3, 4, 5), 6, 8
#: Public on purpose: anvil's ninth default key (KEEPER), worth nothing anywhere else.
KEEPER_KEY = bytes.fromhex("dbda1821b80551c9d65939329250298aa3472ba22feea921c0cf5d620ea67b97")
#: Likewise its third: the account that the deployment gave the attestor's role.
ATTESTOR_KEY = bytes.fromhex("5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a")
ALT = 10**18
CALLS = "address[],uint256[],bytes[]"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposal as sent. ``number`` is its id on chain."""

    number: int
    targets: list[str]
    values_wei: list[int]
    calldatas: list[bytes]
    description: bytes

    @property
    def content(self) -> tuple[Any, ...]:
        return self.targets, self.values_wei, self.calldatas, keccak(self.description)


@dataclass(slots=True)
class Chain:
    """Drives anvil. Blocks are mined only when told (``mine``), so every run is repeatable."""

    server: AnvilServer
    deployment: dict[str, Any]
    accounts: list[str] = field(default_factory=list)

    def start(self) -> None:
        self.accounts = self.rpc("eth_accounts")
        self.rpc("evm_setAutomine", False)

    # --- node ---------------------------------------------------------------------

    def rpc(self, method: str, *params: Any) -> Any:
        return self.server.rpc(method, *params)

    def address(self, name: str) -> str:
        return str(self.deployment["contracts"][name]["address"])

    @property
    def keeper(self) -> str:
        return self.accounts[KEEPER]

    def head(self) -> int:
        return int(self.rpc("eth_blockNumber"), 16)

    def block(self, number: int | str = "latest", *, full: bool = False) -> dict[str, Any]:
        place = hex(number) if isinstance(number, int) else number
        return dict(self.rpc("eth_getBlockByNumber", place, full))

    def call(self, to: str, signature: str, *values: Any, output: str = "uint256") -> Any:
        answer = self.rpc("eth_call", {"to": to, "data": calldata(signature, *values)}, "latest")
        return decode([output], bytes.fromhex(answer[2:]))[0]

    def balance(self, account: str) -> int:
        """Tokens of an account, in wei."""
        return int(self.call(self.address("AlthingToken"), "balanceOf(address)", account))

    def logs(self) -> list[dict[str, Any]]:
        """Every log of the deployment's contracts."""
        addresses = [item["address"] for item in self.deployment["contracts"].values()]
        query = {"fromBlock": "0x0", "toBlock": "latest", "address": addresses}
        return list(self.rpc("eth_getLogs", query))

    def nonce(self, account: str) -> int:
        return int(self.rpc("eth_getTransactionCount", account, "latest"), 16)

    def sent_by(self, account: str) -> dict[int, str]:
        """Nonce -> hash of every mined transaction of an account, by reading every block."""
        found: dict[int, str] = {}
        for number in range(self.head() + 1):
            for item in self.block(number, full=True)["transactions"]:
                if item["from"].lower() == account.lower():
                    found[int(item["nonce"], 16)] = item["hash"]
        return found

    def receipt(self, transaction_hash: str) -> dict[str, Any] | None:
        return self.rpc("eth_getTransactionReceipt", transaction_hash)  # type: ignore[no-any-return]

    # --- doing ------------------------------------------------------------------------

    def mine(self, blocks: int = 1, *, seconds: int = 0) -> None:
        """Mine; the first block's time is ``seconds`` after its parent's."""
        if seconds:
            parent = int(self.block()["timestamp"], 16)
            self.rpc("evm_setNextBlockTimestamp", parent + seconds)
        for _ in range(blocks):
            self.rpc("evm_mine")

    def send(self, who: int, to: str, data: str = "0x", value_wei: int = 0) -> str:
        """Put a transaction into the pool; return its hash."""
        return str(
            self.rpc(
                "eth_sendTransaction",
                {
                    "from": self.accounts[who],
                    "to": to,
                    "data": data,
                    "value": hex(value_wei),
                    "gas": hex(6_000_000),
                    "maxFeePerGas": hex(10**14),
                    "maxPriorityFeePerGas": hex(10**9),
                },
            )
        )

    def transfer(self, who: int, to: str, amount_wei: int) -> str:
        data = calldata("transfer(address,uint256)", to, amount_wei)
        return self.send(who, self.address("AlthingToken"), data)

    def delegate(self, who: int, to: str) -> str:
        return self.send(who, self.address("AlthingToken"), calldata("delegate(address)", to))

    def must(self, *hashes: str) -> None:
        """Mine the pool; every one of these must have succeeded."""
        self.mine()
        for item in hashes:
            found = self.receipt(item)
            if found is None or found["status"] != "0x1":
                raise RuntimeError(f"The harness's own transaction {item} failed: {found}")

    # --- parliament -----------------------------------------------------------------

    def propose(self, calls: list[tuple[str, int, bytes]], description: bytes) -> Proposal:
        targets = [call[0] for call in calls]
        values, datas = [call[1] for call in calls], [call[2] for call in calls]
        governor = self.address("AlthingGovernor")
        # The chain takes any bytes for a text, and both are encoded alike.
        types = [*CALLS.split(","), "bytes"]
        packed = encode(types, [targets, values, datas, description])
        data = "0x" + (selector(f"propose({CALLS},string)") + packed).hex()
        # Votes count from the second after a delegation; blocks mined at once run ahead of time.
        self.mine(seconds=10)
        asked = {"from": self.accounts[HOLDER], "to": governor, "data": data}
        number = int(self.rpc("eth_call", asked, "latest"), 16)
        self.must(self.send(HOLDER, governor, data))
        return Proposal(number, targets, values, datas, description)

    def payout(self, recipient: str, amount_wei: int, title: str) -> Proposal:
        """A proposal that pays tokens out of the treasury."""
        data = bytes.fromhex(calldata("transfer(address,uint256)", recipient, amount_wei)[2:])
        return self.propose([(self.address("AlthingToken"), 0, data)], f"# {title}".encode())

    def vote(self, who: int, proposal: Proposal, support: int = 1, reason: str = "") -> str:
        signature = "castVoteWithReason(uint256,uint8,string)"
        data = calldata(signature, proposal.number, support, reason)
        return self.send(who, self.address("AlthingGovernor"), data)

    def pass_vote(self, *proposals: Proposal) -> None:
        self.mine(seconds=6)
        self.must(*(self.vote(HOLDER, proposal) for proposal in proposals))
        self.mine(seconds=80)

    def step(self, who: int, name: str, proposal: Proposal) -> str:
        """``queue`` or ``execute`` as an account."""
        data = calldata(f"{name}({CALLS},bytes32)", *proposal.content)
        return self.send(who, self.address("AlthingGovernor"), data)

    def state(self, proposal: Proposal) -> int:
        """``IGovernor.ProposalState``: 4 succeeded, 5 queued, 7 executed, 2 canceled."""
        return int(self.call(self.address("AlthingGovernor"), "state(uint256)", proposal.number))

    # --- reorganisations ----------------------------------------------------------------

    def reorg(self, depth: int, pairs: list[tuple[str, int]] = ()) -> None:  # type: ignore[assignment]
        """Replace the newest blocks; ``pairs`` (raw transaction, block) are mined in them."""
        self.rpc("anvil_reorg", depth, [list(pair) for pair in pairs])

    def raw(self, transaction_hash: str) -> str:
        return str(self.rpc("eth_getRawTransactionByHash", transaction_hash))


class Miner:
    """Mines a block every so often while workers run, as a chain does."""

    def __init__(self, chain: Chain, *, every_s: float = 0.12) -> None:
        self._chain, self._every_s = chain, every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            try:
                self._chain.mine()
            except (OSError, RpcFailed):
                continue  # the node is being reorganised; the next block comes


@contextmanager
def mining(chain: Chain) -> Iterator[None]:
    """A chain that grows by itself."""
    miner = Miner(chain)
    miner._thread.start()
    try:
        yield
    finally:
        miner._stop.set()
        miner._thread.join()


def deployment_read(path: Any) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))
