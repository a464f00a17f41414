"""docs/compute_challenge.md says what the code does."""

from __future__ import annotations

import math
import re
from pathlib import Path

from network.compute import CODES, Check, Params
from network.compute.deadlines import MIN_SAMPLES, OPEN_ALLOWANCE_MS, UPLINK_BYTES_PER_MS
from network.compute.params import MAX_OPENING_BYTES

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs" / "compute_challenge.md").read_text(encoding="utf-8")


def test_codes_of_the_document_are_those_of_the_code() -> None:
    assert dict(re.findall(r"^\| `(compute\.\w+)` \| (.+) \|$", TEXT, re.MULTILINE)) == CODES


def test_every_code_is_used_by_the_code_and_by_no_one_else() -> None:
    sources = "".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "network" / "compute").glob("*.py")
        if path.name != "findings.py"
    )
    assert set(re.findall(r'"(compute\.\w+)"', sources)) == set(CODES)


def test_limits_are_said_in_plain_words() -> None:
    for words in ("relay-resistant, not relay-proof", "uncalibrated", "Which model"):
        assert words in TEXT


def test_figures_follow_from_the_code() -> None:
    assert f"{OPEN_ALLOWANCE_MS} ms + round trip" in TEXT
    assert f"{UPLINK_BYTES_PER_MS:,} bytes" in TEXT
    assert f"at least\n{MIN_SAMPLES}" in TEXT
    assert f"{MAX_OPENING_BYTES // 2**20} MiB" in TEXT
    short = Params(n=16384, openings=32, check=Check.RECOMPUTE)
    assert round(short.opening_bytes / 1000) == 14
    assert round(Params(n=16384).opening_bytes / 1e6) == 4


def test_chances_of_detection_are_those_of_the_draw() -> None:
    for percent, k32, k64 in re.findall(r"^\| (\d+) % \| ([\d.]+) % \| ([\d.]+) % \|$", TEXT, re.M):
        for openings, written in ((32, k32), (64, k64)):
            skipped = round(8192 * int(percent) / 100)
            passes = math.comb(8192 - skipped, openings) / math.comb(8192, openings)
            digits = len(written.partition(".")[2])
            assert f"{100 * (1 - passes):.{digits}f}" == written
