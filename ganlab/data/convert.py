"""Between images at rest (`uint8`) and images in the engine (float in [-1, 1])."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["quantise", "to_unit"]


def to_unit(images: Tensor) -> Tensor:
    """Return float32 images in [-1, 1]: x / 127.5 − 1, so that 0 is -1 and 255 is 1.

    Args:
        images: uint8 of any shape; its device and memory format are kept.
    """
    import torch

    return images.to(torch.float32).div_(127.5).sub_(1.0)


def quantise(images: Tensor) -> Tensor:
    """Return uint8 images: the nearest of the 256 levels, halves to the even one.

    `quantise(to_unit(x)) == x` for every uint8.

    Args:
        images: float of any precision and shape; what lies outside [-1, 1] is clamped.
    """
    import torch

    levels = images.to(torch.float32, copy=True).add_(1.0).mul_(127.5)
    return levels.round_().clamp_(0, 255).to(torch.uint8)
