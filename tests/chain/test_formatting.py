"""Figures for people; frontend/tests/format.test.ts holds the browser to the same words."""

import pytest

from chain.formatting import (
    DASH,
    GROUP,
    amount_text,
    duration_text,
    group_digits,
    percent_text,
    quantity_text,
)

ALT = 10**18


def plain(text: str) -> str:
    return text.replace(GROUP, " ").replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("amount", "places", "text"),
    [
        (0, 4, "0"),
        (1_234_567 * ALT, 4, "1 234 567"),
        (ALT // 3, 4, "0.3333"),
        # Cut, not rounded: nobody may read a balance he does not have.
        (199_999 * 10**13, 4, "1.9999"),
        (1, 4, "<0.0001"),
        (-1, 4, ">-0.0001"),
        (1, None, "0.000000000000000001"),
        (-5 * ALT, 4, "-5"),
        (2**256 - 1, 0, plain(group_digits((2**256 - 1) // ALT))),
    ],
)
def test_amounts_are_cut_never_rounded(amount: int, places: int | None, text: str) -> None:
    assert plain(amount_text(amount, places=places)) == text


def test_tokens_with_other_decimals() -> None:
    assert plain(amount_text(1_500_000, decimals=6)) == "1.5"
    assert amount_text(7, decimals=0) == "7"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (2700, "45 min"),
        (183_600, "2 d 3 h"),
        # A gap between the units ends it: "1 d 1 s" would say a precision nobody asked for.
        (86_401, "1 d"),
        (-90, "-1 min 30 s"),
    ],
)
def test_durations_name_two_units(seconds: int, text: str) -> None:
    assert plain(duration_text(seconds)) == text


def test_percents() -> None:
    assert plain(percent_text(1, 3)) == "33.3 %"
    assert plain(percent_text(1, 4)) == "25 %"
    assert plain(percent_text(100, 100)) == "100 %"
    assert percent_text(1, 0) == DASH


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (2700, "s", "2 700 s (45 min)"),
        ("45", "s", "45 s"),
        (3600, "s of rent", "3 600 s (1 h) of rent"),
        (2500, "bps", "25 % (2 500 bps)"),
        (1, "bps of slash", "0.01 % (1 bps) of slash"),
        (5 * ALT, "wei", "5 ALT"),
        (5 * ALT, "wei per GPU", "5 ALT per GPU"),
        (1000, "count", "1 000"),
        (7, "messages/min", "7 messages/min"),
        (b"\x01\x02", "Merkle root", "0x0102"),
        ("0xabcd", "Merkle root", "0xabcd"),
    ],
)
def test_quantities_speak_their_unit(value: int | str | bytes, unit: str, text: str) -> None:
    assert plain(quantity_text(value, unit)) == text
