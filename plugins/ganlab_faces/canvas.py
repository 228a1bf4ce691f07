"""A canvas of float pixels, and frames of coordinates laid over it.

Shapes are signed distances: negative inside, in the frame's own unit. A pixel's
coverage falls from 1 to 0 over one pixel around the edge, which is what makes every
edge smooth at any size. Only +, -, *, / and sqrt touch pixels: IEEE 754 defines them
exactly, so that every platform draws the same bytes.
"""

from __future__ import annotations

from copy import copy
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ganlab_faces.palette import Color

__all__ = ["Canvas", "Frame", "Patch", "Plane", "centres"]

Plane: TypeAlias = NDArray[np.floating[Any]]
"""One number for each pixel of a rectangle; always float32."""


@lru_cache(maxsize=8)
def centres(count: int) -> Plane:
    """Return the positions of pixel centres along one side."""
    return np.arange(count, dtype=np.float32) + np.float32(0.5)


def _column(color: Color) -> Plane:
    """Return a colour that broadcasts over planes, `(3, 1, 1)`."""
    return np.array(color, dtype=np.float32)[:, None, None]


class Canvas:
    """Pixels `(3, height, width)`, float32 in [0, 255].

    Its own unit is half of the shorter side, with the origin in the middle.
    """

    def __init__(self, height: int, width: int) -> None:
        self.pixels: Plane = np.empty((3, height, width), dtype=np.float32)
        self.half = 0.5 * min(height, width)

    def to_bytes(self) -> NDArray[np.uint8]:
        """Return the picture, uint8 `(height, width, 3)`."""
        self.pixels += 0.5
        _, height, width = self.pixels.shape
        picture = np.empty((height, width, 3), dtype=np.uint8)
        for channel, plane in enumerate(self.pixels):
            picture[:, :, channel] = plane
        return picture


class Patch:
    """A rectangle of a canvas with the frame's coordinates of its pixels.

    Attributes:
        x: abscissae `(h, w)`.
        y: ordinates `(h, w)`, pointing down.
        scale: pixels in one unit of the frame.
        rectangle: rows and columns of the canvas.
    """

    __slots__ = ("_pixels", "rectangle", "scale", "x", "y")

    def __init__(
        self, canvas: Canvas, x: Plane, y: Plane, scale: float, rectangle: tuple[slice, slice]
    ) -> None:
        self._pixels = canvas.pixels[:, rectangle[0], rectangle[1]]
        self.x = x
        self.y = y
        self.scale = scale
        self.rectangle = rectangle

    def cover(self, distance: Plane) -> Plane:
        """Return the share of each pixel that lies inside a shape; `distance` is consumed."""
        distance *= -self.scale
        distance += 0.5
        np.maximum(distance, 0.0, out=distance)
        return np.minimum(distance, 1.0, out=distance)

    def paint(self, coverage: Plane, color: Color) -> None:
        """Lay a colour over the patch where it is covered, `(h, w)` in [0, 1]."""
        change = _column(color) - self._pixels
        change *= coverage
        self._pixels += change

    def paint_between(self, coverage: Plane, share: Plane, first: Color, second: Color) -> None:
        """Like `paint`, with a colour of its own for each pixel: `first` with a share of `second`."""
        origin = _column(first)
        change = (_column(second) - origin) * share
        change += origin
        change -= self._pixels
        change *= coverage
        self._pixels += change

    def fill(self, distance: Plane, color: Color, opacity: float = 1.0) -> None:
        """Paint a shape given by its signed distance, which is consumed."""
        coverage = self.cover(distance)
        if opacity != 1.0:
            coverage *= opacity
        self.paint(coverage, color)


class Frame:
    """Coordinates over a canvas: shifted, scaled and rotated.

    Args:
        canvas: what is drawn on.
        origin: the frame's origin in the canvas's unit.
        unit: canvas units in one unit of the frame.
        half_tangent: tangent of half the angle of rotation, clockwise. (A rotation from
            it needs no sine, whose last bit differs between platforms.)
    """

    def __init__(
        self, canvas: Canvas, origin: tuple[float, float], unit: float, half_tangent: float = 0.0
    ) -> None:
        self._canvas = canvas
        _, height, width = canvas.pixels.shape
        self.scale = canvas.half * unit
        norm = 1.0 + half_tangent * half_tangent
        cos = (1.0 - half_tangent * half_tangent) / norm
        sin = 2.0 * half_tangent / norm
        self._column = 0.5 * width + canvas.half * origin[0]
        self._row = 0.5 * height + canvas.half * origin[1]
        columns = (centres(width) - self._column) * (1.0 / self.scale)
        rows = ((centres(height) - self._row) * (1.0 / self.scale))[:, None]
        self.x: Plane = columns * cos + rows * sin
        self.y: Plane = rows * cos - columns * sin
        # Pixels along and across the canvas in one unit of the frame.
        self._along, self._across = self.scale * cos, self.scale * sin
        self._shift_x = self._shift_y = 0.0

    def turned(self, turn: float, nod: float) -> Frame:
        """Return the frame of a face's features, for a head that turns and nods.

        The features move by (turn, nod), and those on the far side draw closer together.
        """
        frame = copy(self)
        near = self.x - turn
        far = near * (0.6 * turn)
        far += 1.0
        far *= near
        frame.x, frame.y = far, self.y - nod
        frame._shift_x, frame._shift_y = turn, nod
        return frame

    def patch(self, left: float, top: float, right: float, bottom: float) -> Patch:
        """Return the pixels around a box of the frame; outside the canvas it is cut, even to nothing."""
        along, across = self._along, self._across
        x = 0.5 * (left + right) + self._shift_x
        y = 0.5 * (top + bottom) + self._shift_y
        column = self._column + along * x - across * y
        row = self._row + across * x + along * y
        half_x = 0.5 * (right - left)
        half_y = 0.5 * (bottom - top)
        lean = abs(across)
        reach_x = along * half_x + lean * half_y + 1.5
        reach_y = lean * half_x + along * half_y + 1.5
        rectangle = (
            slice(max(int(row - reach_y), 0), max(int(row + reach_y) + 1, 0)),
            slice(max(int(column - reach_x), 0), max(int(column + reach_x) + 1, 0)),
        )
        return self.at(rectangle)

    def at(self, rectangle: tuple[slice, slice]) -> Patch:
        """Return these rows and columns of the canvas, as seen in this frame."""
        return Patch(self._canvas, self.x[rectangle], self.y[rectangle], self.scale, rectangle)
