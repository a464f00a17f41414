"""Freivalds' check of opened rows: C_i * r = A_i * (B * r) modulo p, r secret.

R. Freivalds, "Probabilistic machines can use less running time", 1977. For a wrong row the two
sides agree for one r in p. Two vectors are used, so a wrong row passes with 1 / p**2, about 2e-19,
provided that its entries are below the limit of :attr:`Params.entry_limit`: two integers that
differ by a multiple of p look the same modulo p, and only the range check tells them apart.

r must never leave the service. Who knows it answers without computing the product.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from . import prng
from .matmul import matrix_blocks
from .params import LARGEST_N, Challenge

#: A Mersenne prime that is larger than twice any entry.
P: Final = 2**31 - 1
VECTORS: Final = 2
_FLOAT64_EXACT_BITS: Final = 53
_FACTOR_BITS: Final = 7
_PRODUCT_BITS: Final = 28
_BLOCK_ROWS: Final = 256

Residues = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class EpochSecret:
    """The service's secret for the matrix B of one epoch and one n: ``r`` and ``s = B * r``, both
    (n, 2) modulo p. Made once and kept in memory; neither vector is shown, sent or stored."""

    key: bytes = field(repr=False)
    r: Residues = field(repr=False)
    s: Residues = field(repr=False)

    @classmethod
    def make(cls, challenge: Challenge) -> EpochSecret:
        """Draw r and pass over B once: n**2 bytes are generated, a few MiB held."""
        key, n = prng.epoch_key(challenge), challenge.params.n
        r = _random_residues(n)
        s = [dot_mod(block, r, _FACTOR_BITS) for _, block in matrix_blocks(key, n, _BLOCK_ROWS)]
        return cls(key=key, r=r, s=np.concatenate(s))

    def fits(self, challenge: Challenge) -> bool:
        """Whether this is the secret for the challenge's B."""
        return self.key == prng.epoch_key(challenge)

    def __reduce__(self) -> Any:
        raise TypeError("an epoch's secret stays in the process that made it")


def rows_agree(
    secret: EpochSecret, factors: prng.Int8Matrix, products: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """For every row: is ``products`` (m, n) what ``factors`` (m, n) times B is, modulo p? The
    caller has checked that no entry is above the limit."""
    claimed = dot_mod(products, secret.r, _PRODUCT_BITS)
    expected = dot_mod(factors, secret.s, _FACTOR_BITS)
    return np.asarray((claimed == expected).all(axis=1))


def dot_mod(matrix: NDArray[Any], vectors: Residues, bits: int) -> Residues:
    """``matrix`` (m, n) times ``vectors`` (n, c) modulo p, where |entry| <= 2**bits.

    The vectors are cut into limbs so short that float64 holds every partial sum exactly.
    """
    wide = matrix.astype(np.float64)
    limb_bits = _FLOAT64_EXACT_BITS - (LARGEST_N.bit_length() - 1) - bits
    total = np.zeros((matrix.shape[0], vectors.shape[1]), dtype=np.int64)
    for shift in range(0, P.bit_length(), limb_bits):
        limb = (vectors >> shift & (2**limb_bits - 1)).astype(np.float64)
        part = (wide @ limb).astype(np.int64) % P
        total = (total + part * (2**shift % P)) % P
    return total


def _random_residues(n: int) -> Residues:
    """(n, 2) independent uniform residues modulo p, by rejection."""
    wanted = n * VECTORS
    drawn = np.empty(0, dtype=np.int64)
    while len(drawn) < wanted:
        words = np.frombuffer(secrets.token_bytes(4 * wanted), dtype="<u4") & P
        drawn = np.concatenate([drawn, words[words < P].astype(np.int64)])
    return drawn[:wanted].reshape(n, VECTORS)
