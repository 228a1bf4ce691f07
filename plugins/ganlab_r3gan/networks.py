"""R3GAN's networks for any size, channel count and aspect ratio.

Huang, Gokaslan, Kuleshov & Tompkin, "The GAN is dead; long live the GAN! A modern GAN baseline",
NeurIPS 2024. Generator and discriminator mirror one another: at each size, residual blocks of a
grouped convolution between two of single pixels; between sizes, bilinear resampling. There is no
normalisation: every block starts as nothing, its last convolution at 0, and the others are scaled
down by the number of blocks (fix-up, Zhang et al., 2019). The paper's generator leaves its range
open; here tanh closes it to [-1, 1].
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from ganlab import ImageSpec

__all__ = ["Discriminator", "Generator"]

BASE = 4
"""The shorter side of the smallest feature map is at least this and below twice this."""
SLOPE = 0.2
"""Of the leaky ReLU below zero."""
GAIN = math.sqrt(2 / (1 + SLOPE**2))
"""What keeps the variance of a layer whose input comes out of a leaky ReLU (He et al., 2015)."""


class Resampling(nn.Module):
    """Halves or doubles the sides by bilinear interpolation, beyond whose borders all is 0.

    Both are products with matrices: the gradients of depthwise convolutions, and theirs in turn, take a
    CPU many times as long.

    Args:
        height: rows that come in.
        width: columns that come in.
        doubling: double them; halve them otherwise.
    """

    rows: torch.Tensor
    columns: torch.Tensor

    def __init__(self, height: int, width: int, *, doubling: bool) -> None:
        super().__init__()
        matrix = _doubling if doubling else _halving
        self.register_buffer("rows", matrix(height), persistent=False)
        self.register_buffer("columns", matrix(width), persistent=False)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return features `(N, C, H, W)` of the other size."""
        rows, columns = self.rows.to(features.dtype), self.columns.to(features.dtype)
        # Channels lie last in memory: no product has to move them.
        pixels = features.permute(0, 2, 3, 1)
        pixels = (rows @ pixels.flatten(2)).reshape(pixels.shape[0], rows.shape[0], *pixels.shape[2:])
        return (columns @ pixels).permute(0, 3, 1, 2)


