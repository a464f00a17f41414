"""The round's states, the challenge's sizes, and both as they are stored."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from network.compute import (
    Basis,
    Challenge,
    Check,
    Deadline,
    Params,
    Round,
    RoundError,
    verify_opening,
    verify_silence,
)
from network.compute.rounds import BEGIN_WINDOW_MS, GIVE_UP_MS
from network.compute.wire import Opened, opening_encode, opening_entries

from .rounds import (
    BEGUN_MS,
    COMMITTED_MS,
    DEADLINE,
    DRAWN_MS,
    OPENED_MS,
    STARTS_MS,
    begun,
    challenge,
    codes,
    drawn,
    judge,
    prover_for,
    secret_for,
)

SIZES = st.sampled_from([64, 128, 4096, 16384])


def scheduled() -> Round:
    return Round(challenge=challenge(), deadline=DEADLINE, starts_ms=STARTS_MS)


def refused(step: Callable[[], Any]) -> str:
    with pytest.raises(RoundError) as caught:
        step()
    return caught.value.code


@pytest.mark.parametrize(
    ("offset", "code"),
    [(-1, "compute.begin_early"), (BEGIN_WINDOW_MS + 1, "compute.begin_late")],
)
def test_a_round_begins_in_its_window_only(offset: int, code: str) -> None:
    """A cohort answers at one moment: a node cannot take its turn when the card is free again."""
    assert refused(lambda: scheduled().begin(STARTS_MS + offset)) == code


@pytest.mark.parametrize("offset", [0, BEGIN_WINDOW_MS])
def test_the_windows_ends_belong_to_it(offset: int) -> None:
    assert scheduled().begin(STARTS_MS + offset).begun_ms == STARTS_MS + offset


def test_steps_out_of_turn_are_refused() -> None:
    asked = challenge()
    commitment = prover_for(asked).commit()
    committed = begun(asked).commit(commitment, COMMITTED_MS)
    drawn_once = drawn(asked, commitment)
    steps: list[Callable[[], Any]] = [
        lambda: scheduled().commit(commitment, COMMITTED_MS),
        lambda: scheduled().draw(DRAWN_MS),
        lambda: scheduled().open(OPENED_MS),
        lambda: begun(asked).begin(BEGUN_MS),
        lambda: begun(asked).draw(DRAWN_MS),
        lambda: begun(asked).open(OPENED_MS),
        lambda: committed.open(OPENED_MS),
        lambda: drawn_once.draw(DRAWN_MS),
        lambda: verify_opening(drawn_once, b"", secret_for(asked)),
    ]
    assert {refused(step) for step in steps} == {"compute.out_of_turn"}


@pytest.mark.parametrize("size", [0, 32, 63, 65, 96])
def test_a_commitment_has_one_length(size: int) -> None:
    assert refused(lambda: begun(challenge()).commit(bytes(size), COMMITTED_MS)) == (
        "compute.commit_length"
    )


def test_the_same_commitment_again_changes_nothing() -> None:
    """A node whose answer was lost on the way may send it again; the clock stopped at the first."""
    asked = challenge()
    commitment = prover_for(asked).commit()
    committed = begun(asked).commit(commitment, COMMITTED_MS)
    assert committed.commit(commitment, COMMITTED_MS + 60_000) == committed
    drawn_once = committed.draw(DRAWN_MS)
    assert drawn_once.commit(commitment, DRAWN_MS + 1) == drawn_once


def test_a_clock_that_goes_backwards_voids_the_round() -> None:
    asked = challenge()
    commitment = prover_for(asked).commit()
    steps: list[Callable[[], Any]] = [
        lambda: begun(asked).commit(commitment, BEGUN_MS - 1),
        lambda: begun(asked).commit(commitment, COMMITTED_MS).draw(COMMITTED_MS - 1),
        lambda: drawn(asked, commitment).open(DRAWN_MS - 1),
    ]
    assert {refused(step) for step in steps} == {"compute.clock_backwards"}


def test_drawn_rows_are_distinct_ascending_and_as_many_as_asked() -> None:
    asked = challenge(openings=128)
    assert drawn(asked, prover_for(asked).commit()).indices == tuple(range(128))
    few = challenge(openings=3)
    committed = begun(few).commit(prover_for(few).commit(), COMMITTED_MS)
    seen = [committed.draw(DRAWN_MS).indices for _ in range(400)]
    assert all(len(set(rows)) == 3 and tuple(sorted(rows)) == rows for rows in seen)
    # 1,200 draws of 128 rows: one is left out with probability 128 * (1 - 3/128)**400 < 0.01.
    assert len({row for rows in seen for row in rows}) > 120


def test_drawing_is_not_repeatable_unless_a_source_is_given() -> None:
    asked = challenge()
    committed = begun(asked).commit(prover_for(asked).commit(), COMMITTED_MS)
    assert committed.draw(DRAWN_MS).indices != committed.draw(DRAWN_MS).indices
    twice = [committed.draw(DRAWN_MS, random.Random(7)).indices for _ in range(2)]
    assert twice[0] == twice[1]


def test_a_restart_in_the_middle_of_a_round_loses_nothing() -> None:
    """Between any two steps the round goes through JSON, as it would through a database."""

    def stored(round_: Round) -> Round:
        again = Round.from_json(json.loads(json.dumps(round_.as_json())))
        assert again == round_
        return again

    asked = challenge()
    prover = prover_for(asked)
    round_ = stored(stored(scheduled()).begin(BEGUN_MS)).commit(prover.commit(), COMMITTED_MS)
    round_ = stored(stored(round_).draw(DRAWN_MS))
    outcome = judge(round_, prover.open(round_.indices))
    assert outcome.passed
    assert json.loads(json.dumps(outcome.as_json()))["measured"] is True


def test_two_rounds_at_once_do_not_mix() -> None:
    one, two = challenge(name="one"), challenge(name="two")
    provers = {asked: prover_for(asked) for asked in (one, two)}
    rounds = {asked: drawn(asked, provers[asked].commit()) for asked in (one, two)}
    for asked, other in ((one, two), (two, one)):
        crossed = judge(rounds[asked], provers[other].open(rounds[asked].indices))
        assert codes(crossed) == [
            "compute.wrong_round",
            "compute.row_wrong",
            "compute.root_mismatch",
        ]
        assert judge(rounds[asked], provers[asked].open(rounds[asked].indices)).passed


def test_a_silent_node_fails_after_the_limit_and_not_before() -> None:
    asked = challenge()
    waiting = begun(asked)
    assert refused(lambda: verify_silence(waiting, BEGUN_MS + GIVE_UP_MS)) == "compute.out_of_turn"
    gone = verify_silence(waiting, BEGUN_MS + GIVE_UP_MS + 1)
    assert codes(gone) == ["compute.no_commit"]
    round_ = drawn(asked, prover_for(asked).commit())
    assert refused(lambda: verify_silence(round_, DRAWN_MS + GIVE_UP_MS)) == "compute.out_of_turn"
    mute = verify_silence(round_, DRAWN_MS + GIVE_UP_MS + 1)
    assert codes(mute) == ["compute.no_opening"]
    assert not gone.passed
    assert not mute.passed
    for settled in (scheduled(), round_.open(OPENED_MS)):
        assert refused(lambda one=settled: verify_silence(one, 10**9)) == "compute.out_of_turn"


def test_a_silent_node_has_as_long_as_its_deadline_says() -> None:
    patient = replace(DEADLINE, commit_ms=2 * GIVE_UP_MS)
    waiting = begun(challenge(), patient)
    assert refused(lambda: verify_silence(waiting, BEGUN_MS + GIVE_UP_MS + 1)) == (
        "compute.out_of_turn"
    )


def test_an_uncalibrated_round_is_recorded_and_measures_nothing() -> None:
    asked = challenge()
    prover = prover_for(asked)
    unknown = Deadline(commit_ms=None, open_ms=400, basis=Basis.UNCALIBRATED)
    hours_later = BEGUN_MS + 4 * 3_600_000
    round_ = begun(asked, unknown).commit(prover.commit(), hours_later).draw(hours_later)
    data = prover.open(round_.indices)
    outcome = verify_opening(round_.open(hours_later), data, secret_for(asked))
    assert codes(outcome) == ["compute.uncalibrated"]
    assert outcome.passed
    assert not outcome.measured


def test_an_assigned_time_measures_nothing_either() -> None:
    asked = challenge()
    prover = prover_for(asked)
    assigned = replace(DEADLINE, basis=Basis.ASSIGNED)
    round_ = begun(asked, assigned).commit(prover.commit(), COMMITTED_MS).draw(DRAWN_MS)
    outcome = judge(round_, prover.open(round_.indices))
    assert outcome.passed
    assert not outcome.measured


@pytest.mark.parametrize(
    "size",
    [
        {"n": 32},
        {"n": 32768},
        {"n": 1000},
        {"n": 0},
        {"n": -64},
        {"n": 64, "rounds": 0},
        {"n": 64, "rounds": 65},
        {"n": 64, "openings": 0},
        {"n": 64, "openings": 65},
        {"n": 16384, "openings": 513, "check": Check.RECOMPUTE},
        {"n": 16384, "openings": 512, "rounds": 3, "check": Check.RECOMPUTE},
        {"n": 16384, "openings": 128},
        {"n": 8192, "openings": 64, "rounds": 5},
    ],
)
def test_sizes_that_are_not_served(size: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"n is|rounds is|openings is|too long|too many"):
        Params(**{"openings": 1} | size)


def test_message_lengths_at_the_sizes_that_are_used() -> None:
    """By hand: 4 index bytes, 4 * n row bytes, 32 bytes for each level."""
    assert Params(n=8192).opening_bytes == 32 + 64 * (4 + 4 * 8192 + 32 * 13)
    assert Params(n=16384).opening_bytes == 32 + 64 * (4 + 4 * 16384 + 32 * 14)
    short = Params(n=16384, rounds=16, openings=32, check=Check.RECOMPUTE)
    assert short.opening_bytes == 32 + 32 * (4 + 32 * 14)


@pytest.mark.parametrize(
    "wrong",
    [
        {"nonce": bytes(31)},
        {"node_key": bytes(33)},
        {"challenge_id": b""},
        {"epoch_seed": bytes(16)},
        {"gpu_id": ""},
        {"gpu_id": "x" * 65},
        {"gpu_id": "Ä"},
        {"epoch": -1},
        {"epoch": 2**63},
    ],
)
def test_challenges_that_are_not_made(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"bytes|gpu_id"):
        replace(challenge(), **wrong)


@given(
    n=SIZES,
    rounds=st.integers(1, 16),
    openings=st.integers(1, 64),
    ids=st.binary(min_size=16, max_size=16),
    secrets=st.tuples(*[st.binary(min_size=32, max_size=32)] * 3),
    gpu_id=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=64),
    epoch=st.integers(0, 2**63 - 1),
)
def test_a_challenge_survives_json(
    n: int,
    rounds: int,
    openings: int,
    ids: bytes,
    secrets: tuple[bytes, bytes, bytes],
    gpu_id: str,
    epoch: int,
) -> None:
    params = Params(n=n, rounds=rounds, openings=openings, check=Check.RECOMPUTE)
    nonce, node_key, epoch_seed = secrets
    made = Challenge(params, ids, nonce, node_key, gpu_id, epoch, epoch_seed)
    assert Challenge.from_json(json.loads(json.dumps(made.as_json()))) == made


@given(data=st.data(), check=st.sampled_from(Check), rounds=st.integers(1, 3))
def test_an_opening_survives_its_encoding(data: st.DataObject, check: Check, rounds: int) -> None:
    asked = challenge(n=64, rounds=rounds, openings=3, check=check)
    size = asked.params.entry_bytes * data.draw(st.integers(0, 6))
    body = data.draw(st.randoms(use_true_random=False)).randbytes(size)
    message = opening_encode(asked, []) + body
    entries = opening_entries(asked.params, message)
    assert entries is not None
    assert opening_encode(asked, entries) == message
    for entry in entries:
        assert isinstance(entry, Opened)
        assert entry.rows.shape == (asked.params.opened_rounds, 64)
        assert [len(sibling) for sibling in entry.path] == [32] * 6
