"""NodeRegistry: stake, capacity, keys, suspension and the way out."""

from __future__ import annotations

import ape
import pytest
from support import ALT, DAY_S, World, now, short, wait, wait_until

UNBONDING_S = 14 * DAY_S
MAX_SUSPENSION_S = 72 * 3_600
H100_ALT, MINIMUM_ALT = 420, 200


@pytest.fixture
def operator(world: World):
    account = world.accounts[20]
    world.fund(account, 90_000)
    return account


@pytest.fixture
def node(world: World, operator) -> bytes:
    """A node of two H100, in a network large enough that a tenth of all stake covers it."""
    for index in range(4):
        world.register(operator, gpus=16, keys=b"other%d" % index)
    return world.register(operator, gpus=2)


def stake_of(world: World, node: bytes) -> int:
    return world.registry.node(node).stake


# Registering


def test_register_takes_the_stake(world: World, operator):
    before = world.token.balanceOf(operator)
    node = world.register(operator, gpus=2)
    assert before - world.token.balanceOf(operator) == 2 * H100_ALT * ALT
    details = world.registry.node(node)
    assert (details.operator, details.gpuCount) == (operator.address, 2)
    assert (details.minimumStake, details.unbondingPeriod) == (MINIMUM_ALT * ALT, UNBONDING_S)
    assert world.registry.status(node) == 1
    assert world.registry.totalStake() == 2 * H100_ALT * ALT
    assert world.registry.nodeIdAt(0) == node


def test_register_takes_at_least_the_minimum(world: World, operator):
    node = world.register(operator, gpus=1, gpu_class="edge_iot")
    assert stake_of(world, node) == MINIMUM_ALT * ALT


def test_register_says_everything(world: World, operator):
    receipt = world.registry.register(
        short("k"), short("h100_80g"), 1, short("eu-north"), "ipfs://node", sender=operator
    )
    (event,) = receipt.events.filter(world.registry.NodeRegistered)
    assert event.operator == operator.address
    assert (event["class"], event.region) == (short("h100_80g"), short("eu-north"))
    assert (event.metadataURI, event.stake) == ("ipfs://node", H100_ALT * ALT)


def test_register_reverts_without_tokens_or_allowance(world: World):
    with ape.reverts(world.token.ERC20InsufficientAllowance):
        world.register(world.holder)
    world.token.approve(world.registry, 10**30, sender=world.stranger)
    with ape.reverts(world.token.ERC20InsufficientBalance):
        world.register(world.stranger)


def test_register_reverts_for_an_unknown_class(world: World, operator):
    with ape.reverts(world.registry.NodeClassUnknown):
        world.register(operator, gpu_class="tpu")


@pytest.mark.parametrize("gpus", [0, 17])
def test_register_reverts_for_a_bad_count(world: World, operator, gpus: int):
    with ape.reverts(world.registry.NodeGpuCountInvalid, gpuCount=gpus, max=16):
        world.register(operator, gpus=gpus)


def test_keys_are_used_once_per_operator(world: World, operator):
    world.register(operator)
    with ape.reverts(world.registry.NodeKeysAlreadyUsed):
        world.register(operator)
    with ape.reverts(world.registry.NodeKeysInvalid):
        world.register(operator, keys=b"\0")


def test_copied_keys_do_not_block_the_original(world: World, operator):
    thief = world.accounts[21]
    world.fund(thief, 1_000)
    copy = world.register(thief)
    assert world.register(operator) != copy


# Capacity, keys and stake


def test_capacity_grows_with_its_stake(world: World, operator, node: bytes):
    with ape.reverts(
        world.registry.NodeStakeInsufficient,
        stake=2 * H100_ALT * ALT,
        required=3 * H100_ALT * ALT,
    ):
        world.registry.updateCapacity(node, 3, sender=operator)
    world.registry.addStake(node, H100_ALT * ALT, sender=operator)
    world.registry.updateCapacity(node, 3, sender=operator)
    assert world.registry.node(node).gpuCount == 3
    with ape.reverts(world.registry.NodeCapacityUnchanged):
        world.registry.updateCapacity(node, 3, sender=operator)


def test_capacity_shrinks_even_when_the_price_rose(world: World, operator, node: bytes):
    world.set({"stake.per_gpu_h100_80g": 520 * ALT})
    wait(3_600)
    assert not world.registry.isCovered(node)
    world.registry.updateCapacity(node, 1, sender=operator)
    assert world.registry.isCovered(node)


def test_minimum_is_that_of_the_registration(world: World, operator):
    node = world.register(operator, gpus=1, gpu_class="edge_iot")
    world.set({"stake.min_provider": 250 * ALT})
    wait(3_600)
    assert world.registry.isCovered(node)
    assert world.registry.requiredStake(short("edge_iot"), 1) == 250 * ALT


