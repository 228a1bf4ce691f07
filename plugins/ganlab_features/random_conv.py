"""The `random-conv` extractor: networks that nobody trained.

Random convolutional features tell distributions apart better than pixels do (Saxe et al., 2011;
Naeem et al., 2020, who use an untrained VGG16 where no trained network suits the data).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F

from ganlab import ComponentError, FeatureExtractor, ImageSpec
from ganlab_features.identity import digest

__all__ = ["RandomConv"]

WIDTHS = (8, 16, 32)
"""Channels after each layer."""
KERNEL = 3
NETWORKS = 3
"""Networks, of seeds that follow each other, whose features stand side by side."""
SMALLEST = 8
GOLDEN = "86a81fa8b2f9695ad77798914a879d87e03607b1da9b8a7e6bc7c3688145f1ce"
"""Digest of the weights of one network for RGB, from seed 0."""


class RandomConv(FeatureExtractor):
    """What three frozen random convolutional networks see.

    Each has three layers of 3×3 convolutions with stride 2 and ReLU, and weights from
    N(0, 2/fan-in) (He et al., 2015); its 112 features are each channel's mean and standard
    deviation over the image, of every layer. Which filters a single network happens to have
    decides much of what it sees. With three side by side, 336 features, a squared distance is
    the sum over networks, three times the mean.

    Args:
        image: what an image is: at least 8×8, any number of channels.
        seed: of the first network.

    Raises:
        ComponentError: the image is too small, or this numpy draws other weights.
    """

    standardise = True

    def __init__(self, image: ImageSpec, seed: int) -> None:
        if min(image.height, image.width) < SMALLEST:
            raise ComponentError(
                f"features `random-conv` describe images from {SMALLEST}×{SMALLEST} up, "
                f"not {image.height}×{image.width}; use `pixels`"
            )
        self._image = image
        self._weights = [_draw(image.channels, seed + number) for number in range(NETWORKS)]
        if (drawn := _digest([_draw(3, 0)])) != GOLDEN:
            raise ComponentError(
                f"numpy {np.__version__} draws other random numbers than those that features `random-conv` "
                f"are defined by (digest {drawn[:8]}…, not {GOLDEN[:8]}…); use another numpy, or `wavelet`"
            )

    def extract(self, samples: torch.Tensor) -> torch.Tensor:
        """Map uint8 images `(N, C, H, W)` to float32 `(N, 336)`."""
        images = samples.float() / 127.5 - 1
        features = []
        for network in self._weights:
            level = images
            for weights in network:
                # Mirrored borders: a border of zeros would be seen in every picture.
                padded = F.pad(level, [KERNEL // 2] * 4, mode="reflect")
                level = F.conv2d(padded, weights.to(level.device), stride=2).relu()
                features += [level.mean((2, 3)), level.flatten(2).std(2, correction=0)]
        return torch.cat(features, 1)

    def fingerprint(self) -> str:
        """Return a digest of the weights and of the image's shape."""
        return digest("random-conv", 1, _digest(self._weights), KERNEL, self._image.shape)

    def names(self) -> Sequence[str]:
        """Return each feature's network, layer and channel, all counted from 0."""
        return [
            f"{what} of network {network}, layer {layer}, channel {channel}"
            for network in range(NETWORKS)
            for layer, width in enumerate(WIDTHS)
            for what in ("mean", "deviation")
            for channel in range(width)
        ]


def _draw(channels: int, seed: int) -> list[torch.Tensor]:
    """Return one network's weights; numpy keeps the numbers of a `RandomState` as they are for ever."""
    random = np.random.RandomState(seed)
    weights = []
    for inputs, outputs in pairwise((channels, *WIDTHS)):
        values = random.standard_normal((outputs, inputs, KERNEL, KERNEL))
        weights.append(torch.from_numpy(values * (2 / (inputs * KERNEL**2)) ** 0.5).float())
    return weights


def _digest(networks: Sequence[Sequence[torch.Tensor]]) -> str:
    """Return a digest of weights, rounded far above what a processor's rounding could change."""
    content = hashlib.sha256()
    for network in networks:
        for weights in network:
            content.update((weights.double() * 2**16).round().to(torch.int64).numpy().tobytes())
    return content.hexdigest()
