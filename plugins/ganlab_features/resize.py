"""Pillow's resize, by which published protocols are defined, as products of matrices on any device.

A resize is linear along each side: a matrix for the columns and one for the rows are the whole
of it. Columns come first, as in every Pillow that published numbers were made with; Pillow 13 takes
rows first where they shrink and columns grow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["Filter", "Resize", "filter_matrix"]

Filter: TypeAlias = Literal["box", "bilinear", "bicubic", "lanczos"]

Array: TypeAlias = NDArray[np.float64]

PRECISION = 2.0**22
"""Pillow's weights for 8-bit images are integers, of so many to one."""


def _box(distance: Array) -> Array:
    return np.where((distance > -0.5) & (distance <= 0.5), 1.0, 0.0)


def _bilinear(distance: Array) -> Array:
    distance = np.abs(distance)
    return np.where(distance < 1, 1 - distance, 0.0)


def _bicubic(distance: Array) -> Array:
    """Keys' cubic (1981) with a = −½."""
    distance = np.abs(distance)
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    return np.where(distance < 1, near, np.where(distance < 2, far, 0.0))


def _lanczos(distance: Array) -> Array:
    return np.where(np.abs(distance) < 3, np.sinc(distance) * np.sinc(distance / 3), 0.0)


_FILTERS: dict[Filter, tuple[Callable[[Array], Array], float]] = {
    "box": (_box, 0.5),
    "bilinear": (_bilinear, 1),
    "bicubic": (_bicubic, 2),
    "lanczos": (_lanczos, 3),
}


def filter_matrix(name: Filter, size: int, side: int) -> Array:
    """Return `(side, size)`: each output pixel's weights of `size` pixels along one side.

    The filter is stretched over what an output pixel covers, which is what Pillow's antialiasing is.
    """
    kernel, support = _FILTERS[name]
    scale = size / side
    stretch = max(scale, 1.0)
    centres = (np.arange(side) + 0.5) * scale
    first = np.maximum((centres - support * stretch + 0.5).astype(np.int64), 0)
    end = np.minimum((centres + support * stretch + 0.5).astype(np.int64), size)
    pixels = np.arange(size)
    weights = kernel((pixels[None, :] + 0.5 - centres[:, None]) / stretch)
    weights[(pixels < first[:, None]) | (pixels >= end[:, None])] = 0
    weights /= weights.sum(1, keepdims=True)
    return weights


class Resize:
    """Resizes images as Pillow does.

    Args:
        name: of the filter.
        size: height and width of the images.
        target: height and width that they are brought to.
        finish: `round` after each direction, exactly as Pillow treats 8-bit images; `clamp` floats to
            what 8 bits can hold, as Pillow treats an `F` image that is clipped then; `none`, which
            overshoots, as `torch.nn.functional.interpolate(antialias=True)` does.
    """

    def __init__(
        self,
        name: Filter,
        size: tuple[int, int],
        target: tuple[int, int],
        finish: Literal["round", "clamp", "none"] = "round",
    ) -> None:
        self._finish = finish
        # Sums of integers below 2⁵³ are exact in float64, so any device rounds as Pillow does.
        self._dtype = torch.float64 if finish == "round" else torch.float32
        rows, columns = (filter_matrix(name, *sides) for sides in zip(size, target, strict=True))
        self._rows, self._columns = self._of(rows), self._of(columns.T)

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Map uint8 `(N, C, H, W)` to float32 `(N, C, *target)` in [0, 255], a little beyond with `none`."""
        images = self._finished(images.to(self._dtype) @ self._columns.to(images.device), between=True)
        return self._finished(self._rows.to(images.device) @ images).float()

    def _of(self, matrix: Array) -> torch.Tensor:
        if self._finish == "round":
            # Pillow adds a half and cuts off towards zero.
            matrix = np.trunc(matrix * PRECISION + np.copysign(0.5, matrix))
        return torch.from_numpy(np.ascontiguousarray(matrix)).to(self._dtype)

    def _finished(self, images: torch.Tensor, *, between: bool = False) -> torch.Tensor:
        if self._finish == "round":
            return ((images + PRECISION / 2) / PRECISION).floor_().clamp_(0, 255)
        return images if between or self._finish == "none" else images.clamp_(0, 255)
