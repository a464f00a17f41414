"""The checks of a proposal, on plain values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.checks import (
    CheckContext,
    CheckedAction,
    check_proposal,
    figures_in,
    lookalike,
)

A = bytes.fromhex("11223344556677889900aabbccddeeff00112233")
B = bytes.fromhex("1122000000000000000000000000000000000099")
C = bytes.fromhex("9900000000000000000000000000000000002233")
D = bytes.fromhex("9900000000000000000000000000000000000001")


def action(index: int = 0, **more: object) -> CheckedAction:
    values = {"target": A, "value_wei": 0, "calldata": b"\x01", "kind": "contract_call", **more}
    return CheckedAction(index=index, **values)  # type: ignore[arg-type]


def codes(
    actions: list[CheckedAction], text: str = "Text.", context: CheckContext | None = None
) -> list[str]:
    return [found.code for found in check_proposal(actions, text, context or CheckContext())]


def test_a_clean_proposal_has_no_findings() -> None:
    assert codes([action(figures=("3600",))], "Set it to 3600 s.") == []


def test_size() -> None:
    assert codes([]) == ["no_actions"]
    assert "too_many_actions" in codes([action(i, calldata=bytes([i])) for i in range(11)])
    assert "description_empty" in codes([action()], "  ")
    assert "description_too_long" in codes([action()], "é" * 10_241)
    assert "description_too_long" not in codes([action()], "é" * 10_240)


def test_duplicates() -> None:
    assert codes([action(0), action(1)]) == ["duplicate_action"]
    assert codes([action(0), action(1, value_wei=1)]) == []
    assert codes([action()], context=CheckContext(duplicates=[4])) == ["duplicate_proposal"]


def test_zero_address_is_an_error() -> None:
    (found,) = check_proposal([action(addresses=(bytes(20),))], "x", CheckContext())
    assert (found.code, found.severity, found.action_index) == ("zero_address", "error", 0)


def test_lookalikes() -> None:
    known = {A: "the token"}
    assert lookalike(A, known) is None
    assert lookalike(B, known) == A  # the same beginning
    assert lookalike(C, known) == A  # the same end
    assert lookalike(D, known) is None
    assert codes([action(target=B)], context=CheckContext(known=known)) == ["lookalike_address"]
    assert codes([action(target=B)], context=CheckContext(known={A: "a", B: "b"})) == []


def test_conflicts() -> None:
    key = b"k" * 32
    context = CheckContext(pending_keys={key: [3, 5]})
    found = codes([action(parameter_keys=(key,))], context=context)
    assert found == ["conflicting_proposal"] * 2


def test_danger() -> None:
    assert codes([action(is_dangerous=True)]) == ["changes_control"]
    assert codes([action(kind="unknown")]) == ["unknown_call"]


def test_prose_against_actions() -> None:
    units = CheckContext(units=frozenset({"s", "alt"}))
    pay = action(figures=("1800", "2700"), addresses=(D,))
    assert codes([pay], "From 2,700 s to 1,800 s.", units) == []
    assert codes([pay], "From 2 700 s to 1 800 s.", units) == []
    assert codes([pay], "Down to 1800 s, pay 50 ALT.", units) == ["figure_not_in_actions"]
    assert codes([pay], "In 2026 we lower it.", units) == ["figure_not_in_text"]
    elsewhere = f"Pay 0x{C.hex()} 1800 s"
    assert codes([pay], elsewhere, units) == ["address_not_in_actions"]
    assert codes([pay], f"Pay 0x{D.hex()} 1800 s #proposer=0x{C.hex()}", units) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("12,000.50 ALT", [("12000.5", "ALT")]),
        ("1'000 s", [("1000", "s")]),
        ("007 s", [("7", "s")]),
        ("5%", [("5", "%")]),
        ("v1.2.3", []),
        ("0x1122334455667788990011223344556677889900", []),
        ("", []),
    ],
)
def test_figures(text: str, found: list[tuple[str, str]]) -> None:
    assert figures_in(text) == found


@given(st.text(max_size=400))
def test_any_text_is_checked_without_failing(text: str) -> None:
    check_proposal([action(figures=("1",))], text, CheckContext(units=frozenset({"s"})))
