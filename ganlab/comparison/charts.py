"""A metric's curves as the numbers that an SVG is drawn from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from ganlab.comparison.result import ComparedMetric, Measured, Point
from ganlab.drawing.curves import ticks

__all__ = ["AXES", "Chart", "Dot", "Line", "Tick", "draw"]

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
    points = [point for of_group in curves for curve in of_group for point in curve]
    if not points:
        return None
    floors = {measured.floor for measured in metric.measured if measured.floor is not None}
    values = [y for x, y, _ in points if x > 0] or [y for _, y, _ in points]
    scale = _Scale.around([x for x, *_ in points], [*values, *floors])
    means = [_mean(of_group) for of_group in curves]
    return Chart(
        axis=axis,
        across=tuple(Tick(scale.x(value), f"{value:,.6g}") for value in ticks(*scale.across)),
        up=tuple(Tick(scale.y(value), f"{value:.4g}") for value in scale.up_ticks()),
        lines=tuple(
            Line(
                index=index,
                seeds=tuple(scale.path((x, y) for x, y, _ in curve) for curve in of_group),
                mean=scale.path((x, y) for x, y, _ in mean),
                dots=tuple(Dot(scale.x(x), scale.y(y), f"step {step:,}: {y:.4g}") for x, y, step in mean),
            )
            for index, (of_group, mean) in enumerate(zip(curves, means, strict=True))
        ),
        floor=scale.y(floors.pop()) if len(floors) == 1 else None,
        logarithmic=scale.logarithmic,
    )


_Located = tuple[float, float, int]
"""Place along the horizontal axis, value, step."""


def _located(measured: Measured, place: Callable[[Point], float | None]) -> list[list[_Located]]:
    """Return each run's finite points."""
    curves = []
    for curve in measured.curves.values():
        finite = [(place(point), point) for point in curve if math.isfinite(point.value)]
        curves.append([(x, point.value, point.step) for x, point in finite if x is not None])
    return curves


def _mean(curves: Sequence[Sequence[_Located]]) -> list[_Located]:
    """Return the mean of several runs at the steps at which all were measured."""
    by_step = [{point[2]: point for point in curve} for curve in curves]
    common = [step for step in by_step[0] if all(step in steps for steps in by_step)] if by_step else []
    return [
        (fmean(steps[step][0] for steps in by_step), fmean(steps[step][1] for steps in by_step), step)
        for step in common
    ]


@dataclass(frozen=True)
class _Scale:
    across: tuple[float, float]
    up: tuple[float, float]
    logarithmic: bool

    @classmethod
    def around(cls, xs: Sequence[float], values: Sequence[float]) -> _Scale:
        low, high = min(values), max(values)
        logarithmic = low > 0 and high / low > _LOGARITHMIC_FROM
        if logarithmic:
            low, high = math.log10(low), math.log10(high)
        margin = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
        return cls((0.0, max(xs) or 1.0), (low - margin, high + margin), logarithmic)

    def x(self, value: float) -> float:
        first, last = self.across
        return round(LEFT + (value - first) / (last - first) * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        if self.logarithmic:
            value = math.log10(value) if value > 0 else self.up[0] - 1
        low, high = self.up
        return round(HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM), 1)

    def up_ticks(self) -> list[float]:
        if not self.logarithmic:
            return ticks(*self.up)
        low, high = self.up
        powers = range(math.floor(low), math.ceil(high) + 1)
        numbers = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
        return [number for number in numbers if low <= math.log10(number) <= high]

    def path(self, points: Iterable[tuple[float, float]]) -> str:
        places = [f"{self.x(x)} {self.y(y)}" for x, y in points]
        return f"M{' L'.join(places)}" if places else ""
