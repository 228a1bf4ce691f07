"""Images resampled through affine maps, with little aliasing and gradients of gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from ganlab_augment.constants import constant, linear_map

__all__ = ["SYM6", "resampled"]

SYM6 = (
    *(0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633),
    *(0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252),
    *(-0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148),
)
"""Low-pass filter of the orthonormal wavelet sym6 (Daubechies, 1992)."""

CENTRE = sum(tap * weight for tap, weight in enumerate(SYM6)) / sum(SYM6)
"""Tap that the filter is centred on; it is nearly symmetric about it."""
PADDING = 6
"""Pixels that images are reflected by, so that the filter sees some beyond each border."""
SLACK = 3
"""Pixels beyond a border up to which those are shown; further out, places are reflected."""


def resampled(images: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    """Return images moved by affine maps, reflected at borders.

    They are enlarged twofold by a wavelet's low-pass filter, sampled between pixels, and reduced by
    the same filter reversed: together those give the image itself, where the map is the identity.

    Args:
        images: `(n, C, H, W)`, at least 7 pixels a side.
        maps: from the place of a pixel to where it comes from, `(n, 2, 3)`, in columns and rows from
            the centre, in pixels.
    """
    height, width = images.shape[2:]
    large = _along_sides(_enlarged_rows, images)
    down, across = _places(height, images), _places(width, images)
    places = torch.stack(torch.meshgrid(across, down, indexing="xy")).flatten(1)
    # Columns first, then rows, as in the maps.
    last = constant(((width - 1.0,), (height - 1.0,)), images)
    maps = maps.to(images.dtype)
    sources = maps[:, :, :2] @ (places - last / 2) + (maps[:, :, 2:] + last / 2)
    samples = constant(((large.shape[3] - 1.0,), (large.shape[2] - 1.0,)), images)
    grid = (_reflected(sources, last) + (PADDING + CENTRE / 2)) * (4 / samples) - 1
    grid = grid.reshape(-1, 2, len(down), len(across)).permute(0, 2, 3, 1)
    return _along_sides(_reduced_rows, _sample(large, grid))


def _along_sides(compute: Callable[[torch.Tensor], torch.Tensor], images: torch.Tensor) -> torch.Tensor:
    """Return images whose columns and rows went through a linear map of rows."""
    down, across = (linear_map(compute, side, images) for side in images.shape[2:])
    return down @ (images @ across.mT)


def _enlarged_rows(rows: torch.Tensor) -> torch.Tensor:
    """Return rows `(rows, side)` reflected at borders and enlarged twofold by the filter."""
    padded = F.pad(rows[:, None], (PADDING,) * 2, mode="reflect")
    return F.conv_transpose1d(padded, rows.new_tensor(SYM6)[None, None], stride=2)[:, 0]


def _reduced_rows(rows: torch.Tensor) -> torch.Tensor:
    """Return rows `(rows, samples)` reduced twofold by the filter reversed, without what its ends lack."""
    return F.conv1d(rows[:, None], rows.new_tensor(SYM6)[None, None], stride=2)[:, 0]


def _places(side: int, like: torch.Tensor) -> torch.Tensor:
    """Return the places of the enlarged image's pixels that the smaller one is made of, in pixels of it."""
    samples = torch.arange(2 * side + len(SYM6) - 2, dtype=like.dtype, device=like.device)
    return (samples - CENTRE) / 2


def _reflected(places: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
    """Return places with those far outside reflected at 0 and `last`, as often as it takes."""
    period = 2 * last
    folded = (places - (places / period).round() * period).abs()
    inside = (places > -SLACK) & (places < last + SLACK)
    return torch.where(inside, places, folded)


def _sample(images: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    sampled: torch.Tensor = _Sample.apply(images, grid)  # type: ignore[no-untyped-call]
    return sampled


class _Sample(torch.autograd.Function):
    """`grid_sample`, bilinear, whose gradient by the images can be differentiated itself.

    It is linear in the images, so that the gradient of its gradient is itself.
    """

    @staticmethod
    def forward(context: Any, images: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
        context.save_for_backward(grid)
        context.shape = images.shape
        return F.grid_sample(images, grid, padding_mode="zeros", align_corners=True)

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        (grid,) = context.saved_tensors
        return _spread(gradient, grid, context.shape), None


def _spread(gradient: torch.Tensor, grid: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    spread: torch.Tensor = _Spread.apply(gradient, grid, shape)  # type: ignore[no-untyped-call]
    return spread


class _Spread(torch.autograd.Function):
    """The transpose of `_Sample`: each value goes to the four pixels that it came from."""

    @staticmethod
    def forward(context: Any, gradient: torch.Tensor, grid: torch.Tensor, shape: torch.Size) -> torch.Tensor:
        context.save_for_backward(grid)
        like = gradient.new_empty(()).expand(shape)
        spread: torch.Tensor = torch.ops.aten.grid_sampler_2d_backward(
            gradient, like, grid, 0, 0, True, [True, False]
        )[0]
        return spread

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (grid,) = context.saved_tensors
        return _sample(gradient, grid), None, None
