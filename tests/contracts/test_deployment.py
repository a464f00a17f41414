"""The deployment itself: who holds what, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import ape
import pytest
from _deployment.checks import deployment_check, plan_check, role_members
from _deployment.errors import DeploymentRefused, DeploymentUnsafe
from _deployment.parameters import rows_read
from _deployment.profiles import ALT, PROFILES, Holder, Plan, demo_holders, holders_read
from _deployment.steps import Contracts, Deployed
from deploy import deploy, plan_make
from support import World, key_of

DEPLOYER = 0


def contracts_of(world: World) -> Contracts:
    instances = {
        "AlthingToken": world.token,
        "TimelockController": world.timelock,
        "AlthingGovernor": world.governor,
        "NetworkParameters": world.parameters,
        "NodeRegistry": world.registry,
        "AttestationLedger": world.ledger,
    }
    return Contracts({name: Deployed(item, 0, "0x", ()) for name, item in instances.items()}, 0)


def plan_of_tests() -> Plan:
    return plan_make("tests", guardian=None, attestor=None, holders_path=None)


def test_file_names_every_contract_with_its_constructor(deployment_file: Path, world: World):
    content = json.loads(deployment_file.read_text())
    assert content["chain_id"] == 31337
    assert content["first_block"] == min(
        item["block_number"] for item in content["contracts"].values()
    )
    assert content["deployed_at"] == ape.chain.blocks[content["first_block"]].timestamp
    assert content["contracts"]["NetworkParameters"]["constructor_arguments"] == [
        world.timelock.address,
        world.governor.address,
    ]
    assert content["settings"]["guardian"] == world.guardian.address
    assert content["settings"]["proposal_threshold_wei"] == str(ALT)


def test_governor_alone_drives_the_timelock(world: World):
    members = role_members(world.timelock, 0)
    assert members["proposer"] == members["canceller"] == members["executor"]
    assert members["executor"] == {world.governor.address}
    assert members["admin"] == {world.timelock.address}


def test_deployer_holds_no_role(world: World):
    deployer = world.accounts[DEPLOYER].address
    for instance in (world.timelock, world.registry, world.ledger):
        assert all(deployer not in members for members in role_members(instance, 0).values())
    assert world.parameters.isSealed()
    assert world.token.treasury() == world.timelock.address


def test_genesis_loads_only_what_something_reads(world: World):
    wanted = {key_of(row["key"]) for row in rows_read() if row["reader"] in {"A", "C"}}
    assert len(wanted) == 68
    assert {bytes(key) for key in world.parameters.keys()} == wanted
    assert not world.parameters.isDefined(key_of("treasury.tx_cap"))


@pytest.mark.parametrize("name", ["registry", "ledger"])
def test_check_finds_a_kept_role(world: World, name: str):
    instance = getattr(world, name)
    role = instance.ATTESTOR_ROLE()
    instance.grantRole(role, world.accounts[DEPLOYER], sender=world.as_timelock)
    with pytest.raises(DeploymentUnsafe) as caught:
        deployment_check(
            contracts_of(world), plan_of_tests(), deployer=world.accounts[DEPLOYER].address
        )
    assert any("deployer still holds the attestor role" in text for text in caught.value.findings)


def test_check_finds_another_setting(world: World):
    other = replace(plan_of_tests(), profile=replace(PROFILES["tests"], timelock_delay_s=11))
    with pytest.raises(DeploymentUnsafe, match=r"getMinDelay is 10, expected 11"):
        deployment_check(contracts_of(world), other, deployer=world.accounts[DEPLOYER].address)


@pytest.mark.parametrize("duty", ["guardian", "attestor"])
def test_deployer_with_a_duty_is_refused(tmp_path: Path, duty: str):
    deployer = ape.accounts.test_accounts[DEPLOYER].address
    nonce = ape.accounts.test_accounts[DEPLOYER].nonce
    with pytest.raises(DeploymentRefused, match=f"The {duty} is the deployer"):
        deploy("tests", tmp_path / "d.json", **{duty: deployer})
    assert not (tmp_path / "d.json").exists()
    assert ape.accounts.test_accounts[DEPLOYER].nonce == nonce


def test_local_profile_is_refused_elsewhere():
    with pytest.raises(DeploymentRefused, match="not for chain 1"):
        plan_check(
            plan_of_tests(), deployer=ape.accounts.test_accounts[DEPLOYER].address, chain_id=1
        )


def test_production_needs_its_people():
    with pytest.raises(DeploymentRefused, match="--guardian, --attestor and --holders"):
        plan_make("production", guardian=None, attestor=None, holders_path=None)


def test_address_without_checksum_is_refused():
    plan = replace(plan_of_tests(), guardian=plan_of_tests().guardian.lower())
    with pytest.raises(DeploymentRefused, match="checksummed"):
        plan_check(plan, deployer=ape.accounts.test_accounts[DEPLOYER].address, chain_id=31337)


def test_production_plan_deploys_on_a_chain(tmp_path: Path, world: World):
    genesis = tmp_path / "genesis.csv"
    genesis.write_text(f"address,amount_wei\n{world.holder.address},{1_000_000 * ALT}\n")
    content = deploy(
        "production",
        tmp_path / "d.json",
        account=world.accounts[DEPLOYER],
        guardian=world.guardian.address,
        attestor=world.attestor.address,
        holders_path=genesis,
    )
    # A quarter of a hundredth of the supply.
    assert content["settings"]["proposal_threshold_wei"] == str(2_500 * ALT)
    assert content["settings"]["voting_period_s"] == 7 * 86_400


@pytest.mark.parametrize(
    "text",
    [
        "address\n0x1\n",
        "address,amount_wei\n",
        "address,amount_wei\n0xaa,1\n0xAA,2\n",
        "address,amount_wei\n0xaa,0\n",
        "address,amount_wei\n0xaa,1.5\n",
    ],
)
def test_genesis_list_with_a_fault_is_refused(tmp_path: Path, text: str):
    path = tmp_path / "genesis.csv"
    path.write_text(text)
    with pytest.raises(DeploymentRefused):
        holders_read(path)


def test_demo_list_has_few_large_and_many_small_holders():
    accounts = [f"0x{index:040x}" for index in range(60)]
    holders = demo_holders(accounts)
    amounts = [holder.amount_wei for holder in holders]
    assert len(holders) == len({holder.address for holder in holders}) == 40
    assert sum(amounts) == 10_000_000 * ALT
    assert amounts == sorted(amounts, reverse=True)
    assert sum(amounts[:8]) > sum(amounts) // 2
    assert isinstance(holders[0], Holder)
    assert amounts[-1] > 0
