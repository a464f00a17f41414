"""The commitment to a product: a binary Merkle tree over its rows.

Leaves and inner nodes are hashed in different domains (0x00 and 0x01, as RFC 6962, 2.1 does), a
leaf names its index, and the number of rows is a power of two, so that depth follows from n and no
leaf ever stands twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .params import INDEX_BYTES

_LEAF: Final = b"\x00"
_INNER: Final = b"\x01"


def row_bytes(row: NDArray[np.int32]) -> bytes:
    """A product row as it is hashed and sent: int32, little-endian."""
    return row.astype("<i4", copy=False).tobytes()


def leaf_hash(index: int, row: bytes) -> bytes:
    """SHA-256 over 0x00, the index in four bytes, big-endian, and the row."""
    return hashlib.sha256(_LEAF + index.to_bytes(INDEX_BYTES, "big") + row).digest()


def inner_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256 over 0x01 and both children."""
    return hashlib.sha256(_INNER + left + right).digest()


class Tree:
    """A tree over 2**d leaf hashes. Raises ValueError for any other number of leaves."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        if not leaves or len(leaves) & (len(leaves) - 1):
            raise ValueError("the number of leaves is a power of two")
        self._levels = [list(leaves)]
        while len(self._levels[-1]) > 1:
            below = self._levels[-1]
            pairs = zip(below[::2], below[1::2], strict=True)
            self._levels.append([inner_hash(left, right) for left, right in pairs])

    @property
    def root(self) -> bytes:
        return self._levels[-1][0]

    def path(self, index: int) -> tuple[bytes, ...]:
        """The siblings from the leaf upwards. Raises IndexError for no leaf of the tree."""
        if not 0 <= index < len(self._levels[0]):
            raise IndexError(index)
        return tuple(level[(index >> up) ^ 1] for up, level in enumerate(self._levels[:-1]))


def root_from(leaf: bytes, index: int, path: Sequence[bytes]) -> bytes:
    """The root that a leaf's path leads to. The caller has checked that the path is d long and
    that the index is below 2**d."""
    digest = leaf
    for up, sibling in enumerate(path):
        right = index >> up & 1
        digest = inner_hash(sibling, digest) if right else inner_hash(digest, sibling)
    return digest
