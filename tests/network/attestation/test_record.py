"""The measurement record is read at once where all blocks have one size, else block by block.

Both ways must agree on every input: the quick one may give up, but never say something else.
"""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from network.attestation.spdm import (
    Record,
    _parse_blocks,
    _parse_uniform,
    parse_report,
)

from .samples import NONCE, gpu, needs_nvidia_samples, nvidia_device


def block(index: int, value: bytes, *, value_type: int = 1, specification: int = 1) -> bytes:
    size = 3 + len(value)
    return struct.pack("<BBHBH", index, specification, size, value_type, len(value)) + value


def uniform(blocks: int = 64, size: int = 48) -> bytes:
    return b"".join(block(n + 1, bytes([n]) * size, value_type=n % 8) for n in range(blocks))


def agree(record: bytes, blocks: int) -> None:
    at_once = _parse_uniform(record, blocks)
    if at_once is not None:
        one_by_one = _parse_blocks(record, blocks)
        assert at_once == one_by_one
        assert list(at_once.values) == list(one_by_one.values)


@pytest.mark.parametrize(("blocks", "size"), [(64, 48), (1, 48), (31, 48), (3, 0), (255, 1)])
def test_uniform_records_are_read_at_once(blocks: int, size: int) -> None:
    record = uniform(blocks, size)
    assert _parse_uniform(record, blocks) == _parse_blocks(record, blocks)
    assert _parse_uniform(record, blocks) is not None


@pytest.mark.parametrize(
    ("record", "blocks"),
    [
        (b"", 0),
        (b"", 1),
        (uniform()[:-1], 64),
        (uniform(), 63),
        (uniform(), 65),
        (uniform(2) + block(2, bytes(48)), 3),
        (block(0, bytes(48)), 1),
        (uniform(2) + block(3, bytes(48), specification=2), 3),
        (block(1, b"", specification=0), 1),
        # Three blocks of different sizes whose sum is three times the first one's.
        (block(1, bytes(48)) + block(2, bytes(47)) + block(3, bytes(49)), 3),
        (bytes(7), 1),
        (bytes(6), 1),
    ],
)
def test_anything_else_is_left_to_the_way_that_explains(record: bytes, blocks: int) -> None:
    assert _parse_uniform(record, blocks) is None


def test_blocks_of_mixed_sizes_are_read() -> None:
    record = block(1, bytes(48)) + block(7, b"\1\2\3\4", value_type=0x83)
    assert _parse_blocks(record, 2) == Record({1: bytes(48), 7: b"\1\2\3\4"}, {1: 1, 7: 0x83})


def test_both_ways_agree_on_every_flipped_bit_of_a_header() -> None:
    record = uniform(4)
    for position in (at for at in range(len(record)) if at % 55 < 7):
        for bit in range(8):
            flipped = bytearray(record)
            flipped[position] ^= 1 << bit
            agree(bytes(flipped), 4)


def test_both_ways_agree_on_random_damage() -> None:
    chance = random.Random(20261123)
    for _ in range(2000):
        record = bytearray(uniform(chance.choice((1, 2, 5)), chance.choice((0, 1, 48))))
        for _ in range(chance.randrange(4)):
            record[chance.randrange(len(record))] = chance.choice((0, 1, 2, 3, 51, 255))
        del record[len(record) - chance.choice((0, 0, 0, 1, 7)) :]
        agree(bytes(record), chance.choice((1, 2, 5)))


@given(st.binary(max_size=80), st.integers(min_value=0, max_value=12))
def test_both_ways_agree_on_any_bytes(record: bytes, blocks: int) -> None:
    agree(record, blocks)


def test_an_emulated_report_is_read_at_once() -> None:
    assert parse_report(gpu().report(NONCE)).record == _parse_uniform(uniform_part(), 64)


def uniform_part() -> bytes:
    report = gpu().report(NONCE)
    return report[45 : 45 + int.from_bytes(report[42:45], "little")]


@needs_nvidia_samples
def test_the_genuine_report_is_read_at_once() -> None:
    report = nvidia_device().report
    record = report[45 : 45 + int.from_bytes(report[42:45], "little")]
    assert _parse_uniform(record, report[41]) == _parse_blocks(record, report[41])
    assert len(parse_report(report).record.values) == 64
