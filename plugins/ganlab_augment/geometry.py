"""Random affine maps of images."""

from __future__ import annotations

import torch

from ganlab_augment.chance import Chance
from ganlab_augment.constants import constant
from ganlab_augment.resampling import resampled

__all__ = ["blitted", "moved"]

SHIFT = 0.125
"""Largest shift by whole pixels, and standard deviation of a fractional one, as a share of the side."""
SCALE = 0.2
"""Standard deviation of a scale's binary logarithm."""


def blitted(images: torch.Tensor, chance: Chance) -> torch.Tensor:
    """Return images mirrored, turned by multiples of 90° and shifted by whole pixels, reflected at borders.

    Pixels are copied, never mixed. Where images are not square, they are turned by 180° only.

    Args:
        images: `(n, C, H, W)`.
        chance: that each of these happens.
    """
    height, width = images.shape[2:]
    mirror = chance.integer(2).bool()
    turns = chance.integer(4) if height == width else 2 * chance.integer(2)
    shift = chance.value((chance.draws.rand(2) * 2 - 1) * SHIFT, otherwise=0.0)
    down = _reflected(height, (shift[:, 0] * height).round().long())[:, :, None]
    across = _reflected(width, (shift[:, 1] * width).round().long())[:, None, :]
    mirror, turns = mirror[:, None, None], turns[:, None, None]
    sideways = (turns == 1) | (turns == 3)
    rows = torch.where(sideways, across, down)
    columns = torch.where(sideways, down, across)
    rows = torch.where(turns >= 2, height - 1 - rows, rows)
    columns = torch.where(mirror ^ ((turns == 1) | (turns == 2)), width - 1 - columns, columns)
    places = (rows * width + columns).flatten(1)[:, None].expand(-1, images.shape[1], -1)
    return images.flatten(2).gather(2, places).reshape(images.shape)


def moved(images: torch.Tensor, chance: Chance) -> torch.Tensor:
    """Return images scaled, turned, stretched, turned again and shifted, reflected at borders.

    Args:
        images: `(n, C, H, W)`.
        chance: that each of these happens.
    """
    return resampled(images, affine_maps(chance, *images.shape[2:]))


def affine_maps(chance: Chance, height: int, width: int) -> torch.Tensor:
    """Return maps from where a pixel goes to where it comes from, `(n, 2, 3)`.

    Places are columns and rows from the centre, in pixels.
    """
    scale = chance.factor(SCALE)
    rare = chance.half()
    inverse = _stretch(1 / scale, 1 / scale)
    inverse = inverse @ _turn(-rare.angle())
    stretch = chance.factor(SCALE)
    inverse = inverse @ _stretch(1 / stretch, stretch)
    inverse = inverse @ _turn(-rare.angle())
    shift = chance.value(chance.draws.randn(2) * SHIFT, otherwise=0.0)
    pixels = shift * constant((width, height), shift)
    offset = -(inverse @ pixels[:, :, None])
    return torch.cat([inverse, offset], dim=2)


def _stretch(across: torch.Tensor, down: torch.Tensor) -> torch.Tensor:
    return torch.diag_embed(torch.stack([across, down], dim=1))


def _turn(angles: torch.Tensor) -> torch.Tensor:
    cosine, sine = angles.cos(), angles.sin()
    rows = [torch.stack([cosine, -sine], dim=1), torch.stack([sine, cosine], dim=1)]
    return torch.stack(rows, dim=1)


def _reflected(side: int, shift: torch.Tensor) -> torch.Tensor:
    """Return, for each pixel of a side, which one it shows after a shift, `(n, side)`."""
    place = torch.arange(side, device=shift.device) - shift[:, None]
    # Reflected at the outer pixels, so that those are not shown twice.
    place = place.abs()
    return torch.where(place >= side, 2 * (side - 1) - place, place).clamp(0, side - 1)
