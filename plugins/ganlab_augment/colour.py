"""Random linear maps of colours."""

from __future__ import annotations

import math

import torch

from ganlab_augment.chance import Chance
from ganlab_augment.constants import constant

__all__ = ["recoloured"]

BRIGHTNESS = 0.2
"""Standard deviation of what is added."""
CONTRAST = 0.5
"""Standard deviation of the factor's binary logarithm."""
SATURATION = 1.0
"""Standard deviation of the factor's binary logarithm."""


def recoloured(images: torch.Tensor, chance: Chance) -> torch.Tensor:
    """Return images with other brightness, contrast, luma sign, hue and saturation; alpha stays.

    Args:
        images: `(n, C, H, W)` in [-1, 1]: grayscale or RGB, with or without alpha.
        chance: that each of these happens.
    """
    channels = 3 if images.shape[1] >= 3 else 1
    colour, rest = images[:, :channels], images[:, channels:]
    linear, offset = colour_maps(chance, coloured=channels == 3)
    if channels == 1:
        # A grey pixel (v, v, v) through the map, and the mean of what comes out.
        linear, offset = linear.sum(2).mean(1)[:, None, None], offset.mean(1, keepdim=True)
    linear, offset = linear.to(images.dtype), offset.to(images.dtype)
    changed = torch.einsum("nij,njhw->nihw", linear, colour) + offset[:, :, None, None]
    return torch.cat([changed, rest], dim=1) if rest.shape[1] else changed


def colour_maps(chance: Chance, coloured: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Return matrices `(n, 3, 3)` and offsets `(n, 3)` by which colours change.

    Args:
        chance: that each change happens.
        coloured: whether hue and saturation change, too.
    """
    brightness = chance.value(chance.draws.randn() * BRIGHTNESS, otherwise=0.0)
    device = brightness.device
    identity = torch.eye(3, device=device)
    # The grey axis, on which luma lies.
    luma = torch.full((3, 3), 1 / 3, device=device)
    contrast = chance.factor(CONTRAST)
    offset = (brightness * contrast)[:, None].expand(-1, 3)
    linear = contrast[:, None, None] * identity
    flip = identity - 2 * luma * chance.integer(2)[:, None, None]
    linear, offset = flip @ linear, _through(flip, offset)
    if coloured:
        turn = _about_grey(chance.angle())
        saturation = chance.factor(SATURATION)[:, None, None]
        turn = (luma + (identity - luma) * saturation) @ turn
        linear, offset = turn @ linear, _through(turn, offset)
    return linear, offset


def _through(matrices: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
    return (matrices @ vectors[:, :, None]).squeeze(2)


def _about_grey(angles: torch.Tensor) -> torch.Tensor:
    """Return rotations about the grey axis, `(n, 3, 3)`, by Rodrigues' formula."""
    device = angles.device
    identity = torch.eye(3, device=device)
    outer = torch.full((3, 3), 1 / 3, device=device)
    cross = constant(((0, -1, 1), (1, 0, -1), (-1, 1, 0)), angles) / math.sqrt(3)
    cosine, sine = angles.cos()[:, None, None], angles.sin()[:, None, None]
    return outer + cosine * (identity - outer) + sine * cross
