"""Recorded history of real governors, sent through a local chain and the whole index.

The logs are made by hand from the records, emitted at an indexed governor's address (its code is
lent to a repeater meanwhile) and read back from the tables. Without the records: skipped, said so.
"""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from chain.hashing import keccak
from chain.indexer.loop import index_until_head
from chain.proposal_id import proposal_id
from governance.models import GovernorProposal, GovernorVote
from tests.chain.test_proposal_id import FILES, VECTORS, descriptions, rows
from tests.governance.governors.indexing import add
from tests.governance.governors.local import WHALE, LocalGovernor

pytestmark = [pytest.mark.chain, pytest.mark.django_db]

VOTES_FILE = VECTORS / "uniswap-governor" / "vote_cast_83.csv"
VOTE_CAST = keccak(b"VoteCast(address,uint256,uint8,uint256,string)")
CREATED = keccak(
    b"ProposalCreated(uint256,address,address[],uint256[],string[],bytes[],uint256,uint256,string)"
)
#: Bytes of one transaction's calldata; anvil's pool takes no more than 128 KiB.
BATCH_BYTES = 40_000
Entry = tuple[bytes, bytes, bytes]


def word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def padded(raw: bytes) -> bytes:
    """A dynamic value's length and bytes, in whole words."""
    return word(len(raw)) + raw + bytes(-len(raw) % 32)


def dynamic(parts: list[bytes]) -> bytes:
    """An array of dynamic values: length, offsets, values."""
    place, offsets = 32 * len(parts), b""
    for part in parts:
        offsets += word(place)
        place += len(part)
    return word(len(parts)) + offsets + b"".join(parts)


@contextmanager
def repeating(local: LocalGovernor) -> Iterator[None]:
    """Lend the governor's address to the repeater."""
    rpc, place = local.chain.rpc, f"0x{local.address.hex()}"
    own = rpc("eth_getCode", place, "latest")
    repeater = local.chain.deploy("Repeater")
    rpc("anvil_setCode", place, rpc("eth_getCode", f"0x{repeater.hex()}", "latest"))
    yield
    rpc("anvil_setCode", place, own)


def emit(local: LocalGovernor, entries: list[Entry]) -> None:
    batch = b""
    for topic, second, data in entries:
        entry = len(data).to_bytes(4, "big") + topic + second + data
        if batch and len(batch) + len(entry) > BATCH_BYTES:
            local.chain.done(WHALE, local.address, batch)
            batch = b""
        batch += entry
    local.chain.done(WHALE, local.address, batch)


def test_the_votes_of_uniswaps_proposal_83_add_up_in_the_index(
    governor_factory: Any, deployment: Any
) -> None:
    if not VOTES_FILE.is_file():
        pytest.skip(f"vote_cast_83.csv is not in {VECTORS}; set ALTHING_VECTORS to the folder")
    csv.field_size_limit(sys.maxsize)
    with VOTES_FILE.open(newline="", encoding="utf-8") as file:
        recorded = list(csv.DictReader(file))
    local = governor_factory("bravo")
    add(local)
    with repeating(local):
        emit(local, [_vote(row) for row in recorded])
    index_until_head()
    stored = GovernorVote.objects.filter(governor=local.address, proposal_id=83)
    assert stored.count() == len(recorded) == 352
    summed: Counter[int] = Counter()
    independent: Counter[int] = Counter()
    for row in stored:
        summed[row.support] += row.weight
    for record in recorded:
        independent[int(record["support"])] += int(record["votes"])
    assert summed == independent
    assert set(independent) == {0, 1, 2}
    reasons = {bytes(row.voter): row.reason for row in stored}
    for record in recorded:
        assert reasons[bytes.fromhex(record["voter"][2:])] == record["reason"]


def _vote(row: dict[str, str]) -> Entry:
    words = [int(row["proposal_id"]), int(row["support"]), int(row["votes"]), 128]
    data = b"".join(map(word, words)) + padded(row["reason"].encode())
    return VOTE_CAST, bytes(12) + bytes.fromhex(row["voter"][2:]), data


@pytest.mark.parametrize(("name", "count"), FILES.items())
def test_every_optimism_proposals_id_matches_in_the_index(
    name: str, count: int, governor_factory: Any, deployment: Any
) -> None:
    if not (VECTORS / "optimism-governor" / name).is_file():
        pytest.skip(f"{name} is not in {VECTORS}; set ALTHING_VECTORS to the folder")
    local = governor_factory("oz4_timelock")
    add(local)
    recorded = [_proposal(row) for row in rows(name)]
    with repeating(local):
        emit(local, [entry for _, entry in recorded])
    index_until_head()
    stored = {
        row.proposal_id: row for row in GovernorProposal.objects.filter(governor=local.address)
    }
    assert len(stored) == len(recorded) == count
    assert set(stored) == {number for number, _ in recorded}
    assert [row.proposal_id for row in stored.values() if row.id_matches is not True] == []
    assert all(row.recomputed_id == row.proposal_id for row in stored.values())


def test_a_forged_id_is_seen(governor_factory: Any, deployment: Any) -> None:
    """The same way with one byte changed: the index must not call it a match."""
    local = governor_factory("oz4_timelock")
    add(local)
    content = ([b"\x11" * 20], [0], [b"\x01\x02\x03\x04"], b"# Right")
    targets, values, calldatas, text = content
    right = proposal_id(targets=targets, values_wei=values, calldatas=calldatas, description=text)
    with repeating(local):
        emit(local, [_created(right, targets, values, calldatas, b"# Wrong")])
    index_until_head()
    row = GovernorProposal.objects.get(governor=local.address)
    assert (row.proposal_id, row.id_matches) == (right, False)


def _proposal(row: dict[str, str]) -> tuple[int, Entry]:
    number = int(row["proposal_id"])
    targets = [bytes.fromhex(item[2:]) for item in json.loads(row["targets"])]
    values = [int(item) for item in json.loads(row["values"])]
    inner = row["calldatas"].strip()[1:-1]
    calldatas = [bytes.fromhex(item.strip().strip('"')) for item in inner.split(",")]
    # The record has some descriptions as JSON strings, and does not say which.
    exact = [
        text
        for text in descriptions(row["description"])
        if number
        == proposal_id(targets=targets, values_wei=values, calldatas=calldatas, description=text)
    ]
    return number, _created(number, targets, values, calldatas, exact[0])


def _created(
    number: int, targets: list[bytes], values: list[int], calldatas: list[bytes], text: bytes
) -> Entry:
    tails = [
        word(len(targets)) + b"".join(bytes(12) + target for target in targets),
        word(len(values)) + b"".join(map(word, values)),
        dynamic([padded(b"") for _ in targets]),
        dynamic([padded(data) for data in calldatas]),
        padded(text),
    ]
    place, offsets = 9 * 32, []
    for tail in tails:
        offsets.append(word(place))
        place += len(tail)
    head = [word(number), bytes(12) + b"\x22" * 20, *offsets[:4], word(10), word(40), offsets[4]]
    return CREATED, bytes(32), b"".join(head + tails)
