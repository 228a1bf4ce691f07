"""The DCGAN networks for any size, channel count and aspect ratio.

Radford, Metz & Chintala, "Unsupervised representation learning with deep convolutional
generative adversarial networks", ICLR 2016. At 64×64 with width 64 the layers are the
paper's: 4×4 kernels, stride 2, batch normalisation but for the generator's output and the
discriminator's input, weights from N(0, 0.02). Labels, where there are any, join the
latents (Mirza & Osindero, 2014) and the discriminator's features as a projection (Miyato &
Koyama, 2018).
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from ganlab import ImageSpec, Verdict

__all__ = ["Discriminator", "Encoder", "Generator", "crop", "initialise", "stage_widths"]

BASE = 4
"""Sides of the smallest feature map are at least this and below twice this, on the shorter side."""

LABEL_SCALE = 0.25
"""Deviation of a label's embedding beside latents of N(0, 1): it is seen at once, and does not drown them."""


def halvings(image: ImageSpec) -> int:
    """Return how often the shorter side halves before it would fall below `BASE`."""
    return int(math.log2(min(image.height, image.width) / BASE))


def stage_widths(count: int, width: int, widest: int) -> list[int]:
    """Return the channels of `count` stages from fine to coarse: doubling, up to `widest` times `width`."""
    return [width * min(2**stage, widest) for stage in range(count)]


def crop(images: torch.Tensor, image: ImageSpec) -> torch.Tensor:
    """Return the middle of images `(N, C, H, W)`, as large as `image` says."""
    top = (images.shape[2] - image.height) // 2
    left = (images.shape[3] - image.width) // 2
    return images[:, :, top : top + image.height, left : left + image.width]


