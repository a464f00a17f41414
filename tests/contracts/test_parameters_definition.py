"""NetworkParameters: defining keys, replacing their rules, and the genesis."""

from __future__ import annotations

import ape
import pytest
from _deployment.parameters import definition, rows_read
from support import DAY_S, World, key_of, word

TIGHTENABLE = "attest.required_tier_h100_80g"
TTL = "attest.ttl"
# Nothing reads it yet, so that the genesis leaves it out.
UNDEFINED = "rewards.min_perf_ratio"


def definition_of(name: str, value: int | None = None):
    (row,) = [row for row in rows_read() if row["key"] == name]
    return definition(row, int(row["default"]) if value is None else value)


# Defining


def test_define_adds_a_new_key(world: World):
    new = definition_of(UNDEFINED)
    world.parameters.defineParameter(new, sender=world.as_timelock)
    assert world.value(UNDEFINED) == 8500
    with ape.reverts(world.parameters.ParameterAlreadyDefined, key=key_of(UNDEFINED)):
        world.parameters.defineParameter(new, sender=world.as_timelock)


def test_define_reverts_for_others(world: World):
    with ape.reverts(world.parameters.ParameterUnauthorized):
        world.parameters.defineParameter(definition_of(UNDEFINED), sender=world.holder)


def test_define_completes_an_invariant(world: World):
    world.parameters.validate([key_of("stake.unbonding_period")], [word(7 * DAY_S)])
    world.parameters.defineParameter(definition_of("rewards.lock"), sender=world.as_timelock)
    # 14 d of unbonding cover 7 d + 45 min + 1 d; with the window at its 14 d they would not.
    with ape.reverts(world.parameters.ParameterInvariantViolated, id=2):
        world.parameters.validate([key_of("stake.unbonding_period")], [word(7 * DAY_S)])
    world.parameters.validate([key_of("stake.unbonding_period")], [word(9 * DAY_S)])


def test_define_reverts_when_it_would_break_an_invariant(world: World):
    # The genesis has 14 d of unbonding for 7 d of dispute and 45 min of validity.
    too_long = definition_of("rewards.lock", 7 * DAY_S)
    with ape.reverts(world.parameters.ParameterInvariantViolated, id=2):
        world.parameters.defineParameter(too_long, sender=world.as_timelock)


@pytest.mark.parametrize(
    "changes",
    [
        {"min": "10", "max": "5"},
        {"step": "0"},
        {"step": "7"},
        {"max": str(2**127)},
    ],
)
def test_define_reverts_for_a_rule_that_cannot_hold(world: World, changes: dict[str, str]):
    (row,) = [row for row in rows_read() if row["key"] == UNDEFINED]
    with ape.reverts(world.parameters.ParameterSpecInvalid):
        world.parameters.defineParameter(definition(row | changes, 8500), sender=world.as_timelock)


def test_define_reverts_for_a_tightenable_key_in_an_invariant(world: World):
    (row,) = [row for row in rows_read() if row["key"] == "rewards.lock"]
    with ape.reverts(world.parameters.ParameterSpecInvalid):
        world.parameters.defineParameter(
            definition(row | {"tighten": "+"}, 86_400), sender=world.as_timelock
        )


def test_redefine_replaces_the_rules(world: World):
    _, spec, _ = definition_of(TTL)
    wider = (*spec[:7], 600, *spec[8:])
    world.parameters.redefineParameter(key_of(TTL), wider, sender=world.as_timelock)
    assert world.parameters.spec(key_of(TTL)).maxAbs == 600
    assert world.value(TTL) == 2700


def test_redefine_reverts_when_the_value_no_longer_fits(world: World):
    _, spec, _ = definition_of(TTL)
    narrower = (*spec[:5], 2640, *spec[6:])
    with ape.reverts(world.parameters.ParameterOutOfBounds):
        world.parameters.redefineParameter(key_of(TTL), narrower, sender=world.as_timelock)


def test_redefine_reverts_for_another_kind_or_under_a_tightening(world: World):
    _, spec, _ = definition_of(TIGHTENABLE)
    with ape.reverts(world.parameters.ParameterSpecInvalid):
        world.parameters.redefineParameter(
            key_of(TIGHTENABLE), (0, *spec[1:]), sender=world.as_timelock
        )
    world.parameters.tighten(key_of(TIGHTENABLE), word(5), sender=world.guardian)
    with ape.reverts(world.parameters.ParameterSpecInvalid):
        world.parameters.redefineParameter(key_of(TIGHTENABLE), spec, sender=world.as_timelock)


# Genesis


def fresh(world: World):
    from _deployment.steps import container

    return world.accounts[5].deploy(container("NetworkParameters"), world.timelock, world.governor)


def test_seal_needs_the_delays_and_the_invariants(world: World):
    parameters = fresh(world)
    deployer = world.accounts[5]
    with ape.reverts(parameters.ParameterUnknown, key=key_of("meta.s_extra_delay")):
        parameters.seal(sender=deployer)
    meta = ["meta.s_extra_delay", "meta.c_extra_delay", "meta.guardian_tighten_max"]
    broken = [definition_of(TTL, 1740), definition_of("attest.report_interval")]
    parameters.defineGenesis([definition_of(name) for name in meta] + broken, sender=deployer)
    with ape.reverts(parameters.ParameterInvariantViolated, id=6):
        parameters.seal(sender=deployer)


def test_nothing_is_set_before_the_seal(world: World):
    parameters = fresh(world)
    parameters.defineGenesis([definition_of(TTL)], sender=world.accounts[5])
    with ape.reverts(parameters.ParametersNotSealed):
        parameters.set([key_of(TTL)], [word(2700)], [word(2400)], sender=world.as_timelock)


def test_genesis_belongs_to_the_deployer(world: World):
    parameters = fresh(world)
    with ape.reverts(parameters.ParameterUnauthorized, caller=world.holder.address):
        parameters.defineGenesis([definition_of(TTL)], sender=world.holder)
