"""The matrices: known answers, addresses, independence of every field, and no shift structure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from network.compute import Check, Params, prng

from .rounds import challenge, digest

KEY = digest("key")
N = 256


def test_rows_are_the_aes_ctr_keystream_from_block_zero() -> None:
    # NIST SP 800-38A, F.5.5: the key stream of CTR-AES256 is AES-256 of the counter block; here
    # block by block through ECB, which shares no counter with the code under test.
    encryptor = Cipher(algorithms.AES(KEY), modes.ECB()).encryptor()  # noqa: S305
    blocks = [encryptor.update(counter.to_bytes(16, "big")) for counter in range(64 * 64 // 16)]
    expected = np.frombuffer(b"".join(blocks), dtype=np.int8).reshape(64, 64)
    assert np.array_equal(prng.rows(KEY, 64, 0, 64), expected)


@given(st.integers(0, N - 1), st.integers(0, N))
def test_a_row_is_the_same_alone_and_among_others(first: int, count: int) -> None:
    count = min(count, N - first)
    whole = prng.rows(KEY, N, 0, N)
    assert np.array_equal(prng.rows(KEY, N, first, count), whole[first : first + count])


@given(st.lists(st.integers(0, N - 1), max_size=20))
def test_rows_at_keeps_the_order_asked_for(indices: list[int]) -> None:
    assert np.array_equal(prng.rows_at(KEY, N, indices), prng.rows(KEY, N, 0, N)[indices])


@pytest.mark.parametrize(
    ("n", "first", "count"), [(64, 64, 1), (64, -1, 1), (64, 0, 65), (64, 3, -1), (72, 0, 1)]
)
def test_rows_outside_the_matrix_are_refused(n: int, first: int, count: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        prng.rows(KEY, n, first, count)


def test_every_field_of_the_challenge_changes_matrix_and_tag() -> None:
    base = challenge()
    others = [
        replace(base, nonce=digest("other")),
        replace(base, node_key=digest("other")),
        replace(base, gpu_id="GPU-other"),
        replace(base, challenge_id=digest("other")[:16]),
        replace(base, epoch=base.epoch + 1),
        replace(base, epoch_seed=digest("other")),
        replace(base, params=Params(n=256, openings=16)),
        replace(base, params=Params(n=128, rounds=2, openings=16)),
        replace(base, params=Params(n=128, openings=17)),
        replace(base, params=Params(n=128, openings=16, check=Check.RECOMPUTE)),
    ]
    keys = {prng.challenge_key(one) for one in [base, *others]}
    tags = {prng.challenge_tag(one) for one in [base, *others]}
    assert len(keys) == len(tags) == len(others) + 1
    assert not keys & tags


def test_fields_cannot_run_into_each_other() -> None:
    """The same bytes cut elsewhere: without lengths in the derivation all would be one key."""
    cuts = ([b"ab", b"c"], [b"a", b"bc"], [b"abc"], [b"", b"abc"], [b"abc", b""])
    assert len({prng._derive(KEY, b"A", fields) for fields in cuts}) == len(cuts)
    assert prng._derive(KEY, b"A", [b"a"]) != prng._derive(KEY, b"Aa", [])


def test_the_epochs_matrix_depends_on_epoch_seed_and_size_and_on_nothing_secret() -> None:
    base = challenge()
    assert prng.epoch_key(replace(base, nonce=digest("other"))) == prng.epoch_key(base)
    for other in (
        replace(base, epoch=base.epoch + 1),
        replace(base, epoch_seed=digest("other")),
        challenge(n=256),
    ):
        assert prng.epoch_key(other) != prng.epoch_key(base)


def shift_structure(matrix: np.ndarray) -> float:
    """The largest correlation of the matrix with itself moved by up to three rows and columns."""
    wide = matrix.astype(np.float64)
    wide -= wide.mean()
    found = 0.0
    for down in range(4):
        for right in range(-3, 4):
            if (down, right) == (0, 0) or (down == 0 and right < 0):
                continue
            one = wide[: N - down, max(0, -right) : N - max(0, right)]
            two = wide[down:, max(0, right) : N - max(0, -right)]
            found = max(found, abs(float((one * two).mean() / wide.var())))
    return found


def hankel() -> np.ndarray:
    line = prng.rows(KEY, N, 0, 2).ravel()
    return line[np.add.outer(np.arange(N), np.arange(N))]


def test_generator_has_no_hankel_or_toeplitz_structure() -> None:
    """A[i, j] = f(i + j) would let every product entry follow from its neighbour."""
    matrix = prng.rows(prng.challenge_key(challenge(n=N)), N, 0, N)
    # 65,536 entries: a chance correlation has a standard deviation of 1 / 256.
    assert shift_structure(matrix) < 6 / N
    assert shift_structure(hankel()) > 0.99
    assert shift_structure(hankel()[:, ::-1]) > 0.99
    assert np.linalg.matrix_rank(matrix.astype(np.float64)) == N


def test_shift_recurrence_gives_a_hankel_product_and_not_ours() -> None:
    """The shortcut itself: C[i+1, j+1] from C[i, j] with two products instead of N."""

    def recurrence_holds(left: np.ndarray, right: np.ndarray) -> float:
        product = left.astype(np.int64) @ right.astype(np.int64)
        first, last = left[:-1, 0].astype(np.int64), left[1:, -1].astype(np.int64)
        lost = np.outer(first, right[0, :-1].astype(np.int64))
        gained = np.outer(last, right[-1, 1:].astype(np.int64))
        return float((product[1:, 1:] == product[:-1, :-1] - lost + gained).mean())

    asked = challenge(n=N)
    ours = prng.rows(prng.challenge_key(asked), N, 0, N)
    epochs = prng.rows(prng.epoch_key(asked), N, 0, N)
    assert recurrence_holds(hankel(), hankel()) == 1.0
    assert recurrence_holds(ours, epochs) < 0.001


def test_entries_use_the_whole_range_evenly() -> None:
    matrix = prng.rows(KEY, N, 0, N)
    counts = np.bincount(matrix.ravel().astype(np.int64) + 128, minlength=256)
    # Chi-squared with 255 degrees of freedom: mean 255, deviation 22.6.
    statistic = float(((counts - N) ** 2 / N).sum())
    assert 255 - 6 * 22.6 < statistic < 255 + 6 * 22.6
