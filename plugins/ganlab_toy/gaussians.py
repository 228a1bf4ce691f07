"""Mixtures of 2-D Gaussians, the standard test of mode collapse.

The ring is that of Metz et al., "Unrolled generative adversarial networks" (2017); ring
and 5×5 grid are used by Srivastava et al., "VEEGAN" (2017), and Lin et al., "PacGAN" (2018).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ganlab import ComponentError, VectorSource

__all__ = ["GaussianSource", "grid_centres", "ring_centres"]


def ring_centres(modes: int, radius: float) -> NDArray[np.float64]:
    """Return centres evenly around a circle, counter-clockwise from (radius, 0); `(modes, 2)`."""
    angles = 2.0 * np.pi * np.arange(modes) / modes
    return radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def grid_centres(modes: int, spacing: float) -> NDArray[np.float64]:
    """Return centres on a square grid around the origin, row by row from the lower left; `(modes, 2)`.

    Raises:
        ComponentError: `modes` is not a square number.
    """
    side = math.isqrt(modes)
    if side * side != modes:
        raise ComponentError(
            f"a square grid cannot have {modes} modes; {side * side} and {(side + 1) ** 2} are the nearest",
            option="modes",
        )
    ticks = spacing * (np.arange(side) - 0.5 * (side - 1))
    rows, columns = np.meshgrid(ticks, ticks, indexing="ij")
    return np.stack([columns.ravel(), rows.ravel()], axis=1)


class GaussianSource(VectorSource):
    """Points of an even mixture of isotropic 2-D Gaussians; point `i` belongs to mode `i` modulo the modes.

    Args:
        centres: `(modes, 2)`.
        std: standard deviation of each Gaussian along both axes.
        count: number of points; fewer are a prefix of more.
        seed: which points.
        labelled: whether labels tell the mode.
    """

    def __init__(
        self, centres: NDArray[np.float64], std: float, count: int, seed: int, *, labelled: bool = False
    ) -> None:
        self.centres = centres
        self.std = std
        self._modes = np.arange(count, dtype=np.int64) % len(centres)
        noise = np.random.default_rng(seed).standard_normal((count, 2))
        self._points = (centres[self._modes] + std * noise).astype(np.float32)
        self._labelled = labelled

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
        """Return the mode of every point, `(count,)`, or `None`."""
        return self._modes if self._labelled else None

    @property
    def class_names(self) -> Sequence[str]:
        """Where each mode is, as `(x, y)`; empty without labels."""
        if not self._labelled:
            return ()
        return tuple(f"({x + 0.0:.3g}, {y + 0.0:.3g})" for x, y in self.centres.round(9))

    def fingerprint(self) -> str:
        """Return a digest of points and labels."""
        digest = hashlib.sha256(self._points.tobytes())
        digest.update(repr(self.class_names).encode())
        return digest.hexdigest()
