"""AlthingToken: the genesis list, minting and the votes of what cannot vote."""

from __future__ import annotations

import ape
import pytest
from _deployment.steps import container
from eth_utils import keccak
from support import ALT, DAY_S, World, now, wait

YEARLY_ALT = 2_000_000


def test_genesis_mints_the_list(world: World):
    assert world.token.totalSupply() == 750_000 * ALT
    assert world.token.balanceOf(world.accounts[0]) == 100_000 * ALT
    assert world.token.balanceOf(world.timelock) == 200_000 * ALT


def test_genesis_reverts_with_lists_of_different_length(world: World):
    arguments = ("A", "A", ALT, ALT, world.timelock.address, [world.holder.address], [])
    deployment = container("AlthingToken").constructor.serialize_transaction(*arguments)
    call = {"from": world.holder.address, "data": "0x" + bytes(deployment.data).hex()}
    # Ape's own decoding of a reverted constructor fails on array arguments, so the node is asked.
    with pytest.raises(Exception, match="revert") as caught:
        ape.chain.provider.make_request("eth_call", [call, "latest"])
    selector = keccak(text="AlthingTokenGenesisLengthMismatch(uint256,uint256)")[:4]
    # The node puts the revert data into its message as characters.
    assert selector.decode("latin-1") in str(caught.value)


def test_clock_is_time(world: World):
    assert world.token.CLOCK_MODE() == "mode=timestamp"
    assert abs(world.token.clock() - now()) <= 1


def test_mint_pays_the_treasury(world: World):
    before = world.token.balanceOf(world.timelock)
    world.token.mint(5 * ALT, sender=world.as_timelock)
    assert world.token.balanceOf(world.timelock) == before + 5 * ALT


def test_mint_reverts_for_anyone_else(world: World):
    with ape.reverts(world.token.AlthingTokenUnauthorizedMinter, caller=world.holder.address):
        world.token.mint(1, sender=world.holder)


def test_mint_keeps_to_the_year(world: World):
    world.token.mint(YEARLY_ALT * ALT, sender=world.as_timelock)
    with ape.reverts(world.token.AlthingTokenYearlyMintExceeded, requested=1, available=0):
        world.token.mint(1, sender=world.as_timelock)
    wait(365 * DAY_S)
    assert world.token.mintable() == YEARLY_ALT * ALT
    world.token.mint(1, sender=world.as_timelock)


def test_mint_keeps_to_the_cap(world: World):
    token = world.accounts[0].deploy(
        container("AlthingToken"), "A", "A", 10, 100, world.timelock.address, [], []
    )
    token.mint(10, sender=world.as_timelock)
    with ape.reverts(token.ERC20ExceededCap, increasedSupply=11, cap=10):
        token.mint(1, sender=world.as_timelock)


def test_treasury_tokens_are_the_sentinels(world: World):
    sentinel = world.token.sentinel()
    assert world.token.delegates(world.timelock) == sentinel
    assert world.token.getVotes(sentinel) == 200_000 * ALT
    world.token.transfer(world.timelock, ALT, sender=world.holder)
    assert world.token.getVotes(sentinel) == 200_001 * ALT


def test_permit_names_the_token(world: World):
    assert world.token.eip712Domain()[1] == "Althing"
    assert world.token.nonces(world.holder) == 0
