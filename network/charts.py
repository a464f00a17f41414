"""Small charts as figures for inline SVG. Pure layout: no markup and no colours here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

#: The step chart's view box, in its own units.
WIDTH, HEIGHT, PADDING = 640, 160, 8


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