def _halving(side: int) -> torch.Tensor:
    """Return the matrix of the filter [1, 3, 3, 1] / 8 at every second place, `(side // 2, side)`."""
    distances = torch.arange(side) - (2 * torch.arange(side // 2)[:, None] + 0.5)
    return (2 - distances.abs()).clamp(min=0) / 4


def _doubling(side: int) -> torch.Tensor:
    """Return the matrix of linear interpolation, `(2 * side, side)`."""
    return 2 * _halving(2 * side).T.contiguous()


class BiasedActivation(nn.Module):
    """A learned bias for each channel, and a leaky ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return activated features."""
        return F.leaky_relu(features + self.bias.to(features.dtype)[:, None, None], SLOPE)


class ResidualBlock(nn.Module):
    """Widen, convolve in groups, narrow, and add.

    Args:
        channels: that come in and go out.
        expansion: factor on them inside.
        group: channels of a group.
        depth: residual blocks of the whole network.
    """

    def __init__(self, channels: int, expansion: int, group: int, depth: int) -> None:
        super().__init__()
        inside = channels * expansion
        gain = GAIN * depth**-0.25
        self.layers = nn.Sequential(
            _convolution(channels, inside, gain),
            BiasedActivation(inside),
            _convolution(inside, inside, gain, kernel=3, groups=inside // group),
            BiasedActivation(inside),
            _convolution(inside, channels, 0),
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return features of the same shape."""
        residual: torch.Tensor = self.layers(features)
        return features + residual


class Generator(nn.Module):
    """Latents to images.

    Args:
        image: what to make.
        latent_dim: elements of a latent.
        width: channels at full size; they double towards the latents.
        widest: largest multiple of `width`.
        blocks: residual blocks at each size.
        expansion: factor on the channels inside a block.
        group: channels of a group of a block's grouped convolution.

    Shapes: latents `(N, latent_dim)` [and labels `(N,)`] -> `(N, C, H, W)` in [-1, 1].
    """

    def __init__(
        self,
        image: ImageSpec,
        latent_dim: int,
        width: int,
        widest: int,
        *,
        blocks: int,
        expansion: int,
        group: int,
    ) -> None:
        super().__init__()
        self.image = image
        widths = _widths(image, width, widest)[::-1]
        stages = len(widths) - 1
        size = (math.ceil(image.height / 2**stages), math.ceil(image.width / 2**stages))
        inputs = latent_dim
        self.embedding = None
        if image.classes:
            self.embedding = _embedding(image.classes, latent_dim)
            inputs += latent_dim
        self.basis = nn.Parameter(torch.randn(widths[0], *size))
        self.mix = _scaled(nn.Linear(inputs, widths[0], bias=False))

        def residual(channels: int) -> list[nn.Module]:
            return [ResidualBlock(channels, expansion, group, blocks * len(widths)) for _ in range(blocks)]

        layers = residual(widths[0])
        for coarse, fine in pairwise(widths):
            if coarse != fine:
                layers.append(_convolution(coarse, fine))
            layers += [Resampling(*size, doubling=True), *residual(fine)]
            size = (2 * size[0], 2 * size[1])
        self.layers = nn.Sequential(*layers, _convolution(width, image.channels), nn.Tanh())

    def forward(self, latents: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Return images in [-1, 1]; where a side is not a multiple of the stride, the middle of them."""
        if self.embedding is not None and labels is not None:
            latents = torch.cat([latents, self.embedding(labels)], dim=1)
        images: torch.Tensor = self.layers(self.basis * self.mix(latents)[:, :, None, None])
        top, left = (images.shape[2] - self.image.height) // 2, (images.shape[3] - self.image.width) // 2
        return images[:, :, top : top + self.image.height, left : left + self.image.width]


class Discriminator(nn.Module):
    """Images to one logit; labels by projection (Miyato & Koyama, 2018).

    Args:
        image: what to judge.
        width: channels at full size; they double at every halving.
        widest: largest multiple of `width`.
        blocks: residual blocks at each size.
        expansion: factor on the channels inside a block.
        group: channels of a group of a block's grouped convolution.

    Shapes: `(N, C, H, W)` [and labels `(N,)`] -> `(N,)`.
    """

    def __init__(
        self, image: ImageSpec, width: int, widest: int, *, blocks: int, expansion: int, group: int
    ) -> None:
        super().__init__()
        widths = _widths(image, width, widest)

        def residual(channels: int) -> list[nn.Module]:
            return [ResidualBlock(channels, expansion, group, blocks * len(widths)) for _ in range(blocks)]

        layers: list[nn.Module] = [_convolution(image.channels, width)]
        size = (image.height, image.width)
        for fine, coarse in pairwise(widths):
            layers += [*residual(fine), Resampling(*size, doubling=False)]
            size = (size[0] // 2, size[1] // 2)
            if fine != coarse:
                layers.append(_convolution(fine, coarse))
        channels = widths[-1]
        basis = nn.Conv2d(channels, channels, size, groups=channels, bias=False)
        self.layers = nn.Sequential(*layers, *residual(channels), _scaled(basis), nn.Flatten())
        self.head = _scaled(nn.Linear(channels, channels if image.classes else 1, bias=False))
        self.embedding = None
        if image.classes:
            self.embedding = _embedding(image.classes, channels, 1 / math.sqrt(channels))

    def forward(self, images: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Return logits, higher for images that look real."""
        answer: torch.Tensor = self.head(self.layers(images))
        if self.embedding is not None and labels is not None:
            answer = answer * self.embedding(labels)
        return answer.sum(dim=1)


def _widths(image: ImageSpec, width: int, widest: int) -> list[int]:
    """Return the channels at each size, from the image's to the smallest."""
    stages = int(math.log2(min(image.height, image.width) / BASE))
    return [width * min(2**stage, widest) for stage in range(stages + 1)]


def _scaled(layer: nn.Conv2d | nn.Linear, gain: float = 1.0) -> nn.Conv2d | nn.Linear:
    """Return a layer whose weights are drawn from a normal distribution that keeps the variance."""
    with torch.no_grad():
        layer.weight.normal_(0, gain / math.sqrt(layer.weight[0].numel()))
    return layer


def _convolution(inputs: int, outputs: int, gain: float = 1.0, kernel: int = 1, groups: int = 1) -> nn.Module:
    return _scaled(nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=False), gain)


def _embedding(classes: int, dimension: int, gain: float = 1.0) -> nn.Embedding:
    """Return an embedding with the weights of a linear layer that takes one-hot vectors."""
    embedding = nn.Embedding(classes, dimension)
    nn.init.normal_(embedding.weight, 0, gain / math.sqrt(classes))
    return embedding
