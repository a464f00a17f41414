"""NetworkParameters over time: pending sets, undoing, and the guardian's tightening."""

from __future__ import annotations

import ape
import pytest
from support import DAY_S, World, key_of, wait, wait_until, word

WEEK_S = 7 * DAY_S
S_DELAY_S, C_DELAY_S = 3_600, DAY_S
TTL = "attest.ttl"


# Pending sets

SENSITIVE = "stake.per_gpu_h100_80g"
SENSITIVE_FROM, SENSITIVE_TO = 420 * 10**18, 500 * 10**18


def test_sensitive_set_is_pending_first(world: World):
    receipt = world.set({SENSITIVE: SENSITIVE_TO})
    effective_at = receipt.timestamp + S_DELAY_S
    assert tuple(world.parameters.pending(key_of(SENSITIVE))) == (
        1,
        word(SENSITIVE_TO),
        effective_at,
    )
    wait_until(effective_at - 1)
    assert world.value(SENSITIVE) == SENSITIVE_FROM
    wait_until(effective_at)
    assert world.value(SENSITIVE) == SENSITIVE_TO
    assert world.parameters.pending(key_of(SENSITIVE))[0] == 0
    wait(1)
    assert world.parameters.getAt(key_of(SENSITIVE), effective_at - 1) == word(SENSITIVE_FROM)
    assert world.parameters.getAt(key_of(SENSITIVE), effective_at) == word(SENSITIVE_TO)


def test_past_stays_when_a_later_set_settles_a_pending_one(world: World):
    effective_at = world.set({SENSITIVE: SENSITIVE_TO}).timestamp + S_DELAY_S
    wait_until(effective_at + WEEK_S)
    world.set({SENSITIVE: 480 * 10**18})
    assert world.parameters.getAt(key_of(SENSITIVE), effective_at - 1) == word(SENSITIVE_FROM)
    assert world.parameters.getAt(key_of(SENSITIVE), effective_at) == word(SENSITIVE_TO)


def test_longest_delay_holds_for_the_whole_set(world: World):
    receipt = world.set({SENSITIVE: SENSITIVE_TO, TTL: 2400, "meta.guardian_tighten_max": 3600})
    for name in (SENSITIVE, TTL):
        assert world.parameters.pending(key_of(name))[2] == receipt.timestamp + C_DELAY_S


def test_pending_key_refuses_another_set(world: World):
    world.set({SENSITIVE: SENSITIVE_TO})
    with ape.reverts(world.parameters.ParameterPending, key=key_of(SENSITIVE), setId=1):
        world.parameters.validate([key_of(SENSITIVE)], [word(480 * 10**18)])


def test_pending_key_blocks_those_it_shares_an_invariant_with(world: World):
    # I2 binds the two, although two more of its keys are not defined yet.
    world.set({"stake.unbonding_period": 13 * DAY_S})
    with ape.reverts(
        world.parameters.ParameterPending, key=key_of("stake.unbonding_period"), setId=1
    ):
        world.parameters.validate([key_of(TTL)], [word(2400)])
    world.parameters.validate([key_of("attest.nonce_ttl")], [word(110)])
    wait(C_DELAY_S)
    world.parameters.validate([key_of(TTL)], [word(2400)])


def test_guardian_vetoes_a_pending_set(world: World):
    world.set({SENSITIVE: SENSITIVE_TO, TTL: 2400})
    receipt = world.parameters.veto(1, sender=world.guardian)
    assert [log.setId for log in receipt.events.filter(world.parameters.ParameterSetVetoed)] == [1]
    wait(S_DELAY_S)
    assert (world.value(SENSITIVE), world.value(TTL)) == (SENSITIVE_FROM, 2700)
    # A vetoed change costs no interval.
    world.set({SENSITIVE: SENSITIVE_TO})


def test_veto_reverts_once_effective(world: World):
    effective_at = world.set({SENSITIVE: SENSITIVE_TO}).timestamp + S_DELAY_S
    wait_until(effective_at)
    with ape.reverts(world.parameters.ParameterSetNotPending, setId=1):
        world.parameters.veto(1, sender=world.guardian)


def test_veto_reverts_for_others_and_for_a_lapsed_guardian(world: World):
    wait(29 * DAY_S)
    world.set({"meta.guardian_tighten_max": 3600})
    with ape.reverts(world.parameters.ParameterUnauthorized, caller=world.holder.address):
        world.parameters.veto(1, sender=world.holder)
    wait_until(world.governor.guardianUntil())
    with ape.reverts(world.parameters.ParameterUnauthorized, caller=world.guardian.address):
        world.parameters.veto(1, sender=world.guardian)


def test_vote_withdraws_a_pending_set(world: World):
    world.set({SENSITIVE: SENSITIVE_TO})
    with ape.reverts(world.parameters.ParameterUnauthorized):
        world.parameters.withdraw(1, sender=world.guardian)
    world.parameters.withdraw(1, sender=world.as_timelock)
    wait(S_DELAY_S)
    assert world.value(SENSITIVE) == SENSITIVE_FROM
    with ape.reverts(world.parameters.ParameterSetNotPending):
        world.parameters.withdraw(1, sender=world.as_timelock)


@pytest.mark.parametrize("act", ["veto", "withdraw", "undo"])
def test_unknown_set_is_refused(world: World, act: str):
    sender = world.guardian if act == "veto" else world.as_timelock
    with ape.reverts(world.parameters.ParameterSetUnknown, setId=7):
        getattr(world.parameters, act)(7, sender=sender)


# Undoing


