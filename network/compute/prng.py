"""The matrices of a challenge: AES-256 in counter mode, every row at an address of its own.

A row can be made without the rows before it, so a verifier makes only those it looks at. Entries
depend on row and column through a block cipher and not on their sum or difference, which leaves no
shift structure by which one product entry would follow from its neighbour. Keys come from
HKDF-SHA256 (RFC 5869) over fields that each carry their length, so no two challenges share one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

from .params import Challenge, Params

Int8Matrix = NDArray[np.int8]

#: AES-256's key; the tag has the same length, see ``params.TAG_BYTES``.
_DERIVED_BYTES: Final = 32
_BLOCK_BYTES: Final = 16
_LABEL: Final = b"althing/compute/1/"


def challenge_key(challenge: Challenge) -> bytes:
    """The AES-256 key of matrix A: no other GPU, node, round, epoch or size has the same."""
    return _derive(challenge.nonce, b"A", _challenge_fields(challenge))


def challenge_tag(challenge: Challenge) -> bytes:
    """32 bytes that name the challenge at the head of both of the prover's messages."""
    return _derive(challenge.nonce, b"tag", _challenge_fields(challenge))


def epoch_key(challenge: Challenge) -> bytes:
    """The AES-256 key of matrix B, the same for every challenge of one epoch and one n."""
    fields = [_integer(challenge.epoch), _integer(challenge.params.n)]
    return _derive(challenge.epoch_seed, b"B", fields)


def rows(key: bytes, n: int, first: int, count: int) -> Int8Matrix:
    """Rows ``first`` to ``first + count - 1`` of the n x n matrix of a key, n a multiple of 16."""
    if n % _BLOCK_BYTES or not (0 <= first <= first + count <= n):
        raise ValueError("the rows lie outside the matrix")
    counter = (first * n // _BLOCK_BYTES).to_bytes(_BLOCK_BYTES, "big")
    encryptor = Cipher(algorithms.AES(key), modes.CTR(counter)).encryptor()
    return np.frombuffer(encryptor.update(bytes(count * n)), dtype=np.int8).reshape(count, n)


def rows_at(key: bytes, n: int, indices: Sequence[int]) -> Int8Matrix:
    """The rows of the given indices, in their order."""
    if not indices:
        return np.empty((0, n), dtype=np.int8)
    return np.concatenate([rows(key, n, index, 1) for index in indices])


def _challenge_fields(challenge: Challenge) -> list[bytes]:
    return [
        challenge.node_key,
        challenge.gpu_id.encode("ascii"),
        challenge.challenge_id,
        _integer(challenge.epoch),
        challenge.epoch_seed,
        _params_bytes(challenge.params),
    ]


def _params_bytes(params: Params) -> bytes:
    sizes = b"".join(map(_integer, (params.n, params.rounds, params.openings)))
    return sizes + params.check.value.encode("ascii")


def _integer(value: int) -> bytes:
    return value.to_bytes(8, "big")


def _derive(secret: bytes, purpose: bytes, fields: Sequence[bytes]) -> bytes:
    info = _LABEL + purpose + b"".join(len(field).to_bytes(2, "big") + field for field in fields)
    return HKDF(algorithm=SHA256(), length=_DERIVED_BYTES, salt=None, info=info).derive(secret)
