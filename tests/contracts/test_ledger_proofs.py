"""Proofs made in Python, judged by the real contract: `network.epochs.merkle` and `verify`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import ape
import pytest
from _deployment.steps import container, deploy_contract
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support import DAY_S, World, wait, wait_until

from network.epochs.merkle import (
    EMPTY_ROOT,
    LedgerEpoch,
    MerkleTree,
    VerdictLeaf,
    inner_hash,
    leaf_hash,
    proof_verify,
)

CHAIN_ID = 31337
WORD = st.binary(min_size=32, max_size=32)
VERDICTS = st.builds(
    VerdictLeaf,
    node_id=WORD,
    verdict_hash=WORD,
    tier=st.integers(0, 5),
    status=st.sampled_from([0, 2, 32, 96]),
    seconds_attested=st.integers(0, DAY_S),
)
# A chain for every example is slow; what a tree's shape can go wrong with are these sizes.
SIZES = st.sampled_from([1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33, 65])
EXAMPLES = settings(max_examples=15, deadline=None, database=None)


def made(count: int) -> list[VerdictLeaf]:
    """Verdicts of one report each, all different."""
    return [
        VerdictLeaf(
            node_id=bytes([at // 3]) * 32,
            verdict_hash=at.to_bytes(32, "big"),
            tier=at % 6,
            status=2,
            seconds_attested=900,
        )
        for at in range(count)
    ]


def epoch_of(ledger: Any, epoch: int = 0) -> LedgerEpoch:
    return LedgerEpoch(CHAIN_ID, bytes.fromhex(ledger.address[2:]), epoch)


@pytest.fixture(scope="module")
def twin(session_world: World) -> Any:
    """A second ledger over the same registry of parameters."""
    world = session_world
    parts = (world.parameters, world.governor, world.timelock, world.attestor)
    arguments = tuple(part.address for part in parts)
    instance, _receipt = deploy_contract(
        world.accounts[0], container("AttestationLedger"), arguments
    )
    return instance


@contextmanager
def usable(world: World, trees: list[tuple[Any, int, MerkleTree]]) -> Iterator[None]:
    """The trees' roots posted to their ledgers and epochs, a day later; undone at the end."""
    snapshot = ape.chain.snapshot()
    try:
        last = max(epoch for _, epoch, _ in trees)
        wait_until(int(world.parameters.genesisAt()) + (last + 1) * DAY_S)
        for ledger, epoch, tree in trees:
            ledger.post(epoch, tree.root, tree.count, 0, bytes(32), sender=world.attestor)
        wait(DAY_S)
        yield
    finally:
        ape.chain.restore(snapshot)


def holds(
    ledger: Any, leaf: VerdictLeaf, index: int, proof: list[bytes], *, epoch: int = 0
) -> bool:
    fields = (leaf.node_id, leaf.verdict_hash, leaf.tier, leaf.status, leaf.seconds_attested)
    return bool(ledger.verify(epoch, fields, index, proof))


@EXAMPLES
@given(leaf=VERDICTS, index=st.integers(0, 2**256 - 1), epoch=st.integers(0, 2**256 - 1))
def test_leaves_hash_alike(session_world: World, leaf: VerdictLeaf, index: int, epoch: int):
    ledger = session_world.ledger
    fields = (leaf.node_id, leaf.verdict_hash, leaf.tier, leaf.status, leaf.seconds_attested)
    expected = leaf_hash(leaf, place=epoch_of(ledger, epoch), index=index)
    assert bytes(ledger.leafHash(epoch, fields, index)) == expected


@pytest.mark.parametrize("count", [1, 2, 3, 5, 9, 17])
def test_every_leaf_is_proven_at_its_place(session_world: World, count: int):
    ledger = session_world.ledger
    tree = MerkleTree.of(epoch_of(ledger), made(count))
    with usable(session_world, [(ledger, 0, tree)]):
        for index, leaf in enumerate(made(count)):
            assert holds(ledger, leaf, index, tree.proof(index))


@EXAMPLES
@given(size=SIZES, data=st.data())
def test_random_trees(session_world: World, size: int, data: st.DataObject):
    ledger = session_world.ledger
    verdicts = data.draw(st.lists(VERDICTS, min_size=size, max_size=size))
    index = data.draw(st.integers(0, size - 1))
    tree = MerkleTree.of(epoch_of(ledger), verdicts)
    with usable(session_world, [(ledger, 0, tree)]):
        assert holds(ledger, verdicts[index], index, tree.proof(index))


