"""Exact products of int8 matrices, and how one round's product becomes the next round's factor.

Every product is exact: |entry| <= 128 * 128 * n <= 2**28 fits int32. numpy has no fast integer
product, so blocks of 512 columns are multiplied in float32, where 128 * 128 * 512 < 2**24 and so
every partial sum is an integer that float32 holds, whatever order they are summed in.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from . import prng
from .prng import Int8Matrix

Int32Matrix = NDArray[np.int32]

#: Columns for which a float32 sum of int8 products stays below 2**24.
_EXACT_WIDTH: Final = 512


def multiply(left: Int8Matrix, right: Int8Matrix) -> Int32Matrix:
    """The exact product of (m, w) and (w, c) as int32 (m, c), w at most 16384."""
    total = np.zeros((left.shape[0], right.shape[1]), dtype=np.int32)
    for start in range(0, left.shape[1], _EXACT_WIDTH):
        columns = slice(start, start + _EXACT_WIDTH)
        _add_block(total, left[:, columns], right[columns])
    return total


def multiply_by_key(left: Int8Matrix, key: bytes) -> Int32Matrix:
    """``left`` (m, n) times the n x n matrix of a key, which is made block by block: the whole
    matrix is never in memory."""
    n = left.shape[1]
    total = np.zeros((left.shape[0], n), dtype=np.int32)
    for start, block in matrix_blocks(key, n, _EXACT_WIDTH):
        _add_block(total, left[:, start : start + _EXACT_WIDTH], block)
    return total


def matrix_blocks(key: bytes, n: int, height: int) -> Iterator[tuple[int, Int8Matrix]]:
    """The matrix of a key in blocks of at most ``height`` rows, each with its first row's index."""
    for start in range(0, n, height):
        yield start, prng.rows(key, n, start, min(height, n - start))


def fold(product: Int32Matrix) -> Int8Matrix:
    """The next round's factor: the four bytes of every entry, exclusive-ored.

    The low byte alone would not do. It is a homomorphism of rings: modulo 256 the rounds would
    collapse into A * B**(T-1), and a power of B computed once per epoch would replace every round
    but the last. The higher bytes have carries in them, which no power of B foretells.
    """
    mixed = product ^ (product >> 16)
    return (mixed ^ (mixed >> 8)).astype(np.int8)


def _add_block(total: Int32Matrix, left: Int8Matrix, right: Int8Matrix) -> None:
    total += (left.astype(np.float32) @ right.astype(np.float32)).astype(np.int32)
