"""Reading every role and setting back from the chain.

A deployment that leaves the deployer, or anyone unnamed, a power is refused: its file is not
written, so nothing of Althing will use it.
"""

from __future__ import annotations

from typing import Any

from eth_utils import is_checksum_address, keccak

from _deployment.errors import DeploymentRefused, DeploymentUnsafe
from _deployment.parameters import genesis_definitions
from _deployment.profiles import LOCAL_CHAIN_ID, Plan
from _deployment.steps import ROUTINE_FUNCTIONS, ZERO_ADDRESS, Contracts, selector

DEFAULT_ADMIN_ROLE = b"\0" * 32
ROLE_NAMES = {
    DEFAULT_ADMIN_ROLE: "admin",
    keccak(text="PROPOSER_ROLE"): "proposer",
    keccak(text="CANCELLER_ROLE"): "canceller",
    keccak(text="EXECUTOR_ROLE"): "executor",
    keccak(text="ATTESTOR_ROLE"): "attestor",
}


def plan_check(plan: Plan, *, deployer: str, chain_id: int) -> None:
    """Refuse a plan that could not be safe, before anything is sent.

    Raises:
        DeploymentRefused: with the reason and what to change.
    """
    if plan.profile.local_only and chain_id != LOCAL_CHAIN_ID:
        raise DeploymentRefused(
            f"The profile {plan.profile.name} is for a local chain ({LOCAL_CHAIN_ID}), not for"
            f" chain {chain_id}: its keys are public and its delays are seconds. Use production."
        )
    duties = {"guardian": plan.guardian, "attestor": plan.attestor}
    for duty, address in duties.items():
        if not is_checksum_address(address) or address == ZERO_ADDRESS:
            raise DeploymentRefused(
                f"The {duty} needs a checksummed (EIP-55) address, not {address!r}"
            )
        if address == deployer:
            raise DeploymentRefused(
                f"The {duty} is the deployer, which must keep no power: name another"
            )
    for holder in plan.holders:
        if not is_checksum_address(holder.address):
            raise DeploymentRefused(f"Not a checksummed (EIP-55) address: {holder.address!r}")
    if plan.supply_wei > plan.profile.cap_wei:
        raise DeploymentRefused(f"The genesis list exceeds the cap of {plan.profile.cap_wei} wei")


def deployment_check(contracts: Contracts, plan: Plan, *, deployer: str) -> None:
    """Compare the chain with the plan.

    Raises:
        DeploymentUnsafe: with every finding as a sentence.
    """
    findings = [
        *_timelock_findings(contracts, deployer),
        *_attestor_findings(contracts, "NodeRegistry", plan, deployer),
        *_attestor_findings(contracts, "AttestationLedger", plan, deployer),
        *_setting_findings(contracts, plan),
        *_parameter_findings(contracts, plan),
    ]
    if findings:
        raise DeploymentUnsafe(findings)


def role_members(instance: Any, first_block: int) -> dict[str, set[str]]:
    """Return who holds each role of an AccessControl contract, from its events."""
    members: dict[str, set[str]] = {name: set() for name in ROLE_NAMES.values()}
    changes = [
        (log.block_number, log.log_index, log.event_name, log.event_arguments)
        for event in (instance.RoleGranted, instance.RoleRevoked)
        for log in event.range(first_block, _head() + 1)
    ]
    for _block, _index, name, arguments in sorted(changes, key=lambda change: change[:2]):
        role = ROLE_NAMES.get(bytes(arguments["role"]), bytes(arguments["role"]).hex())
        holders = members.setdefault(role, set())
        if name == "RoleGranted":
            holders.add(str(arguments["account"]))
        else:
            holders.discard(str(arguments["account"]))
    return members


def _head() -> int:
    from ape import chain

    return int(chain.blocks.height)


def _timelock_findings(contracts: Contracts, deployer: str) -> list[str]:
    timelock, governor = (
        contracts.address("TimelockController"),
        contracts.address("AlthingGovernor"),
    )
    expected = {
        "admin": {timelock},
        "proposer": {governor},
        "canceller": {governor},
        "executor": {governor},
    }
    return _role_findings(contracts, "TimelockController", expected, deployer)


