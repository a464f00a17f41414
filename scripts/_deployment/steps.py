"""Deploying the contracts so that the deployer never holds a power it would have to give up.

The addresses of the later contracts follow from the deployer's nonce (EIP-161:
keccak256(rlp([sender, nonce]))), so each constructor names its owners at once. The one power the
deployer has is to define the first parameters, until `seal`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rlp
from eth_utils import keccak, to_canonical_address, to_checksum_address

from _deployment.errors import DeploymentUnsafe
from _deployment.parameters import chunks, genesis_definitions
from _deployment.profiles import Plan

ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = ROOT / "chain" / "abi"
ZERO_ADDRESS = "0x" + "00" * 20
# About 3 million gas a transaction, well below any chain's limit for one.
DEFINITIONS_PER_TRANSACTION = 11
# These protect themselves by bounds, rate limits and vetoes, so a vote on them need not wait
# longer.
ROUTINE_FUNCTIONS = {
    "NetworkParameters": ("set", "withdraw", "undo"),
    "NodeRegistry": ("decideCase",),
}
ORDER = (
    "TimelockController",
    "AlthingToken",
    "AlthingGovernor",
    "NetworkParameters",
    "NodeRegistry",
    "AttestationLedger",
)

Report = Callable[[str], None]


@dataclass(frozen=True)
class Deployed:
    """One deployed contract: Ape's instance, its receipt and its constructor's arguments."""

    instance: Any
    block_number: int
    transaction_hash: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Contracts:
    """The deployed contracts by name, and the block of the first."""

    by_name: dict[str, Deployed]
    first_block: int

    def __getitem__(self, name: str) -> Any:
        return self.by_name[name].instance

    def address(self, name: str) -> str:
        return str(self.by_name[name].instance.address)


def container(name: str) -> Any:
    """Return Ape's container of a committed artifact; no compiler is needed."""
    from ape.contracts import ContractContainer
    from ape.types import ContractType

    return ContractContainer(
        ContractType.model_validate_json((ARTIFACTS / f"{name}.json").read_text())
    )


def selector(name: str, function: str) -> bytes:
    """Return the 4-byte selector of a contract's only function of that name."""
    abi = json.loads((ARTIFACTS / f"{name}.json").read_text())["abi"]
    (entry,) = [item for item in abi if item["type"] == "function" and item["name"] == function]
    signature = ",".join(_canonical(argument) for argument in entry["inputs"])
    return keccak(text=f"{function}({signature})")[:4]


def predict_addresses(deployer: str, nonce: int) -> dict[str, str]:
    """Return where each contract will be, if the deployer does nothing else meanwhile."""
    sender = to_canonical_address(deployer)
    return {
        name: to_checksum_address(keccak(rlp.encode([sender, nonce + position]))[12:])
        for position, name in enumerate(ORDER)
    }


def deploy_contracts(account: Any, plan: Plan, *, now_s: int, report: Report) -> Contracts:
    """Deploy all contracts, load the parameters and seal them.

    Raises:
        DeploymentUnsafe: a contract is not where its address was predicted (something else sent a
            transaction from the deployer's account meanwhile); start again with a quiet account.
    """
    addresses = predict_addresses(account.address, account.nonce)
    arguments = constructor_arguments(plan, addresses, now_s=now_s)
    by_name: dict[str, Deployed] = {}
    for name in ORDER:
        report(f"Deploying {name}")
        instance, receipt = deploy_contract(account, container(name), arguments[name])
        if instance.address != addresses[name]:
            raise DeploymentUnsafe([f"{name} is at {instance.address}, not {addresses[name]}"])
        by_name[name] = Deployed(instance, receipt.block_number, receipt.txn_hash, arguments[name])
    contracts = Contracts(by_name, by_name[ORDER[0]].block_number)
    parameters = contracts["NetworkParameters"]
    definitions = genesis_definitions(plan.profile.parameters)
    report(f"Defining {len(definitions)} parameters")
    for chunk in chunks(definitions, DEFINITIONS_PER_TRANSACTION):
        mined(parameters.defineGenesis(chunk, sender=account))
    mined(parameters.seal(sender=account))
    return contracts


def deploy_contract(account: Any, made_from: Any, arguments: tuple[Any, ...]) -> tuple[Any, Any]:
    """Deploy one contract; return Ape's instance and the receipt of its block."""
    creation = made_from(*arguments)
    creation.sender = account.address
    receipt = mined(account.call(creation))
    return made_from.at(receipt.contract_address, fetch_from_explorer=False), receipt


def mined(receipt: Any) -> Any:
    """Return a transaction's receipt once it is in a block.

    Where a local chain mines at intervals, Ape takes it for one mined by hand and returns at once,
    with no block and no contract's address.
    """
    if receipt.block_number < 0:
        receipt = receipt.provider.get_receipt(receipt.txn_hash)
        receipt.raise_for_status()
    return receipt


def constructor_arguments(
    plan: Plan, addresses: dict[str, str], *, now_s: int
) -> dict[str, tuple[Any, ...]]:
    """Return each constructor's arguments. `now_s` is the chain's time, not the wall's."""
    profile = plan.profile
    timelock, governor = addresses["TimelockController"], addresses["AlthingGovernor"]
    treasury = [(timelock, profile.treasury_wei)] if profile.treasury_wei else []
    genesis = [(holder.address, holder.amount_wei) for holder in plan.holders] + treasury
    settings = (
        profile.voting_delay_s,
        profile.voting_period_s,
        profile.late_quorum_extension_s,
        plan.proposal_threshold_wei,
        profile.quorum_numerator,
        profile.constitutional_delay_s,
        plan.guardian,
        # A block's margin: the term is at most 365 days after the deployment's own block.
        now_s + profile.guardian_term_s,
    )
    return {
        # No admin but the timelock itself; the governor alone proposes, cancels and executes.
        "TimelockController": (profile.timelock_delay_s, [governor], [governor], ZERO_ADDRESS),
        "AlthingToken": (
            profile.token_name,
            profile.token_symbol,
            profile.cap_wei,
            profile.yearly_mint_max_wei,
            timelock,
            [address for address, _ in genesis],
            [amount for _, amount in genesis],
        ),
        "AlthingGovernor": (
            addresses["AlthingToken"],
            timelock,
            settings,
            routine_calls(addresses),
        ),
        "NetworkParameters": (timelock, governor),
        "NodeRegistry": (
            addresses["AlthingToken"],
            addresses["NetworkParameters"],
            governor,
            timelock,
            plan.attestor,
        ),
        "AttestationLedger": (addresses["NetworkParameters"], governor, timelock, plan.attestor),
    }


def routine_calls(addresses: dict[str, str]) -> list[tuple[str, bytes]]:
    """Return the routine list as (target, selector) pairs."""
    return [
        (addresses[name], selector(name, function))
        for name, functions in ROUTINE_FUNCTIONS.items()
        for function in functions
    ]


def _canonical(argument: dict[str, Any]) -> str:
    if not argument["type"].startswith("tuple"):
        return str(argument["type"])
    inner = ",".join(_canonical(part) for part in argument["components"])
    return f"({inner}){argument['type'].removeprefix('tuple')}"
