"""The network that `ganlab train-features` trains for the `classifier` features."""

from __future__ import annotations

import math

import torch
from torch import nn

from ganlab import ImageSpec

__all__ = ["ClassifierNetwork"]

WIDTH = 24
WIDEST = 128
BASE = 4
"""Images are halved until their shorter side is no longer than this."""


class ClassifierNetwork(nn.Module):
    """A plain convolutional classifier: two 3×3 layers at each scale but the first, then an average.

    Args:
        image: what an image is, with the number of its classes.

    Shapes: `(N, C, H, W)` in [-1, 1] -> class logits `(N, classes)`.

    Attributes:
        width: features before the last layer.
    """

    def __init__(self, image: ImageSpec) -> None:
        super().__init__()
        halvings = max(1, math.ceil(math.log2(min(image.height, image.width) / BASE)))
        # The first one halves at once: full size costs most and decides least.
        layers = _layer(image.channels, WIDTH, kernel=5, stride=2)
        width = WIDTH
        for _ in range(halvings - 1):
            wider = min(2 * width, WIDEST)
            layers += [*_layer(width, wider, stride=2), *_layer(wider, wider)]
            width = wider
        self.width = width
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(width, image.classes)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Return what the last layer decides by, `(N, width)`."""
        means: torch.Tensor = self.body(images).mean((2, 3))
        return means

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return class logits."""
        logits: torch.Tensor = self.head(self.features(images))
        return logits


def _layer(inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
