"""Small charts as figures for inline SVG. Pure layout: no markup and no colours here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

#: The step chart's view box, in its own units.
WIDTH, HEIGHT, PADDING = 640, 160, 8
#: Fewer bars are as narrow as so many.
_LEAST_SLOTS = 8


@dataclass(frozen=True, slots=True)
class StepPoint:
    """A change: its place in the view box and what it was."""

    x: float
    y: float
    label: str
    is_future: bool


@dataclass(frozen=True, slots=True)
class StepChart:
    """A value over time. ``line`` are the points of the polyline up to ``now_x``, ``future`` the
    points after it (empty when nothing is pending)."""

    line: str
    future: str
    points: list[StepPoint]
    now_x: float
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Step:
    """From ``at`` on the value is ``value``; ``label`` says it in words."""

    at: datetime
    value: int
    label: str


def step_chart(steps: Sequence[Step], *, now: datetime) -> StepChart:
    """Lay out steps, oldest first, on one time axis that ends now or with what is pending."""
    first, last = steps[0].at, max(now, steps[-1].at)
    span_s = max((last - first).total_seconds(), 1.0)
    values = [step.value for step in steps]
    low, high = min(values), max(values)

    def x(at: datetime) -> float:
        share = (at - first).total_seconds() / span_s
        return round(PADDING + share * (WIDTH - 2 * PADDING), 1)

    def y(value: int) -> float:
        share = 0.5 if high == low else (value - low) / (high - low)
        return round(HEIGHT - PADDING - share * (HEIGHT - 2 * PADDING), 1)

    points = [StepPoint(x(step.at), y(step.value), step.label, step.at > now) for step in steps]
    past = [point for point in points if not point.is_future]
    now_x = x(now)
    line = _staircase(past, end_x=now_x)
    coming = [point for point in points if point.is_future]
    future = ""
    if coming:
        start = StepPoint(now_x, past[-1].y, "", False) if past else coming[0]
        future = _staircase([start, *coming], end_x=WIDTH - PADDING)
    return StepChart(line, future, points, now_x, WIDTH, HEIGHT)


@dataclass(frozen=True, slots=True)
class Bar:
    """One value: its rectangle, the height of its limit (None where it has none), in words."""

    x: float
    y: float
    width: float
    height: float
    limit_y: float | None
    label: str
    is_good: bool

    @property
    def end_x(self) -> float:
        return round(self.x + self.width, 1)


@dataclass(frozen=True, slots=True)
class BarChart:
    """Values side by side, each with a limit of its own. ``top`` is the value of the upper edge."""

    bars: list[Bar]
    top: int
    width: int
    height: int


def bar_chart(values: Sequence[tuple[int, int | None, str, bool]]) -> BarChart:
    """Lay out (value, limit, label, is_good), first on the left. At least one; none negative."""
    top = max(max(value, limit or 0) for value, limit, _, _ in values) or 1
    slot = (WIDTH - 2 * PADDING) / max(len(values), _LEAST_SLOTS)

    def y(value: int) -> float:
        return round(HEIGHT - PADDING - value / top * (HEIGHT - 2 * PADDING), 1)

    bars = [
        Bar(
            x=round(PADDING + position * slot + slot * 0.15, 1),
            y=y(value),
            width=round(slot * 0.7, 1),
            height=round(HEIGHT - PADDING - y(value), 1),
            limit_y=None if limit is None else y(limit),
            label=label,
            is_good=is_good,
        )
        for position, (value, limit, label, is_good) in enumerate(values)
    ]
    return BarChart(bars, top, WIDTH, HEIGHT)


def _staircase(points: Sequence[StepPoint], *, end_x: float) -> str:
    """The corners of a staircase through the points, drawn on to ``end_x``."""
    corners: list[str] = []
    before: StepPoint | None = None
    for point in points:
        if before is not None:
            corners.append(f"{point.x},{before.y}")
        corners.append(f"{point.x},{point.y}")
        before = point
    if before is not None:
        corners.append(f"{end_x},{before.y}")
    return " ".join(corners)
