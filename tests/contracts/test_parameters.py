"""NetworkParameters: how a vote changes a parameter, and everything that refuses it."""

from __future__ import annotations

import ape
import pytest
from support import DAY_S, World, key_of, now, set_arguments, wait, wait_until, word

WEEK_S = 7 * DAY_S
TTL = "attest.ttl"


# Setting


def test_set_changes_at_once_and_says_so(world: World):
    receipt = world.set({TTL: 2400})
    (scheduled,) = receipt.events.filter(world.parameters.ParameterSetScheduled)
    (changed,) = receipt.events.filter(world.parameters.ParameterChanged)
    assert (scheduled.setId, scheduled.version, scheduled.effectiveAt) == (1, 1, receipt.timestamp)
    assert changed.key == key_of(TTL)
    assert (changed.oldValue, changed.newValue) == (word(2700), word(2400))
    assert (changed.effectiveAt, changed.setId) == (receipt.timestamp, 1)
    assert world.value(TTL) == 2400


def test_set_is_atomic(world: World):
    changes = {TTL: 2400, "attest.nonce_ttl": 10_000}
    with ape.reverts(world.parameters.ParameterOutOfBounds):
        world.set(changes)
    assert world.value(TTL) == 2700


def test_set_reverts_for_anyone_but_the_timelock(world: World):
    keys, values = set_arguments({TTL: 2400})
    before = [world.parameters.getVoted(key) for key in keys]
    for sender in (world.holder, world.guardian, world.accounts[0]):
        with ape.reverts(world.parameters.ParameterUnauthorized, caller=sender.address):
            world.parameters.set(keys, before, values, sender=sender)


def test_set_reverts_when_the_value_is_not_as_expected(world: World):
    with ape.reverts(
        world.parameters.ParameterUnexpectedValue,
        key=key_of(TTL),
        expected=word(2640),
        actual=word(2700),
    ):
        world.set({TTL: 2400}, expected={TTL: 2640})


@pytest.mark.parametrize(
    ("keys", "error"),
    [
        ([], "ParameterSetEmpty"),
        (["attest.ttl", "attest.ttl"], "ParameterKeysNotAscending"),
        (["b", "a"], "ParameterUnknown"),
    ],
)
def test_validate_refuses_malformed_lists(world: World, keys: list[str], error: str):
    hashed = [key_of(name) for name in keys]
    with ape.reverts(getattr(world.parameters, error)):
        world.parameters.validate(hashed, [word(2400)] * len(keys))


def test_validate_refuses_descending_keys(world: World):
    keys = sorted((key_of(TTL), key_of("attest.nonce_ttl")), reverse=True)
    with ape.reverts(world.parameters.ParameterKeysNotAscending, key=keys[1]):
        world.parameters.validate(keys, [word(2400), word(120)])


def test_validate_refuses_lists_of_different_length(world: World):
    with ape.reverts(world.parameters.ParameterLengthMismatch):
        world.parameters.validate([key_of(TTL)], [])


# The exact reason of every refusal, at its edge, beside the value that is accepted.
EDGES = [
    # (key, accepted, refused, error, its arguments)
    (TTL, 4020, 4080, "ParameterChangeTooLarge", {"allowed": 1350}),
    (TTL, 1800, 1801, "ParameterOffStep", {"value": 1801, "step": 60}),
    (TTL, 2400, 2700, "ParameterUnchanged", {}),
    (TTL, 1800, 1740, "ParameterInvariantViolated", {"id": 6}),
    ("attest.nonce_ttl", 90, 85, "ParameterInvariantViolated", {"id": 7}),
    ("attest.clock_skew", 45, 50, "ParameterChangeTooLarge", {"allowed": 15}),
    ("attest.enforce_measurements", 1, 2, "ParameterOutOfBounds", {"min": 0, "max": 1}),
    ("attest.max_gpus_per_node", 24, 25, "ParameterChangeTooLarge", {"allowed": 8}),
    ("stake.min_provider", 250 * 10**18, 251 * 10**18, "ParameterChangeTooLarge", {}),
    ("stake.max_pending_unbonds", 1, 0, "ParameterOutOfBounds", {"min": 1, "max": 50}),
    ("slash.spoof", 4900, 5100, "ParameterInvariantViolated", {"id": 5}),
]


@pytest.mark.parametrize(("name", "accepted", "refused", "error", "arguments"), EDGES)
def test_validate_names_the_exact_reason(
    world: World, name: str, accepted: int, refused: int, error: str, arguments: dict
):
    world.parameters.validate([key_of(name)], [word(accepted)])
    with ape.reverts(getattr(world.parameters, error), **arguments):
        world.parameters.validate([key_of(name)], [word(refused)])


def test_allowed_range_is_what_validate_accepts(world: World):
    lowest, highest = world.parameters.allowedRange(key_of("attest.max_gpus_per_node"))
    assert (lowest, highest) == (8, 24)
    assert world.parameters.allowedRange(key_of("attest.enforce_nonce")) == (0, 1)


def test_set_of_two_keys_is_judged_after_both(world: World):
    # 1740 alone breaks I6 against an interval of 900; with the interval it holds.
    world.set({TTL: 1740, "attest.report_interval": 840})
    assert (world.value(TTL), world.value("attest.report_interval")) == (1740, 840)


def test_second_change_waits_for_the_interval(world: World):
    changed_at = world.set({TTL: 2400}).timestamp
    assert world.parameters.allowedAt(key_of(TTL)) == changed_at + WEEK_S
    wait_until(changed_at + WEEK_S - 1)
    with ape.reverts(
        world.parameters.ParameterChangedTooRecently,
        key=key_of(TTL),
        allowedAt=changed_at + WEEK_S,
    ):
        world.parameters.validate([key_of(TTL)], [word(2460)])
    wait_until(changed_at + WEEK_S)
    world.set({TTL: 2460})


# Reading


def test_get_reverts_for_an_unknown_key(world: World):
    with ape.reverts(world.parameters.ParameterUnknown, key=key_of("attest.nothing")):
        world.parameters.get(key_of("attest.nothing"))
    assert not world.parameters.isDefined(key_of("attest.nothing"))


def test_get_at_remembers(world: World):
    wait(10)
    before = now()
    changed_at = world.set({TTL: 2400}).timestamp
    wait(5)
    assert world.parameters.getAt(key_of(TTL), before) == word(2700)
    assert world.parameters.getAt(key_of(TTL), changed_at) == word(2400)
    assert world.parameters.getAt(key_of(TTL), changed_at - 1) == word(2700)


def test_get_at_reverts_for_now_and_before_the_key(world: World):
    with ape.reverts(world.parameters.ParameterFutureLookup):
        world.parameters.getAt(key_of(TTL), now())
    with ape.reverts(world.parameters.ParameterUndefinedAt):
        world.parameters.getAt(key_of(TTL), world.parameters.genesisAt() - 1)


def test_spec_and_name_are_readable(world: World):
    spec = world.parameters.spec(key_of("attest.required_tier_h100_80g"))
    assert (spec.min, spec.max, spec.step, spec.maxAbs) == (0, 5, 1, 1)
    assert (spec.changeClass, spec.activation, spec.tighten) == (1, 2, 1)
    assert world.parameters.nameOf(key_of(TTL)) == TTL
