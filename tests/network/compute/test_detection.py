"""Who computes only a part of the rows is found as often as the arithmetic of chance says."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import numpy as np
import pytest

from network.compute import Check, NumpyBackend, Prover
from network.compute.matmul import Int32Matrix
from network.compute.merkle import Tree, leaf_hash, row_bytes
from network.compute.wire import Opened, commitment_encode, opening_encode

from .rounds import challenge, drawn, judge

N, TRIALS = 128, 250


class Lazy(Prover):
    """Computes a part of the rows and fills the others with numbers of the right size."""

    def __init__(self, asked_check: Check, skipped: int, openings: int) -> None:
        asked = challenge(n=N, openings=openings, check=asked_check)
        super().__init__(asked, NumpyBackend())
        generator = np.random.default_rng(17)
        true = np.stack([row for _, row in self._product_rows()])
        left_out = generator.choice(N, skipped, replace=False)
        true[left_out] = generator.integers(-60_000, 60_000, (skipped, N))
        self.rows: Int32Matrix = true
        self.left_out = {int(row) for row in left_out}

    def commit(self) -> bytes:
        self._tree = Tree([leaf_hash(at, row_bytes(row)) for at, row in enumerate(self.rows)])
        return commitment_encode(self.challenge, self._tree.root)

    def open(self, indices: Sequence[int]) -> bytes:
        assert self._tree is not None
        sent = self.challenge.params.opened_rounds
        return opening_encode(
            self.challenge,
            [Opened(at, self.rows[at : at + sent], self._tree.path(at)) for at in indices],
        )


@pytest.mark.parametrize("check", list(Check))
@pytest.mark.parametrize("percent", [5, 10, 20])
def test_skipped_rows_are_found_within_binomial_bounds(check: Check, percent: int) -> None:
    skipped, openings = round(N * percent / 100), 8
    cheat = Lazy(check, skipped, openings)
    commitment = cheat.commit()
    source = random.Random(percent)
    found = 0
    for _ in range(TRIALS):
        round_ = drawn(cheat.challenge, commitment, seed=source.getrandbits(64))
        outcome = judge(round_, cheat.open(round_.indices))
        hit = cheat.left_out & set(round_.indices)
        assert outcome.passed == (not hit)
        wrong = {row for finding in outcome.findings for row in finding.data["rows"]}
        assert wrong == hit
        found += not outcome.passed
    chance = 1 - math.comb(N - skipped, openings) / math.comb(N, openings)
    deviation = math.sqrt(TRIALS * chance * (1 - chance))
    assert abs(found - TRIALS * chance) < 4 * deviation


@pytest.mark.parametrize("check", list(Check))
def test_one_wrong_row_is_found_when_every_row_is_opened(check: Check) -> None:
    cheat = Lazy(check, 1, N)
    round_ = drawn(cheat.challenge, cheat.commit())
    outcome = judge(round_, cheat.open(round_.indices))
    assert {row for finding in outcome.findings for row in finding.data["rows"]} == cheat.left_out


def test_64_openings_find_a_tenth_left_out_999_times_of_1000() -> None:
    """The figure the network's default of `attest.challenge_openings` stands on, at n = 8192."""
    passes = math.comb(8192 - 819, 64) / math.comb(8192, 64)
    assert passes < 0.0012
