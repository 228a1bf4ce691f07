"""The three ways in which published FIDs bring images to 299×299.

Each is linear along each side, so a matrix for the rows and one for the columns are the
whole resize, whatever its kernel. The numbers that follow differ by far more than noise, hence
the protocol's name belongs to the metric's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from ganlab_features.resize import filter_matrix

__all__ = ["SIDE", "Preprocessing", "Protocol", "resize_matrix"]

SIDE = 299

Protocol: TypeAlias = Literal["fid", "fid-pytorch", "fid-clean"]
"""`fid`: TensorFlow 1's bilinear, whose corner pixels are not centred, no antialias. `fid-pytorch`:
bilinear between pixel centres, no antialias. `fid-clean`: PIL's antialiased bicubic, in floats."""

Matrix: TypeAlias = NDArray[np.float64]


def _bilinear(positions: NDArray[np.float32], size: int) -> Matrix:
    """Return weights of the two pixels around each position; the last pixel goes on beyond the border."""
    low = positions.astype(np.int64)
    fraction = (positions - low.astype(np.float32)).astype(np.float64)
    matrix = np.zeros((SIDE, size))
    rows = np.arange(SIDE)
    np.add.at(matrix, (rows, low), 1 - fraction)
    np.add.at(matrix, (rows, np.minimum(low + 1, size - 1)), fraction)
    return matrix


def _tensorflow(size: int) -> Matrix:
    # In float32, as the original: a rounded position may fall on the other side of a pixel.
    return _bilinear(np.arange(SIDE, dtype=np.float32) * np.float32(size / SIDE), size)


def _pytorch(size: int) -> Matrix:
    scale = np.float32(size / SIDE)
    centres = (np.arange(SIDE, dtype=np.float32) + np.float32(0.5)) * scale - np.float32(0.5)
    return _bilinear(np.maximum(centres, np.float32(0)), size)


def _bicubic(size: int) -> Matrix:
    return filter_matrix("bicubic", size, SIDE)


_KERNELS: dict[Protocol, Callable[[int], Matrix]] = {
    "fid": _tensorflow,
    "fid-pytorch": _pytorch,
    "fid-clean": _bicubic,
}


def resize_matrix(protocol: Protocol, size: int) -> torch.Tensor:
    """Return `(299, size)` float32: each output pixel's weights along one side."""
    return torch.from_numpy(_KERNELS[protocol](size)).float()


class Preprocessing:
    """Maps uint8 images to what the network reads.

    Args:
        protocol: whose.
        height: of the images, in pixels.
        width: likewise.
    """

    def __init__(self, protocol: Protocol, height: int, width: int) -> None:
        self._protocol = protocol
        self._rows = resize_matrix(protocol, height)
        self._columns = resize_matrix(protocol, width)

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Map uint8 `(N, C, H, W)` to float32 `(N, 3, 299, 299)` in about [-1, 1]; gray is repeated."""
        device = images.device
        resized = self._rows.to(device) @ (images.float() @ self._columns.to(device).T)
        if self._protocol == "fid-pytorch":
            scaled = resized * (2 / 255) - 1
        elif self._protocol == "fid-clean":
            scaled = (resized.clamp(0, 255) - 128) / 128
        else:
            scaled = (resized - 128) / 128
        return scaled.expand(-1, 3, -1, -1)