def test_undo_restores_free_of_the_rate_limit(world: World):
    world.set({TTL: 2400, "attest.nonce_ttl": 110})
    receipt = world.parameters.undo(1, sender=world.as_timelock)
    (undone,) = receipt.events.filter(world.parameters.ParameterSetUndone)
    assert (undone.setId, undone.bySetId) == (1, 2)
    assert (world.value(TTL), world.value("attest.nonce_ttl")) == (2700, 120)
    assert world.parameters.parameterSet(1).status == 4
    assert world.parameters.parameterSet(2).undoOf == 1


def test_undo_waits_like_any_change_of_its_class(world: World):
    effective_at = world.set({SENSITIVE: SENSITIVE_TO}).timestamp + S_DELAY_S
    wait_until(effective_at)
    receipt = world.parameters.undo(1, sender=world.as_timelock)
    assert world.value(SENSITIVE) == SENSITIVE_TO
    wait_until(receipt.timestamp + S_DELAY_S)
    assert world.value(SENSITIVE) == SENSITIVE_FROM


def test_vetoed_undo_can_be_voted_again(world: World):
    effective_at = world.set({SENSITIVE: SENSITIVE_TO}).timestamp + S_DELAY_S
    wait_until(effective_at)
    world.parameters.undo(1, sender=world.as_timelock)
    world.parameters.veto(2, sender=world.guardian)
    assert world.parameters.parameterSet(1).status == 1
    world.parameters.undo(1, sender=world.as_timelock)


def test_undo_reverts_while_pending_and_after_itself(world: World):
    effective_at = world.set({SENSITIVE: SENSITIVE_TO}).timestamp + S_DELAY_S
    with ape.reverts(world.parameters.ParameterSetNotUndoable, setId=1):
        world.parameters.undo(1, sender=world.as_timelock)
    wait_until(effective_at)
    world.parameters.undo(1, sender=world.as_timelock)
    wait(S_DELAY_S)
    for undone in (1, 2):
        with ape.reverts(world.parameters.ParameterSetNotUndoable, setId=undone):
            world.parameters.undo(undone, sender=world.as_timelock)


def test_undo_reverts_after_30_days(world: World):
    closes_at = world.set({TTL: 2400}).timestamp + 30 * DAY_S
    wait_until(closes_at)
    with ape.reverts(world.parameters.ParameterUndoWindowClosed, setId=1, closedAt=closes_at):
        world.parameters.undo(1, sender=world.as_timelock)


def test_undo_reverts_when_the_key_moved_on(world: World):
    world.set({TTL: 2400})
    wait(WEEK_S)
    world.set({TTL: 2460})
    with ape.reverts(world.parameters.ParameterUnexpectedValue, key=key_of(TTL)):
        world.parameters.undo(1, sender=world.as_timelock)


# The guardian's tightening

TIGHTENABLE = "attest.required_tier_h100_80g"
TIGHTEN_MAX_S = 259_200


def test_tighten_holds_for_a_while(world: World):
    receipt = world.parameters.tighten(key_of(TIGHTENABLE), word(5), sender=world.guardian)
    (event,) = receipt.events.filter(world.parameters.ParameterTightened)
    assert (event.fromValue, event.toValue) == (word(4), word(5))
    assert event.lapsesAt == receipt.timestamp + TIGHTEN_MAX_S
    assert world.value(TIGHTENABLE) == 5
    assert world.parameters.getVoted(key_of(TIGHTENABLE)) == word(4)
    wait_until(event.lapsesAt - 1)
    assert world.value(TIGHTENABLE) == 5
    wait_until(event.lapsesAt)
    assert world.value(TIGHTENABLE) == 4
    wait(1)
    assert world.parameters.getAt(key_of(TIGHTENABLE), event.lapsesAt - 1) == word(5)
    assert world.parameters.getAt(key_of(TIGHTENABLE), receipt.timestamp - 1) == word(4)


def test_tighten_costs_no_interval_and_blocks_no_vote(world: World):
    world.parameters.tighten(key_of(TIGHTENABLE), word(5), sender=world.guardian)
    world.set({TIGHTENABLE: 3})
    wait(S_DELAY_S)
    # The stricter of the two until the tightening lapses.
    assert world.value(TIGHTENABLE) == 5
    wait(TIGHTEN_MAX_S)
    assert world.value(TIGHTENABLE) == 3


def test_tighten_reverts_twice_in_30_days(world: World):
    first = world.parameters.tighten(key_of(TIGHTENABLE), word(5), sender=world.guardian)
    wait_until(first.timestamp + 29 * DAY_S)
    with ape.reverts(
        world.parameters.ParameterTightenedTooRecently,
        allowedAt=first.timestamp + 30 * DAY_S,
    ):
        world.parameters.tighten(key_of(TIGHTENABLE), word(5), sender=world.guardian)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        (TIGHTENABLE, 3, "ParameterNotTighter"),
        (TIGHTENABLE, 4, "ParameterNotTighter"),
        (TIGHTENABLE, 6, "ParameterOutOfBounds"),
        ("attest.required_tier_cloud", 3, "ParameterChangeTooLarge"),
        (TTL, 2400, "ParameterNotTightenable"),
    ],
)
def test_tighten_keeps_to_its_direction_and_bounds(world: World, name: str, value: int, error: str):
    with ape.reverts(getattr(world.parameters, error)):
        world.parameters.tighten(key_of(name), word(value), sender=world.guardian)


def test_tighten_reverts_for_others(world: World):
    with ape.reverts(world.parameters.ParameterUnauthorized, caller=world.holder.address):
        world.parameters.tighten(key_of(TIGHTENABLE), word(5), sender=world.holder)
