"""A metric's curves as the numbers that an SVG is drawn from."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from ganlab.comparison.result import ComparedMetric, Measured, Point
from ganlab.drawing.curves import ticks

__all__ = ["AXES", "Chart", "Dot", "Line", "Located", "Tick", "draw", "draw_located"]

WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 72, 24, 12, 44

_LOGARITHMIC_FROM = 20
"""Ratio of the largest to the smallest value from which a logarithmic axis shows more."""

AXES: dict[str, Callable[[Point], float | None]] = {
    "steps": lambda point: float(point.step),
    "images": lambda point: point.images,
    "hours": lambda point: point.hours,
}
"""What curves are drawn against."""


@dataclass(frozen=True)
class Dot:
    """A mean over seeds, at a place in the picture, with what is told of it."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Line:
    """An experiment's curve.

    Attributes:
        index: which experiment, counted from 0.
        seeds: a path for each of its runs.
        mean: the path of their mean.
        dots: where that was measured.
    """

    index: int
    seeds: tuple[str, ...]
    mean: str
    dots: tuple[Dot, ...]


@dataclass(frozen=True)
class Tick:
    """A number at an axis, and where along it."""

    place: float
    text: str


@dataclass(frozen=True)
class Chart:
    """Curves of a metric against one axis, in a picture of `WIDTH` by `HEIGHT`.

    Attributes:
        axis: what stands below.
        across: ticks of the horizontal axis.
        up: ticks of the vertical axis.
        lines: one for each experiment.
        floor: height of the floor; `None` where there is none, or it is out of the picture.
        logarithmic: whether the vertical axis is.
    """

    axis: str
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    lines: tuple[Line, ...]
    floor: float | None
    logarithmic: bool


def draw(metric: ComparedMetric, axis: str) -> Chart | None:
    """Draw a metric's curves; `None` where there are none, as of runs that logged no images.

    What was measured before training does not stretch the vertical axis.

    Args:
        metric: the metric, of all experiments.
        axis: one of `AXES`.
    """
    place = AXES[axis]
    curves = [_located(measured, place) for measured in metric.measured]
    if not any(curve for of_group in curves for curve in of_group):
        return None
    floors = {measured.floor for measured in metric.measured if measured.floor is not None}
    return draw_located(curves, axis, floors)


Located = tuple[float, float, int]
"""Place along the horizontal axis, value, step."""


def draw_located(
    curves: Sequence[Sequence[Sequence[Located]]],
    axis: str,
    floors: Collection[float] = (),
    *,
    counted: str = "step",
    logarithmic_across: bool = False,
) -> Chart:
    """Draw curves against any axis.

    Args:
        curves: of each experiment those of its runs; at least one has a point.
        axis: what stands below.
        floors: all that there are; drawn where it is only one.
        counted: what the steps of the points are.
        logarithmic_across: whether the horizontal axis is logarithmic; no place may be 0 then.
    """
    points = [point for of_group in curves for curve in of_group for point in curve]
    places = [x for x, *_ in points]
    values = [y for x, y, _ in points if x > 0] or [y for _, y, _ in points]
    frame = _Frame(_Axis.across(places, logarithmic_across), _Axis.up([*values, *floors]))
    means = [_mean(of_group) for of_group in curves]
    return Chart(
        axis=axis,
        across=tuple(Tick(frame.x(value), f"{value:,.6g}") for value in frame.across.ticks()),
        up=tuple(Tick(frame.y(value), f"{value:.4g}") for value in frame.up.ticks()),
        lines=tuple(
            Line(
                index=index,
                seeds=tuple(frame.path((x, y) for x, y, _ in curve) for curve in of_group),
                mean=frame.path((x, y) for x, y, _ in mean),
                dots=tuple(
                    Dot(frame.x(x), frame.y(y), f"{counted} {step:,}: {y:.4g}") for x, y, step in mean
                ),
            )
            for index, (of_group, mean) in enumerate(zip(curves, means, strict=True))
        ),
        floor=frame.y(next(iter(floors))) if len(floors) == 1 else None,
        logarithmic=frame.up.logarithmic,
    )


def _located(measured: Measured, place: Callable[[Point], float | None]) -> list[list[Located]]:
    """Return each run's finite points."""
    curves = []
    for curve in measured.curves.values():
        finite = [(place(point), point) for point in curve if math.isfinite(point.value)]
        curves.append([(x, point.value, point.step) for x, point in finite if x is not None])
    return curves


def _mean(curves: Sequence[Sequence[Located]]) -> list[Located]:
    """Return the mean of several runs at the steps at which all were measured."""
    by_step = [{point[2]: point for point in curve} for curve in curves]
    common = [step for step in by_step[0] if all(step in steps for steps in by_step)] if by_step else []
    return [
        (fmean(steps[step][0] for steps in by_step), fmean(steps[step][1] for steps in by_step), step)
        for step in common
    ]


@dataclass(frozen=True)
class _Axis:
    """From where to where an axis goes, as logarithms where it is logarithmic."""

    low: float
    high: float
    logarithmic: bool

    @classmethod
    def across(cls, places: Sequence[float], logarithmic: bool) -> _Axis:
        if not logarithmic:
            return cls(0.0, max(places) or 1.0, False)
        return cls._with_margin(math.log10(min(places)), math.log10(max(places)), True)

    @classmethod
    def up(cls, values: Sequence[float]) -> _Axis:
        low, high = min(values), max(values)
        logarithmic = low > 0 and high / low > _LOGARITHMIC_FROM
        if logarithmic:
            low, high = math.log10(low), math.log10(high)
        return cls._with_margin(low, high, logarithmic)

    @classmethod
    def _with_margin(cls, low: float, high: float, logarithmic: bool) -> _Axis:
        margin = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
        return cls(low - margin, high + margin, logarithmic)

    def share(self, value: float) -> float:
        """Return how far along the axis a value is: 0 at its begin, 1 at its end."""
        if self.logarithmic:
            value = math.log10(value) if value > 0 else self.low - 1
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        if not self.logarithmic:
            return ticks(self.low, self.high)
        powers = range(math.floor(self.low), math.ceil(self.high) + 1)
        numbers = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
        return [number for number in numbers if self.low <= math.log10(number) <= self.high]


@dataclass(frozen=True)
class _Frame:
    across: _Axis
    up: _Axis

    def x(self, value: float) -> float:
        return round(LEFT + self.across.share(value) * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        return round(HEIGHT - BOTTOM - self.up.share(value) * (HEIGHT - TOP - BOTTOM), 1)

    def path(self, points: Iterable[tuple[float, float]]) -> str:
        places = [f"{self.x(x)} {self.y(y)}" for x, y in points]
        return f"M{' L'.join(places)}" if places else ""
