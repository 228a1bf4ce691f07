"""Pictures of numbers over steps, one panel each: for whoever has no TensorBoard at hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ganlab.metrics import Direction, badness

__all__ = ["Curve", "draw_curves", "ticks"]

_WIDTH, _HEIGHT = 560, 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 74, 20, 46, 40
_SCALE = 2
"""Drawn this much larger and then averaged down, which smooths the lines."""

_PAPER, _INK, _GRID = (255, 255, 255), (50, 54, 64), (228, 230, 236)
_LINE, _BAND, _FLOOR, _BEST = (32, 92, 160), (206, 222, 240), (200, 110, 40), (32, 140, 84)


@dataclass
class Curve:
    """A metric over steps.

    Attributes:
        title: stands above the panel.
        better: which way is better; the best point is marked where there is one.
    """

    title: str
    better: Direction | None = None
    _points: list[tuple[int, float, float | None, float | None]] = field(default_factory=list)

    def add(
        self, step: int, value: float, standard_error: float | None = None, floor: float | None = None
    ) -> None:
        """Add a point; values that are not finite leave a gap."""
        self._points.append((step, value, standard_error, floor))

    @property
    def points(self) -> list[tuple[int, float, float | None, float | None]]:
        """Step, value, standard error and floor, in order of steps."""
        return sorted(
            (point for point in self._points if math.isfinite(point[1])), key=lambda point: point[0]
        )


def draw_curves(curves: Sequence[Curve], columns: int = 2) -> NDArray[np.uint8]:
    """Draw each curve in a panel of its own.

    The value is a line with a band of ± 2 standard errors, the floor a dashed line, the best
    value a ring. Each panel has its own axis.

    Args:
        curves: at least one.
        columns: panels in a row.

    Returns:
        uint8 `(H, W, 3)`.
    """
    columns = min(columns, len(curves))
    rows = math.ceil(len(curves) / columns)
    sheet = Image.new("RGB", (columns * _WIDTH, rows * _HEIGHT), _PAPER)
    for index, curve in enumerate(curves):
        sheet.paste(_panel(curve), (index % columns * _WIDTH, index // columns * _HEIGHT))
    return np.asarray(sheet)


def _panel(curve: Curve) -> Image.Image:
    panel = Image.new("RGB", (_WIDTH * _SCALE, _HEIGHT * _SCALE), _PAPER)
    pen = ImageDraw.Draw(panel)
    pen.text(_at(_LEFT, 14), curve.title, _INK, _font(15))
    points = curve.points
    if not points:
        pen.text(_at(_LEFT, 60), "nothing finite to show", _INK, _font(13))
    else:
        _Axes.around(points).draw(pen, curve)
    return panel.resize((_WIDTH, _HEIGHT), Image.Resampling.BOX)


@dataclass(frozen=True)
class _Axes:
    """Maps steps and values to places in a panel."""

    steps: tuple[float, float]
    values: tuple[float, float]

    @classmethod
    def around(cls, points: Sequence[tuple[int, float, float | None, float | None]]) -> _Axes:
        shown = [value for _, value, _, _ in points]
        shown += [floor for *_, floor in points if floor is not None and math.isfinite(floor)]
        low, high = min(shown), max(shown)
        margin = 0.06 * (high - low) or 0.1 * abs(high) or 0.01
        # What is never below zero needs no room there.
        bottom = low - margin if low < 0 else max(low - margin, 0.0)
        return cls((points[0][0], max(points[-1][0], points[0][0] + 1)), (bottom, high + margin))

    def place(self, step: float, value: float) -> tuple[float, float]:
        (first, last), (low, high) = self.steps, self.values
        across = _LEFT + (step - first) / (last - first) * (_WIDTH - _LEFT - _RIGHT)
        share = min(max((value - low) / (high - low), 0.0), 1.0)
        return _at(across, _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM))

    def draw(self, pen: ImageDraw.ImageDraw, curve: Curve) -> None:
        self._grid(pen)
        points = curve.points
        band = [(step, value, error) for step, value, error, _ in points if error is not None]
        if len(band) > 1:
            upper = [self.place(step, value + 2 * error) for step, value, error in band]
            lower = [self.place(step, value - 2 * error) for step, value, error in band]
            pen.polygon([*upper, *reversed(lower)], fill=_BAND)
        floors = [(step, floor) for step, _, _, floor in points if floor is not None]
        for (step, floor), (after, next_floor) in pairwise(floors):
            _dashes(pen, self.place(step, floor), self.place(after, next_floor))
        line = [self.place(step, value) for step, value, *_ in points]
        pen.line(line, fill=_LINE, width=2 * _SCALE, joint="curve")
        for x, y in line:
            _dot(pen, x, y, 3, fill=_LINE)
        if floors:
            x, y = self.place(*floors[-1])
            # Clear of the value's last point and its ring, should they lie on it.
            pen.text((x, y - 8 * _SCALE), "floor", _FLOOR, _font(11), anchor="rb")
        if curve.better is not None:
            step, value, *_ = min(points, key=lambda point: badness(point[1], curve.better))
            x, y = self.place(step, value)
            _dot(pen, x, y, 6, outline=_BEST)
            # On the side where the line is not, if there is room.
            above = y > (_TOP + 30) * _SCALE and (
                curve.better == "higher" or y > (_HEIGHT - _BOTTOM - 30) * _SCALE
            )
            place = (x, y + (-9 if above else 9) * _SCALE)
            label = f"{value:.4g} at {step:,}"
            side = "r" if x > _WIDTH * _SCALE / 2 else "l"
            pen.text(place, label, _BEST, _font(12), anchor=side + ("b" if above else "t"))

    def _grid(self, pen: ImageDraw.ImageDraw) -> None:
        for value in ticks(*self.values):
            left, y = self.place(self.steps[0], value)
            right, _ = self.place(self.steps[1], value)
            pen.line([(left, y), (right, y)], fill=_GRID, width=_SCALE)
            pen.text((left - 8 * _SCALE, y), f"{value:.4g}", _INK, _font(11), anchor="rm")
        for step in ticks(*self.steps):
            x, bottom = self.place(step, self.values[0])
            pen.text((x, bottom + 8 * _SCALE), f"{step:,.0f}", _INK, _font(11), anchor="mt")
        pen.text(_at(_WIDTH - _RIGHT, _HEIGHT - 12), "step", _INK, _font(11), anchor="rm")


def ticks(low: float, high: float) -> list[float]:
    """Return about five round numbers between two others."""
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw)
    first = math.ceil(low / step)
    return [index * step for index in range(first, math.floor(high / step) + 1)]


def _dashes(pen: ImageDraw.ImageDraw, start: tuple[float, float], end: tuple[float, float]) -> None:
    length = math.dist(start, end)
    count = max(1, round(length / (10 * _SCALE)))
    for index in range(count):
        pieces = [
            tuple(a + (b - a) * (index + part) / count for a, b in zip(start, end, strict=True))
            for part in (0.0, 0.55)
        ]
        pen.line([(x, y) for x, y in pieces], fill=_FLOOR, width=2 * _SCALE)


def _dot(
    pen: ImageDraw.ImageDraw,
    x: float,
    y: float,
    radius: int,
    fill: tuple[int, int, int] | None = None,
    outline: tuple[int, int, int] | None = None,
) -> None:
    reach = radius * _SCALE
    pen.ellipse((x - reach, y - reach, x + reach, y + reach), fill=fill, outline=outline, width=2 * _SCALE)


def _at(x: float, y: float) -> tuple[float, float]:
    return (x * _SCALE, y * _SCALE)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size * _SCALE)
