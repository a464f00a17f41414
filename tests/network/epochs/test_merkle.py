"""The epoch's tree against RFC 9162's own definition, written out here a second time."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from eth_abi import encode
from eth_utils import keccak
from hypothesis import given
from hypothesis import strategies as st

from network.epochs.merkle import (
    EMPTY_ROOT,
    LedgerEpoch,
    MerkleInvalid,
    MerkleTree,
    VerdictLeaf,
    inner_hash,
    leaf_hash,
    proof_verify,
)

WORD = st.binary(min_size=32, max_size=32)
UINT256 = st.integers(0, 2**256 - 1)
LEAVES = st.builds(
    VerdictLeaf,
    node_id=WORD,
    verdict_hash=WORD,
    tier=st.integers(0, 255),
    status=st.integers(0, 255),
    seconds_attested=st.integers(0, 2**32 - 1),
)
PLACES = st.builds(
    LedgerEpoch, chain_id=UINT256, ledger=st.binary(min_size=20, max_size=20), epoch=UINT256
)
PLACE = LedgerEpoch(chain_id=31337, ledger=b"\x11" * 20, epoch=7)
LEAF = VerdictLeaf(b"\x01" * 32, b"\x02" * 32, tier=4, status=2, seconds_attested=900)
LEAF_TYPES = (
    "uint256 address uint256 uint256 bytes32 bytes32 uint8 uint8 uint32".split()
)  # as IAttestationLedger states them


def tree_hash(leaves: Sequence[bytes]) -> bytes:
    """RFC 9162, 2.1.1: split at the largest power of two below the number of leaves."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return keccak(b"\x01" + tree_hash(leaves[:split]) + tree_hash(leaves[split:]))


def accepted(tree: MerkleTree, leaves: Sequence[bytes], index: int, proof: list[bytes]) -> bool:
    return proof_verify(
        root=tree.root, count=tree.count, index=index, leaf=leaves[index], proof=proof
    )


@given(leaf=LEAVES, place=PLACES, index=UINT256)
def test_a_leaf_is_the_abi_encoding_hashed_twice(
    leaf: VerdictLeaf, place: LedgerEpoch, index: int
) -> None:
    values = (
        place.chain_id,
        place.ledger,
        place.epoch,
        index,
        leaf.node_id,
        leaf.verdict_hash,
        leaf.tier,
        leaf.status,
        leaf.seconds_attested,
    )
    expected = keccak(b"\x00" + keccak(encode(LEAF_TYPES, values)))
    assert leaf_hash(leaf, place=place, index=index) == expected


@given(leaves=st.lists(WORD, min_size=1, max_size=70))
def test_the_root_is_that_of_the_definition(leaves: list[bytes]) -> None:
    assert MerkleTree(leaves).root == tree_hash(leaves)


@given(leaves=st.lists(WORD, min_size=1, max_size=70), data=st.data())
def test_every_proof_holds_at_its_own_place_alone(leaves: list[bytes], data: st.DataObject) -> None:
    tree = MerkleTree(leaves)
    index = data.draw(st.integers(0, len(leaves) - 1))
    proof = tree.proof(index)
    assert accepted(tree, leaves, index, proof)
    for other in range(-1, len(leaves) + 2):
        holds = proof_verify(
            root=tree.root, count=tree.count, index=other, leaf=leaves[index], proof=proof
        )
        # Two equal leaves may well share a proof; nothing else may.
        same = 0 <= other < len(leaves) and (leaves[other], tree.proof(other)) == (
            leaves[index],
            proof,
        )
        assert holds == same


@given(leaves=st.lists(WORD, min_size=2, max_size=70, unique=True), data=st.data())
def test_a_proof_that_is_longer_shorter_or_altered_is_refused(
    leaves: list[bytes], data: st.DataObject
) -> None:
    tree = MerkleTree(leaves)
    index = data.draw(st.integers(0, len(leaves) - 1))
    proof = tree.proof(index)
    assert not accepted(tree, leaves, index, proof[:-1])
    assert not accepted(tree, leaves, index, [*proof, data.draw(WORD)])
    at = data.draw(st.integers(0, len(proof) - 1))
    bit = 1 << data.draw(st.integers(0, 255))
    flipped = (int.from_bytes(proof[at], "big") ^ bit).to_bytes(32, "big")
    assert not accepted(tree, leaves, index, [*proof[:at], flipped, *proof[at + 1 :]])


