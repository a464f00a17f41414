"""NetworkParameters: how a vote changes a parameter, and everything that refuses it."""

from __future__ import annotations

import ape
import pytest
from _deployment.parameters import definition, rows_read
from support import DAY_S, World, key_of, now, set_arguments, wait, wait_until, word

HOUR_S = 3_600
WEEK_S = 7 * DAY_S
S_DELAY_S, C_DELAY_S = HOUR_S, DAY_S
TTL = "attest.ttl"


def definition_of(name: str, value: int | None = None):
    (row,) = [row for row in rows_read() if row["key"] == name]
    return definition(row, int(row["default"]) if value is None else value)


def set_id(world: World) -> int:
    return world.parameters.version()


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
def test_tighten_keeps_to_its_direction_and_bounds(
    world: World, name: str, value: int, error: str
):
    with ape.reverts(getattr(world.parameters, error)):
        world.parameters.tighten(key_of(name), word(value), sender=world.guardian)


def test_tighten_reverts_for_others(world: World):
    with ape.reverts(world.parameters.ParameterUnauthorized, caller=world.holder.address):
        world.parameters.tighten(key_of(TIGHTENABLE), word(5), sender=world.holder)


# Defining


def test_define_adds_a_new_key(world: World):
    new = definition_of("slash.reporter_cut")
    world.parameters.defineParameter(new, sender=world.as_timelock)
    assert world.value("slash.reporter_cut") == 1000
    with ape.reverts(
        world.parameters.ParameterAlreadyDefined, key=key_of("slash.reporter_cut")
    ):
        world.parameters.defineParameter(new, sender=world.as_timelock)


def test_define_reverts_for_others(world: World):
    with ape.reverts(world.parameters.ParameterUnauthorized):
        world.parameters.defineParameter(definition_of("slash.strikes"), sender=world.holder)


def test_define_completes_an_invariant(world: World):
    for name in ("slash.dispute_window", "rewards.lock"):
        world.parameters.defineParameter(definition_of(name), sender=world.as_timelock)
    # 14 d of unbonding cover 7 d + 45 min + 1 d; with the window at its 14 d they would not.
    with ape.reverts(world.parameters.ParameterInvariantViolated, id=2):
        world.parameters.validate([key_of("stake.unbonding_period")], [word(7 * DAY_S)])
    world.parameters.validate([key_of("stake.unbonding_period")], [word(9 * DAY_S)])


def test_define_reverts_when_it_would_break_an_invariant(world: World):
    world.parameters.defineParameter(definition_of("rewards.lock"), sender=world.as_timelock)
    too_long = definition_of("slash.dispute_window", 14 * DAY_S)
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
    (row,) = [row for row in rows_read() if row["key"] == "slash.reporter_cut"]
    with ape.reverts(world.parameters.ParameterSpecInvalid):
        world.parameters.defineParameter(
            definition(row | changes, 1000), sender=world.as_timelock
        )


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

    return world.accounts[5].deploy(
        container("NetworkParameters"), world.timelock, world.governor
    )


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