def _attestor_findings(contracts: Contracts, name: str, plan: Plan, deployer: str) -> list[str]:
    expected = {
        "admin": {contracts.address("TimelockController")},
        "attestor": {plan.attestor},
    }
    return _role_findings(contracts, name, expected, deployer)


def _role_findings(
    contracts: Contracts, name: str, expected: dict[str, set[str]], deployer: str
) -> list[str]:
    instance = contracts[name]
    findings = []
    for role, members in role_members(instance, contracts.first_block).items():
        wanted = expected.get(role, set())
        if members != wanted:
            findings.append(
                f"{name}: the {role} role is held by {sorted(members) or 'nobody'},"
                f" expected {sorted(wanted) or 'nobody'}"
            )
    # The events are what a node says; the contract's own word on the deployer decides.
    for role_id, role in ROLE_NAMES.items():
        if instance.hasRole(role_id, deployer):
            findings.append(f"{name}: the deployer still holds the {role} role")
        for member in expected.get(role, set()):
            if not instance.hasRole(role_id, member):
                findings.append(f"{name}: {member} lacks the {role} role")
    return findings


def _setting_findings(contracts: Contracts, plan: Plan) -> list[str]:
    token, governor = contracts["AlthingToken"], contracts["AlthingGovernor"]
    timelock = contracts.address("TimelockController")
    parameters, registry = contracts["NetworkParameters"], contracts["NodeRegistry"]
    ledger = contracts["AttestationLedger"]
    profile = plan.profile
    pairs: dict[str, tuple[Any, Any]] = {
        "AlthingToken.treasury (the only minter)": (token.treasury(), timelock),
        "AlthingToken.totalSupply": (token.totalSupply(), plan.supply_wei),
        "AlthingToken.delegates(timelock)": (token.delegates(timelock), token.sentinel()),
        "AlthingToken.delegates(registry)": (token.delegates(registry.address), token.sentinel()),
        "AlthingGovernor.token": (governor.token(), token.address),
        "AlthingGovernor.timelock": (governor.timelock(), timelock),
        "AlthingGovernor.votingDelay": (governor.votingDelay(), profile.voting_delay_s),
        "AlthingGovernor.votingPeriod": (governor.votingPeriod(), profile.voting_period_s),
        "AlthingGovernor.proposalThreshold": (
            governor.proposalThreshold(),
            plan.proposal_threshold_wei,
        ),
        "AlthingGovernor.quorumNumerator": (governor.quorumNumerator(), profile.quorum_numerator),
        "AlthingGovernor.constitutionalDelay": (
            governor.constitutionalDelay(),
            profile.constitutional_delay_s,
        ),
        "AlthingGovernor.isGuardian(guardian)": (governor.isGuardian(plan.guardian), True),
        "TimelockController.getMinDelay": (
            contracts["TimelockController"].getMinDelay(),
            profile.timelock_delay_s,
        ),
        "NetworkParameters.timelock": (parameters.timelock(), timelock),
        "NetworkParameters.governor": (parameters.governor(), governor.address),
        "NodeRegistry.token": (registry.token(), token.address),
        "NodeRegistry.parameters": (registry.parameters(), parameters.address),
        "NodeRegistry.governor": (registry.governor(), governor.address),
        "NodeRegistry.treasury (decides cases)": (registry.treasury(), timelock),
        "AttestationLedger.parameters": (ledger.parameters(), parameters.address),
        "AttestationLedger.governor": (ledger.governor(), governor.address),
    }
    for name, functions in ROUTINE_FUNCTIONS.items():
        for function in functions:
            allowed = governor.routine(contracts.address(name), selector(name, function))
            pairs[f"AlthingGovernor.routine({name}.{function})"] = (allowed, True)
    return [
        f"{what} is {actual}, expected {expected}"
        for what, (actual, expected) in pairs.items()
        if actual != expected
    ]


def _parameter_findings(contracts: Contracts, plan: Plan) -> list[str]:
    parameters = contracts["NetworkParameters"]
    if not parameters.isSealed():
        return ["NetworkParameters is not sealed: the deployer can still define parameters"]
    definitions = genesis_definitions(plan.profile.parameters)
    expected = {keccak(text=name) for name, _spec, _value in definitions}
    actual = {bytes(key) for key in parameters.keys()}
    return [] if actual == expected else ["NetworkParameters holds other keys than the data file"]
