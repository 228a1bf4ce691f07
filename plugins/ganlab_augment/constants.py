"""Constant tensors, copied to a device once."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch

__all__ = ["constant", "linear_map"]


def constant(values: Any, like: torch.Tensor) -> torch.Tensor:
    """Return numbers as a tensor of another one's type and device; it must not be changed.

    Args:
        values: numbers in tuples, nested as the tensor's dimensions are.
        like: of floating type.
    """
    return _on_device(values, like.dtype, like.device)


@lru_cache(maxsize=64)
def _on_device(values: Any, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    # Copying from the host in every step would have a GPU wait for it.
    return torch.tensor(values, dtype=dtype, device=device)


def linear_map(
    compute: Callable[[torch.Tensor], torch.Tensor], side: int, like: torch.Tensor
) -> torch.Tensor:
    """Return the matrices of a linear map of rows, as a tensor of another one's type and device.

    Up to hundreds of pixels a CPU takes the product with a filter's matrix, and all derivatives of it, in
    a fraction of the time of a convolution with one channel, whose gradients it is slowest at.

    Args:
        compute: the map, from rows `(rows, side)` to `(rows, …, outputs)`; called once for each side.
        side: elements of a row.
        like: of floating type.

    Returns:
        `(…, outputs, side)`; it must not be changed.
    """
    return _matrices(compute, side, like.dtype, like.device)


@lru_cache(maxsize=64)
def _matrices(
    compute: Callable[[torch.Tensor], torch.Tensor], side: int, dtype: torch.dtype, device: torch.device
) -> torch.Tensor:
    # What a map makes of the unit vectors are the columns of its matrix.
    columns = compute(torch.eye(side, dtype=torch.float64))
    return columns.movedim(0, -1).contiguous().to(device, dtype)
