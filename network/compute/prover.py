"""The node's side: multiply, commit, open. The arithmetic is done by a backend that was tested.

Backends differ in the machine they use and in nothing else: every one gives the exact integers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Protocol

import numpy as np

from . import merkle, prng, wire
from .matmul import Int32Matrix, fold, multiply
from .params import Challenge
from .prng import Int8Matrix

#: Rows that a backend multiplies at once: 64 MiB of int32 at the largest n.
BLOCK_ROWS: Final = 1024
_TEST_ROUNDS: Final = 3
_TEST_N: Final = 64
#: So wide that a sum of products needs more than float32's 24 bits.
_TEST_WIDTH: Final = 2048


class BackendInexact(Exception):
    """A backend whose products are not exact. It must not answer a challenge."""


class Backend(Protocol):
    """Where products are computed. ``name`` is reported as a claim."""

    name: str

    def product(self, first: Int8Matrix, right: Int8Matrix, rounds: int) -> Int32Matrix:
        """The last of ``rounds`` exact products: C_0 = first * right, C_t = fold(C_{t-1}) * right.

        ``first`` is (m, w), ``right`` (w, c), and square when there is more than one round.
        """
        ...


class NumpyBackend:
    """The reference: any CPU, exact, slow."""

    name = "numpy"

    def product(self, first: Int8Matrix, right: Int8Matrix, rounds: int) -> Int32Matrix:
        """See :class:`Backend`."""
        result = multiply(first, right)
        for _ in range(rounds - 1):
            result = multiply(fold(result), right)
        return result


def check_backend(backend: Backend) -> None:
    """Compare a backend with plain 64-bit integer arithmetic. Raises :class:`BackendInexact`.

    The cases are random ones, the extremes of int8, sums that no float32 holds, and rounds.
    """
    for name, first, right, rounds in _test_cases():
        expected = _integer_product(first, right, rounds)
        found = backend.product(first, right, rounds)
        if found.dtype != np.int32 or not np.array_equal(found, expected):
            raise BackendInexact(f"{backend.name} does not multiply exactly ({name})")


class Prover:
    """Answers one challenge. The backend is tested first: BackendInexact instead of a wrong row.

    Holds B (n**2 bytes) and the tree's hashes, not the product: the opened rows are few and are
    computed again.
    """

    def __init__(self, challenge: Challenge, backend: Backend) -> None:
        check_backend(backend)
        self.challenge = challenge
        self._backend = backend
        n = challenge.params.n
        self._right = prng.rows(prng.epoch_key(challenge), n, 0, n)
        self._tree: merkle.Tree | None = None

    def commit(self) -> bytes:
        """Compute the whole product and return the commitment message."""
        leaves = [
            merkle.leaf_hash(index, merkle.row_bytes(row)) for index, row in self._product_rows()
        ]
        self._tree = merkle.Tree(leaves)
        return wire.commitment_encode(self.challenge, self._tree.root)

    def open(self, indices: Sequence[int]) -> bytes:
        """The opening message for the rows that the service drew. Raises ValueError if they are
        not as many as the challenge says, or before :meth:`commit`."""
        params = self.challenge.params
        if self._tree is None or len(indices) != params.openings:
            raise ValueError("commit comes first, and the rows are as many as the challenge says")
        rows = self._opened_rows(indices)
        entries = [
            wire.Opened(index, rows[:, at], self._tree.path(index))
            for at, index in enumerate(indices)
        ]
        return wire.opening_encode(self.challenge, entries)

    def _product_rows(self) -> Iterator[tuple[int, Int32Matrix]]:
        key, params = prng.challenge_key(self.challenge), self.challenge.params
        for start in range(0, params.n, BLOCK_ROWS):
            first = prng.rows(key, params.n, start, min(BLOCK_ROWS, params.n - start))
            block = self._backend.product(first, self._right, params.rounds)
            yield from enumerate(block, start)

    def _opened_rows(self, indices: Sequence[int]) -> Int32Matrix:
        """The drawn rows of every round that is sent: (rounds or 0, k, n)."""
        params = self.challenge.params
        factor = prng.rows_at(prng.challenge_key(self.challenge), params.n, indices)
        rows = np.empty((params.opened_rounds, len(indices), params.n), dtype=np.int32)
        for turn in range(params.opened_rounds):
            rows[turn] = self._backend.product(factor, self._right, 1)
            factor = fold(rows[turn])
        return rows


def _test_cases() -> Iterator[tuple[str, Int8Matrix, Int8Matrix, int]]:
    generator = np.random.default_rng(2012)

    def drawn(low: int, rows: int, columns: int) -> Int8Matrix:
        return generator.integers(low, 128, (rows, columns), dtype=np.int8)

    yield "random", drawn(-128, _TEST_N, _TEST_N), drawn(-128, _TEST_N, _TEST_N), 1
    yield "rounds", drawn(-128, _TEST_N, _TEST_N), drawn(-128, _TEST_N, _TEST_N), _TEST_ROUNDS
    lowest = np.full((_TEST_N, _TEST_WIDTH), -128, dtype=np.int8)
    yield "extremes", lowest, lowest.reshape(_TEST_WIDTH, _TEST_N), 1
    yield "wide sums", drawn(120, _TEST_N, _TEST_WIDTH), drawn(120, _TEST_WIDTH, _TEST_N), 1


def _integer_product(first: Int8Matrix, right: Int8Matrix, rounds: int) -> Int32Matrix:
    """The same by numpy's integer loops, which know no floating point."""
    wide = right.astype(np.int64)
    result = (first.astype(np.int64) @ wide).astype(np.int32)
    for _ in range(rounds - 1):
        result = (fold(result).astype(np.int64) @ wide).astype(np.int32)
    return result
