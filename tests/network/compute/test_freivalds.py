"""The check by a secret vector: exact modulo p, and nothing of the secret gets out."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from network.compute import prng
from network.compute.freivalds import EpochSecret, P, dot_mod, rows_agree
from network.compute.matmul import multiply

from .rounds import challenge, secret_for

RESIDUES = st.integers(0, P - 1)


def test_p_is_prime() -> None:
    """Lucas and Lehmer's test of 2**31 - 1."""
    value = 4
    for _ in range(29):
        value = (value * value - 2) % P
    assert value == 0


@given(
    arrays.arrays(np.int32, (2, 40), elements=st.integers(-(2**28), 2**28)),
    arrays.arrays(np.int64, (40, 2), elements=RESIDUES),
)
def test_limbs_give_the_product_modulo_p(matrix: np.ndarray, vectors: np.ndarray) -> None:
    expected = matrix.astype(object) @ vectors.astype(object) % P
    assert dot_mod(matrix, vectors, 28).tolist() == expected.tolist()


@pytest.mark.parametrize(("entry", "bits"), [(2**28, 28), (-(2**28), 28), (-128, 7), (127, 7)])
def test_limbs_are_exact_at_the_largest_size(entry: int, bits: int) -> None:
    matrix = np.full((1, 16384), entry, dtype=np.int32)
    vectors = np.full((16384, 1), P - 1, dtype=np.int64)
    matrix[0, 7] += 1 if entry < 0 else -1
    expected = int(matrix.astype(object).sum()) * (P - 1) % P
    assert dot_mod(matrix, vectors, bits).item() == expected


def test_honest_rows_agree_and_a_row_one_off_does_not() -> None:
    asked = challenge()
    secret = secret_for(asked)
    assert secret is not None
    n = asked.params.n
    factors = prng.rows(prng.challenge_key(asked), n, 0, n)
    products = multiply(factors, prng.rows(prng.epoch_key(asked), n, 0, n))
    assert rows_agree(secret, factors, products).all()
    for row in range(n):
        changed = products.copy()
        changed[row, (row * 7) % n] += 1
        agree = rows_agree(secret, factors, changed)
        assert not agree[row]
        assert agree.sum() == n - 1


def test_secret_is_drawn_anew_and_below_p() -> None:
    one, two = EpochSecret.make(challenge(n=64)), EpochSecret.make(challenge(n=64))
    assert not np.array_equal(one.r, two.r)
    for vector in (one.r, one.s):
        assert vector.shape == (64, 2)
        assert vector.min() >= 0
        assert vector.max() < P
    assert not np.array_equal(one.r[:, 0], one.r[:, 1])


def test_secret_is_not_printed_pickled_or_copied_out() -> None:
    secret = EpochSecret.make(challenge(n=64))
    assert repr(secret) == str(secret) == "EpochSecret()"
    with pytest.raises(TypeError, match="stays in the process"):
        pickle.dumps(secret)
    with pytest.raises(TypeError, match="stays in the process"):
        copy.deepcopy(secret)
