"""StyleGAN2's networks for any size, channel count and aspect ratio.

Karras, Laine, Aittala, Hellsten, Lehtinen & Aila, "Analyzing and improving the image quality of
StyleGAN", CVPR 2020: configuration F, a generator whose images add up from size to size and a
residual discriminator. The paper's generator leaves its range open; here tanh closes it to
[-1, 1]. Labels are embedded and join the latents, and the discriminator's answer by projection
(Karras et al., NeurIPS 2020).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ganlab import ImageSpec
from ganlab_style.layers import (
    EqualisedConvolution,
    EqualisedLinear,
    ModulatedConvolution,
    activate,
    append_spread,
    standardised,
)

__all__ = ["Discriminator", "Generator"]

BASE = 4
"""The shorter side of the smallest feature map is at least this and below twice this."""
MAPPING_RATE = 0.01
"""Factor on the learning rate of the mapping network."""
MEMORY = 0.998
"""Share of the mean style that each batch leaves."""


class Mapping(nn.Module):
    """Latents, and labels where there are any, to styles.

    In training mode every place has its own, be they the same, so that path lengths are those by the styles
    of each layer, as the authors' code has them, whether styles are mixed or not.

    Args:
        latent_dim: elements of a latent.
        classes: number of labels; 0 where there are none.
        style: elements of a style, units of a layer, and elements of a label's embedding.
        layers: how many.
        mixing: share of samples that are given two styles in training mode (Karras et al., 2019, §3.1).
        places: where a style is used in the network that it is for.
        uniform: whether latents are uniform on [-1, 1].
        codes: how many of their elements, from the first on, are one-hot codes; both styles have the same.

    Shapes: latents `(N, latent_dim)` [and labels `(N,)`] -> `(N, style)`, and in training mode
    `(N, places, style)`.
    """

    def __init__(
        self,
        latent_dim: int,
        classes: int,
        style: int,
        layers: int,
        *,
        mixing: float = 0.0,
        places: int = 2,
        uniform: bool = False,
        codes: int = 0,
    ) -> None:
        super().__init__()
        self.mixing = mixing
        self.places = places
        self.uniform = uniform
        self.codes = codes
        self.embedding = nn.Embedding(classes, style) if classes else None
        sizes = [latent_dim + style if classes else latent_dim, *[style] * layers]
        self.layers = nn.ModuleList(
            EqualisedLinear(inputs, outputs, rate=MAPPING_RATE) for inputs, outputs in pairwise(sizes)
        )

    def forward(self, latents: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Return styles."""
        styles = self._styles(latents, labels)
        if not self.training:
            return styles
        if not self.mixing:
            return styles[:, None].expand(-1, self.places, -1)
        return self._mixed(styles, self._styles(self._drawn_like(latents), labels))

    def _styles(self, latents: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        styles = standardised(latents)
        if self.embedding is not None and labels is not None:
            styles = torch.cat([styles, standardised(self.embedding(labels))], dim=1)
        for layer in self.layers:
            styles = activate(layer(styles))
        return styles

    def _drawn_like(self, latents: torch.Tensor) -> torch.Tensor:
        """Return other latents; normal ones are as good as those on a sphere, onto which they are scaled."""
        drawn = torch.rand_like(latents) * 2 - 1 if self.uniform else torch.randn_like(latents)
        return torch.cat([latents[:, : self.codes], drawn[:, self.codes :]], dim=1)

    def _mixed(self, styles: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
        """Return a style for each place: for some samples the other one, from a random place on."""
        shape, device = (styles.shape[0], 1), styles.device
        crossover = torch.randint(1, self.places, shape, device=device)
        crossover[torch.rand(shape, device=device) >= self.mixing] = self.places
        before = torch.arange(self.places, device=device) < crossover
        return torch.where(before[:, :, None], styles[:, None], others[:, None])


class StyledLayer(nn.Module):
    """A modulated convolution, noise, a bias and the activation.

    Args:
        inputs: channels that come in.
        outputs: channels that go out.
        style: elements of a style.
        double: double the sides.
        noise: add noise.
    """

    def __init__(self, inputs: int, outputs: int, style: int, *, double: bool, noise: bool) -> None:
        super().__init__()
        self.convolution = ModulatedConvolution(inputs, outputs, 3, style, double=double)
        self.strength = nn.Parameter(torch.zeros(())) if noise else None
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, features: torch.Tensor, styles: torch.Tensor) -> torch.Tensor:
        """Return features."""
        features = self.convolution(features, styles)
        if self.strength is not None:
            features = features + self.strength * torch.randn_like(features[:, :1])
        return activate(features + self.bias[:, None, None])


class ToImage(nn.Module):
    """Features to what they add to the image: single pixels, modulated but not demodulated."""

    def __init__(self, inputs: int, channels: int, style: int) -> None:
        super().__init__()
        self.convolution = ModulatedConvolution(inputs, channels, 1, style, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, features: torch.Tensor, styles: torch.Tensor) -> torch.Tensor:
        """Return `(N, channels, H, W)`."""
        addition: torch.Tensor = self.convolution(features, styles)
        return addition + self.bias[:, None, None]


class Generator(nn.Module):
    """Latents to styles, and styles to images.

    The mean style, over all classes, is followed in training mode and kept in a buffer. With
    `truncation` below 1, styles are drawn towards it, which makes better samples and fewer kinds of them.

    Args:
        image: what to make.
        latent_dim: elements of a latent.
        width: channels at full size; they double towards the smallest feature map.
        widest: largest multiple of `width`.
        style: elements of a style.
        mapping: layers of the mapping network.
        noise: add noise after every convolution.
        mixing: share of samples whose styles are mixed in training mode.
        uniform: whether latents are uniform on [-1, 1].
        codes: elements of a latent, from the first on, that are one-hot codes.

    Attributes:
        truncation: share that a style keeps of its distance from the mean one; 1 as built.

    Shapes: latents `(N, latent_dim)` [and labels `(N,)`] -> `(N, C, H, W)` in [-1, 1].
    """

    mean_style: torch.Tensor
    followed: torch.Tensor

    def __init__(
        self,
        image: ImageSpec,
        latent_dim: int,
        width: int,
        widest: int,
        *,
        style: int,
        mapping: int,
        noise: bool,
        mixing: float = 0.0,
        uniform: bool = False,
        codes: int = 0,
    ) -> None:
        super().__init__()
        self.image = image
        self.truncation = 1.0
        widths = _widths(image, width, widest)[::-1]
        self.mapping = Mapping(
            latent_dim,
            image.classes,
            style,
            mapping,
            mixing=mixing,
            places=2 * len(widths),
            uniform=uniform,
            codes=codes,
        )
        self.register_buffer("mean_style", torch.zeros(style))
        self.register_buffer("followed", torch.zeros((), dtype=torch.long))
        base = tuple(math.ceil(side / 2 ** (len(widths) - 1)) for side in (image.height, image.width))
        self.constant = nn.Parameter(torch.randn(widths[0], *base))
        self.first = StyledLayer(widths[0], widths[0], style, double=False, noise=noise)
        self.doubling = nn.ModuleList(
            StyledLayer(coarse, fine, style, double=True, noise=noise) for coarse, fine in pairwise(widths)
        )
        self.following = nn.ModuleList(
            StyledLayer(fine, fine, style, double=False, noise=noise) for fine in widths[1:]
        )
        self.to_image = nn.ModuleList(ToImage(channels, image.channels, style) for channels in widths)

    def forward(self, latents: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Return images in [-1, 1]; where a side is not a multiple of the stride, the middle of them."""
        styles: torch.Tensor = self.mapping(latents, labels)
        if self.training:
            self._follow(styles if styles.dim() == 2 else styles[:, 0])
        if self.truncation != 1:
            styles = self.mean_style.lerp(styles.float(), self.truncation)
        at = [styles] * self.mapping.places if styles.dim() == 2 else styles.unbind(dim=1)
        features = self.first(self.constant.expand(latents.shape[0], -1, -1, -1), at[0])
        first, *others = self.to_image
        # What adds to the image shares its style with the convolution that comes next.
        images: torch.Tensor = first(features, at[1])
        stages = zip(self.doubling, self.following, others, strict=True)
        for place, (double, follow, to_image) in zip(range(1, self.mapping.places, 2), stages, strict=False):
            features = follow(double(features, at[place]), at[place + 1])
            images = F.interpolate(images, scale_factor=2, mode="bilinear") + to_image(
                features, at[place + 2]
            )
        top, left = (images.shape[2] - self.image.height) // 2, (images.shape[3] - self.image.width) // 2
        return images[:, :, top : top + self.image.height, left : left + self.image.width].tanh()

    @torch.no_grad()
    def _follow(self, styles: torch.Tensor) -> None:
        """Move the mean style: of all batches at first, later of about the last 1 / (1 − MEMORY)."""
        self.followed += 1
        share = (1 / self.followed).clamp(min=1 - MEMORY)
        self.mean_style.lerp_(styles.float().mean(dim=0), share)

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *others: Any) -> None:
        """Load weights; of earlier ones, which do not say how many batches were followed, very many were."""
        state.setdefault(f"{prefix}followed", torch.tensor(int(1 / (1 - MEMORY))))
        super()._load_from_state_dict(state, prefix, *others)


class ResidualBlock(nn.Module):
    """Two convolutions, of which the second halves the sides, beside a shortcut that does."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = EqualisedConvolution(inputs, inputs, 3)
        self.second = EqualisedConvolution(inputs, outputs, 3, halve=True)
        self.shortcut = EqualisedConvolution(inputs, outputs, 1, halve=True, bias=False)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return features of half the height and width."""
        residual = activate(self.second(activate(self.first(features))))
        shortcut: torch.Tensor = self.shortcut(features)
        return (residual + shortcut) / math.sqrt(2)


class Discriminator(nn.Module):
    """Images to one logit.

    Args:
        image: what to judge.
        width: channels at full size; they double at every halving.
        widest: largest multiple of `width`.
        group: samples whose spread is shown to each of them; 0 for none.

    Attributes:
        samples_together: 2 where a spread is shown, which one sample has not.

    Shapes: `(N, C, H, W)` [and labels `(N,)`] -> `(N,)`.
    """

    def __init__(self, image: ImageSpec, width: int, widest: int, group: int) -> None:
        super().__init__()
        widths = _widths(image, width, widest)
        channels, stages = widths[-1], len(widths) - 1
        size = (image.height >> stages) * (image.width >> stages)
        self.group = group
        self.samples_together = 2 if group else 1
        self.from_image = EqualisedConvolution(image.channels, width, 1)
        self.blocks = nn.Sequential(*(ResidualBlock(fine, coarse) for fine, coarse in pairwise(widths)))
        self.convolution = EqualisedConvolution(channels + 1 if group else channels, channels, 3)
        self.dense = EqualisedLinear(channels * size, channels)
        self.head = EqualisedLinear(channels, channels if image.classes else 1)
        self.embedding = nn.Embedding(image.classes, channels) if image.classes else None

    def forward(self, images: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Return logits, higher for images that look real."""
        features = self.blocks(activate(self.from_image(images)))
        if self.group:
            features = append_spread(features, self.group)
        features = activate(self.convolution(features)).flatten(1)
        answer: torch.Tensor = self.head(activate(self.dense(features)))
        if self.embedding is not None and labels is not None:
            answer = answer * standardised(self.embedding(labels)) / math.sqrt(answer.shape[1])
        return answer.sum(dim=1)


def _widths(image: ImageSpec, width: int, widest: int) -> list[int]:
    """Return the channels at each size, from the image's to the smallest."""
    stages = int(math.log2(min(image.height, image.width) / BASE))
    return [width * min(2**stage, widest) for stage in range(stages + 1)]
