"""Residual generator and discriminator for any size, channel count and aspect ratio.

Miyato, Kataoka, Koyama & Yoshida, "Spectral normalization for generative adversarial networks",
ICLR 2018; at 64×64 and 128×128 with width 64 the layers are theirs. Zhang et al., "Self-attention
generative adversarial networks", ICML 2019, and Brock, Donahue & Simonyan, "Large scale GAN
training for high fidelity natural image synthesis", ICLR 2019, added what the options offer.
Labels condition the batch normalisation, and the discriminator's features by projection
(Miyato & Koyama, ICLR 2018).
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from ganlab import ComponentError, ImageSpec
from ganlab_resnet.layers import ConditionalBatchNorm, SelfAttention, convolution, normalised

__all__ = ["Discriminator", "Generator"]

BASE = 4
"""The shorter side of the smallest feature map is at least this and below twice this."""
GAIN = math.sqrt(2)
"""Of the weights before or after a ReLU inside a block, as they begin."""


class GeneratorBlock(nn.Module):
    """Doubles the sides: normalise, ReLU, upsample, convolve, and once more, beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, condition: int, spectral: bool) -> None:
        super().__init__()
        self.first_norm = ConditionalBatchNorm(inputs, condition, spectral)
        self.first = convolution(inputs, outputs, spectral, gain=GAIN)
        self.second_norm = ConditionalBatchNorm(outputs, condition, spectral)
        self.second = convolution(outputs, outputs, spectral, gain=GAIN)
        self.shortcut = convolution(inputs, outputs, spectral, kernel=1)

    def forward(self, features: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """Return features of twice the height and width."""
        inner = F.interpolate(self.first_norm(features, condition).relu(), scale_factor=2)
        inner = self.second_norm(self.first(inner), condition).relu()
        residual: torch.Tensor = self.second(inner)
        # A convolution of single pixels does the same before the upsampling, and less of it.
        return residual + F.interpolate(self.shortcut(features), scale_factor=2)


class DiscriminatorBlock(nn.Module):
    """ReLU, convolve, twice, and average over 2×2 pixels, beside a shortcut.

    Args:
        inputs: channels that come in.
        outputs: channels that go out.
        spectral: normalise all weights spectrally.
        halve: halve the sides.
        first: whether images come in, which want no ReLU.
    """

    def __init__(
        self, inputs: int, outputs: int, spectral: bool, *, halve: bool = True, first: bool = False
    ) -> None:
        super().__init__()
        inner = outputs if first else inputs
        self.first = convolution(inputs, inner, spectral, gain=GAIN)
        self.second = convolution(inner, outputs, spectral, gain=GAIN)
        self.shortcut: nn.Module = nn.Identity()
        if halve or inputs != outputs:
            self.shortcut = convolution(inputs, outputs, spectral, kernel=1)
        self.start: nn.Module = nn.Identity() if first else nn.ReLU()
        self.pool: nn.Module = nn.AvgPool2d(2) if halve else nn.Identity()

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return features, of half the height and width where they are halved."""
        residual: torch.Tensor = self.pool(self.second(self.first(self.start(features)).relu()))
        shortcut: torch.Tensor = self.shortcut(self.pool(features))
        return residual + shortcut


class Generator(nn.Module):
    """Latents to images through residual blocks.

    Args:
        image: what to make.
        latent_dim: elements of a latent.
        width: channels before the last convolution; they double towards the latents.
        widest: largest multiple of `width`.
        spectral: normalise all weights spectrally.
        attention: where the shorter side first reaches this, self-attention follows; 0 for nowhere.
        hierarchical: cut the latents into parts, one for the first layer and one for each block.
        embedding: elements of the shared embedding of labels; 0 for one-hot vectors.

    Shapes: latents `(N, latent_dim)` [and labels `(N,)`] -> `(N, C, H, W)` in [-1, 1].

    Raises:
        ComponentError: the latents have too few elements to be cut, or attention has no place.
    """

    def __init__(
        self,
        image: ImageSpec,
        latent_dim: int,
        width: int,
        widest: int,
        *,
        spectral: bool,
        attention: int,
        hierarchical: bool,
        embedding: int,
    ) -> None:
        super().__init__()
        self.image = image
        stages = _halvings(image)
        widths = [width * min(2**stage, widest) for stage in range(stages + 1)][::-1]
        base = tuple(math.ceil(side / 2**stages) for side in (image.height, image.width))
        self.parts = stages + 1 if hierarchical else 1
        if latent_dim < self.parts:
            raise ComponentError(
                f"{stages} blocks and the first layer want a part of the latents each, and [latent] has "
                f"{latent_dim}; make it {self.parts} at the least",
                option="hierarchical",
            )
        sizes = [len(part) for part in torch.arange(latent_dim).tensor_split(self.parts)]
        self.embedding = nn.Embedding(image.classes, embedding) if image.classes and embedding else None
        labels = image.classes
        if self.embedding is not None:
            labels = embedding
            # As long as a one-hot vector: longer ones would drown the latents.
            with torch.no_grad():
                self.embedding.weight.copy_(F.normalize(self.embedding.weight))
        self.start = (widths[0], *base)
        self.first = normalised(nn.Linear(sizes[0], math.prod(self.start)), spectral)
        self.blocks = nn.ModuleList(
            GeneratorBlock(coarse, fine, labels + (sizes[stage + 1] if hierarchical else 0), spectral)
            for stage, (coarse, fine) in enumerate(pairwise(widths))
        )
        sides = [min(base) * 2 ** (stage + 1) for stage in range(stages)]
        self.attended = _first_of(sides, attention)
        if self.attended is not None:
            self.attention = SelfAttention(widths[self.attended + 1], spectral)
        self.last = nn.Sequential(
            nn.BatchNorm2d(width), nn.ReLU(), convolution(width, image.channels, spectral), nn.Tanh()
        )

    def forward(self, latents: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Return images in [-1, 1]; where a side is not a multiple of the stride, the middle of them."""
        first, *parts = latents.tensor_split(self.parts, dim=1)
        label = self._embed(labels, latents)
        features = self.first(first).unflatten(1, self.start)
        for stage, block in enumerate(self.blocks):
            condition = torch.cat([label, parts[stage]], dim=1) if parts else label
            features = block(features, condition)
            if stage == self.attended:
                features = self.attention(features)
        images: torch.Tensor = self.last(features)
        top, left = ((images.shape[2] - self.image.height) // 2, (images.shape[3] - self.image.width) // 2)
        return images[:, :, top : top + self.image.height, left : left + self.image.width]

    def _embed(self, labels: torch.Tensor | None, latents: torch.Tensor) -> torch.Tensor:
        """Return what stands for the labels, `(N, …)`: no columns where there are none."""
        if labels is None or not self.image.classes:
            return latents[:, :0]
        if self.embedding is None:
            return F.one_hot(labels, self.image.classes).to(latents.dtype)
        embedded: torch.Tensor = self.embedding(labels)
        return embedded


class Discriminator(nn.Module):
    """Images to one logit through residual blocks.

    Args:
        image: what to judge.
        width: channels of the first block; they double with every block.
        widest: largest multiple of `width`.
        spectral: normalise all weights spectrally.
        attention: where the shorter side is last as large as this, self-attention follows; 0 for nowhere.
        smallest: blocks halve the sides while the shorter one does not fall below this.

    Shapes: `(N, C, H, W)` [and labels `(N,)`] -> `(N,)`.

    Raises:
        ComponentError: attention has no place, or no block could halve the sides.
    """

    def __init__(
        self,
        image: ImageSpec,
        width: int,
        widest: int,
        *,
        spectral: bool,
        attention: int,
        smallest: int = BASE,
    ) -> None:
        super().__init__()
        stages = _halvings(image)
        widths = [width * min(2**stage, widest) for stage in range(stages + 1)]
        sides = [
            side
            for stage in range(stages)
            if (side := min(image.height, image.width) >> (stage + 1)) >= smallest
        ]
        if not sides:
            half = min(image.height, image.width) // 2
            raise ComponentError(
                f"the first block halves the sides: make it {half} at the most", option="smallest"
            )
        blocks: list[nn.Module] = [
            DiscriminatorBlock(inputs, outputs, spectral, halve=stage < len(sides), first=not stage)
            for stage, (inputs, outputs) in enumerate(pairwise([image.channels, *widths[:-1]]))
        ]
        attended = _first_of(sides[::-1], attention)
        if attended is not None:
            stage = len(sides) - 1 - attended
            blocks.insert(stage + 1, SelfAttention(widths[stage], spectral))
        self.body = nn.Sequential(
            *blocks, DiscriminatorBlock(widths[-2], widths[-1], spectral, halve=False), nn.ReLU()
        )
        self.head = normalised(nn.Linear(widths[-1], 1), spectral)
        self.embedding = None
        if image.classes:
            self.embedding = normalised(nn.Embedding(image.classes, widths[-1]), spectral)

    def forward(self, images: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Return logits, higher for images that look real."""
        features = self.body(images).sum(dim=(2, 3))
        logits: torch.Tensor = self.head(features).squeeze(1)
        if self.embedding is not None and labels is not None:
            logits = logits + (self.embedding(labels) * features).sum(dim=1)
        return logits


def _halvings(image: ImageSpec) -> int:
    """Return how often the shorter side halves before it would fall below `BASE`."""
    return int(math.log2(min(image.height, image.width) / BASE))


def _first_of(sides: list[int], attention: int) -> int | None:
    """Return the index of the first of rising sides that is `attention` or more; `None` for 0.

    Raises:
        ComponentError: there is none.
    """
    if not attention:
        return None
    if attention > sides[-1]:
        raise ComponentError(
            f"no feature map is {attention} pixels high and wide; the largest has {sides[-1]}",
            option="attention",
        )
    return next(index for index, side in enumerate(sides) if side >= attention)
