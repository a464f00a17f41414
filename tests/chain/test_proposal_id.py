"""Proposal and operation ids: against our contracts and against Optimism's history."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chain.client import chain_call
from chain.contracts import deployment as deployment_read
from chain.proposal_id import description_hash, proposal_id, timelock_operation_id, timelock_salt

BASE_DIR = Path(__file__).resolve().parents[2]
VECTORS = Path(os.environ.get("ALTHING_VECTORS") or BASE_DIR.parent / "shared" / "vectors")
FILES = {"proposal_created.csv": 26, "proposal_created_typed.csv": 47}

CALLS: dict[str, Any] = {
    "targets": [b"\x01" * 20, b"\x02" * 20],
    "values_wei": [0, 10**18],
    "calldatas": [b"", b"\xde\xad\xbe\xef" + b"\x07" * 33],
}


def rows(name: str) -> Iterator[dict[str, str]]:
    csv.field_size_limit(sys.maxsize)
    with (VECTORS / "optimism-governor" / name).open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def descriptions(text: str) -> Iterator[bytes]:
    """The description as the file has it; some rows hold it as a JSON string."""
    yield text.encode()
    for quoted in (text, f'"{text}"'):
        try:
            value = json.loads(quoted, strict=False)
        except ValueError:
            continue
        if isinstance(value, str):
            yield value.encode()


@pytest.mark.parametrize(("name", "count"), FILES.items())
def test_every_optimism_proposal_id_recomputes(name: str, count: int) -> None:
    if not (VECTORS / "optimism-governor" / name).is_file():
        pytest.skip(f"{name} is not in {VECTORS}; set ALTHING_VECTORS to the vectors' folder")
    wrong, seen = [], 0
    for row in rows(name):
        seen += 1
        inner = row["calldatas"].strip()[1:-1]
        calls = {
            "targets": [bytes.fromhex(item[2:]) for item in json.loads(row["targets"])],
            "values_wei": [int(item) for item in json.loads(row["values"])],
            "calldatas": [bytes.fromhex(item.strip().strip('"')) for item in inner.split(",")],
        }
        ids = {proposal_id(**calls, description=text) for text in descriptions(row["description"])}
        if int(row["proposal_id"]) not in ids:
            wrong.append(row["proposal_id"])
    assert wrong == []
    assert seen == count


@pytest.mark.chain
@pytest.mark.parametrize("text", [b"plain", "naïve ✓".encode(), b"\xff\x00 not UTF-8"])
def test_the_governor_and_the_timelock_agree(deployment: dict[str, Any], text: bytes) -> None:
    calls = tuple(CALLS.values())
    digest = description_hash(text)
    expected = chain_call("AlthingGovernor", "hashProposal", (*calls, digest))
    assert proposal_id(**CALLS, description=text) == expected
    governor = deployment_read().address("AlthingGovernor")
    operation = chain_call(
        "TimelockController",
        "hashOperationBatch",
        (*calls, bytes(32), timelock_salt(governor=governor, description=text)),
    )
    assert timelock_operation_id(**CALLS, governor=governor, description=text) == operation
