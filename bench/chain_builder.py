"""A chain of real events on anvil: the project's own token and governor, driven by a swarm.

Each block holds ``VOTES`` votes and ``PASSES`` transfers of three logs each (the transfer and the
votes that moved with it), 150 logs in one transaction.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from eth_abi import encode
from eth_utils.crypto import keccak

from config.embedded.anvil import AnvilServer

ROOT = Path(__file__).resolve().parents[1]
MEMBERS = 1200
VOTES, PASSES = 60, 30
LOGS_PER_BLOCK = VOTES + 3 * PASSES
#: Blocks in which one round of proposals is voted on: within the demo profile's voting period.
ROUND_BLOCKS = 500
MEMBER_WEI = 10**18
GAS = hex(1_000_000_000)

Say = Callable[[str], None]


def anvil_start(folder: Path) -> AnvilServer:
    """An anvil that takes large blocks and keeps every state in memory."""
    extra = ("--gas-limit", "2000000000", "--disable-code-size-limit", "--base-fee", "0")
    server = AnvilServer(folder, genesis_at_s=1_760_000_000, extra=extra)
    server.start()
    return server


def contracts_deploy(server: AnvilServer, path: Path, profile: str = "demo") -> dict[str, Any]:
    """Deploy the project's contracts and return the deployment file's content."""
    command = [sys.executable, str(ROOT / "scripts" / "deploy.py"), "--rpc-url", server.url]
    command += ["--profile", profile, "--out", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"The deployment failed: {done.stdout}{done.stderr}")
    return dict(json.loads(path.read_text(encoding="utf-8")))


def swarm_bytecode() -> bytes:
    """Compile the swarm with the project's compiler."""
    sys.path.insert(0, str(ROOT / "scripts"))
    import compile_contracts

    source = Path(__file__).parent / "contracts" / "Swarm.sol"
    settings = {"optimizer": {"enabled": True, "runs": 200}, "evmVersion": "cancun"}
    asked = {
        "language": "Solidity",
        "sources": {"Swarm.sol": {"content": source.read_text(encoding="utf-8")}},
        "settings": settings | {"outputSelection": {"*": {"*": ["evm.bytecode.object"]}}},
    }
    wrapper = str(ROOT / "scripts" / "solc-wrapper")
    done = subprocess.run(
        [compile_contracts.node_binary(), wrapper, "--standard-json"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.loads(done.stdout)
    try:
        return bytes.fromhex(answer["contracts"]["Swarm.sol"]["Swarm"]["evm"]["bytecode"]["object"])
    except KeyError:
        raise RuntimeError(f"The swarm does not compile: {answer.get('errors')}") from None


def selector(signature: str) -> bytes:
    return bytes(keccak(signature.encode("ascii"))[:4])


def calldata(signature: str, *values: Any) -> str:
    """Calldata for ``name(types)``."""
    types = signature[signature.index("(") + 1 : -1]
    return "0x" + (selector(signature) + encode(types.split(",") if types else [], values)).hex()


@dataclass(slots=True)
class ChainBuilder:
    """Fills a chain with events. ``blocks`` counts the blocks of work made so far."""

    server: AnvilServer
    deployment: dict[str, Any]
    members: int = MEMBERS
    swarm: str = ""
    proposals: list[int] = field(default_factory=list)
    blocks: int = 0
    rounds: int = 0
    _owner: str = ""

    def start(self) -> None:
        """Deploy the swarm, fund its members and let them delegate."""
        token = self._address("AlthingToken")
        accounts = self.server.rpc("eth_accounts")
        self._owner = max(accounts, key=lambda account: self._balance(account))
        code = swarm_bytecode() + encode(
            ["address", "address"], [token, self._address("AlthingGovernor")]
        )
        receipt = self._send({"from": self._owner, "data": "0x" + code.hex()})
        self.swarm = receipt["contractAddress"]
        amount = self.members * MEMBER_WEI
        self._owner_call(token, "transfer(address,uint256)", self.swarm, amount)
        self._owner_call(token, "delegate(address)", self._owner)
        for _ in range(self.members // 200):
            self._owner_call(self.swarm, "grow(uint256,uint256)", 200, MEMBER_WEI)

    def build(self, blocks: int, say: Say = lambda text: None) -> None:
        """Make ``blocks`` blocks of work, in rounds of new proposals."""
        while blocks:
            part = min(blocks, ROUND_BLOCKS - self.blocks % ROUND_BLOCKS)
            if self.blocks % ROUND_BLOCKS == 0:
                self._round_begin()
            self._round_work(part)
            blocks -= part
            say(f"{self.blocks} blocks, {self.blocks * LOGS_PER_BLOCK} events")

    def _round_begin(self) -> None:
        votes_per_round = ROUND_BLOCKS * VOTES
        governor = self._address("AlthingGovernor")
        signature = "propose(address[],uint256[],bytes[],string)"
        count = -(-votes_per_round // self.members)
        self.proposals = []
        self.rounds += 1
        # Votes count from the second after a delegation.
        self._time_pass(5)
        for index in range(count):
            text = f"# Round {self.rounds}, proposal {index}\n\nNothing to do."
            call = calldata(signature, [governor], [0], [b""], text)
            answer = self.server.rpc(
                "eth_call", {"from": self._owner, "to": governor, "data": call}, "latest"
            )
            self.proposals.append(int(answer, 16))
            self._send({"from": self._owner, "to": governor, "data": call})
        self._time_pass(31)
        self.server.rpc("anvil_setBlockTimestampInterval", 1)

    def _round_work(self, blocks: int) -> None:
        signature = "work(uint256,uint256,uint256,uint256)"
        wanted = []
        for _ in range(blocks):
            place = (self.blocks % ROUND_BLOCKS) * VOTES
            # A block votes on one proposal; one whose members ran out continues on the next.
            proposal, first = divmod(place, self.members)
            data = calldata(signature, self.proposals[proposal], first, VOTES, PASSES)
            if first + VOTES > self.members:
                raise ValueError("The number of members must be a multiple of the votes per block.")
            wanted.append({"from": self._owner, "to": self.swarm, "data": data, "gas": GAS})
            self.blocks += 1
        for start in range(0, len(wanted), 50):
            self._send_many(wanted[start : start + 50])

    def _time_pass(self, seconds: int) -> None:
        head = self.server.rpc("eth_getBlockByNumber", "latest", False)
        self.server.rpc("evm_setNextBlockTimestamp", int(head["timestamp"], 16) + seconds)
        self.server.rpc("evm_mine")

    # --- the node ---------------------------------------------------------------------

    def _address(self, name: str) -> str:
        return str(self.deployment["contracts"][name]["address"])

    def _balance(self, account: str) -> int:
        call = {
            "to": self._address("AlthingToken"),
            "data": calldata("balanceOf(address)", account),
        }
        return int(self.server.rpc("eth_call", call, "latest"), 16)

    def _owner_call(self, to: str, signature: str, *values: Any) -> None:
        self._send({"from": self._owner, "to": to, "data": calldata(signature, *values)})

    def _send(self, transaction: dict[str, Any]) -> dict[str, Any]:
        return self._send_many([{"gas": GAS, **transaction}])[0]

    def _send_many(self, transactions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        hashes = [self.server.rpc("eth_sendTransaction", item) for item in transactions]
        while self.server.rpc("eth_getTransactionReceipt", hashes[-1]) is None:
            time.sleep(0.01)  # anvil answers before it has mined
        receipts = [self.server.rpc("eth_getTransactionReceipt", item) for item in hashes]
        for receipt in receipts:
            if receipt["status"] != "0x1":
                raise RuntimeError(f"A transaction of the swarm failed: {receipt}"[:300])
        return receipts


def chain_build(
    folder: Path, *, blocks: int, say: Say = lambda text: None
) -> tuple[AnvilServer, Path]:
    """A running anvil with ``blocks`` blocks of events, and its deployment file."""
    server = anvil_start(folder)
    path = folder / "deployment.json"
    builder = ChainBuilder(server, contracts_deploy(server, path))
    builder.start()
    builder.build(blocks, say)
    return server, path


if __name__ == "__main__":
    place = Path(tempfile.mkdtemp(prefix="althing-bench-"))
    began = time.monotonic()
    chain, _ = chain_build(place, blocks=int(sys.argv[1]), say=print)
    print(f"{time.monotonic() - began:.1f} s, {orjson.dumps(chain.url).decode()}")
    chain.stop()
