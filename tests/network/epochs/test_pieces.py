"""A tree in pieces is the whole tree: the same root, the same proofs."""

from __future__ import annotations

import pytest

from chain.hashing import keccak
from network.epochs import pieces
from network.epochs.merkle import EMPTY_ROOT, MerkleInvalid, MerkleTree, proof_verify
from network.epochs.pieces import PiecesBuilder, piece_span, pieces_proof, pieces_root

SMALL = 4


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE", SMALL)


def leaves(count: int) -> list[bytes]:
    return [keccak(index.to_bytes(4, "big")) for index in range(count)]


def built(hashes: list[bytes]) -> PiecesBuilder:
    builder = PiecesBuilder()
    for leaf in hashes:
        builder.add(leaf)
    return builder


@pytest.mark.parametrize("count", range(35))
def test_root_and_every_proof_are_those_of_the_whole_tree(count: int) -> None:
    hashes = leaves(count)
    builder, whole = built(hashes), MerkleTree(hashes)
    assert (builder.root, builder.count) == (whole.root, count)
    roots = builder.piece_roots
    assert len(roots) == 32 * -(-count // SMALL)
    for index, leaf in enumerate(hashes):
        piece = hashes[slice(*piece_span(index))]
        proof = pieces_proof(piece_roots=roots, piece=piece, index=index)
        assert proof == whole.proof(index)
        assert proof_verify(root=whole.root, count=count, index=index, leaf=leaf, proof=proof)


def test_an_epoch_without_verdicts_has_the_empty_root() -> None:
    assert (PiecesBuilder().root, PiecesBuilder().piece_roots) == (EMPTY_ROOT, b"")
    assert pieces_root(b"") == EMPTY_ROOT


def test_the_root_can_be_asked_for_at_any_time() -> None:
    builder = PiecesBuilder()
    for count, leaf in enumerate(leaves(11), start=1):
        builder.add(leaf)
        assert builder.root == MerkleTree(leaves(count)).root


def test_a_piece_of_other_leaves_proves_nothing() -> None:
    hashes = leaves(9)
    roots = built(hashes).piece_roots
    with pytest.raises(MerkleInvalid) as refused:
        pieces_proof(piece_roots=roots, piece=[*hashes[4:7], bytes(32)], index=5)
    assert refused.value.code == "piece_differs"


@pytest.mark.parametrize(("piece", "index"), [(slice(8, 9), 9), (slice(0, 4), 40), (slice(0), 0)])
def test_a_leaf_that_is_not_there_has_no_proof(piece: slice, index: int) -> None:
    hashes = leaves(9)
    with pytest.raises(MerkleInvalid) as refused:
        pieces_proof(piece_roots=built(hashes).piece_roots, piece=hashes[piece], index=index)
    assert refused.value.code == "leaf_unknown"


def test_roots_of_half_a_hash_are_refused() -> None:
    with pytest.raises(MerkleInvalid) as refused:
        pieces_root(bytes(33))
    assert refused.value.code == "leaf_malformed"
