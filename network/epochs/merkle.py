"""The Merkle tree over an epoch's verdicts, as the contract `AttestationLedger` checks it. Pure.

The shape is that of RFC 9162 (sections 2.1.1 and 2.1.3) with keccak-256: leaves and inner nodes
begin with different bytes, and the last node of a level with an odd number of nodes rises to the
next as it is; no leaf is ever counted twice. An epoch without verdicts has `EMPTY_ROOT`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from chain.hashing import keccak

LEAF_PREFIX = b"\x00"
INNER_PREFIX = b"\x01"
EMPTY_ROOT = bytes(32)
#: The contract counts leaves in a uint32.
MAX_LEAVES = 2**32 - 1
_HASH_BYTES = 32
_ADDRESS_BYTES = 20


class MerkleInvalid(ValueError):
    """Values that cannot stand in the contract's tree. `code` says which."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class LedgerEpoch:
    """One epoch of one ledger. `ledger` is the contract's address, 20 bytes."""

    chain_id: int
    ledger: bytes
    epoch: int


@dataclass(frozen=True, slots=True)
class VerdictLeaf:
    """One verdict: `IAttestationLedger.VerdictLeaf`. Hashes and ids are 32 bytes.

    `tier` is the rung of the ladder, `status` the verdict's by AR4SI, `seconds_attested` how many
    seconds of the epoch the verdict covers.
    """

    node_id: bytes
    verdict_hash: bytes
    tier: int
    status: int
    seconds_attested: int


def leaf_hash(leaf: VerdictLeaf, *, place: LedgerEpoch, index: int) -> bytes:
    """The hash of a verdict as leaf number `index` (from zero) of an epoch, 32 bytes.

    Raises:
        MerkleInvalid: ``leaf_malformed``, a value does not fit its Solidity type.
    """
    words = (
        _uint(place.chain_id, 256),
        bytes(12) + _sized(place.ledger, _ADDRESS_BYTES),
        _uint(place.epoch, 256),
        _uint(index, 256),
        _sized(leaf.node_id, _HASH_BYTES),
        _sized(leaf.verdict_hash, _HASH_BYTES),
        _uint(leaf.tier, 8),
        _uint(leaf.status, 8),
        _uint(leaf.seconds_attested, 32),
    )
    # Static types alone: the ABI's encoding is their words, one after the other.
    return keccak(LEAF_PREFIX + keccak(b"".join(words)))


def inner_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node over its children, 32 bytes."""
    return keccak(INNER_PREFIX + left + right)


class MerkleTree:
    """A tree over leaf hashes in their order; keeps every level for proofs.

    Args:
        leaves: as `leaf_hash` makes them.

    Raises:
        MerkleInvalid: ``leaf_malformed`` or ``too_many_leaves``.
    """

    __slots__ = ("_levels",)

    def __init__(self, leaves: Sequence[bytes]) -> None:
        if len(leaves) > MAX_LEAVES:
            raise MerkleInvalid("too_many_leaves", f"{len(leaves)} leaves, at most {MAX_LEAVES}.")
        level = [_sized(leaf, _HASH_BYTES) for leaf in leaves]
        self._levels = [level]
        while len(level) > 1:
            level = _level_above(level)
            self._levels.append(level)

    @classmethod
    def of(cls, place: LedgerEpoch, verdicts: Sequence[VerdictLeaf]) -> "MerkleTree":
        """The tree of an epoch over its verdicts in their order. Raises MerkleInvalid."""
        hashes = [leaf_hash(leaf, place=place, index=at) for at, leaf in enumerate(verdicts)]
        return cls(hashes)

    @property
    def count(self) -> int:
        """How many leaves there are."""
        return len(self._levels[0])

    @property
    def root(self) -> bytes:
        """The root, 32 bytes; `EMPTY_ROOT` without leaves."""
        return self._levels[-1][0] if self.count else EMPTY_ROOT

    def proof(self, index: int) -> list[bytes]:
        """The siblings on the way from leaf number `index` to the root, from the leaf's up.

        Raises:
            MerkleInvalid: ``leaf_unknown``, there is no such leaf.
        """
        if not 0 <= index < self.count:
            raise MerkleInvalid("leaf_unknown", f"No leaf {index} among {self.count}.")
        siblings = []
        for level in self._levels[:-1]:
            if (sibling := index ^ 1) < len(level):
                siblings.append(level[sibling])
            index >>= 1
        return siblings


def proof_verify(
    *, root: bytes, count: int, index: int, leaf: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether the tree of `count` leaves under `root` has the hash `leaf` at `index`.

    Answers as `AttestationLedger.verify` does for a usable epoch.
    """
    if not 0 <= index < count:
        return False
    node, last, used = leaf, count - 1, 0
    while last > 0:
        if index != last or index & 1:
            if used == len(proof):
                return False
            sibling = proof[used]
            used += 1
            node = inner_hash(sibling, node) if index & 1 else inner_hash(node, sibling)
        index, last = index >> 1, last >> 1
    return used == len(proof) and node == root


def _level_above(level: Sequence[bytes]) -> list[bytes]:
    above = [inner_hash(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
    if len(level) % 2:
        above.append(level[-1])
    return above


def _uint(value: int, bits: int) -> bytes:
    # A bool is an int in Python, and a verdict's status that is one is a mistake.
    if isinstance(value, bool) or not 0 <= value < 1 << bits:
        raise MerkleInvalid("leaf_malformed", f"{value!r} is no uint{bits}.")
    return value.to_bytes(32, "big")


def _sized(value: bytes, size: int) -> bytes:
    if len(value) != size:
        raise MerkleInvalid("leaf_malformed", f"{len(value)} bytes where {size} are needed.")
    return bytes(value)
