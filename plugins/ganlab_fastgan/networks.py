"""FastGAN's networks for any size, channel count and aspect ratio.

Liu, Zhu, Song & Elgammal, "Towards faster and stabilized GAN training for high-fidelity few-shot
image synthesis", ICLR 2021. The discriminator is the paper's of one resolution: it draws the whole
image again, and not a random part of it at a second one.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from ganlab import ImageSpec, Verdict

__all__ = ["Discriminator", "Generator"]

BASE = 4
"""The shorter side of the generator's smallest feature map is at least this and below twice this."""
JUDGED = 8
"""The same of the feature map that the discriminator judges by."""
LABEL_SCALE = 0.25
"""Deviation of a label's embedding beside latents of N(0, 1): it is seen at once, and does not drown them."""
SKIP = 4
"""Doublings that an excitation skips, where there are as many."""


class Noise(nn.Module):
    """Adds noise, one number for each pixel, with a learned strength that starts at 0."""

    def __init__(self) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.zeros(()))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return noisy features."""
        return features + self.strength * torch.randn_like(features[:, :1])


class Excitation(nn.Module):
    """Scales the channels of a large feature map by what is in a small one.

    Args:
        small: channels of the small one.
        large: channels of the large one.
    """

    def __init__(self, small: int, large: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.AdaptiveAvgPool2d(BASE),
            _convolution(small, large, BASE, padding=0),
            nn.SiLU(),
            _convolution(large, large, 1),
            nn.Sigmoid(),
        )

    def forward(self, small: torch.Tensor, large: torch.Tensor) -> torch.Tensor:
        """Return the large one, scaled."""
        scales: torch.Tensor = self.layers(small)
        return large * scales


class Generator(nn.Module):
    """Latents to images.

    Args:
        image: what to make.
        latent_dim: elements of a latent.
        width: channels at full size; they double towards the latents.
        widest: largest multiple of `width`.

    Shapes: latents `(N, latent_dim)` [and labels `(N,)`] -> `(N, C, H, W)` in [-1, 1].
    """

    def __init__(self, image: ImageSpec, latent_dim: int, width: int, widest: int) -> None:
        super().__init__()
        self.image = image
        stages = _halvings(image, BASE)
        widths = _widths(stages, width, widest)[::-1]
        base = tuple(math.ceil(side / 2**stages) for side in (image.height, image.width))
        self.embedding = nn.Embedding(image.classes, latent_dim) if image.classes else None
        inputs = latent_dim * 2 if self.embedding else latent_dim
        self.first = nn.Sequential(
            spectral_norm(nn.ConvTranspose2d(inputs, 2 * widths[0], base, bias=False)), *_gated(widths[0])
        )
        # As in the paper, every second size has two convolutions with noise, the others one.
        self.stages = nn.ModuleList(
            _double(coarse, fine, twice=stage % 2 == 0)
            for stage, (coarse, fine) in enumerate(pairwise(widths))
        )
        self.skip = min(SKIP, stages)
        self.excitations = nn.ModuleList(map(Excitation, widths, widths[self.skip :]))
        self.last = nn.Sequential(_convolution(width, image.channels, 3), nn.Tanh())
        if self.embedding is not None:
            nn.init.normal_(self.embedding.weight, 0.0, LABEL_SCALE)

    def forward(self, latents: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Return images in [-1, 1]; where a side is not a multiple of the stride, the middle of them."""
        if self.embedding is not None and labels is not None:
            latents = torch.cat([latents, self.embedding(labels)], dim=1)
        maps: list[torch.Tensor] = [self.first(latents[:, :, None, None])]
        for index, stage in enumerate(self.stages, start=1 - self.skip):
            features = stage(maps[-1])
            maps.append(features if index < 0 else self.excitations[index](maps[index], features))
        images: torch.Tensor = self.last(maps[-1])
        top, left = (images.shape[2] - self.image.height) // 2, (images.shape[3] - self.image.width) // 2
        return images[:, :, top : top + self.image.height, left : left + self.image.width]


