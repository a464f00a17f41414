"""The one writer and its two ways: whatever the number of rows, the same rows stand there."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DataError, IntegrityError, transaction

from chain.models import Block, KeyTouch, Log
from chain.tables import COPY_FROM, row_of, rows_insert, rows_iterate, rows_select, table_of
from governance.models import Proposal, Vote

pytestmark = pytest.mark.django_db

SIZES = [1, COPY_FROM, COPY_FROM + 1, 3 * COPY_FROM]
PLACE = ("chain_id", "hash")


def blocks(count: int, *, canonical: bool = True) -> list[tuple[Any, ...]]:
    return [
        (1, number, number.to_bytes(32, "big"), bytes(32), 10 * number, canonical)
        for number in range(count)
    ]


def stored() -> list[tuple[Any, ...]]:
    rows = Block.objects.order_by("number")
    return list(
        rows.values_list("chain_id", "number", "hash", "parent_hash", "timestamp", "canonical")
    )


@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.parametrize("count", SIZES)
def test_rows_stand_as_they_were_given(count: int, fresh: bool) -> None:
    rows_insert(Block, blocks(count), unique=PLACE, update=("canonical",), fresh=fresh)
    assert stored() == blocks(count)


@pytest.mark.parametrize("count", SIZES)
def test_a_row_that_is_there_takes_only_what_is_to_be_updated(count: int) -> None:
    rows_insert(Block, blocks(count, canonical=False))
    changed = [(*row[:4], row[4] + 1, True) for row in blocks(2 * count)]
    rows_insert(Block, changed, unique=PLACE, update=("canonical",))
    assert [row[5] for row in stored()] == [True] * (2 * count)
    assert [row[4] for row in stored()][:count] == [row[4] for row in blocks(count)]


@pytest.mark.parametrize("count", SIZES)
def test_with_nothing_to_update_it_stays(count: int) -> None:
    rows_insert(Block, blocks(count, canonical=False))
    rows_insert(Block, blocks(count), unique=PLACE)
    assert not any(row[5] for row in stored())


@pytest.mark.parametrize("count", SIZES)
def test_a_row_that_is_there_against_the_promise_is_refused(count: int) -> None:
    rows_insert(Block, blocks(1))
    with pytest.raises(IntegrityError), transaction.atomic():
        rows_insert(Block, blocks(count))
    assert stored() == blocks(1)


def test_the_same_table_twice_in_one_transaction() -> None:
    with transaction.atomic():
        for _ in range(2):
            rows_insert(Block, blocks(3 * COPY_FROM), unique=PLACE, update=("canonical",))
    assert stored() == blocks(3 * COPY_FROM)


def test_nothing_is_no_statement(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        rows_insert(Block, [], unique=PLACE)


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize("unique", [(), ("block_number", "log_index")])
@pytest.mark.parametrize("weight_wei", [0, 1, 9999, 10**18, 2**256 - 1])
def test_amounts_text_and_times_survive_every_way(
    count: int, unique: tuple[str, ...], weight_wei: int
) -> None:
    from django.utils.timezone import now

    moment = now()
    row = (2**256 - 1, b"\x01" * 20, 255, weight_wei, 0, 0, weight_wei, "é\u2028\U0001f680", b"\0")
    rows = [(*row, 7, index, b"\x02" * 32, moment) for index in range(count)]
    rows_insert(Vote, rows, unique=unique)
    vote = Vote.objects.order_by("log_index").last()
    assert vote is not None
    assert (vote.proposal_id, vote.weight_wei, vote.abstain_wei) == (
        2**256 - 1,
        weight_wei,
        weight_wei,
    )
    assert (vote.reason, bytes(vote.params), vote.voted_at) == (row[7], b"\0", moment)


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize("fresh", [True, False])
def test_what_is_not_there_is_null(count: int, fresh: bool) -> None:
    place = ("chain_id", "projector", "key", "block_number", "block_hash")
    numbers = [None if index % 3 else index for index in range(count)]
    rows = [
        (1, "p", f"{index:04}", 0, 5, bytes(32), number, None, number, True)
        for index, number in enumerate(numbers)
    ]
    rows_insert(KeyTouch, rows, unique=place, fresh=fresh)
    touches = KeyTouch.objects.order_by("key")
    assert list(touches.values_list("log_number", flat=True)) == numbers
    assert not touches.exclude(log_index=None).exists()


def test_parameters_beside_a_query_are_not_part_of_it() -> None:
    rows_insert(Block, blocks(3))
    hashes = [number.to_bytes(32, "big") for number in (1, 2)]
    query = "SELECT number FROM chain_block WHERE hash = ANY(%s) AND number <> %s"
    assert rows_select(query, [hashes, 2]) == [(1,)]
    with pytest.raises(DataError), transaction.atomic():
        rows_select("SELECT %s::bigint", ["1; DROP TABLE chain_block"])


def test_an_automatic_key_is_no_column_and_a_natural_one_is() -> None:
    assert "id" not in table_of(Log).columns
    assert table_of(Proposal).columns[0] == "proposal_id"


def test_an_instance_becomes_the_row_that_gives_it_back() -> None:
    rows_insert(Block, blocks(1))
    assert row_of(Block.objects.get()) == blocks(1)[0]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_reading_gives_bytes_and_numbers_some_at_a_time(size: int) -> None:
    rows_insert(Block, blocks(5))
    query = "SELECT number, hash, canonical FROM chain_block ORDER BY number"
    found = []
    with transaction.atomic():
        for rows in rows_iterate(query, size=size):
            assert len(rows) <= size
            # The connection is free for other statements meanwhile.
            assert Block.objects.count() == 5
            found += rows
    assert found == [(number, number.to_bytes(32, "big"), True) for number in range(5)]
