"""Ways to damage images, each at four levels from hardly visible to plain.

All take uint8 `(N, C, H, W)` and a seeded generator and return a damaged copy. The levels are
those of tests/benchmarks/validate_features.py, and part of what its table says.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F

__all__ = ["CORRUPTIONS", "Series", "Stock"]


@dataclass(frozen=True)
class Stock:
    """What corruptions draw from.

    Attributes:
        images: the undamaged set, uint8 `(N, C, H, W)`.
        labels: `(N,)` int64.
        foreign: images of another dataset of the same shape, at least N.
    """

    images: torch.Tensor
    labels: torch.Tensor
    foreign: torch.Tensor


Corruption = Callable[[Stock, float, torch.Generator], torch.Tensor]


@dataclass(frozen=True)
class Series:
    """One corruption and its levels, from the mildest up."""

    corrupt: Corruption
    levels: tuple[float, ...]
    unit: str


def noise(stock: Stock, deviation: float, rng: torch.Generator) -> torch.Tensor:
    return _bytes(stock.images + deviation * torch.randn(stock.images.shape, generator=rng))


def blur(stock: Stock, sigma: float, rng: torch.Generator) -> torch.Tensor:
    radius = math.ceil(3 * sigma)
    offsets = torch.arange(-radius, radius + 1).float()
    kernel = torch.exp(-offsets.square() / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    shape = stock.images.shape
    planes = stock.images.float().reshape(-1, 1, *shape[2:])
    for view in ((1, 1, -1, 1), (1, 1, 1, -1)):
        padding = [0, 0, radius, radius] if view[2] == -1 else [radius, radius, 0, 0]
        planes = F.conv2d(F.pad(planes, padding, mode="reflect"), kernel.view(view))
    return _bytes(planes.reshape(shape))


def rectangles(stock: Stock, side: float, rng: torch.Generator) -> torch.Tensor:
    """One black square for each image."""
    damaged = stock.images.clone()
    height, width = stock.images.shape[2:]
    edge = round(side * min(height, width))
    tops = torch.randint(0, height - edge + 1, (len(damaged),), generator=rng).tolist()
    lefts = torch.randint(0, width - edge + 1, (len(damaged),), generator=rng).tolist()
    for image, top, left in zip(damaged, tops, lefts, strict=True):
        image[:, top : top + edge, left : left + edge] = 0
    return damaged


def swirl(stock: Stock, turn: float, rng: torch.Generator) -> torch.Tensor:
    """Turned by `turn` radians in the centre, less and less outwards."""
    height, width = stock.images.shape[2:]
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    angle = turn * torch.exp(-2 * (x.square() + y.square()))
    grid = torch.stack([x * angle.cos() - y * angle.sin(), x * angle.sin() + y * angle.cos()], dim=-1).expand(
        len(stock.images), -1, -1, -1
    )
    return _bytes(F.grid_sample(stock.images.float(), grid, padding_mode="reflection", align_corners=True))


def salt_and_pepper(stock: Stock, share: float, rng: torch.Generator) -> torch.Tensor:
    n, _, height, width = stock.images.shape
    drawn = torch.rand(n, 1, height, width, generator=rng)
    return stock.images.masked_fill(drawn < share / 2, 0).masked_fill(drawn > 1 - share / 2, 255)


def contamination(stock: Stock, share: float, rng: torch.Generator) -> torch.Tensor:
    """Images of another dataset among them."""
    damaged = stock.images.clone()
    count = round(share * len(damaged))
    damaged[:count] = stock.foreign[:count]
    return damaged


def mode_drop(stock: Stock, share: float, rng: torch.Generator) -> torch.Tensor:
    """A share of the images with the lower half of the labels gone, others in their place."""
    middle = (int(stock.labels.max()) + 1) // 2
    dropped = (stock.labels < middle).nonzero().flatten()
    dropped = dropped[: round(share * len(dropped))]
    others = (stock.labels >= middle).nonzero().flatten()
    damaged = stock.images.clone()
    damaged[dropped] = stock.images[others[torch.randint(0, len(others), (len(dropped),), generator=rng)]]
    return damaged


def duplication(stock: Stock, share: float, rng: torch.Generator) -> torch.Tensor:
    """Only `1 − share` of the images, over and over."""
    distinct = max(1, round((1 - share) * len(stock.images)))
    return stock.images[torch.arange(len(stock.images)) % distinct]


def colour_shift(stock: Stock, shift: float, rng: torch.Generator) -> torch.Tensor:
    """The first channel brighter: red, or gray."""
    damaged = stock.images.float()
    damaged[:, 0] += shift
    return _bytes(damaged)


def _bytes(images: torch.Tensor) -> torch.Tensor:
    return images.round().clamp(0, 255).to(torch.uint8)


CORRUPTIONS = {
    "noise": Series(noise, (6, 12, 24, 48), "σ in gray levels"),
    "blur": Series(blur, (0.4, 0.6, 1.0, 2.0), "σ in pixels"),
    "rectangles": Series(rectangles, (0.15, 0.25, 0.4, 0.6), "side over image side"),
    "swirl": Series(swirl, (0.5, 1.0, 1.5, 2.0), "radians"),
    "salt-and-pepper": Series(salt_and_pepper, (0.005, 0.01, 0.03, 0.1), "share of pixels"),
    "contamination": Series(contamination, (0.05, 0.1, 0.25, 0.5), "share of images"),
    "mode drop": Series(mode_drop, (0.25, 0.5, 0.75, 1.0), "share of half the classes"),
    "duplication": Series(duplication, (0.5, 0.8, 0.9, 0.98), "share of images gone"),
    "colour shift": Series(colour_shift, (4, 8, 16, 32), "gray levels"),
}