class Halving(nn.Module):
    """Halves the sides on two ways, whose mean it takes: convolutions, and the average of 2×2 pixels."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolved = nn.Sequential(
            spectral_norm(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False)),
            *_leaky(outputs),
            _convolution(outputs, outputs, 3),
            *_leaky(outputs),
        )
        self.averaged = nn.Sequential(nn.AvgPool2d(2), _convolution(inputs, outputs, 1), *_leaky(outputs))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return features of half the height and width."""
        convolved: torch.Tensor = self.convolved(features)
        averaged: torch.Tensor = self.averaged(features)
        return (convolved + averaged) / 2


class Discriminator(nn.Module):
    """Images to a logit for each patch, and to what is missed when they are drawn again.

    A small decoder draws the image at about half its size from the feature map that is judged, which
    must therefore hold what is in it. The difference from the image is the output `reconstruction_error`.

    Args:
        image: what to judge.
        width: channels at full size; they double at every halving.
        widest: largest multiple of `width`.

    Shapes: `(N, C, H, W)` [and labels `(N,)`] -> logits `(N, h, w)`, and the difference `(N, C, H', W')`.
    """

    def __init__(self, image: ImageSpec, width: int, widest: int) -> None:
        super().__init__()
        stages = _halvings(image, JUDGED)
        widths = _widths(stages, width, widest)
        channels = widths[-1]
        self.body = nn.Sequential(
            _convolution(image.channels, width, 3),
            nn.LeakyReLU(0.2),
            *(Halving(fine, coarse) for fine, coarse in pairwise(widths)),
        )
        self.head = nn.Sequential(
            _convolution(channels, channels, 1),
            *_leaky(channels),
            spectral_norm(nn.Conv2d(channels, 1, 4, bias=False)),
        )
        drawn = widths[1:][::-1]
        self.decoder = nn.Sequential(
            *(_double(coarse, fine, twice=False) for coarse, fine in pairwise(drawn)),
            _convolution(drawn[-1], image.channels, 3),
            nn.Tanh(),
        )
        self.embedding = spectral_norm(nn.Embedding(image.classes, channels)) if image.classes else None

    def forward(self, images: torch.Tensor, labels: torch.Tensor | None = None) -> Verdict:
        """Return the verdict; its logits are higher for patches that look real."""
        features = self.body(images)
        logits: torch.Tensor = self.head(features).squeeze(1)
        if self.embedding is not None and labels is not None:
            projection = (self.embedding(labels) * features.mean(dim=(2, 3))).sum(dim=1)
            logits = logits + projection[:, None, None]
        drawn: torch.Tensor = self.decoder(features)
        height, width = drawn.shape[2:]
        error = drawn - F.adaptive_avg_pool2d(images, (height, width))
        return Verdict(logits, outputs={"reconstruction_error": error})


def _halvings(image: ImageSpec, base: int) -> int:
    """Return how often the shorter side halves before it would fall below `base`."""
    return int(math.log2(min(image.height, image.width) / base))


def _widths(stages: int, width: int, widest: int) -> list[int]:
    """Return the channels at each size, from the image's to the smallest."""
    return [width * min(2**stage, widest) for stage in range(stages + 1)]


def _convolution(inputs: int, outputs: int, kernel: int, padding: int | None = None) -> nn.Module:
    padding = kernel // 2 if padding is None else padding
    return spectral_norm(nn.Conv2d(inputs, outputs, kernel, padding=padding, bias=False))


def _leaky(channels: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels), nn.LeakyReLU(0.2)]


def _gated(channels: int) -> list[nn.Module]:
    """Return what follows a convolution to twice the channels: half of them are gates for the others."""
    return [nn.BatchNorm2d(2 * channels), nn.GLU(dim=1)]


def _double(inputs: int, outputs: int, *, twice: bool) -> nn.Sequential:
    """Return layers that double the sides; with a second convolution, and noise after both, for `twice`."""
    layers: list[nn.Module] = [nn.Upsample(scale_factor=2), _convolution(inputs, 2 * outputs, 3)]
    if twice:
        layers += [Noise(), *_gated(outputs), _convolution(outputs, 2 * outputs, 3), Noise()]
    return nn.Sequential(*layers, *_gated(outputs))