@pytest.mark.parametrize("count", [2, 3, 4, 5, 9, 17])
def test_no_leaf_is_counted_twice(count: int) -> None:
    """Repeating the last leaf of an odd level is another tree, not the same one."""
    leaves = [keccak(bytes([at])) for at in range(count)]
    roots = {MerkleTree(leaves + leaves[-1:] * more).root for more in range(4)}
    assert len(roots) == 4


def test_an_inner_node_is_no_leaf() -> None:
    leaves = [keccak(bytes([at])) for at in range(4)]
    tree = MerkleTree(leaves)
    left, right = inner_hash(*leaves[:2]), inner_hash(*leaves[2:])
    # Its place would be right in a tree of two, and the count says that there are four.
    assert tree.root == inner_hash(left, right)
    for count, held in ((2, True), (4, False)):
        holds = proof_verify(root=tree.root, count=count, index=0, leaf=left, proof=[right])
        assert holds is held
    # Nor does any verdict hash to one: 64 bytes under the leaf's prefix are not its children.
    posing = VerdictLeaf(leaves[0], leaves[1], tier=4, status=2, seconds_attested=900)
    assert leaf_hash(posing, place=PLACE, index=0) != left
    assert keccak(b"\x00" + leaves[0] + leaves[1]) != left


def test_no_leaves() -> None:
    tree = MerkleTree([])
    assert (tree.count, tree.root) == (0, EMPTY_ROOT)
    with pytest.raises(MerkleInvalid) as refused:
        tree.proof(0)
    assert refused.value.code == "leaf_unknown"
    assert not proof_verify(root=EMPTY_ROOT, count=0, index=0, leaf=EMPTY_ROOT, proof=[])


def test_one_leaf_is_the_root_and_needs_no_sibling() -> None:
    tree = MerkleTree.of(PLACE, [LEAF])
    assert tree.root == leaf_hash(LEAF, place=PLACE, index=0)
    assert tree.proof(0) == []


@pytest.mark.parametrize(
    "change",
    [
        {"chain_id": 1},
        {"ledger": b"\x12" * 20},
        {"epoch": 8},
    ],
)
def test_a_leaf_belongs_to_one_epoch_of_one_ledger_on_one_chain(change: dict[str, object]) -> None:
    values: dict[str, object] = {"chain_id": 31337, "ledger": b"\x11" * 20, "epoch": 7}
    other = LedgerEpoch(**{**values, **change})  # type: ignore[arg-type]
    assert leaf_hash(LEAF, place=other, index=0) != leaf_hash(LEAF, place=PLACE, index=0)


@pytest.mark.parametrize(
    ("leaf", "index"),
    [
        (VerdictLeaf(b"\x01" * 31, b"\x02" * 32, 4, 2, 900), 0),
        (VerdictLeaf(b"\x01" * 32, b"\x02" * 33, 4, 2, 900), 0),
        (VerdictLeaf(b"\x01" * 32, b"\x02" * 32, 256, 2, 900), 0),
        (VerdictLeaf(b"\x01" * 32, b"\x02" * 32, 4, -1, 900), 0),
        (VerdictLeaf(b"\x01" * 32, b"\x02" * 32, 4, True, 900), 0),
        (VerdictLeaf(b"\x01" * 32, b"\x02" * 32, 4, 2, 2**32), 0),
        (LEAF, -1),
    ],
)
def test_values_that_fit_no_solidity_type_are_refused(leaf: VerdictLeaf, index: int) -> None:
    with pytest.raises(MerkleInvalid) as refused:
        leaf_hash(leaf, place=PLACE, index=index)
    assert refused.value.code == "leaf_malformed"


def test_leaves_are_hashes() -> None:
    with pytest.raises(MerkleInvalid):
        MerkleTree([b"short"])
