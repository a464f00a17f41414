"""What the contracts' tests share: the deployed contracts, the people and the clock."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import ape
from _deployment.steps import container
from eth_utils import keccak

ALT = 10**18
DAY_S = 86_400
VOTING_DELAY_S, VOTING_PERIOD_S, LATE_EXTENSION_S = 5, 60, 15
TIMELOCK_DELAY_S, CONSTITUTIONAL_DELAY_S = 10, 20
AGAINST, FOR, ABSTAIN, FRACTIONAL = 0, 1, 2, 255


class State(IntEnum):
    """IGovernor.ProposalState."""

    PENDING = 0
    ACTIVE = 1
    CANCELED = 2
    DEFEATED = 3
    SUCCEEDED = 4
    QUEUED = 5
    EXPIRED = 6
    EXECUTED = 7


@dataclass(frozen=True)
class Proposal:
    """What the governor hashes to the id."""

    id: int
    targets: list[str]
    values: list[int]
    calldatas: list[bytes]
    description: str

    @property
    def arguments(self) -> tuple[list[str], list[int], list[bytes], bytes]:
        return self.targets, self.values, self.calldatas, keccak(text=self.description)


@dataclass(frozen=True)
class World:
    """The contracts of one deployment. `accounts` are the mnemonic's, by index."""

    settings: dict[str, Any]
    token: Any
    timelock: Any
    governor: Any
    parameters: Any
    registry: Any
    ledger: Any

    @classmethod
    def load(cls, path: Path) -> World:
        content = json.loads(path.read_text())
        at = {
            name: container(name).at(item["address"]) for name, item in content["contracts"].items()
        }
        return cls(
            settings=content["settings"],
            token=at["AlthingToken"],
            timelock=at["TimelockController"],
            governor=at["AlthingGovernor"],
            parameters=at["NetworkParameters"],
            registry=at["NodeRegistry"],
            ledger=at["AttestationLedger"],
        )

    @property
    def accounts(self) -> Any:
        return ape.accounts.test_accounts

    @property
    def holder(self) -> Any:
        """A large holder without any duty."""
        return self.accounts[3]

    @property
    def guardian(self) -> Any:
        return self.accounts[1]

    @property
    def attestor(self) -> Any:
        return self.accounts[2]

    @property
    def stranger(self) -> Any:
        return self.accounts[50]

    @property
    def as_timelock(self) -> Any:
        """The timelock as a sender: what a vote's execution looks like to a contract."""
        ape.chain.set_balance(self.timelock.address, ALT)
        return ape.accounts.test_accounts.impersonate_account(self.timelock.address)

    # Votes

    def delegate(self, *accounts: Any) -> None:
        """Let accounts vote with their own tokens, from the next second on."""
        for account in accounts:
            # Ape's addresses have a `delegate` of their own (EIP-7702).
            self.token.invoke_transaction("delegate", account, sender=account)
        wait(1)

    def propose(
        self, *calls: tuple[Any, int, bytes], sender: Any, description: str = "A proposal"
    ) -> Proposal:
        targets, values, calldatas = (list(column) for column in zip(*calls, strict=True))
        targets = [getattr(target, "address", target) for target in targets]
        arguments = (targets, values, calldatas)
        proposal_id = self.governor.getProposalId(*arguments, keccak(text=description))
        self.governor.propose(*arguments, description, sender=sender)
        return Proposal(proposal_id, *arguments, description)

    def vote(self, proposal: Proposal, *voters: Any, support: int = FOR) -> None:
        """Wait for the vote to open and cast."""
        wait(VOTING_DELAY_S + 1)
        for voter in voters:
            self.governor.castVote(proposal.id, support, sender=voter)

    def pass_and_queue(self, proposal: Proposal, *voters: Any) -> None:
        self.vote(proposal, *voters)
        wait(VOTING_PERIOD_S + LATE_EXTENSION_S)
        self.governor.queue(*proposal.arguments, sender=self.stranger)

    def execute(self, proposal: Proposal) -> Any:
        return self.governor.execute(*proposal.arguments, sender=self.stranger)

    def state(self, proposal: Proposal) -> State:
        return State(self.governor.state(proposal.id))

    # Parameters

    def set(self, changes: dict[str, int], *, expected: dict[str, int] | None = None) -> Any:
        """One set by the timelock, its keys sorted as the contract wants them."""
        keys, values = set_arguments(changes)
        held = {key_of(name): word(value) for name, value in (expected or {}).items()}
        before = [held.get(key) or self.parameters.getVoted(key) for key in keys]
        return self.parameters.set(keys, before, values, sender=self.as_timelock)

    def value(self, name: str) -> int:
        return int.from_bytes(self.parameters.get(key_of(name)), "big")

    # Nodes

    def fund(self, account: Any, amount_alt: int) -> None:
        """Give tokens for stakes and allow the registry to take them."""
        self.token.transfer(account, amount_alt * ALT, sender=self.accounts[0])
        self.token.approve(self.registry, amount_alt * ALT, sender=account)

    def register(
        self, account: Any, *, gpus: int = 2, gpu_class: str = "h100_80g", keys: bytes = b"k"
    ) -> bytes:
        keys_hash = keys.ljust(32, b"\0")
        self.registry.register(
            keys_hash, short(gpu_class), gpus, short("eu-north"), "ipfs://node", sender=account
        )
        return bytes(self.registry.nodeIdOf(account, keys_hash))


def key_of(name: str) -> bytes:
    return keccak(text=name)


def word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def short(text: str) -> bytes:
    """A short string as the contracts keep it: bytes32, zeros on the right."""
    return text.encode().ljust(32, b"\0")


def set_arguments(changes: dict[str, int]) -> tuple[list[bytes], list[bytes]]:
    pairs = sorted((key_of(name), word(value)) for name, value in changes.items())
    return [key for key, _ in pairs], [value for _, value in pairs]


def now() -> int:
    return int(ape.chain.blocks.head.timestamp)


def wait(seconds: int) -> None:
    """Mine a block that many seconds after the last."""
    _mine_at(now() + seconds)


def wait_until(time: int) -> None:
    """Mine a block at `time`: what calls see. A transaction comes a second later."""
    _mine_at(time)


def _mine_at(time: int) -> None:
    ape.chain.provider.make_request("evm_setNextBlockTimestamp", [time])
    ape.chain.provider.make_request("evm_mine", [])


# Calls that proposals make


def parameter_call(world: World, name: str = "attest.ttl", value: int = 2400):
    keys, values = set_arguments({name: value})
    before = [world.parameters.getVoted(key) for key in keys]
    return world.parameters, 0, world.parameters.set.encode_input(keys, before, values)


def payment_call(world: World):
    return world.token, 0, world.token.transfer.encode_input(world.stranger, ALT)


def guardian_call(world: World, guardian: str, until: int):
    return world.governor, 0, world.governor.setGuardian.encode_input(guardian, until)


def decide(world: World, *calls):
    """Have a proposal pass and execute it as soon as any may be."""
    proposal = world.propose(*calls, sender=world.holder, description=f"at {now()}")
    world.pass_and_queue(proposal, world.holder, world.accounts[0])
    wait(TIMELOCK_DELAY_S + CONSTITUTIONAL_DELAY_S)
    world.execute(proposal)
