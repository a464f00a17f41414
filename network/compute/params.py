"""What a compute challenge asks for: its size, and what its matrices are derived from.

Everything here is chosen by the service. A prover's answer names no size and no count: the lengths
of its messages are compared with those that follow from the challenge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

SMALLEST_N: Final = 64
LARGEST_N: Final = 16384
MAX_ROUNDS: Final = 64
MAX_OPENINGS: Final = 512
#: An opening that would be longer has to be checked by recomputation.
MAX_OPENING_BYTES: Final = 8 * 2**20
#: Multiplications of int8 that one recomputation may cost the service: some ten seconds of a core.
MAX_RECOMPUTED: Final = 2**38
NONCE_BYTES: Final = 32
NODE_KEY_BYTES: Final = 32
CHALLENGE_ID_BYTES: Final = 16
TAG_BYTES: Final = 32
HASH_BYTES: Final = 32
INDEX_BYTES: Final = 4
ENTRY_BYTES: Final = 4
COMMITMENT_BYTES: Final = TAG_BYTES + HASH_BYTES
MAX_GPU_ID_BYTES: Final = 64
MAX_EPOCH: Final = 2**63 - 1


class Check(StrEnum):
    """How the service checks opened rows: by a secret random vector (Freivalds), which needs the
    rows sent, or by computing them again, which needs their Merkle paths alone."""

    FREIVALDS = "freivalds"
    RECOMPUTE = "recompute"


@dataclass(frozen=True, slots=True)
class Params:
    """The size of one challenge: matrices of ``n`` x ``n``, ``rounds`` products one after the
    other, ``openings`` rows looked at. Raises ValueError for a size that is not served."""

    n: int
    rounds: int = 1
    openings: int = 64
    check: Check = Check.FREIVALDS

    def __post_init__(self) -> None:
        if not SMALLEST_N <= self.n <= LARGEST_N or self.n & (self.n - 1):
            raise ValueError(f"n is a power of two from {SMALLEST_N} to {LARGEST_N}")
        if not 1 <= self.rounds <= MAX_ROUNDS:
            raise ValueError(f"rounds is from 1 to {MAX_ROUNDS}")
        if not 1 <= self.openings <= min(self.n, MAX_OPENINGS):
            raise ValueError(f"openings is from 1 to {min(self.n, MAX_OPENINGS)}")
        if self.opening_bytes > MAX_OPENING_BYTES:
            raise ValueError("the opened rows would be too long to send: check by recomputation")
        recomputed = self.openings * self.rounds * self.n * self.n
        if self.check is Check.RECOMPUTE and recomputed > MAX_RECOMPUTED:
            raise ValueError("the opened rows are too many to compute again")

    @property
    def depth(self) -> int:
        """Hashes in a Merkle path. It follows from n alone."""
        return self.n.bit_length() - 1

    @property
    def entry_limit(self) -> int:
        """No entry of an honest product is larger in magnitude: (-128) * (-128) * n."""
        return 2**14 * self.n

    @property
    def opened_rounds(self) -> int:
        """Rows sent for each index: one of every round, or none where the service recomputes."""
        return self.rounds if self.check is Check.FREIVALDS else 0

    @property
    def entry_bytes(self) -> int:
        """Length of one opened index with its rows and its path."""
        rows = self.opened_rounds * self.n * ENTRY_BYTES
        return INDEX_BYTES + rows + self.depth * HASH_BYTES

    @property
    def opening_bytes(self) -> int:
        """Exact length of the whole opening message."""
        return TAG_BYTES + self.openings * self.entry_bytes

    def as_json(self) -> dict[str, Any]:
        """The sizes, as stored with a round before it begins."""
        return {
            "n": self.n,
            "rounds": self.rounds,
            "openings": self.openings,
            "check": self.check.value,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Params:
        """Read what :meth:`as_json` wrote. Raises ValueError, KeyError or TypeError otherwise."""
        return cls(
            n=int(data["n"]),
            rounds=int(data["rounds"]),
            openings=int(data["openings"]),
            check=Check(data["check"]),
        )


@dataclass(frozen=True, slots=True)
class Challenge:
    """One GPU's challenge. ``nonce`` is fresh and secret until the round begins; ``node_key`` is
    the node's raw Ed25519 public key; ``epoch_seed`` is the public seed of the epoch's matrix B."""

    params: Params
    challenge_id: bytes
    nonce: bytes
    node_key: bytes
    gpu_id: str
    epoch: int
    epoch_seed: bytes

    def __post_init__(self) -> None:
        lengths = {
            "challenge_id": CHALLENGE_ID_BYTES,
            "nonce": NONCE_BYTES,
            "node_key": NODE_KEY_BYTES,
            "epoch_seed": NONCE_BYTES,
        }
        for name, length in lengths.items():
            if len(getattr(self, name)) != length:
                raise ValueError(f"{name} has {length} bytes")
        if not (self.gpu_id.isascii() and 1 <= len(self.gpu_id) <= MAX_GPU_ID_BYTES):
            raise ValueError(f"gpu_id is ASCII text of 1 to {MAX_GPU_ID_BYTES} characters")
        if not 0 <= self.epoch <= MAX_EPOCH:
            raise ValueError("epoch is not negative and fits in eight bytes")

    def as_json(self) -> dict[str, Any]:
        """What the node is sent when its round begins. Byte strings are hex."""
        return {
            **self.params.as_json(),
            "challenge_id": self.challenge_id.hex(),
            "nonce": self.nonce.hex(),
            "node_key": self.node_key.hex(),
            "gpu_id": self.gpu_id,
            "epoch": self.epoch,
            "epoch_seed": self.epoch_seed.hex(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Challenge:
        """Read what :meth:`as_json` wrote. Raises ValueError, KeyError or TypeError otherwise."""
        return cls(
            params=Params.from_json(data),
            challenge_id=bytes.fromhex(data["challenge_id"]),
            nonce=bytes.fromhex(data["nonce"]),
            node_key=bytes.fromhex(data["node_key"]),
            gpu_id=str(data["gpu_id"]),
            epoch=int(data["epoch"]),
            epoch_seed=bytes.fromhex(data["epoch_seed"]),
        )
