"""The registry's arithmetic and its words, without a chain."""

from __future__ import annotations

import csv
import itertools
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from network.catalogue import CHOICES, GROUP_NAMES, PURPOSES, UNITS
from network.charts import HEIGHT, PADDING, WIDTH, Step, step_chart
from network.models import Parameter, ParameterKind
from network.models.parameters import value_text
from network.parameters import allowed_change, allowed_range, stricter
from network.units import choices_of, group_name, purpose_of, unit_of, value_human

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def plain(text: str) -> str:
    """No-break spaces as spaces."""
    return text.replace("\u202f", " ").replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("current", "limits", "expected"),
    [
        (2700, {"max_abs": 300, "max_rel_bps": 5000, "step": 60}, 1350),
        (120, {"max_abs": 300, "max_rel_bps": 5000, "step": 60}, 300),
        (0, {"max_abs": 0, "max_rel_bps": 5000, "step": 60}, 60),
        (3, {"max_abs": 0, "max_rel_bps": 5000, "step": 1}, 2),
    ],
)
def test_how_far_one_change_may_go(current: int, limits: dict[str, int], expected: int) -> None:
    assert allowed_change(current=current, **limits) == expected


@given(
    low=st.integers(0, 10**6),
    steps=st.integers(0, 1000),
    step=st.integers(1, 1000),
    at=st.integers(0, 1000),
    max_abs=st.integers(0, 10**6),
    max_rel_bps=st.integers(0, 20_000),
)
def test_the_allowed_range_is_on_step_and_within(
    low: int, steps: int, step: int, at: int, max_abs: int, max_rel_bps: int
) -> None:
    high = low + steps * step
    current = low + min(at, steps) * step
    limits = {"max_abs": max_abs, "max_rel_bps": max_rel_bps, "step": step}
    lowest, highest = allowed_range(current=current, low=low, high=high, **limits)
    change = allowed_change(current=current, **limits)
    assert low <= lowest <= current <= highest <= high
    for value in (lowest, highest):
        assert (value - low) % step == 0
        assert abs(value - current) <= change
    # Another step would leave the bounds or the limit.
    assert lowest - step < low or current - (lowest - step) > change
    assert highest + step > high or highest + step - current > change


def test_the_stricter_value() -> None:
    assert stricter("up", 1, 2) == 2
    assert stricter("down", 1, 2) == 1
    one, two = (n.to_bytes(32, "big") for n in (255, 256))
    assert stricter("up", one, two) == two


@pytest.mark.parametrize(
    ("name", "kind", "value", "words"),
    [
        ("attest.ttl", "SECONDS", "2700", "2 700 s (45 min)"),
        ("attest.clock_skew", "SECONDS", "30", "30 s"),
        ("stake.min_provider", "TOKEN_WEI", str(200 * 10**18), "200 ALT"),
        ("stake.per_gpu_h100_80g", "TOKEN_WEI", str(420 * 10**18), "420 ALT per GPU"),
        ("stake.per_gpu_qpu", "TOKEN_WEI", "1", "0.000000000000000001 ALT per GPU"),
        ("attest.required_tier_h100_80g", "ENUM", "4", "T4, report signed by the GPU's maker"),
        ("attest.enforce_nonce", "ENUM", "1", "1, enforce"),
        ("attest.rim_expired", "ENUM", "2", "2, reject"),
        ("market.protocol_take", "BPS", "100", "1 % (100 bps)"),
        ("slash.network_cap_30d", "BPS", "1500", "15 % (1 500 bps) of total stake"),
        ("attest.challenge_rate", "UINT", "4", "4 per GPU and day"),
        ("energy.host_overhead", "UINT", "150", "150 W per GPU"),
        ("energy.intensity_fallback", "UINT", "475", "475 gCO2e/kWh"),
        ("energy.gpu_lifetime", "UINT", "1440", "1 440 days"),
        ("quantum.pq_alg_mask", "BITMASK", "5", "5 (0b101)"),
        ("attest.rim_root", "BYTES32", f"0x{'ab' * 32}", f"0x{'ab' * 32}"),
        ("attest.max_gpus_per_node", "UINT", "16", "16"),
        ("new.enum", "ENUM", "7", "7"),
    ],
)
def test_values_in_words(name: str, kind: str, value: str, words: str) -> None:
    parameter = Parameter(name=name, kind=kind)
    assert plain(value_human(parameter, value)) == words
    assert unit_of(parameter) == parameter.unit
    assert all(isinstance(number, int) for number in choices_of(parameter))


def genesis_rows() -> list[dict[str, str]]:
    with (settings.BASE_DIR / "contracts" / "parameters.csv").open(encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["reader"] in {"A", "C"}]


def test_every_parameter_of_the_genesis_is_in_the_catalogue() -> None:
    rows = genesis_rows()
    assert len(rows) == 68
    for row in rows:
        purpose = purpose_of(row["key"])
        assert purpose.endswith("."), row["key"]
        assert group_name(row["key"].split(".")[0]) in GROUP_NAMES.values()
        parameter = Parameter(name=row["key"], kind=row["kind"])
        if row["kind"] == "ENUM":
            wanted = range(int(row["min"]), int(row["max"]) + 1)
            assert sorted(choices_of(parameter)) == list(wanted), row["key"]
        elif row["kind"] in {"SECONDS", "BPS", "TOKEN_WEI"} or row["key"] in UNITS:
            assert parameter.unit == row["unit"], row["key"]
    assert {*UNITS, *PURPOSES, *CHOICES} <= {row["key"] for row in rows}


def test_what_is_not_in_the_catalogue_has_no_sentence() -> None:
    assert purpose_of("attest.ttl").endswith(".")
    assert "h100 80g" in purpose_of("stake.per_gpu_h100_80g")
    assert purpose_of("no.such") == ""


def test_raw_values_as_text() -> None:
    raw = (2**256 - 1).to_bytes(32, "big")
    assert value_text(ParameterKind.UINT, raw) == str(2**256 - 1)
    assert value_text(ParameterKind.BYTES32, raw) == "0x" + "ff" * 32


def test_a_step_chart_stays_in_its_box() -> None:
    steps = [
        Step(T0, 2700, "a"),
        Step(T0 + timedelta(days=1), 1800, "b"),
        Step(T0 + timedelta(days=3), 3600, "c"),
    ]
    chart = step_chart(steps, now=T0 + timedelta(days=2))
    assert [point.is_future for point in chart.points] == [False, False, True]
    corners = [
        tuple(map(float, corner.split(","))) for corner in f"{chart.line} {chart.future}".split()
    ]
    assert all(PADDING <= x <= WIDTH - PADDING for x, _ in corners)
    assert all(PADDING <= y <= HEIGHT - PADDING for _, y in corners)
    # Only horizontal and vertical lines: a value never drifts between two votes.
    line = [tuple(map(float, corner.split(","))) for corner in chart.line.split()]
    for (x1, y1), (x2, y2) in itertools.pairwise(line):
        assert x1 == x2 or y1 == y2
    flat = step_chart([Step(T0, 1, "a"), Step(T0 + timedelta(1), 1, "b")], now=T0 + timedelta(2))
    assert flat.future == ""
