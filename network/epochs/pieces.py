"""A large epoch's tree in pieces: the root while leaves stream by, a proof from one piece. Pure.

A piece is `PIECE` leaves, a power of two, so the root of each is a node of the whole tree and the
tree over those roots is the rest of it. The roots of a million leaves are 31 kB.
"""

from collections.abc import Sequence

from network.epochs.merkle import MerkleInvalid, MerkleTree

#: Leaves a piece.
PIECE = 1024
_HASH_BYTES = 32


class PiecesBuilder:
    """Takes leaf hashes in their order; knows the roots of the pieces, and the epoch's root."""

    __slots__ = ("_leaves", "_roots", "count")

    def __init__(self) -> None:
        self._leaves: list[bytes] = []
        self._roots: list[bytes] = []
        #: Leaves taken so far.
        self.count = 0

    def add(self, leaf: bytes) -> None:
        """Take the next leaf's hash, 32 bytes."""
        self._leaves.append(leaf)
        self.count += 1
        if len(self._leaves) == PIECE:
            self._roots.append(MerkleTree(self._leaves).root)
            self._leaves = []

    @property
    def piece_roots(self) -> bytes:
        """The roots of all pieces, one after the other; empty without leaves."""
        last = [MerkleTree(self._leaves).root] if self._leaves else []
        return b"".join([*self._roots, *last])

    @property
    def root(self) -> bytes:
        """The root over all leaves taken so far, 32 bytes."""
        return pieces_root(self.piece_roots)


def pieces_root(piece_roots: bytes) -> bytes:
    """The epoch's root over the roots of its pieces, 32 bytes. Raises MerkleInvalid."""
    return MerkleTree(_split(piece_roots)).root


def piece_span(index: int) -> tuple[int, int]:
    """The places of the piece that holds leaf number `index`: its first, and the next one's."""
    start = index // PIECE * PIECE
    return start, start + PIECE


def pieces_proof(*, piece_roots: bytes, piece: Sequence[bytes], index: int) -> list[bytes]:
    """The proof of leaf number `index` of the epoch: `MerkleTree.proof` of the whole tree.

    `piece` are the leaf hashes of the piece that holds it, in order.

    Raises:
        MerkleInvalid: ``leaf_unknown``, there is no such leaf; ``piece_differs``, these leaves are
            not those the epoch was made of.
    """
    roots = _split(piece_roots)
    number = index // PIECE
    tree = MerkleTree(piece)
    below = tree.proof(index % PIECE)
    above = MerkleTree(roots).proof(number)
    if tree.root != roots[number]:
        raise MerkleInvalid("piece_differs", f"Piece {number} is not what the epoch was made of.")
    return below + above


def _split(piece_roots: bytes) -> list[bytes]:
    if len(piece_roots) % _HASH_BYTES:
        raise MerkleInvalid("leaf_malformed", "The roots of pieces are 32 bytes each.")
    return [piece_roots[at : at + _HASH_BYTES] for at in range(0, len(piece_roots), _HASH_BYTES)]
