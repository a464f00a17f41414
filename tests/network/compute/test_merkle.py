"""The commitment: round trips, domains, indices and lengths."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from network.compute import merkle

from .rounds import digest


def leaves(count: int) -> list[bytes]:
    return [digest(f"leaf {index}") for index in range(count)]


def test_hashes_are_written_as_documented() -> None:
    row = merkle.row_bytes(np.array([1, -2, 2**28], dtype=np.int32))
    assert row == bytes.fromhex("01000000 feffffff 00000010")
    assert merkle.leaf_hash(258, row) == hashlib.sha256(b"\0\0\0\1\2" + row).digest()
    one, two = leaves(2)
    assert merkle.Tree([one, two]).root == hashlib.sha256(b"\1" + one + two).digest()


@given(st.integers(0, 7), st.data())
def test_every_path_leads_to_the_root_and_no_other_does(depth: int, data: st.DataObject) -> None:
    count = 2**depth
    index = data.draw(st.integers(0, count - 1))
    tree = merkle.Tree(leaves(count))
    path = tree.path(index)
    assert len(path) == depth
    assert merkle.root_from(leaves(count)[index], index, path) == tree.root
    for other in range(count):
        if other != index:
            assert merkle.root_from(leaves(count)[index], other, path) != tree.root


@pytest.mark.parametrize("count", [0, 3, 5, 6, 63])
def test_no_leaf_is_doubled_to_fill_a_tree(count: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        merkle.Tree(leaves(count))


@pytest.mark.parametrize("index", [-1, 4])
def test_no_path_for_a_leaf_that_is_not_there(index: int) -> None:
    with pytest.raises(IndexError):
        merkle.Tree(leaves(4)).path(index)


def test_an_inner_node_is_no_leaf() -> None:
    """Without domains, a row made of two hashes would open an inner node at half the depth."""
    one, two = leaves(2)
    assert merkle.inner_hash(one, two) != hashlib.sha256(one + two).digest()
    for index in range(4):
        assert merkle.leaf_hash(index, one + two) != merkle.inner_hash(one, two)


def test_the_same_row_at_another_index_is_another_leaf() -> None:
    row = bytes(256)
    assert merkle.leaf_hash(1, row) != merkle.leaf_hash(2, row)
