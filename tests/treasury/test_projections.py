"""The treasury's projector against the real contracts on anvil."""

from datetime import UTC, datetime

import pytest
from django.core.management import call_command

from chain.client import chain_call, chain_head
from chain.clock import now
from chain.contracts import contract
from treasury.models import Asset, Balance, Transfer, TransferDirection
from treasury.selectors import balances_reconciled, payment_impact

ALT = 10**18
ETHER = 10**18
pytestmark = pytest.mark.chain


def reconciled(code):
    return next(row for row in balances_reconciled(now=now()) if row.asset.code == code)


def holder_of(world):
    """A funded account of the genesis list."""
    for account in world.accounts:
        if chain_call("AlthingToken", "balanceOf", (account.address,)) > 1000 * ALT:
            return account.address
    pytest.fail("no account of anvil's holds tokens in the tests' deployment")


def test_genesis_balance_is_read_and_its_mint_is_a_transfer(world):
    world.settle()
    held = chain_call("AlthingToken", "balanceOf", (world.timelock,))
    assert Balance.objects.get(asset="ALT").amount_wei == held
    assert Balance.objects.get(asset="ETH").amount_wei == world.eth_of(world.timelock)
    assert Asset.objects.get(code="ALT").address == contract("AlthingToken").address
    assert Asset.objects.get(code="ETH").address is None
    row = reconciled("ALT")
    assert (row.state, row.logged_wei, row.difference_wei) == ("ok", held, 0)
    if held:
        mint = Transfer.objects.get(asset="ALT")
        assert (mint.direction, mint.sender, mint.amount_wei) == ("in", bytes(20), held)


def test_tokens_in_and_out_are_transfers_in_chain_order(world):
    giver, payee = holder_of(world), bytes.fromhex("aa" * 20)
    world.call(giver, "AlthingToken", "transfer", (world.timelock, 500 * ALT))
    paid = world.pay_alt(payee, 120 * ALT)
    world.settle()
    out, came = Transfer.objects.filter(asset="ALT")[:2]
    assert (out.direction, out.recipient, out.amount_wei) == ("out", payee, 120 * ALT)
    assert (out.counterparty, out.transaction_hash) == (payee, paid)
    assert (came.direction, came.sender, came.amount_wei) == ("in", giver, 500 * ALT)
    assert out.position > came.position
    row = reconciled("ALT")
    assert row.state == "ok"
    assert row.balance_wei == chain_call("AlthingToken", "balanceOf", (world.timelock,))


def test_transfers_between_others_are_not_the_treasurys(world):
    world.settle()
    before = Transfer.objects.count()
    world.call(holder_of(world), "AlthingToken", "transfer", (bytes.fromhex("bb" * 20), 5 * ALT))
    world.settle()
    assert Transfer.objects.count() == before


def test_eth_paid_by_the_timelock_is_a_transfer_and_plain_eth_in_is_a_difference(world):
    payee = bytes.fromhex("cc" * 20)
    world.transaction(world.accounts[5].address, world.timelock, value_wei=10 * ETHER)
    paid = world.pay_eth(payee, 3 * ETHER)
    world.settle()
    row = Transfer.objects.get(asset="ETH")
    assert (row.direction, row.recipient, row.amount_wei) == ("out", payee, 3 * ETHER)
    assert (row.sender, row.transaction_hash) == (world.timelock, paid)
    found = reconciled("ETH")
    assert found.balance_wei == world.eth_of(world.timelock)
    assert found.logged_wei == -3 * ETHER
    assert found.state == "unlogged"
    assert found.difference_wei == found.balance_wei + 3 * ETHER
    impact = payment_impact(asset_code="ETH", amount_wei=ETHER, now=_chain_now())
    assert impact.outflow_before_wei == 3 * ETHER
    assert impact.outflow_after_wei == 4 * ETHER


def _chain_now():
    return datetime.fromtimestamp(chain_head().timestamp, tz=UTC)


def test_plain_eth_is_noticed_without_any_log(world):
    world.settle()
    before = Balance.objects.get(asset="ETH").amount_wei
    world.transaction(world.accounts[5].address, world.timelock, value_wei=2 * ETHER)
    world.rpc("anvil_mine", hex(70))
    world.index()
    assert Balance.objects.get(asset="ETH").amount_wei == before + 2 * ETHER


def test_payment_to_itself_moves_nothing(world):
    world.call(holder_of(world), "AlthingToken", "transfer", (world.timelock, 10 * ALT))
    world.pay_alt(world.timelock, 4 * ALT)
    world.settle()
    assert Transfer.objects.first().direction == TransferDirection.SELF
    assert reconciled("ALT").state == "ok"


def test_reorg_takes_a_payment_back(world):
    giver = holder_of(world)
    world.call(giver, "AlthingToken", "transfer", (world.timelock, 500 * ALT))
    world.settle()
    known = list(Transfer.objects.values_list("position", "amount_wei"))
    held = Balance.objects.get(asset="ALT").amount_wei
    snapshot = world.rpc("evm_snapshot")
    world.pay_alt(bytes.fromhex("dd" * 20), 50 * ALT)
    world.index()
    assert Transfer.objects.filter(direction="out", amount_wei=50 * ALT).exists()
    world.rpc("evm_revert", snapshot)
    # Another transaction in its place: the block is another, its number is not.
    world.call(giver, "AlthingToken", "transfer", (bytes.fromhex("ee" * 20), ALT))
    world.settle()
    assert list(Transfer.objects.values_list("position", "amount_wei")) == known
    assert Balance.objects.get(asset="ALT").amount_wei == held
    assert reconciled("ALT").state == "ok"


def test_rebuild_gives_the_same_tables(world):
    world.call(holder_of(world), "AlthingToken", "transfer", (world.timelock, 500 * ALT))
    world.transaction(world.accounts[5].address, world.timelock, value_wei=ETHER)
    world.pay_eth(bytes.fromhex("cc" * 20), ETHER // 2)
    world.settle()

    def tables():
        return [list(model.objects.order_by("pk").values()) for model in (Asset, Transfer, Balance)]

    before = tables()
    call_command("rebuild_projections", verbosity=0)
    assert tables() == before
