"""treasury.policy against figures worked by hand, and properties over the whole range."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treasury.policy import (
    OUTFLOW_WINDOW_S,
    Flow,
    PolicyError,
    outflow_impact,
    outflow_in_window,
    share_bp,
)

amounts = st.integers(min_value=0, max_value=2**256 - 1)


@pytest.mark.parametrize(
    ("amount", "total", "expected"),
    [
        (12_000, 666_667, 180),  # 1.79999 % rounds to 1.80 %
        (1, 20_000, 1),  # exactly half a basis point rounds up
        (1, 20_001, 0),
        (0, 5, 0),
        (5, 5, 10_000),
        (7, 5, 14_000),  # more than there is: said, not capped
        (1, 0, None),
        (0, 0, None),
    ],
)
def test_share_bp(amount, total, expected):
    assert share_bp(amount, total) == expected


@pytest.mark.parametrize(
    ("amount", "total", "code"), [(-1, 5, "amount_negative"), (1, -5, "total_negative")]
)
def test_share_of_impossible_figures(amount, total, code):
    with pytest.raises(PolicyError) as caught:
        share_bp(amount, total)
    assert caught.value.code == code


@given(amount=amounts, total=amounts.filter(bool))
def test_share_is_within_half_a_basis_point(amount, total):
    share = share_bp(amount, total)
    assert abs(2 * share * total - 2 * amount * 10_000) <= total


def test_window_is_open_at_its_start_and_closed_at_its_end():
    now_s = 100_000_000
    flows = [
        Flow(1, now_s - OUTFLOW_WINDOW_S),
        Flow(10, now_s - OUTFLOW_WINDOW_S + 1),
        Flow(100, now_s),
        Flow(1000, now_s + 1),
    ]
    assert outflow_in_window(flows, now_s=now_s) == 110


def test_impact_uses_what_was_there_before_the_window():
    impact = outflow_impact(amount_wei=90, balance_wei=900, outflow_wei=100)
    assert impact.share_bp == 1000
    assert (impact.outflow_before_bp, impact.outflow_after_bp) == (1000, 1900)
    assert impact.covered


def test_impact_on_an_empty_treasury():
    impact = outflow_impact(amount_wei=1, balance_wei=0, outflow_wei=0)
    assert (impact.share_bp, impact.outflow_after_bp, impact.covered) == (None, None, False)


@given(amount=amounts, balance=amounts, outflow=amounts)
def test_covered_payments_never_pass_the_whole(amount, balance, outflow):
    impact = outflow_impact(amount_wei=amount, balance_wei=balance, outflow_wei=outflow)
    assert impact.covered == (amount <= balance)
    if impact.covered and impact.outflow_after_bp is not None:
        assert impact.outflow_after_bp <= 10_000