class Generator(nn.Module):
    """Latents to images through transposed convolutions.

    Args:
        image: what to make.
        latent_dim: elements of a latent.
        width: channels before the last convolution.
        widest: largest multiple of `width`.
        normalisation: `batch`, `instance`, `layer` or `none`.
        upsampling: `transposed` or `nearest`.

    Shapes: latents `(N, latent_dim)` [and labels `(N,)`] -> `(N, C, H, W)` in [-1, 1].
    """

    def __init__(
        self, image: ImageSpec, latent_dim: int, width: int, widest: int, normalisation: str, upsampling: str
    ) -> None:
        super().__init__()
        self.image = image
        self.embedding = nn.Embedding(image.classes, latent_dim) if image.classes else None
        stages = halvings(image)
        widths = stage_widths(stages, width, widest)[::-1]
        base = tuple(math.ceil(side / 2**stages) for side in (image.height, image.width))
        inputs = latent_dim * 2 if self.embedding else latent_dim
        layers: list[nn.Module] = [
            nn.ConvTranspose2d(inputs, widths[0], base, bias=normalisation == "none"),
            *_finish(widths[0], normalisation, nn.ReLU()),
        ]
        for coarse, fine in pairwise(widths):
            layers += [
                *_upsample(coarse, fine, upsampling, bias=normalisation == "none"),
                *_finish(fine, normalisation, nn.ReLU()),
            ]
        layers += [*_upsample(widths[-1], image.channels, upsampling, bias=True), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        self.apply(initialise)
        if self.embedding is not None:
            nn.init.normal_(self.embedding.weight, 0.0, LABEL_SCALE)

    def forward(self, latents: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Return images in [-1, 1]; where a side is not a multiple of the stride, the middle of them."""
        if self.embedding is not None and labels is not None:
            latents = torch.cat([latents, self.embedding(labels)], dim=1)
        return crop(self.layers(latents[:, :, None, None]), self.image)


class Body(nn.Module):
    """Images to the smallest feature map through strided convolutions.

    Shapes: `(N, C, H, W)` -> `(N, channels, *size)`.

    Attributes:
        channels: of the feature map.
        size: its height and width.
    """

    def __init__(self, image: ImageSpec, width: int, widest: int, normalisation: str, slope: float) -> None:
        super().__init__()
        stages = halvings(image)
        widths = stage_widths(stages, width, widest)
        layers: list[nn.Module] = [
            nn.Conv2d(image.channels, widths[0], 4, stride=2, padding=1),
            nn.LeakyReLU(slope, inplace=True),
        ]
        for fine, coarse in pairwise(widths):
            bias = normalisation in ("none", "spectral")
            layers += [
                nn.Conv2d(fine, coarse, 4, stride=2, padding=1, bias=bias),
                *_finish(coarse, normalisation, nn.LeakyReLU(slope, inplace=True)),
            ]
        self.layers = nn.Sequential(*layers)
        self.channels = widths[-1]
        self.size = (image.height >> stages, image.width >> stages)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the feature map."""
        features: torch.Tensor = self.layers(images)
        return features


class Discriminator(nn.Module):
    """Images to one logit, beside the last feature map.

    Args:
        image: what to judge.
        width: channels after the first convolution.
        widest: largest multiple of `width`.
        normalisation: `batch`, `instance`, `layer`, `spectral` or `none`.
        slope: of the leaky ReLU.
        labels: `projection`, or `classifier` to name the class instead of being told.

    Shapes: `(N, C, H, W)` [and labels `(N,)`] -> logits `(N,)`, features `(N, channels, *size)` and, from a
    classifier, class logits `(N, classes)`.
    """

    def __init__(
        self,
        image: ImageSpec,
        width: int,
        widest: int,
        normalisation: str,
        slope: float,
        labels: str = "projection",
    ) -> None:
        super().__init__()
        self.body = Body(image, width, widest, normalisation, slope)
        self.head = nn.Conv2d(self.body.channels, 1, self.body.size)
        self.embedding = self.classifier = None
        if image.classes and labels == "projection":
            # Of every place: averaged over them, what tells classes apart would hardly be left.
            self.embedding = nn.Embedding(image.classes, self.body.channels * math.prod(self.body.size))
        if image.classes and labels == "classifier":
            self.classifier = nn.Conv2d(self.body.channels, image.classes, self.body.size)
        self.apply(initialise)
        if self.embedding is not None:
            nn.init.normal_(self.embedding.weight, 0.0, 0.02)  # as the head's
        if normalisation == "spectral":
            for module in list(self.modules()):
                if isinstance(module, nn.Conv2d | nn.Embedding):
                    spectral_norm(module)

    def forward(self, images: torch.Tensor, labels: torch.Tensor | None = None) -> Verdict:
        """Return logits, higher for images that look real, with features and, from a classifier, classes."""
        features = self.body(images)
        logits: torch.Tensor = self.head(features).flatten()
        if self.embedding is not None and labels is not None:
            logits = logits + (self.embedding(labels) * features.flatten(1)).sum(dim=1)
        class_logits = None if self.classifier is None else self.classifier(features).flatten(1)
        return Verdict(logits, features, class_logits)


class Encoder(nn.Module):
    """Images to a normal distribution over latents.

    Shapes: `(N, C, H, W)` -> mean and log-variance, each `(N, latent_dim)`.
    """

    def __init__(
        self, image: ImageSpec, latent_dim: int, width: int, widest: int, normalisation: str, slope: float
    ) -> None:
        super().__init__()
        self.body = Body(image, width, widest, normalisation, slope)
        self.head = nn.Conv2d(self.body.channels, 2 * latent_dim, self.body.size)
        self.apply(initialise)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and log-variance."""
        mean, log_variance = self.head(self.body(images)).flatten(1).chunk(2, dim=1)
        return mean, log_variance


class UpsampledConv2d(nn.Conv2d):
    """A 3×3 convolution of features whose sides were doubled by nearest neighbours.

    A pixel of the doubled features lies beside its own copies, so that one multiplication by the sum of
    their weights does for all: a transposed 4×4 convolution, with 4/9 of the work.

    Args:
        inputs: channels.
        outputs: channels.
        bias: whether there is one.

    Shapes: `(N, inputs, H, W)` -> `(N, outputs, 2H, 2W)`.
    """

    sums: torch.Tensor

    def __init__(self, inputs: int, outputs: int, *, bias: bool) -> None:
        super().__init__(inputs, outputs, 3, padding=1, bias=bias)
        # Which of the three weights along a side are summed for each of the transposed convolution's four.
        along_a_side = torch.tensor([[0.0, 0, 1, 1], [0, 1, 1, 0], [1, 1, 0, 0]])
        self.register_buffer("sums", torch.kron(along_a_side, along_a_side), persistent=False)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the doubled features, convolved."""
        weights = self.weight.transpose(0, 1).flatten(2) @ self.sums
        weights = weights.reshape(self.in_channels, self.out_channels, 4, 4)
        return F.conv_transpose2d(features, weights, self.bias, stride=2, padding=1)


def _upsample(inputs: int, outputs: int, kind: str, *, bias: bool) -> list[nn.Module]:
    """Return layers that double the sides."""
    if kind == "transposed":
        return [nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=bias)]
    # Weights are known by their layer's number, and were those of a second one, behind an upsampling layer.
    return [nn.Identity(), UpsampledConv2d(inputs, outputs, bias=bias)]


def _finish(channels: int, normalisation: str, activation: nn.Module) -> list[nn.Module]:
    """Return the normalisation and the activation that follow a hidden convolution."""
    normalisations: dict[str, list[nn.Module]] = {
        "batch": [nn.BatchNorm2d(channels)],
        "instance": [nn.InstanceNorm2d(channels, affine=True)],
        "layer": [nn.GroupNorm(1, channels)],
    }
    return [*normalisations.get(normalisation, []), activation]


def initialise(module: nn.Module) -> None:
    """Draw weights from N(0, 0.02) and scales from N(1, 0.02), as the paper's code does."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d | nn.InstanceNorm2d | nn.GroupNorm):
        nn.init.normal_(module.weight, 1.0, 0.02)
    if isinstance(getattr(module, "bias", None), nn.Parameter):
        nn.init.zeros_(module.bias)  # type: ignore[arg-type]
