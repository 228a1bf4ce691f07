"""The DCGAN of the tutorials: blocks of two convolutions, and dense layers at both ends.

Where Radford et al. (2016) halve the sides with every convolution, a block here has one that
looks and one that strides. The discriminator ends in average pooling and a dense layer, the
generator begins with one and ends in a convolution that mixes channels at full size. Labels,
where there are any, join the latents and the pooled features as in `ganlab_dcgan.networks`.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import nn

from ganlab import ImageSpec
from ganlab_dcgan.networks import LABEL_SCALE, crop, initialise, stage_widths

__all__ = ["TutorialDiscriminator", "TutorialGenerator"]


class TutorialGenerator(nn.Module):
    """Latents to images: a dense layer, blocks of transposed convolution and BN, a last convolution.

    Args:
        image: what to make.
        latent_dim: elements of a latent.
        width: channels before the last convolution; they double towards the latents.
        widest: largest multiple of `width`.
        blocks: how often the sides double; the dense layer makes sides that come to the image's or
            a little more, and what is more is cut off around it.

    Shapes: latents `(N, latent_dim)` [and labels `(N,)`] -> `(N, C, H, W)` in [-1, 1].
    """

    def __init__(self, image: ImageSpec, latent_dim: int, width: int, widest: int, blocks: int) -> None:
        super().__init__()
        self.image = image
        self.embedding = nn.Embedding(image.classes, latent_dim) if image.classes else None
        widths = stage_widths(blocks + 1, width, widest)[::-1]
        base = [math.ceil(side / 2**blocks) for side in (image.height, image.width)]
        self.start = (widths[0], *base)
        self.project = nn.Linear(latent_dim * 2 if self.embedding else latent_dim, math.prod(self.start))
        layers: list[nn.Module] = [nn.ReLU()]
        for coarse, fine in pairwise(widths):
            layers += [
                nn.ConvTranspose2d(coarse, fine, 4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(fine),
                nn.ReLU(),
            ]
        layers += [nn.Conv2d(width, image.channels, 3, padding=1), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        self.apply(initialise)
        if self.embedding is not None:
            nn.init.normal_(self.embedding.weight, 0.0, LABEL_SCALE)

    def forward(self, latents: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Return images in [-1, 1]."""
        if self.embedding is not None and labels is not None:
            latents = torch.cat([latents, self.embedding(labels)], dim=1)
        return crop(self.layers(self.project(latents).unflatten(1, self.start)), self.image)


class TutorialDiscriminator(nn.Module):
    """Images to one logit: blocks of convolution and strided convolution, average pooling, a dense layer.

    The logit's sigmoid is P(Y|X), the probability that the image is real.

    Args:
        image: what to judge.
        width: channels of the first block; they double with every block.
        widest: largest multiple of `width`.
        blocks: how often the sides halve.
        slope: of the leaky ReLU.

    Shapes: `(N, C, H, W)` [and labels `(N,)`] -> `(N,)`.
    """

    def __init__(self, image: ImageSpec, width: int, widest: int, blocks: int, slope: float) -> None:
        super().__init__()
        widths = [image.channels, *stage_widths(blocks, width, widest)]
        layers: list[nn.Module] = []
        for fine, coarse in pairwise(widths):
            for convolution in (
                nn.Conv2d(fine, coarse, 3, padding=1, bias=False),
                nn.Conv2d(coarse, coarse, 4, stride=2, padding=1, bias=False),
            ):
                layers += [convolution, nn.BatchNorm2d(coarse), nn.LeakyReLU(slope, inplace=True)]
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(widths[-1], 1)
        self.embedding = nn.Embedding(image.classes, widths[-1]) if image.classes else None
        self.apply(initialise)
        if self.embedding is not None:
            nn.init.normal_(self.embedding.weight, 0.0, 0.02)  # as the head's

    def forward(self, images: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Return logits, higher for images that look real."""
        features = self.layers(images).mean(dim=(2, 3))
        logits: torch.Tensor = self.head(features).squeeze(1)
        if self.embedding is not None and labels is not None:
            logits = logits + (self.embedding(labels) * features).sum(dim=1)
        return logits
