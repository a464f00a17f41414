"""The table of times: what it may claim, and what a deadline is made of."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import network.compute
from network.compute import Basis, Check, DeadlineTable, Params, packaged_table

SHORT = Params(n=1024, openings=16, check=Check.RECOMPUTE)
ROW = {
    "class": "h100_80g",
    "n": "1024",
    "T": "1",
    "p99_ms": "2000",
    "samples": "100",
    "calibrated_at": "2026-11-23",
}


def test_limits_are_percentile_times_margin_plus_round_trip() -> None:
    table = DeadlineTable([ROW])
    found = table.deadline("h100_80g", SHORT, margin_bps=15_000, rtt_ms=80)
    assert found.basis is Basis.MEASURED
    assert found.commit_ms == 3_000 + 80
    # 200 ms, the round trip, and one millisecond for each begun 12,500 bytes.
    assert SHORT.opening_bytes == 5_216
    assert found.open_ms == 200 + 80 + 1


@pytest.mark.parametrize(
    ("rtt", "counted"), [(-5, 0), (0, 0), (499, 499), (500, 500), (10**9, 500)]
)
def test_a_round_trip_that_the_node_stretches_buys_half_a_second(rtt: int, counted: int) -> None:
    found = DeadlineTable([ROW]).deadline("h100_80g", SHORT, margin_bps=10_500, rtt_ms=rtt)
    assert found.commit_ms == 2_100 + counted
    assert found.open_ms == 201 + counted


@pytest.mark.parametrize(
    ("gpu_class", "params"),
    [
        ("a100_80g", SHORT),
        ("h100_80g", Params(n=2048, openings=16)),
        ("h100_80g", Params(n=1024, rounds=2, openings=16)),
    ],
)
def test_another_class_or_size_has_no_deadline(gpu_class: str, params: Params) -> None:
    found = DeadlineTable([ROW]).deadline(gpu_class, params, margin_bps=15_000, rtt_ms=10)
    assert found.commit_ms is None
    assert found.basis is Basis.UNCALIBRATED
    assert found.open_ms > 200


@pytest.mark.parametrize(
    "change",
    [
        {"samples": "99"},
        {"p99_ms": "0"},
        {"p99_ms": "-5"},
        {"p99_ms": ""},
        {"calibrated_at": "uncalibrated"},
        {"calibrated_at": "uncalibrated", "p99_ms": ""},
        {"calibrated_at": "assigned", "samples": "0"},
        {"class": "emulated", "p99_ms": "0"},
        {"n": "many"},
    ],
)
def test_a_table_does_not_claim_what_it_cannot(change: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"samples|positive|figures|invalid literal"):
        DeadlineTable([ROW | change])


def test_a_table_has_its_columns_and_each_size_once() -> None:
    with pytest.raises(ValueError, match="columns"):
        DeadlineTable([{"class": "h100_80g"}])
    with pytest.raises(ValueError, match="twice"):
        DeadlineTable([ROW, ROW])


def test_packaged_table_says_that_no_hardware_was_measured() -> None:
    path = Path(network.compute.__file__).with_name("deadlines.csv")
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert len(packaged_table()) == len(rows) > 0
    for row in rows:
        params = Params(n=int(row["n"]), rounds=int(row["T"]))
        found = packaged_table().deadline(row["class"], params, margin_bps=15_000, rtt_ms=0)
        emulated = row["class"] == "emulated"
        assert found.basis is (Basis.ASSIGNED if emulated else Basis.UNCALIBRATED)
