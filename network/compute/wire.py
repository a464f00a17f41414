"""The two messages of a prover, as bytes of exact lengths. Nothing in them is ever unpickled.

    commitment   tag (32) || root (32)
    opening      tag (32) || one entry per index, in the order asked for
    entry        index (4, big-endian) || rows (rounds x n int32, little-endian) || path (d x 32)

A challenge that is checked by recomputation has no rows in its entries.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import merkle, prng
from .findings import RoundError
from .params import (
    COMMITMENT_BYTES,
    ENTRY_BYTES,
    HASH_BYTES,
    INDEX_BYTES,
    TAG_BYTES,
    Challenge,
    Params,
)


@dataclass(frozen=True, slots=True)
class Opened:
    """One entry of an opening: ``rows`` is (rounds, n) or (0, n), ``path`` from the leaf up."""

    index: int
    rows: NDArray[np.int32]
    path: tuple[bytes, ...]


def commitment_encode(challenge: Challenge, root: bytes) -> bytes:
    """The message that commits to a root."""
    return prng.challenge_tag(challenge) + root


def commitment_root(challenge: Challenge, data: bytes) -> bytes:
    """The committed root. Raises RoundError for a wrong length and for another round's tag."""
    if len(data) != COMMITMENT_BYTES:
        raise RoundError("compute.commit_length")
    if not tag_matches(challenge, data):
        raise RoundError("compute.wrong_round")
    return data[TAG_BYTES:]


def tag_matches(challenge: Challenge, data: bytes) -> bool:
    """Whether a message begins with the challenge's tag."""
    return hmac.compare_digest(data[:TAG_BYTES], prng.challenge_tag(challenge))


def opening_encode(challenge: Challenge, entries: Sequence[Opened]) -> bytes:
    """The message that opens rows."""
    parts = [prng.challenge_tag(challenge)]
    for entry in entries:
        parts.append(entry.index.to_bytes(INDEX_BYTES, "big"))
        parts.extend(merkle.row_bytes(row) for row in entry.rows)
        parts.extend(entry.path)
    return b"".join(parts)


def opening_entries(params: Params, data: bytes) -> list[Opened] | None:
    """The entries of an opening, None if its length is not that of whole entries, or is that of
    more than twice the entries asked for: reading costs what was asked for, not what was sent."""
    body = len(data) - TAG_BYTES
    if body < 0 or body % params.entry_bytes or body > 2 * params.openings * params.entry_bytes:
        return None
    starts = range(TAG_BYTES, len(data), params.entry_bytes)
    return [_entry(params, data, start) for start in starts]


def _entry(params: Params, data: bytes, start: int) -> Opened:
    count = params.opened_rounds * params.n
    rows_start = start + INDEX_BYTES
    path_start = rows_start + count * ENTRY_BYTES
    rows = np.frombuffer(data, dtype="<i4", count=count, offset=rows_start) if count else _NO_ROWS
    return Opened(
        index=int.from_bytes(data[start:rows_start], "big"),
        rows=rows.astype(np.int32, copy=False).reshape(params.opened_rounds, params.n),
        path=tuple(
            data[at : at + HASH_BYTES]
            for at in range(path_start, start + params.entry_bytes, HASH_BYTES)
        ),
    )


_NO_ROWS: NDArray[np.int32] = np.empty(0, dtype=np.int32)