def test_rotated_keys_are_never_used_again(world: World, operator, node: bytes):
    receipt = world.registry.rotateKeys(node, short("new"), sender=operator)
    (event,) = receipt.events.filter(world.registry.NodeKeysRotated)
    assert (event.oldKeysHash, event.newKeysHash) == (short("k"), short("new"))
    assert world.registry.node(node).keysHash == short("new")
    for used in ("k", "new"):
        with ape.reverts(world.registry.NodeKeysAlreadyUsed):
            world.registry.rotateKeys(node, short(used), sender=operator)


def test_staked_tokens_cannot_vote(world: World, operator, node: bytes):
    stakes = world.registry.totalStake()
    assert world.token.getVotes(world.token.sentinel()) == 200_000 * ALT + stakes


def test_unstake_leaves_what_the_capacity_needs(world: World, operator, node: bytes):
    with ape.reverts(world.registry.NodeStakeInsufficient):
        world.registry.requestUnstake(node, 1, sender=operator)
    world.registry.updateCapacity(node, 1, sender=operator)
    world.registry.requestUnstake(node, H100_ALT * ALT, sender=operator)
    assert stake_of(world, node) == H100_ALT * ALT
    wait(UNBONDING_S)
    before = world.token.balanceOf(world.stranger)
    world.registry.withdraw(node, world.stranger, sender=operator)
    assert world.token.balanceOf(world.stranger) - before == H100_ALT * ALT
    assert world.registry.status(node) == 1


def test_unstakes_are_limited_but_an_exit_is_not(world: World, operator, node: bytes):
    world.registry.addStake(node, 20, sender=operator)
    for _ in range(10):
        world.registry.requestUnstake(node, 1, sender=operator)
    with ape.reverts(world.registry.NodeTooManyUnbonds, max=10):
        world.registry.requestUnstake(node, 1, sender=operator)
    world.registry.requestExit(node, sender=operator)
    wait(UNBONDING_S)
    world.registry.withdraw(node, operator, sender=operator)
    assert world.registry.status(node) == 4


@pytest.mark.parametrize("act", ["addStake", "requestUnstake"])
def test_amount_of_zero_is_refused(world: World, operator, node: bytes, act: str):
    with ape.reverts(world.registry.NodeAmountZero):
        getattr(world.registry, act)(node, 0, sender=operator)


def test_unknown_node_is_refused(world: World, operator):
    with ape.reverts(world.registry.NodeUnknown):
        world.registry.requestExit(short("nothing"), sender=operator)
    assert world.registry.status(short("nothing")) == 0


# Leaving


def test_exit_pays_after_unbonding(world: World, operator, node: bytes):
    receipt = world.registry.requestExit(node, sender=operator)
    due_at = receipt.timestamp + UNBONDING_S
    assert world.registry.status(node) == 3
    with ape.reverts(world.registry.NodeNothingToWithdraw, withdrawableAt=due_at):
        world.registry.withdraw(node, operator, sender=operator)
    wait_until(due_at)
    world.registry.withdraw(node, operator, sender=operator)
    assert world.registry.status(node) == 4
    with ape.reverts(world.registry.NodeNothingToWithdraw, withdrawableAt=0):
        world.registry.withdraw(node, operator, sender=operator)


def test_unbonding_period_is_that_of_the_registration(world: World, operator, node: bytes):
    world.set({"stake.unbonding_period": 21 * DAY_S})
    wait(DAY_S)
    receipt = world.registry.requestExit(node, sender=operator)
    (event,) = receipt.events.filter(world.registry.ExitRequested)
    assert event.withdrawableAt == receipt.timestamp + UNBONDING_S


def test_leaving_node_changes_nothing_more(world: World, operator, node: bytes):
    world.registry.requestExit(node, sender=operator)
    calls = [
        ("updateCapacity", (1,)),
        ("rotateKeys", (short("new"),)),
        ("addStake", (1,)),
        ("requestUnstake", (1,)),
        ("requestExit", ()),
    ]
    for name, arguments in calls:
        with ape.reverts(world.registry.NodeExiting):
            getattr(world.registry, name)(node, *arguments, sender=operator)


def test_withdraw_reverts_to_the_registry_itself(world: World, operator, node: bytes):
    world.registry.requestExit(node, sender=operator)
    wait(UNBONDING_S)
    for to in (world.registry.address, "0x" + "00" * 20):
        with ape.reverts(world.registry.NodeRecipientInvalid):
            world.registry.withdraw(node, to, sender=operator)


# Suspension


