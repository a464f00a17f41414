"""Exact products, and rounds that no algebra shortens."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from network.compute import prng
from network.compute.matmul import fold, multiply, multiply_by_key

from .rounds import digest

KEY = digest("right")
SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 1100), st.integers(1, 6))


@given(st.data(), SHAPES)
def test_products_are_those_of_64_bit_integers(
    data: st.DataObject, shape: tuple[int, int, int]
) -> None:
    rows, width, columns = shape
    left = data.draw(arrays.arrays(np.int8, (rows, width)))
    right = data.draw(arrays.arrays(np.int8, (width, columns)))
    found = multiply(left, right)
    assert found.dtype == np.int32
    assert np.array_equal(found, left.astype(np.int64) @ right.astype(np.int64))


@pytest.mark.parametrize(("left", "right"), [(-128, -128), (-128, 127), (127, 127), (1, -1)])
def test_the_largest_sums_at_the_largest_n_are_exact(left: int, right: int) -> None:
    row = np.full((1, 16384), left, dtype=np.int8)
    column = np.full((16384, 1), right, dtype=np.int8)
    row[0, 5] = 3
    expected = left * right * 16383 + 3 * right
    assert multiply(row, column).item() == expected


@pytest.mark.parametrize("n", [64, 512, 1024])
def test_streamed_product_is_the_whole_matrixs(n: int) -> None:
    left = prng.rows(digest("left"), n, 0, 7)
    assert np.array_equal(multiply_by_key(left, KEY), multiply(left, prng.rows(KEY, n, 0, n)))


@given(arrays.arrays(np.int32, (3, 5)))
def test_fold_is_the_exclusive_or_of_the_four_bytes(product: np.ndarray) -> None:
    for found, value in zip(fold(product).ravel(), product.ravel(), strict=True):
        parts = int(value).to_bytes(4, "little", signed=True)
        assert int(found) % 256 == parts[0] ^ parts[1] ^ parts[2] ^ parts[3]


def low_bytes(product: np.ndarray) -> np.ndarray:
    return product.astype(np.int8)


def test_powers_of_the_epochs_matrix_do_not_replace_rounds() -> None:
    """With the low byte as the next factor, T rounds are one product with a power of B."""
    n, rounds = 128, 5
    first, right = prng.rows(digest("left"), n, 0, n), prng.rows(KEY, n, 0, n)
    power = np.eye(n, dtype=np.int64)
    for _ in range(rounds - 1):
        power = power @ right.astype(np.int64) % 256
    shortcut = low_bytes(first.astype(np.int64) @ power)
    by_low_byte, ours = first, first
    for _ in range(rounds - 1):
        by_low_byte = low_bytes(multiply(by_low_byte, right))
        ours = fold(multiply(ours, right))
    assert np.array_equal(shortcut, by_low_byte)
    # Chance agreement of a byte is 1 in 256.
    assert float((shortcut == ours).mean()) < 2 / 256


def test_folded_factors_stay_even_and_of_full_rank() -> None:
    n = 256
    factor, right = prng.rows(digest("left"), n, 0, n), prng.rows(KEY, n, 0, n)
    for _ in range(8):
        factor = fold(multiply(factor, right))
    assert np.linalg.matrix_rank(factor.astype(np.float64)) == n
    counts = np.bincount(factor.ravel().astype(np.int64) + 128, minlength=256)
    statistic = float(((counts - n) ** 2 / n).sum())
    assert 255 - 6 * 22.6 < statistic < 255 + 6 * 22.6
