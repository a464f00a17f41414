"""The local chain as the demo's actors use it: anvil's unlocked accounts and its clock."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from web3 import HTTPProvider, Web3
from web3.contract import Contract
from web3.types import TxReceipt

ABI_DIR = Path(__file__).resolve().parent.parent / "chain" / "abi"
# Ample for every call of the demo, and no estimate can be off by a checkpoint.
GAS = 6_000_000


class ActorReverted(RuntimeError):
    """A transaction of a demo actor was mined and reverted: the history is wrong."""


@dataclass(frozen=True)
class LocalChain:
    """Sends as anvil's unlocked accounts and moves the chain's clock."""

    url: str
    deployment: dict[str, Any]

    @cached_property
    def web3(self) -> Web3:
        return Web3(HTTPProvider(self.url, request_kwargs={"timeout": 60}))

    @cached_property
    def accounts(self) -> list[str]:
        """Anvil's accounts, EIP-55, in the mnemonic's order."""
        return list(self.web3.eth.accounts)

    @cached_property
    def _contracts(self) -> dict[str, Contract]:
        return {
            name: self.web3.eth.contract(
                address=Web3.to_checksum_address(entry["address"]),
                abi=json.loads((ABI_DIR / f"{name}.json").read_text(encoding="utf-8"))["abi"],
            )
            for name, entry in self.deployment["contracts"].items()
        }

    def contract(self, name: str) -> Contract:
        return self._contracts[name]

    def address(self, name: str) -> str:
        return str(self.contract(name).address)

    def encode(self, name: str, function: str, *args: Any) -> bytes:
        return bytes.fromhex(self.contract(name).encode_abi(function, args=list(args))[2:])

    def call(self, name: str, function: str, *args: Any) -> Any:
        return self.contract(name).functions[function](*args).call()

    def send(
        self, name: str, function: str, *args: Any, sender: str, value_wei: int = 0
    ) -> TxReceipt:
        """Send a call and wait for its receipt.

        Raises:
            ActorReverted: it was mined and reverted, or the node refused it.
        """
        return self.transact(
            sender=sender,
            to=self.address(name),
            data=self.encode(name, function, *args),
            value_wei=value_wei,
            what=f"{name}.{function}",
        )

    def transact(
        self, *, sender: str, to: str, data: bytes = b"", value_wei: int = 0, what: str = "transfer"
    ) -> TxReceipt:
        transaction = {
            "from": sender,
            "to": to,
            "data": "0x" + data.hex(),
            "value": hex(value_wei),
            "gas": hex(GAS),
        }
        receipt = self.web3.eth.wait_for_transaction_receipt(
            self.rpc("eth_sendTransaction", transaction), timeout=60, poll_latency=0.02
        )
        if receipt["status"] != 1:
            try:
                self.rpc("eth_call", transaction, "latest")
                reason = "no reason"
            except RuntimeError as error:
                reason = str(error)
            raise ActorReverted(f"{what} by {sender} reverted: {reason}")
        return receipt

    def rpc(self, method: str, *params: Any) -> Any:
        """Call the node; raises RuntimeError with its message."""
        answer = self.web3.provider.make_request(method, list(params))  # type: ignore[arg-type]
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    # --- the clock --------------------------------------------------------------
    def now(self) -> int:
        """The newest block's time, in Unix seconds."""
        return int(self.web3.eth.get_block("latest")["timestamp"])

    def advance(self, seconds: int) -> None:
        """Move the chain's clock forward and mine one block there."""
        self.rpc("evm_increaseTime", seconds)
        self.rpc("evm_mine")

    def advance_to(self, timestamp: int) -> None:
        seconds = timestamp - self.now()
        if seconds > 0:
            self.advance(seconds)

    def tick(self) -> None:
        """From here on, mine one block a second; the clock runs like the wall's."""
        self.rpc("evm_setIntervalMining", 1)

    def stop_mining(self) -> None:
        """From here on, mine on demand alone (`evm_mine`)."""
        self.rpc("evm_setIntervalMining", 0)
        self.rpc("evm_setAutomine", False)
