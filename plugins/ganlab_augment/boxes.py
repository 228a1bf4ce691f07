"""Boxes cut out of images (DeVries & Taylor, 2017)."""

from __future__ import annotations

import torch

__all__ = ["without_box"]


def without_box(images: torch.Tensor, centres: torch.Tensor, share: float) -> torch.Tensor:
    """Return images with a box of each set to 0, cut off where it leaves the image.

    Args:
        images: `(n, C, H, W)`.
        centres: of the boxes, `(n, 2)`: row and column as shares of height and width, in [0, 1).
        share: sides of the box as a share of the image's.
    """
    inside = torch.ones(len(images), 1, 1, 1, dtype=torch.bool, device=images.device)
    for axis, side in enumerate(images.shape[2:]):
        pixels = (torch.arange(side, device=images.device) + 0.5) / side
        near = (pixels - centres[:, axis, None]).abs() < share / 2
        inside = inside & (near[:, None, :, None] if axis == 0 else near[:, None, None, :])
    return torch.where(inside, torch.zeros((), dtype=images.dtype, device=images.device), images)
