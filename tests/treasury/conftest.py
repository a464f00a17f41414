"""The treasury's world for tests: the real contracts on anvil, indexed for real."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from chain import projections
from chain.contracts import contract
from chain.indexer.loop import index_until_head
from treasury.projections import TreasuryProjector

ALT = 10**18
ZERO = bytes(32)


@dataclass(slots=True)
class World:
    """The chain as its actors use it. The governor is impersonated: votes are tested elsewhere."""

    rpc: Callable[..., Any]
    accounts: list[Any]

    @property
    def timelock(self) -> bytes:
        return contract("TimelockController").address

    def eth_of(self, address: bytes) -> int:
        """Balance in wei, straight from the node."""
        return int(self.rpc("eth_getBalance", f"0x{address.hex()}", "latest"), 16)

    def transaction(
        self, sender: bytes, to: bytes, data: bytes = b"", *, value_wei: int = 0
    ) -> bytes:
        """Send and mine; fails the test when it reverts. Returns the transaction's hash."""
        hash_ = self.rpc(
            "eth_sendTransaction",
            {
                "from": f"0x{sender.hex()}",
                "to": f"0x{to.hex()}",
                "data": f"0x{data.hex()}",
                "value": hex(value_wei),
                "gas": hex(2_000_000),
            },
        )
        deadline = time.monotonic() + 10
        while (receipt := self.rpc("eth_getTransactionReceipt", hash_)) is None:
            assert time.monotonic() < deadline, "the transaction was not mined"
            time.sleep(0.01)
        assert receipt["status"] == "0x1", "the transaction reverted"
        return bytes.fromhex(hash_[2:])

    def call(self, sender: bytes, name: str, function: str, args: tuple[Any, ...]) -> bytes:
        target = contract(name)
        return self.transaction(sender, target.address, target.encode(function, args))

    def as_contract(self, name: str, act: Callable[[bytes], bytes]) -> bytes:
        """Let one of the contracts send, as an executed proposal would make it."""
        address = contract(name).address
        text = f"0x{address.hex()}"
        before = self.rpc("eth_getBalance", text, "latest")
        self.rpc("anvil_setBalance", text, hex(10**20))
        self.rpc("anvil_impersonateAccount", text)
        try:
            return act(address)
        finally:
            self.rpc("anvil_stopImpersonatingAccount", text)
            self.rpc("anvil_setBalance", text, before)

    def pay_eth(self, to: bytes, amount_wei: int, salt: bytes = ZERO) -> bytes:
        """Schedule and execute a payment in the timelock, sent by its only proposer."""
        call = (to, amount_wei, b"", ZERO, salt)
        self.as_contract(
            "AlthingGovernor",
            lambda governor: self.call(
                governor, "TimelockController", "schedule", (*call, 7 * 24 * 3600)
            ),
        )
        self.rpc("evm_increaseTime", 8 * 24 * 3600)
        return self.as_contract(
            "AlthingGovernor",
            lambda governor: self.call(governor, "TimelockController", "execute", call),
        )

    def pay_alt(self, to: bytes, amount_wei: int) -> bytes:
        """Transfer tokens out of the timelock; its own gas money is put back afterwards."""
        return self.as_contract(
            "TimelockController",
            lambda timelock: self.call(timelock, "AlthingToken", "transfer", (to, amount_wei)),
        )

    def settle(self) -> None:
        """Make everything sent so far final (depth 2), and index it."""
        self.rpc("anvil_mine", hex(3))
        index_until_head()

    def index(self) -> None:
        index_until_head()


@pytest.fixture
def world(
    rpc: Callable[..., Any],
    deployment: dict[str, Any],
    web3_accounts: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    db: None,
) -> World:
    """The deployed contracts, not indexed yet; only the treasury's projector runs."""
    monkeypatch.setattr(projections, "_registry", {})
    projections.register_projector(TreasuryProjector())
    return World(rpc, web3_accounts)
