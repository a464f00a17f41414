"""Backends: exact or refused. The prover: in blocks, in turn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from network.compute import BackendInexact, Check, NumpyBackend, Prover, check_backend, prover
from network.compute.matmul import Int32Matrix, fold, multiply
from network.compute.prng import Int8Matrix

from .rounds import challenge, play, prover_for


def low_byte(product: Int32Matrix) -> Int8Matrix:
    return product.astype(np.int8)


def in_float(kind: type[np.floating]) -> Callable[[Int8Matrix, Int8Matrix], np.ndarray]:
    """A product whose sums are kept in a float, one term after the other."""

    def product(first: Int8Matrix, right: Int8Matrix) -> np.ndarray:
        total = np.zeros((first.shape[0], right.shape[1]), dtype=kind)
        with np.errstate(over="ignore", invalid="ignore"):
            for at in range(first.shape[1]):
                term = np.multiply.outer(first[:, at].astype(kind), right[at].astype(kind))
                total = (total + term).astype(kind)
        return np.nan_to_num(total, posinf=0, neginf=0)

    return product


def saturating(first: Int8Matrix, right: Int8Matrix) -> np.ndarray:
    """Pairs of products added in 16 bits with saturation, as some vector instructions do."""
    pairs = first.astype(np.int64)[:, ::2, None] * right.astype(np.int64)[None, ::2]
    pairs += first.astype(np.int64)[:, 1::2, None] * right.astype(np.int64)[None, 1::2]
    return np.clip(pairs, -(2**15), 2**15 - 1).sum(axis=1)


def unsigned(first: Int8Matrix, right: Int8Matrix) -> np.ndarray:
    return first.view(np.uint8).astype(np.int64) @ right.astype(np.int64)


class StandIn:
    """A backend of one changed part."""

    def __init__(
        self,
        name: str,
        multiply: Callable[[Int8Matrix, Int8Matrix], np.ndarray] = multiply,
        fold: Callable[[Int32Matrix], Int8Matrix] = fold,
        dtype: type[np.signedinteger] = np.int32,
    ) -> None:
        self.name = name
        self._multiply, self._fold, self._dtype = multiply, fold, dtype

    def product(self, first: Int8Matrix, right: Int8Matrix, rounds: int) -> Int32Matrix:
        result = self._multiply(first, right).astype(self._dtype)
        for _ in range(rounds - 1):
            result = self._multiply(self._fold(result), right).astype(self._dtype)
        return result


@pytest.mark.parametrize("backend", [NumpyBackend(), StandIn("the same in parts")])
def test_exact_backends_pass_their_test(backend: StandIn) -> None:
    check_backend(backend)
    asked = challenge(rounds=2)
    assert play(asked, Prover(asked, backend)).passed


@pytest.mark.parametrize(
    "backend",
    [
        StandIn("float16 sums", in_float(np.float16)),
        StandIn("float32 sums", in_float(np.float32)),
        StandIn("saturating", saturating),
        StandIn("unsigned", unsigned),
        StandIn("low byte", fold=low_byte),
        StandIn("int64", dtype=np.int64),
    ],
    ids=lambda backend: backend.name,
)
def test_inexact_backends_are_refused_before_use(backend: StandIn) -> None:
    with pytest.raises(BackendInexact, match=backend.name):
        Prover(challenge(), backend)


def test_wide_sums_are_needed_to_see_float32() -> None:
    """At 64 x 64 float32 is exact: the self-test must go beyond it, and does."""
    generator = np.random.default_rng(1)
    first, right = generator.integers(-128, 128, (2, 64, 64), dtype=np.int8)
    assert np.array_equal(in_float(np.float32)(first, right), multiply(first, right))


@pytest.mark.parametrize("check", list(Check))
def test_blocks_make_no_difference(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = challenge(rounds=2, check=check)
    whole = prover_for(asked)
    commitment = whole.commit()
    monkeypatch.setattr(prover, "BLOCK_ROWS", 32)
    in_blocks = prover_for(asked)
    assert in_blocks.commit() == commitment
    rows = range(0, 128, 8)
    assert in_blocks.open(rows) == whole.open(rows)


def test_rows_are_opened_after_the_commitment_and_as_many_as_asked() -> None:
    asked = prover_for(challenge())
    with pytest.raises(ValueError, match="commit comes first"):
        asked.open(range(16))
    asked.commit()
    for count in (0, 15, 17):
        with pytest.raises(ValueError, match="as many"):
            asked.open(range(count))
