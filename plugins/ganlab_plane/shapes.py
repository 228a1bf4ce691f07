"""Points of distributions in the plane."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ganlab import VectorSource
from ganlab_plane import PlaneOptions

__all__ = ["PlaneSource", "checkerboard", "filled_squares", "rings", "spirals", "two_moons"]

Points: TypeAlias = NDArray[np.float64]
Shape: TypeAlias = Callable[[NDArray[np.int64], Points, Points], Points]
"""Maps parts `(n,)`, uniform `(n, 2)` on [0, 1) and normal numbers `(n, 2)` to points `(n, 2)`."""


def _polar(radius: Points, angle: Points) -> Points:
    points: Points = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return points


def rings(count: int, radius: float, noise: float) -> Shape:
    """Return rings about the origin, the k-th k times as large; points are even along each."""

    def shape(parts: NDArray[np.int64], uniform: Points, normal: Points) -> Points:
        return _polar(radius * (parts + 1) + noise * normal[:, 0], 2 * np.pi * uniform[:, 0])

    return shape


def spirals(arms: int, turns: float, radius: float, noise: float) -> Shape:
    """Return arms wound around the origin, each turned against the one before; points are even in area."""

    def shape(parts: NDArray[np.int64], uniform: Points, normal: Points) -> Points:
        along = np.sqrt(uniform[:, 0])
        return _polar(radius * along, 2 * np.pi * (turns * along + parts / arms)) + noise * normal

    return shape


def two_moons(noise: float) -> Shape:
    """Return an upper half circle about (-½, -¼) and a lower one about (½, ¼), both of radius 1."""

    def shape(parts: NDArray[np.int64], uniform: Points, normal: Points) -> Points:
        sign = 1.0 - 2.0 * parts
        circle = _polar(np.ones(len(parts)), np.pi * uniform[:, 0]) * sign[:, None]
        return circle - sign[:, None] * [0.5, 0.25] + noise * normal

    return shape


def filled_squares(squares: int) -> list[tuple[int, int]]:
    """Return column and row of every filled square, row by row; the first is filled."""
    return [(column, row) for row in range(squares) for column in range(squares) if (column + row) % 2 == 0]


def checkerboard(squares: int, side: float) -> Shape:
    """Return every other square of a board about the origin, each evenly filled."""
    corners = np.array(filled_squares(squares), dtype=np.float64)

    def shape(parts: NDArray[np.int64], uniform: Points, normal: Points) -> Points:
        return (corners[parts] + uniform) * (side / squares) - side / 2

    return shape


class PlaneSource(VectorSource):
    """Points of a shape; point `i` belongs to part `i` modulo the parts.

    Args:
        shape: where points lie.
        parts: how many parts it has.
        options: how many points, which, and whether they are labelled.
    """

    def __init__(self, shape: Shape, parts: int, options: PlaneOptions) -> None:
        rng = np.random.default_rng(options.seed)
        # Row by row, so that fewer points are a prefix of more.
        drawn = rng.random((options.count, 2))
        normal = np.random.default_rng([options.seed, 1]).standard_normal((options.count, 2))
        self._parts = np.arange(options.count, dtype=np.int64) % parts
        self._points = shape(self._parts, drawn, normal).astype(np.float32)
        self._names = tuple(str(part) for part in range(parts)) if options.labels else ()

    def __len__(self) -> int:
        return len(self._points)

    @property
    def dimension(self) -> int:
        """Elements of a vector: 2."""
        return 2

    def read(self, index: int) -> NDArray[np.float32]:
        """Return point `index`, `(2,)`."""
        point: NDArray[np.float32] = self._points[index].copy()
        return point

    def labels(self) -> NDArray[np.int64] | None:
        """Return the part of every point, `(count,)`, or `None`."""
        return self._parts if self._names else None

    @property
    def class_names(self) -> Sequence[str]:
        """Number of each part from 0; empty without labels."""
        return self._names

    def fingerprint(self) -> str:
        """Return a digest of points and labels."""
        digest = hashlib.sha256(self._points.tobytes())
        digest.update(repr(self._names).encode())
        return digest.hexdigest()