@EXAMPLES
@given(size=SIZES, data=st.data())
def test_tampered_proofs(session_world: World, size: int, data: st.DataObject):
    """Another place, another verdict, another proof; Python's answer is the contract's."""
    ledger = session_world.ledger
    verdicts, index = made(size), data.draw(st.integers(0, size - 1))
    tree = MerkleTree.of(epoch_of(ledger), verdicts)
    leaf, proof = verdicts[index], tree.proof(index)
    with usable(session_world, [(ledger, 0, tree)]):
        other = data.draw(st.integers(0, size).filter(lambda value: value != index))
        assert not holds(ledger, leaf, other, proof)
        for forged in (
            replace(leaf, node_id=data.draw(WORD.filter(lambda value: value != leaf.node_id))),
            replace(leaf, verdict_hash=bytes(31) + b"\xff"),
            replace(leaf, tier=leaf.tier + 1),
            replace(leaf, status=96),
            replace(leaf, seconds_attested=leaf.seconds_attested + 1),
        ):
            assert not holds(ledger, forged, index, proof)
        for wrong in (
            [*proof, data.draw(WORD)],
            proof[:-1] or [EMPTY_ROOT],
            proof[::-1] if len(proof) > 1 else [leaf.verdict_hash],
            [data.draw(WORD), *proof[1:]],
        ):
            hash_ = leaf_hash(leaf, place=epoch_of(ledger), index=index)
            answer = proof_verify(
                root=tree.root, count=tree.count, index=index, leaf=hash_, proof=wrong
            )
            assert holds(ledger, leaf, index, wrong) is answer is (wrong == proof)


@EXAMPLES
@given(size=SIZES, data=st.data())
def test_another_epoch_and_another_ledger(
    session_world: World, twin: Any, size: int, data: st.DataObject
):
    """The very same root elsewhere: what it holds is bound to one epoch of one ledger."""
    ledger, verdicts = session_world.ledger, made(size)
    index = data.draw(st.integers(0, size - 1))
    tree = MerkleTree.of(epoch_of(ledger), verdicts)
    proof = tree.proof(index)
    with usable(session_world, [(ledger, 0, tree), (ledger, 1, tree), (twin, 0, tree)]):
        assert holds(ledger, verdicts[index], index, proof)
        assert not holds(ledger, verdicts[index], index, proof, epoch=1)
        assert not holds(twin, verdicts[index], index, proof)


@example(size=4)
@EXAMPLES
@given(size=SIZES.filter(lambda size: size > 1))
def test_an_inner_node_is_no_leaf(session_world: World, size: int):
    """Its 64 bytes as a verdict, with the rest of a proof, and under a count that fits it."""
    ledger = session_world.ledger
    place, verdicts = epoch_of(ledger), made(size)
    hashes = [leaf_hash(leaf, place=place, index=at) for at, leaf in enumerate(verdicts)]
    tree = MerkleTree(hashes)
    posing = VerdictLeaf(hashes[0], hashes[1], tier=0, status=0, seconds_attested=0)
    rest = tree.proof(0)[1:]
    # The tree one level up has the same root, and the inner node is its first leaf.
    above = MerkleTree(
        [inner_hash(*hashes[at : at + 2]) for at in range(0, size - 1, 2)]
        + (hashes[-1:] if size % 2 else [])
    )
    assert (above.root, above.proof(0)) == (tree.root, rest)
    for posted in (tree, above):
        with usable(session_world, [(ledger, 0, posted)]):
            assert not holds(ledger, posing, 0, rest)


def test_an_epoch_without_verdicts_holds_nothing(session_world: World):
    ledger = session_world.ledger
    with usable(session_world, [(ledger, 0, MerkleTree([]))]):
        assert not holds(ledger, made(1)[0], 0, [])


def test_a_root_proves_nothing_before_it_is_usable(session_world: World):
    ledger, (leaf,) = session_world.ledger, made(1)
    with ape.reverts(ledger.LedgerEpochUnknown, epoch=0):
        holds(ledger, leaf, 0, [])
    tree = MerkleTree.of(epoch_of(ledger), [leaf])
    with usable(session_world, [(ledger, 0, tree)]):
        wait_until(int(session_world.parameters.genesisAt()) + 3 * DAY_S)
        ledger.post(1, tree.root, 1, 0, bytes(32), sender=session_world.attestor)
        usable_at = int(ledger.usableAt(1))
        wait_until(usable_at - 3)
        with ape.reverts(ledger.LedgerEpochNotUsable, epoch=1, allowedAt=usable_at):
            holds(ledger, leaf, 0, [], epoch=1)
        wait_until(usable_at - 2)
        ledger.voidEpoch(1, bytes(32), sender=session_world.guardian)
        wait(DAY_S)
        with ape.reverts(ledger.LedgerEpochVoided, epoch=1):
            holds(ledger, leaf, 0, [], epoch=1)
