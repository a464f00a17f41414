"""The layout of the bar chart: inside its box, in proportion, each with its own limit."""

from __future__ import annotations

from network.charts import HEIGHT, PADDING, WIDTH, bar_chart


def test_bars_and_limits_are_in_proportion() -> None:
    chart = bar_chart([(50, 200, "first", True), (100, None, "second", False)])
    first, second = chart.bars
    assert chart.top == 200
    assert first.limit_y == PADDING
    assert second.limit_y is None
    assert second.height == 2 * first.height
    assert (first.label, first.is_good, second.is_good) == ("first", True, False)
    assert first.end_x < second.x


def test_many_bars_one_bar_and_nothing_at_all_stay_in_the_box() -> None:
    for values in ([0], [7], list(range(40))):
        chart = bar_chart([(value, value * 2, "", True) for value in values])
        for bar in chart.bars:
            assert PADDING <= bar.x < bar.end_x <= WIDTH - PADDING
            assert PADDING <= bar.y <= HEIGHT - PADDING
            assert bar.limit_y is not None
            assert PADDING <= bar.limit_y <= bar.y
            assert round(bar.y + bar.height, 1) == HEIGHT - PADDING
