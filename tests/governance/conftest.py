"""A DAO on a real chain: propose, vote, let time pass, index."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.cache import cache

from chain.client import chain_call, rpc_client
from chain.contracts import contract
from chain.indexer.loop import index_until_head
from chain.proposal_id import proposal_id
from governance.actions.build import BuiltCall, build_parameter_set
from governance.models import Proposal
from governance.state import ProposalState

GOVERNOR, TOKEN, TIMELOCK = "AlthingGovernor", "AlthingToken", "TimelockController"
ALT = 10**18
AGAINST, FOR, ABSTAIN = 0, 1, 2


@dataclass
class Proposed:
    """A proposal as sent: its content and id."""

    calls: list[BuiltCall]
    description: bytes
    proposal_id: int
    transaction_hash: bytes

    @property
    def content(self) -> tuple[Any, ...]:
        from chain.proposal_id import description_hash

        return (
            tuple(call.target for call in self.calls),
            tuple(call.value_wei for call in self.calls),
            tuple(call.calldata for call in self.calls),
            description_hash(self.description),
        )


@dataclass
class Dao:
    """Drives the contracts from anvil's accounts. Times in seconds."""

    rpc: Any
    accounts: Sequence[Any]

    def send(self, who: int, name: str, function: str, args: tuple[Any, ...] = ()) -> bytes:
        target = contract(name)
        return self.send_raw(who, target.address, target.encode(function, args))

    def send_raw(self, who: int, to: bytes, data: bytes = b"", value_wei: int = 0) -> bytes:
        transaction_hash = bytes.fromhex(
            self.rpc(
                "eth_sendTransaction",
                {
                    "from": self.accounts[who].checksum,
                    "to": f"0x{to.hex()}",
                    "data": f"0x{data.hex()}",
                    "value": hex(value_wei),
                    "gas": hex(16_000_000),
                },
            )[2:]
        )
        # anvil answers before it has mined.
        deadline = time.monotonic() + 10
        while self.rpc("eth_getTransactionReceipt", f"0x{transaction_hash.hex()}") is None:
            assert time.monotonic() < deadline, "the transaction was not mined"
            time.sleep(0.005)
        return transaction_hash

    def ok(self, transaction_hash: bytes) -> bool:
        receipt = rpc_client().receipts([transaction_hash])[0]
        return receipt is not None and receipt.ok

    def delegate(self, who: int, to: int | None = None) -> None:
        target = self.accounts[who if to is None else to].address
        assert self.ok(self.send(who, TOKEN, "delegate", (target,)))

    def mine(self, seconds: int = 1, blocks: int = 1) -> None:
        self.rpc("evm_increaseTime", hex(seconds))
        for _ in range(blocks):
            self.rpc("evm_mine")

    def mine_at(self, timestamp: int) -> None:
        """One block with exactly this time (Unix s)."""
        self.rpc("evm_setNextBlockTimestamp", hex(timestamp))
        self.rpc("evm_mine")

    def propose(
        self, who: int = 0, calls: Sequence[BuiltCall] = (), description: bytes | str = "# Test"
    ) -> Proposed:
        wanted = list(calls) or [build_parameter_set([("attest.ttl", 3600)])]
        raw = description.encode() if isinstance(description, str) else description
        data = contract(GOVERNOR).encode(
            "propose",
            (
                tuple(call.target for call in wanted),
                tuple(call.value_wei for call in wanted),
                tuple(call.calldata for call in wanted),
                "\0" * len(raw),
            ),
        )
        # The encoder takes text; the chain takes any bytes. Put ours in the place of the zeros.
        place = data.rindex(len(raw).to_bytes(32, "big")) + 32 if raw else len(data)
        data = data[:place] + raw + data[place + len(raw) :]
        transaction_hash = self.send_raw(who, contract(GOVERNOR).address, data)
        assert self.ok(transaction_hash)
        number = proposal_id(
            targets=[call.target for call in wanted],
            values_wei=[call.value_wei for call in wanted],
            calldatas=[call.calldata for call in wanted],
            description=raw,
        )
        return Proposed(wanted, raw, number, transaction_hash)

    def vote(self, who: int, proposed: Proposed, support: int = FOR, reason: str = "") -> bytes:
        args = (proposed.proposal_id, support, reason)
        transaction_hash = self.send(who, GOVERNOR, "castVoteWithReason", args)
        assert self.ok(transaction_hash)
        return transaction_hash

    def open_vote(self) -> None:
        self.mine(6)

    def close_vote(self) -> None:
        self.mine(80)

    def pass_vote(self, proposed: Proposed) -> None:
        self.open_vote()
        self.vote(0, proposed)
        self.close_vote()

    def queue(self, proposed: Proposed, who: int = 5) -> bytes:
        transaction_hash = self.send(
            who, GOVERNOR, "queue(address[],uint256[],bytes[],bytes32)", proposed.content
        )
        assert self.ok(transaction_hash)
        return transaction_hash

    def execute(self, proposed: Proposed, who: int = 5) -> bytes:
        transaction_hash = self.send(
            who, GOVERNOR, "execute(address[],uint256[],bytes[],bytes32)", proposed.content
        )
        assert self.ok(transaction_hash)
        return transaction_hash

    def state(self, proposed: Proposed) -> ProposalState:
        return ProposalState(chain_call(GOVERNOR, "state", (proposed.proposal_id,)))

    def index(self) -> None:
        index_until_head(seconds=60)

    def indexed(self, proposed: Proposed) -> Proposal:
        self.index()
        return Proposal.objects.get(proposal_id=proposed.proposal_id)


@pytest.fixture(autouse=True)
def _empty_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def dao(db: None, rpc: Any, deployment: dict[str, Any], web3_accounts: Sequence[Any]) -> Dao:
    """The deployed DAO; account 0 has delegated its 100,000 ALT to itself."""
    made = Dao(rpc, web3_accounts)
    made.delegate(0)
    made.mine()
    return made