def suspend(world: World, node: bytes):
    return world.registry.suspend(node, short("stale"), short("evidence"), sender=world.attestor)


def test_suspension_ends_by_itself(world: World, node: bytes):
    receipt = suspend(world, node)
    (event,) = receipt.events.filter(world.registry.NodeSuspended)
    assert event.until == receipt.timestamp + MAX_SUSPENSION_S
    assert world.registry.status(node) == 2
    with ape.reverts(world.registry.NodeAlreadySuspended, until=event.until):
        suspend(world, node)
    wait_until(event.until)
    assert world.registry.status(node) == 1


def test_attestor_resumes(world: World, node: bytes):
    with ape.reverts(world.registry.NodeNotSuspended):
        world.registry.resume(node, sender=world.attestor)
    suspend(world, node)
    world.registry.resume(node, sender=world.attestor)
    wait(1)
    assert world.registry.status(node) == 1


@pytest.mark.parametrize("who", ["holder", "guardian"])
def test_suspend_belongs_to_the_attestor(world: World, node: bytes, who: str):
    with ape.reverts(world.registry.AccessControlUnauthorizedAccount):
        world.registry.suspend(node, short("r"), short("e"), sender=getattr(world, who))


def test_suspension_never_stops_an_exit(world: World, operator, node: bytes):
    suspend(world, node)
    world.registry.requestExit(node, sender=operator)
    wait(UNBONDING_S)
    world.registry.withdraw(node, operator, sender=operator)
    assert world.registry.status(node) == 4


def test_leaving_node_is_not_suspended(world: World, operator, node: bytes):
    world.registry.requestExit(node, sender=operator)
    with ape.reverts(world.registry.NodeExiting):
        suspend(world, node)


def test_suspensions_keep_to_a_tenth_of_all_stake(world: World, operator, node: bytes):
    others = [world.register(operator, gpus=2, keys=b"small%d" % index) for index in range(4)]
    suspendable = world.registry.suspendableStake()
    assert suspendable == world.registry.totalStake() // 10
    # 74 GPUs in all: a tenth covers three nodes of two.
    for other in others[:3]:
        suspend(world, other)
    left = suspendable - 6 * H100_ALT * ALT
    assert world.registry.suspendableStake() == left
    with ape.reverts(
        world.registry.NodeSuspensionShareExceeded, stake=2 * H100_ALT * ALT, available=left
    ):
        suspend(world, others[3])


def test_large_share_is_not_suspended(world: World, operator, node: bytes):
    large = world.registry.nodeIdAt(0)
    with ape.reverts(world.registry.NodeSuspensionShareExceeded):
        suspend(world, large)


def test_share_is_new_in_the_next_epoch(world: World, operator, node: bytes):
    suspend(world, node)
    world.registry.resume(node, sender=world.attestor)
    spent = world.registry.suspendableStake()
    genesis = world.parameters.genesisAt()
    wait_until(genesis + ((now() - genesis) // DAY_S + 1) * DAY_S)
    assert world.registry.suspendableStake() == spent + stake_of(world, node)


def test_suspensions_keep_to_seven_days_in_thirty(world: World, node: bytes):
    untils = []
    for _ in range(3):
        receipt = suspend(world, node)
        (event,) = receipt.events.filter(world.registry.NodeSuspended)
        untils.append((receipt.timestamp, event.until))
        wait_until(event.until)
    # 3 + 3 days, and what is left of the seven.
    assert untils[2][1] - untils[2][0] == DAY_S
    with ape.reverts(world.registry.NodeSuspensionTimeExceeded, used=7 * DAY_S, max=7 * DAY_S):
        suspend(world, node)
    wait_until(untils[0][1] + 30 * DAY_S)
    suspend(world, node)


def test_guardian_takes_the_role_but_cannot_give_it(world: World, node: bytes):
    role = world.registry.ATTESTOR_ROLE()
    with ape.reverts(world.registry.NodeGuardianOnly):
        world.registry.revokeAttestor(world.attestor, sender=world.holder)
    world.registry.revokeAttestor(world.attestor, sender=world.guardian)
    with ape.reverts(world.registry.AccessControlUnauthorizedAccount):
        suspend(world, node)
    with ape.reverts(world.registry.AccessControlUnauthorizedAccount):
        world.registry.grantRole(role, world.attestor, sender=world.guardian)
    world.registry.grantRole(role, world.accounts[9], sender=world.as_timelock)
    assert world.registry.hasRole(role, world.accounts[9])


def test_lapsed_guardian_takes_no_role(world: World):
    wait_until(world.governor.guardianUntil())
    with ape.reverts(world.registry.NodeGuardianOnly):
        world.registry.revokeAttestor(world.attestor, sender=world.guardian)
