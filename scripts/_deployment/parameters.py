"""The parameters' data file as what the contract takes.

The columns of ``contracts/parameters.csv`` are explained in ``contracts/README.md``. Only keys that
the running code reads (`reader` A or C) are loaded at genesis; the others are defined by vote with
the code that reads them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DATA_FILE = ROOT / "contracts" / "parameters.csv"
GENESIS_READERS = frozenset({"A", "C"})

# The order of INetworkParameters.Kind, Class, Activation and Direction.
KINDS = {
    name: index
    for index, name in enumerate(
        ["UINT", "BPS", "SECONDS", "TOKEN_WEI", "ENUM", "BITMASK", "BYTES32"]
    )
}
CLASSES = {"R": 0, "S": 1, "C": 2}
ACTIVATIONS = {"now": 0, "epoch": 1, "new": 2}
DIRECTIONS = {"": 0, "+": 1, "-": 2}

Definition = tuple[str, tuple[int, ...], bytes]


def rows_read(path: Path = DATA_FILE) -> list[dict[str, str]]:
    """Return every row of the data file."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def definition(row: Mapping[str, str], value: int) -> Definition:
    """Return (name, spec, value) as INetworkParameters.Definition has them."""
    spec = (
        KINDS[row["kind"]],
        CLASSES[row["class"]],
        ACTIVATIONS[row["activation"]],
        DIRECTIONS[row["tighten"]],
        int(row["min"]),
        int(row["max"]),
        int(row["step"]),
        int(row["max_abs"]),
        int(row["max_rel_bps"]),
        int(row["min_interval_s"]),
    )
    return row["key"], spec, value.to_bytes(32, "big")


def genesis_definitions(overrides: Mapping[str, int]) -> list[Definition]:
    """Return the definitions that genesis loads, with first values replaced by `overrides`."""
    rows = [row for row in rows_read() if row["reader"] in GENESIS_READERS]
    return [definition(row, overrides.get(row["key"], int(row["default"]))) for row in rows]


def chunks(definitions: list[Definition], size: int) -> Iterator[list[Definition]]:
    """Yield the definitions in pieces that fit one transaction."""
    for start in range(0, len(definitions), size):
        yield definitions[start : start + size]
