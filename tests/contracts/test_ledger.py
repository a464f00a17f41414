"""AttestationLedger: epochs in order, a day to void each, and what is told of them."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import ape
import pytest
from support import DAY_S, World, decide, now, short, wait, wait_until

ROOT, OTHER_ROOT, ABOUT = b"\x01" * 32, b"\x02" * 32, b"\x03" * 32


class Status(IntEnum):
    """IAttestationLedger.EpochStatus."""

    NONE = 0
    POSTED = 1
    USABLE = 2
    VOIDED = 3


def end_of(world: World, epoch: int) -> int:
    return int(world.parameters.genesisAt()) + (epoch + 1) * DAY_S


def post(world: World, epoch: int, *, root: bytes = ROOT, count: int = 10, total: int = 900) -> Any:
    return world.ledger.post(epoch, root, count, total, ABOUT, sender=world.attestor)


@pytest.fixture
def posted(world: World) -> int:
    """Epoch 0, posted a second after its end; returns when that was."""
    wait_until(end_of(world, 0))
    post(world, 0)
    return now()


def status_of(world: World, epoch: int) -> Status:
    return Status(world.ledger.status(epoch))


# Posting


def test_an_epoch_is_posted_after_its_end(world: World):
    assert world.ledger.firstEpoch() == world.ledger.nextEpoch() == 0
    wait_until(end_of(world, 0) - 2)
    with ape.reverts(world.ledger.LedgerEpochNotOver, epoch=0, allowedAt=end_of(world, 0)):
        post(world, 0)
    receipt = post(world, 0)
    assert now() == end_of(world, 0)
    (event,) = receipt.events.filter(world.ledger.EpochPosted)
    assert (event.epoch, event.root, event.count) == (0, ROOT, 10)
    assert (event.totalSeconds, event.metadataHash) == (900, ABOUT)
    assert event.usableAt == world.ledger.usableAt(0) == now() + DAY_S
    assert world.ledger.nextEpoch() == 1


def test_the_record_says_everything(world: World, posted: int):
    held = world.ledger.record(0)
    assert (held.root, held.metadataHash, held.count) == (ROOT, ABOUT, 10)
    assert (held.totalSeconds, held.postedAt, held.voided) == (900, posted, False)


def test_epochs_are_posted_in_order_and_once(world: World, posted: int):
    wait_until(end_of(world, 5))
    for wrong in (0, 2, 5):
        with ape.reverts(world.ledger.LedgerEpochNotNext, epoch=wrong, next=1):
            post(world, wrong, root=OTHER_ROOT)
    post(world, 1)
    assert world.ledger.record(0).root == ROOT
    assert world.ledger.nextEpoch() == 2


def test_an_epoch_without_verdicts_is_posted_as_such(world: World, posted: int):
    wait_until(end_of(world, 1))
    with ape.reverts(world.ledger.LedgerRootInvalid, root=ROOT, count=0):
        post(world, 1, count=0, total=0)
    with ape.reverts(world.ledger.LedgerRootInvalid, root=bytes(32), count=10):
        post(world, 1, root=bytes(32))
    with ape.reverts(world.ledger.LedgerTotalInvalid, totalSeconds=1, max=0):
        post(world, 1, root=bytes(32), count=0, total=1)
    post(world, 1, root=bytes(32), count=0, total=0)
    assert world.ledger.record(1).count == 0


def test_the_total_is_at_most_a_day_per_verdict(world: World):
    wait_until(end_of(world, 0))
    with ape.reverts(world.ledger.LedgerTotalInvalid, totalSeconds=10 * DAY_S + 1, max=10 * DAY_S):
        post(world, 0, total=10 * DAY_S + 1)
    post(world, 0, total=10 * DAY_S)


@pytest.mark.parametrize("sender", ["guardian", "holder", "as_timelock"])
def test_nobody_else_posts(world: World, posted: int, sender: str):
    wait_until(end_of(world, 1))
    for act in (world.ledger.post, world.ledger.repost):
        with ape.reverts(world.ledger.AccessControlUnauthorizedAccount):
            act(1, ROOT, 10, 900, ABOUT, sender=getattr(world, sender))


# Reading


def test_what_was_not_posted_is_unknown(world: World, posted: int):
    for epoch in (1, 2**256 - 1):
        assert status_of(world, epoch) is Status.NONE
        for read in (world.ledger.record, world.ledger.usableAt):
            with ape.reverts(world.ledger.LedgerEpochUnknown, epoch=epoch):
                read(epoch)
        with ape.reverts(world.ledger.LedgerEpochUnknown, epoch=epoch):
            world.ledger.voidEpoch(epoch, short("why"), sender=world.guardian)


def test_a_root_is_usable_after_a_day(world: World, posted: int):
    wait_until(posted + DAY_S - 1)
    assert status_of(world, 0) is Status.POSTED
    wait(1)
    assert status_of(world, 0) is Status.USABLE


# Voiding


@pytest.mark.parametrize("sender", ["guardian", "as_timelock"])
def test_a_wrong_root_is_voided_within_a_day(world: World, posted: int, sender: str):
    wait_until(posted + DAY_S - 2)
    receipt = world.ledger.voidEpoch(0, short("wrong total"), sender=getattr(world, sender))
    (event,) = receipt.events.filter(world.ledger.EpochVoided)
    assert (event.epoch, event.root, event.reason) == (0, ROOT, short("wrong total"))
    assert event.by == getattr(world, sender).address
    assert status_of(world, 0) is Status.VOIDED
    assert world.ledger.record(0).voided
    with ape.reverts(world.ledger.LedgerEpochVoided, epoch=0):
        world.ledger.voidEpoch(0, short("again"), sender=world.guardian)


def test_after_a_day_a_root_stays(world: World, posted: int):
    wait_until(posted + DAY_S - 1)
    with ape.reverts(world.ledger.LedgerVoidWindowClosed, epoch=0, closedAt=posted + DAY_S):
        world.ledger.voidEpoch(0, short("late"), sender=world.guardian)


@pytest.mark.parametrize("sender", ["attestor", "holder"])
def test_nobody_else_voids(world: World, posted: int, sender: str):
    caller = getattr(world, sender)
    with ape.reverts(world.ledger.LedgerUnauthorized, caller=caller.address):
        world.ledger.voidEpoch(0, short("why"), sender=caller)


def test_a_lapsed_guardian_changes_nothing(world: World):
    wait_until(int(world.governor.guardianUntil()))
    post(world, 0)
    for act in (
        lambda: world.ledger.voidEpoch(0, short("why"), sender=world.guardian),
        lambda: world.ledger.revokeAttestor(world.attestor, sender=world.guardian),
    ):
        with ape.reverts(world.ledger.LedgerUnauthorized, caller=world.guardian.address):
            act()


# Posting again


def test_a_voided_epoch_is_posted_again_with_a_day_of_its_own(world: World, posted: int):
    world.ledger.voidEpoch(0, short("wrong total"), sender=world.guardian)
    wait(3 * DAY_S)
    receipt = world.ledger.repost(0, OTHER_ROOT, 9, 800, bytes(32), sender=world.attestor)
    (event,) = receipt.events.filter(world.ledger.EpochPosted)
    assert (event.epoch, event.root, event.usableAt) == (0, OTHER_ROOT, now() + DAY_S)
    assert status_of(world, 0) is Status.POSTED
    assert world.ledger.nextEpoch() == 1
    world.ledger.voidEpoch(0, short("still wrong"), sender=world.guardian)
    world.ledger.repost(0, ROOT, 9, 800, bytes(32), sender=world.attestor)
    wait(DAY_S)
    assert status_of(world, 0) is Status.USABLE
    with ape.reverts(world.ledger.LedgerEpochNotVoided, epoch=0):
        world.ledger.repost(0, OTHER_ROOT, 9, 800, bytes(32), sender=world.attestor)


def test_a_void_does_not_hold_up_later_epochs(world: World, posted: int):
    world.ledger.voidEpoch(0, short("wrong total"), sender=world.guardian)
    wait_until(end_of(world, 1))
    with ape.reverts(world.ledger.LedgerEpochNotNext, epoch=0, next=1):
        post(world, 0)
    post(world, 1)
    assert status_of(world, 0) is Status.VOIDED
    assert status_of(world, 1) is Status.POSTED


def test_only_a_posted_epoch_is_posted_again(world: World, posted: int):
    with ape.reverts(world.ledger.LedgerEpochUnknown, epoch=1):
        world.ledger.repost(1, ROOT, 10, 900, ABOUT, sender=world.attestor)
    with ape.reverts(world.ledger.LedgerEpochNotVoided, epoch=0):
        world.ledger.repost(0, OTHER_ROOT, 10, 900, ABOUT, sender=world.attestor)


# The role


def test_the_guardian_revokes_the_attestor_and_a_vote_grants(world: World, voters: None):
    ledger = world.ledger
    with ape.reverts(ledger.LedgerUnauthorized, caller=world.holder.address):
        ledger.revokeAttestor(world.attestor, sender=world.holder)
    ledger.revokeAttestor(world.attestor, sender=world.guardian)
    wait_until(end_of(world, 0))
    with ape.reverts(ledger.AccessControlUnauthorizedAccount):
        post(world, 0)
    role = ledger.ATTESTOR_ROLE()
    with ape.reverts(ledger.AccessControlUnauthorizedAccount):
        ledger.grantRole(role, world.attestor, sender=world.guardian)
    decide(world, (ledger, 0, ledger.grantRole.encode_input(role, world.attestor)))
    post(world, 0)
    assert ledger.nextEpoch() == 1
