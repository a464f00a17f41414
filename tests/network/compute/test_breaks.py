"""Known breaks of compute challenges, each by its name, each against a whole real round."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from network.compute import (
    Check,
    EpochSecret,
    NumpyBackend,
    Prover,
    Round,
    RoundError,
    prng,
    verify_opening,
)
from network.compute.freivalds import P, rows_agree
from network.compute.matmul import Int32Matrix, multiply
from network.compute.merkle import Tree, inner_hash, leaf_hash, row_bytes
from network.compute.prng import Int8Matrix
from network.compute.wire import Opened, commitment_encode, opening_encode, opening_entries

from .rounds import (
    COMMITTED_MS,
    OPENED_MS,
    begun,
    challenge,
    codes,
    digest,
    drawn,
    judge,
    play,
    play_changed,
    prover_for,
    secret_for,
)

BOTH = pytest.mark.parametrize("check", list(Check))
Entries = list[Opened]
Change = Callable[[Entries], Sequence[Opened]]


@BOTH
@pytest.mark.parametrize("rounds", [1, 3])
def test_an_honest_round_passes(check: Check, rounds: int) -> None:
    outcome = play(challenge(check=check, rounds=rounds))
    assert codes(outcome) == []
    assert outcome.passed
    assert outcome.measured
    assert outcome.rows_checked == 16


# What was opened is compared with what was asked for.


@BOTH
def test_empty_openings_prove_nothing(check: Check) -> None:
    outcome = play_changed(challenge(check=check), lambda entries: [])
    assert codes(outcome) == ["compute.open_length", "compute.index_missing"]
    assert outcome.rows_checked == 0
    assert not outcome.passed


@BOTH
@pytest.mark.parametrize("size", [0, 1, 31])
def test_an_opening_shorter_than_its_head(check: Check, size: int) -> None:
    asked = challenge(check=check)
    outcome = judge(drawn(asked, prover_for(asked).commit()), bytes(size))
    assert codes(outcome) == ["compute.wrong_round", "compute.open_length"]


def another_row(entries: Entries) -> Opened:
    """A row that was not asked for, with nothing of its own."""
    asked = {entry.index for entry in entries}
    return replace(entries[0], index=next(index for index in range(128) if index not in asked))


INDEX_CHANGES: dict[str, tuple[Change, list[str]]] = {
    "missing": (lambda e: e[1:], ["compute.open_length", "compute.index_missing"]),
    "extra": (lambda e: [*e, another_row(e)], ["compute.open_length", "compute.index_extra"]),
    "one for another": (
        lambda e: [another_row(e), *e[1:]],
        ["compute.index_missing", "compute.index_extra"],
    ),
    "duplicate": (lambda e: [*e, e[3]], ["compute.open_length", "compute.index_duplicate"]),
    "duplicate for another": (
        lambda e: [e[1], *e[1:]],
        ["compute.index_missing", "compute.index_duplicate"],
    ),
    "all the same": (
        lambda e: [e[0]] * len(e),
        ["compute.index_missing", "compute.index_duplicate"],
    ),
    "the first past the end": (
        lambda e: [*e[:-1], replace(e[-1], index=128)],
        ["compute.index_missing", "compute.index_range"],
    ),
    "far out of range": (
        lambda e: [*e[:-1], replace(e[-1], index=2**32 - 1)],
        ["compute.index_missing", "compute.index_range"],
    ),
    "the asked one plus n": (
        lambda e: [replace(e[0], index=e[0].index + 128), *e[1:]],
        ["compute.index_missing", "compute.index_range"],
    ),
    "reversed": (lambda e: e[::-1], ["compute.index_order"]),
    "two exchanged": (lambda e: [e[1], e[0], *e[2:]], ["compute.index_order"]),
}


@BOTH
@pytest.mark.parametrize("name", INDEX_CHANGES)
def test_indices_are_exactly_those_asked_for(check: Check, name: str) -> None:
    change, expected = INDEX_CHANGES[name]
    outcome = play_changed(challenge(check=check), change)
    assert codes(outcome) == expected
    assert not outcome.passed


# Rows and paths belong together.


@BOTH
def test_row_of_another_index_with_its_own_path(check: Check) -> None:
    """A true row of the true product, honestly committed: only not the one asked for."""

    def change(entries: Entries) -> Entries:
        return [replace(entries[1], index=entries[0].index), *entries[1:]]

    outcome = play_changed(challenge(check=check), change)
    assert "compute.root_mismatch" in codes(outcome)
    wrong = [one for one in outcome.findings if one.code == "compute.root_mismatch"]
    assert len(wrong[0].data["rows"]) == 1


def test_row_of_another_index_is_not_the_product_either() -> None:
    def change(entries: Entries) -> Entries:
        return [replace(entries[1], index=entries[0].index), *entries[1:]]

    outcome = play_changed(challenge(), change)
    assert codes(outcome) == ["compute.row_wrong", "compute.root_mismatch"]


@BOTH
def test_path_of_another_row(check: Check) -> None:
    def change(entries: Entries) -> Entries:
        return [replace(entries[0], path=entries[1].path), *entries[1:]]

    assert codes(play_changed(challenge(check=check), change)) == ["compute.root_mismatch"]


@BOTH
@pytest.mark.parametrize("longer", [False, True])
def test_path_too_short_or_too_long(check: Check, longer: bool) -> None:
    """The depth follows from n: no length in the message can say another."""

    def change(entries: Entries) -> Entries:
        path = entries[0].path
        return [replace(one, path=(*path, bytes(32)) if longer else path[:-1]) for one in entries]

    outcome = play_changed(challenge(check=check), change)
    assert codes(outcome) == ["compute.open_length"]
    assert outcome.rows_checked == 0


@BOTH
def test_one_path_shorter_and_one_longer_in_a_message_of_the_right_length(check: Check) -> None:
    def change(entries: Entries) -> Entries:
        first, second = entries[0], entries[1]
        longer = replace(second, path=(*second.path, first.path[-1]))
        return [replace(first, path=first.path[:-1]), longer, *entries[2:]]

    assert "compute.root_mismatch" in codes(play_changed(challenge(check=check), change))


class DomainSwapped(Prover):
    """Commits to a tree whose leaves are hashed as inner nodes, or the other way round."""

    leaf, inner = b"\x01", b"\x00"

    def commit(self) -> bytes:
        super().commit()
        product = full_product(self)
        level = [
            digest_of(self.leaf + index.to_bytes(4, "big") + row_bytes(row))
            for index, row in enumerate(product)
        ]
        levels = [level]
        while len(level) > 1:
            level = [
                digest_of(self.inner + one + two)
                for one, two in zip(level[::2], level[1::2], strict=True)
            ]
            levels.append(level)
        tree = self._tree
        assert tree is not None
        tree._levels = levels
        return commitment_encode(self.challenge, tree.root)


class LeavesAsInnerNodes(DomainSwapped):
    leaf, inner = b"\x01", b"\x01"


class InnerNodesAsLeaves(DomainSwapped):
    leaf, inner = b"\x00", b"\x00"


def digest_of(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def full_product(prover: Prover) -> Int32Matrix:
    asked = prover.challenge
    n = asked.params.n
    left = prng.rows(prng.challenge_key(asked), n, 0, n)
    return multiply(left, prng.rows(prng.epoch_key(asked), n, 0, n))


@BOTH
@pytest.mark.parametrize("kind", [DomainSwapped, LeavesAsInnerNodes, InnerNodesAsLeaves])
def test_domains_of_leaves_and_inner_nodes_are_not_exchanged(
    check: Check, kind: type[DomainSwapped]
) -> None:
    asked = challenge(check=check)
    assert codes(play(asked, kind(asked, NumpyBackend()))) == ["compute.root_mismatch"]


@BOTH
def test_openings_of_a_tree_that_was_not_committed(check: Check) -> None:
    """Rows and paths are right among themselves; the root they lead to came too late."""
    asked = challenge(check=check)
    prover = prover_for(asked)
    prover.commit()
    round_ = drawn(asked, commitment_encode(asked, digest("something else")))
    outcome = judge(round_, prover.open(round_.indices))
    assert codes(outcome) == ["compute.root_mismatch"]
    assert outcome.findings[0].data["rows"] == list(round_.indices)


# The commitment comes first and stays.


@BOTH
def test_root_changed_after_the_indices(check: Check) -> None:
    asked = challenge(check=check)
    round_ = drawn(asked, commitment_encode(asked, digest("guess")))
    with pytest.raises(RoundError) as caught:
        round_.commit(prover_for(asked).commit(), COMMITTED_MS + 5)
    assert caught.value.code == "compute.second_commit"
    assert round_.root == digest("guess")


def test_second_commit_before_the_indices() -> None:
    asked = challenge()
    committed = begun(asked).commit(commitment_encode(asked, digest("one")), COMMITTED_MS)
    with pytest.raises(RoundError) as caught:
        committed.commit(commitment_encode(asked, digest("two")), COMMITTED_MS)
    assert caught.value.code == "compute.second_commit"


def test_late_commit_counts_by_the_services_clock() -> None:
    asked = challenge()
    prover = prover_for(asked)
    waiting = begun(asked)
    assert waiting.begun_ms is not None
    limit = waiting.deadline.commit_ms
    assert limit is not None
    for late in (0, 1):
        now = waiting.begun_ms + limit + late
        round_ = waiting.commit(prover.commit(), now).draw(now, random.Random(3))
        data = prover.open(round_.indices)
        outcome = verify_opening(round_.open(now + 5), data, secret_for(asked))
        assert codes(outcome) == ["compute.late"] * late
        assert outcome.passed == (not late)


def test_late_opening() -> None:
    asked = challenge()
    prover = prover_for(asked)
    round_ = drawn(asked, prover.commit())
    assert round_.drawn_ms is not None
    data = prover.open(round_.indices)
    for late in (0, 1):
        opened = round_.open(round_.drawn_ms + round_.deadline.open_ms + late)
        assert (
            codes(verify_opening(opened, data, secret_for(asked))) == ["compute.open_late"] * late
        )


def test_second_opening() -> None:
    asked = challenge()
    opened = drawn(asked, prover_for(asked).commit()).open(OPENED_MS)
    with pytest.raises(RoundError) as caught:
        opened.open(OPENED_MS + 1)
    assert caught.value.code == "compute.out_of_turn"


# Answers to other questions.


OTHERS = {
    "older round": {"nonce": digest("an older nonce"), "challenge_id": digest("older")[:16]},
    "same id, other nonce": {"nonce": digest("an older nonce")},
    "other GPU": {"gpu_id": "GPU-6e5a7f1c-0000-4000-8000-000000000002"},
    "other node": {"node_key": digest("another node key")},
    "other epoch": {"epoch": 20_779},
    "other epoch seed": {"epoch_seed": digest("another epoch")},
}


@BOTH
@pytest.mark.parametrize("name", OTHERS)
def test_replay_of_an_answer_to_another_challenge(check: Check, name: str) -> None:
    asked = challenge(check=check)
    other = replace(asked, **OTHERS[name])
    prover = prover_for(other)
    with pytest.raises(RoundError) as caught:
        begun(asked).commit(prover.commit(), COMMITTED_MS)
    assert caught.value.code == "compute.wrong_round"
    round_ = drawn(asked, prover_for(asked).commit())
    outcome = judge(round_, prover.open(round_.indices))
    assert codes(outcome)[0] == "compute.wrong_round"
    assert "compute.root_mismatch" in codes(outcome)


@BOTH
@pytest.mark.parametrize("name", OTHERS)
def test_replay_with_the_head_of_the_right_challenge(check: Check, name: str) -> None:
    """The tag is no secret: without it the rows must be wrong all the same."""
    asked = challenge(check=check)
    other = replace(asked, **OTHERS[name])
    prover = prover_for(other)
    tag = prng.challenge_tag(asked)
    round_ = drawn(asked, tag + prover.commit()[32:])
    outcome = judge(round_, tag + prover.open(round_.indices)[32:])
    expected = "compute.row_wrong" if check is Check.FREIVALDS else "compute.root_mismatch"
    assert codes(outcome) == [expected]
    assert outcome.findings[0].data["rows"] == list(round_.indices)


@BOTH
@pytest.mark.parametrize("size", [{"n": 64}, {"n": 256}, {"rounds": 2}, {"openings": 8}])
def test_a_size_chosen_by_the_prover_is_ignored(check: Check, size: dict[str, int]) -> None:
    asked, chosen = challenge(check=check, rounds=3), challenge(check=check, **{"rounds": 3} | size)
    prover = prover_for(chosen)
    tag = prng.challenge_tag(asked)
    round_ = drawn(asked, tag + prover.commit()[32:])
    own = [index % chosen.params.n for index in round_.indices][: chosen.params.openings]
    outcome = judge(round_, tag + prover.open(own)[32:])
    assert not outcome.passed
    wrong = {"compute.open_length", "compute.row_wrong", "compute.root_mismatch"}
    assert wrong & set(codes(outcome))


# Integers, all of them, exactly.


def with_entry(entries: Entries, value: int) -> Entries:
    rows = entries[0].rows.copy()
    rows[-1, 9] = value
    return [replace(entries[0], rows=rows), *entries[1:]]


@pytest.mark.parametrize(
    "value", [2**28 + 1, -(2**28) - 1, 2**31 - 1, -(2**31), 2**14 * 128 + 1, -(2**14) * 128 - 1]
)
def test_entries_out_of_range(value: int) -> None:
    outcome = play_changed(challenge(), lambda entries: with_entry(entries, value))
    assert codes(outcome) == ["compute.entry_range", "compute.root_mismatch"]


@pytest.mark.parametrize("value", [2**14 * 128, -(2**14) * 128])
def test_entries_at_the_limit_are_in_range_and_still_wrong(value: int) -> None:
    outcome = play_changed(challenge(), lambda entries: with_entry(entries, value))
    assert codes(outcome) == ["compute.row_wrong", "compute.root_mismatch"]


@pytest.mark.parametrize("turn", [0, 1, 2])
def test_out_of_range_in_an_earlier_round_of_a_row(turn: int) -> None:
    def change(entries: Entries) -> Entries:
        rows = entries[0].rows.copy()
        rows[turn, 0] = 2**30
        return [replace(entries[0], rows=rows), *entries[1:]]

    assert "compute.entry_range" in codes(play_changed(challenge(rounds=3), change))


class Tampering(Prover):
    """Commits to rows it has changed, and opens them: only the arithmetic can tell."""

    @staticmethod
    def change(product: Int32Matrix) -> Int32Matrix:
        raise NotImplementedError

    def commit(self) -> bytes:
        self.product = self.change(full_product(self))
        self._tree = Tree([leaf_hash(at, row_bytes(row)) for at, row in enumerate(self.product)])
        return commitment_encode(self.challenge, self._tree.root)

    def open(self, indices: Sequence[int]) -> bytes:
        assert self._tree is not None
        count = self.challenge.params.opened_rounds
        entries = [
            Opened(index, self.product[index : index + count], self._tree.path(index))
            for index in indices
        ]
        return opening_encode(self.challenge, entries)


class AddsP(Tampering):
    """Adds p to one negative entry of every row: nothing changes modulo p."""

    @staticmethod
    def change(product: Int32Matrix) -> Int32Matrix:
        changed = product.copy()
        at = np.argmin(product, axis=1)
        changed[np.arange(len(product)), at] += P
        return changed


def test_entry_plus_p_vanishes_modulo_p_and_is_found_by_its_range() -> None:
    asked = challenge()
    cheat = AddsP(asked, NumpyBackend())
    cheat.commit()
    secret = secret_for(asked)
    assert secret is not None
    factors = prng.rows(prng.challenge_key(asked), 128, 0, 128)
    assert rows_agree(secret, factors, cheat.product).all()
    assert codes(play(asked, AddsP(asked, NumpyBackend()))) == ["compute.entry_range"]


def to_bfloat16(values: np.ndarray) -> np.ndarray:
    """Round float32 to the eight significant bits of bfloat16, to even."""
    bits = values.astype(np.float32).view(np.uint32)
    rounded = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000
    return rounded.view(np.float32)


def eight_bit(values: np.ndarray) -> np.ndarray:
    scale = np.abs(values).max() / 127
    return np.round(values / scale) * scale


LOW_PRECISION: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    # A float's bits where integers belong.
    "float32 bits": lambda c: (c / 2**20).astype(np.float32).view(np.int32),
    "NaN bits": lambda c: np.full(c.shape, np.nan, dtype=np.float32).view(np.int32),
    "fp16": lambda c: np.clip(c, -65504, 65504).astype(np.float16),
    "scaled fp16": lambda c: (c / 2**8).astype(np.float16).astype(np.float64) * 2**8,
    "bf16": to_bfloat16,
    "tf32": lambda c: np.round(c / 2**7) * 2**7,
    "8-bit quantised result": eight_bit,
    "off by one": lambda c: c + 1,
    "zeros": np.zeros_like,
    "unsigned": lambda c: np.abs(c),
}


@BOTH
@pytest.mark.parametrize("name", LOW_PRECISION)
def test_results_of_lower_precision(check: Check, name: str) -> None:
    class LowPrecision(Tampering):
        @staticmethod
        def change(product: Int32Matrix) -> Int32Matrix:
            return LOW_PRECISION[name](product).astype(np.int32)

    asked = challenge(check=check)
    outcome = play(asked, LowPrecision(asked, NumpyBackend()))
    assert not outcome.passed
    rows = {row for finding in outcome.findings for row in finding.data["rows"]}
    assert len(rows) == asked.params.openings


@BOTH
def test_factors_quantised_to_four_bits(check: Check) -> None:
    class FourBits:
        name = "four bits"

        def product(self, first: Int8Matrix, right: Int8Matrix, rounds: int) -> Int32Matrix:
            return multiply(first & np.int8(-16), right & np.int8(-16))

    asked = challenge(check=check)
    cheat = prover_for(asked)
    cheat._backend = FourBits()
    assert not play(asked, cheat).passed


# Secrets, hostile bytes, load.


def test_opening_is_not_judged_with_the_secret_of_another_epoch() -> None:
    asked = challenge()
    prover = prover_for(asked)
    round_ = drawn(asked, prover.commit())
    opened, data = round_.open(OPENED_MS), prover.open(round_.indices)
    for secret in (
        None,
        EpochSecret.make(replace(asked, epoch=1)),
        EpochSecret.make(challenge(n=64)),
    ):
        with pytest.raises(ValueError, match="secret"):
            verify_opening(opened, data, secret)


def test_nothing_of_the_secret_is_in_the_outcome() -> None:
    asked = challenge()
    secret = secret_for(asked)
    assert secret is not None
    outcome = play_changed(asked, lambda entries: with_entry(entries, 5))
    shown = repr(outcome) + str(outcome.as_json())
    for value in [*secret.r.ravel()[:64], *secret.s.ravel()[:64]]:
        assert str(value) not in shown


@BOTH
def test_what_is_read_is_bounded_by_what_was_asked_for(check: Check) -> None:
    asked = challenge(check=check)
    params = asked.params
    round_ = drawn(asked, prover_for(asked).commit())
    tag = prng.challenge_tag(asked)
    for count in (2 * params.openings + 1, 10 * params.openings):
        outcome = judge(round_, tag + bytes(count * params.entry_bytes))
        assert codes(outcome) == ["compute.open_length"]
    assert opening_entries(params, tag + bytes(2 * params.openings * params.entry_bytes))


@cache
def played_honestly(check: Check) -> tuple[Round, bytes]:
    asked = challenge(check=check, n=64, openings=4)
    prover = prover_for(asked)
    round_ = drawn(asked, prover.commit())
    return round_, prover.open(round_.indices)


@given(data=st.binary(max_size=600), cut=st.integers(0, 1400), check=st.sampled_from(Check))
def test_hostile_bytes_give_findings_and_never_an_error(
    data: bytes, cut: int, check: Check
) -> None:
    round_, honest = played_honestly(check)
    for hostile in (data, honest[:cut] + data, data + honest[cut:], honest[: 32 + cut] + data):
        outcome = judge(round_, hostile)
        assert outcome.passed == (hostile == honest)


@given(at=st.integers(0, 2**32), bit=st.integers(0, 7), check=st.sampled_from(Check))
def test_no_bit_of_an_opening_is_free(at: int, bit: int, check: Check) -> None:
    round_, honest = played_honestly(check)
    changed = bytearray(honest)
    changed[at % len(changed)] ^= 1 << bit
    assert not judge(round_, bytes(changed)).passed


def test_many_threads_judge_at_once() -> None:
    names = [f"thread {number}" for number in range(12)]

    def one(name: str) -> list[str]:
        asked = challenge(name=name, check=Check.FREIVALDS)
        prover = prover_for(asked)
        round_ = drawn(asked, prover.commit())
        data = bytearray(prover.open(round_.indices))
        if int(name.split()[1]) % 2:
            data[40] ^= 1
        return codes(judge(round_, bytes(data)))

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(one, names))
    assert found[::2] == [[]] * 6
    assert found[1::2] == [["compute.row_wrong", "compute.root_mismatch"]] * 6


def test_an_inner_node_cannot_be_opened_as_a_row() -> None:
    """A row whose bytes are two child hashes would stand one level higher, were domains shared."""
    children = digest("left") + digest("right")
    assert leaf_hash(0, children) != inner_hash(children[:32], children[32:])
