"""The `wavelet` extractor: what can be said of an image with fixed filters alone.

Moduli of oriented band-pass filters, averaged over cells, are the first layer of a
scattering transform (Bruna & Mallat, 2013) and what texture was described by before
networks were (Portilla & Simoncelli, 2000).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F

from ganlab import ComponentError, FeatureExtractor, ImageSpec
from ganlab_features.identity import digest
from ganlab_features.naming import cells, colour_names

__all__ = ["Wavelet", "morlet_filters"]

ORIENTATIONS = 4
FREQUENCY = 0.75 * math.pi
"""Radians per pixel, high enough for the checkerboards that transposed convolutions make."""
WIDTH = 1.1
"""Standard deviation of the envelope in pixels: about an octave."""
RADIUS = 3
CELLS = 4
"""The image is described on a grid of this many cells a side."""
QUIET = 1e-6
"""Modulus far below that of a single gray level, where the root stops being steep."""
SMALLEST = 8
"""The pyramid ends before a side is shorter than this."""
PIXELS_AT_ONCE = 1 << 17
"""Pixels filtered together: their responses stay in the processor's cache, which doubles the speed."""
LUMA = (0.299, 0.587, 0.114)
"""Rec. 601: how bright red, green and blue are."""
FAINT = 0.01
"""Difference of colours, of 1 at most, up to which its root is all but straight."""


def morlet_filters() -> torch.Tensor:
    """Return oriented Morlet filters `(2 · ORIENTATIONS, 1, k, k)` float32: real parts, then imaginary.

    exp(−|u|²/2σ²)·(exp(i ξ·u) − β), where β takes out the response to a constant; scaled
    so that moduli sum to one. In closed form, with no random numbers.
    """
    offsets = torch.arange(-RADIUS, RADIUS + 1, dtype=torch.float64)
    y, x = torch.meshgrid(offsets, offsets, indexing="ij")
    envelope = torch.exp(-(x.square() + y.square()) / (2 * WIDTH**2))
    filters = []
    for turn in range(ORIENTATIONS):
        angle = math.pi * turn / ORIENTATIONS
        wave = torch.exp(1j * FREQUENCY * (math.cos(angle) * x + math.sin(angle) * y))
        wavelet = envelope * (wave - (envelope * wave).sum() / envelope.sum())
        filters.append(wavelet / wavelet.abs().sum())
    stacked = torch.stack(filters)
    return torch.cat([stacked.real, stacked.imag])[:, None].float()


class Wavelet(FeatureExtractor):
    """Colour on a 4×4 grid, and oriented texture at every scale.

    In each cell the means of brightness and of two opponent colours, red against green and yellow
    against blue. These vary far less from image to image than red, green and blue, which brightness
    moves together, so that a shift of colour stands out. Roots of them, with their sign, stand
    beside, by which a faint tint counts next to a vivid one. Gray images have their brightness alone.

    Then, of the luminance at full size, at half, and so on, the modulus of each oriented filter: the
    root of its mean in each cell, and of its standard deviation over the image. The root lets a
    quiet cheek weigh as much as busy hair, where noise and blur would otherwise go unseen.
    4 scales and 352 features for RGB at 64×64.

    Args:
        image: what an image is: at least 8×8, any number of channels.

    Raises:
        ComponentError: the image is too small.
    """

    standardise = True

    def __init__(self, image: ImageSpec) -> None:
        shorter = min(image.height, image.width)
        if shorter < SMALLEST:
            raise ComponentError(
                f"features `wavelet` describe images from {SMALLEST}×{SMALLEST} up, "
                f"not {image.height}×{image.width}; use `pixels`"
            )
        self._image = image
        self._scales = int(math.log2(shorter / SMALLEST)) + 1
        self._filters = morlet_filters()

    def extract(self, samples: torch.Tensor) -> torch.Tensor:
        """Map uint8 images `(N, C, H, W)` to float32 `(N, d)`."""
        filters = self._filters.to(samples.device)
        pixels = self._image.height * self._image.width
        pieces = torch.split(samples, max(1, PIXELS_AT_ONCE // pixels))
        return torch.cat([self._describe(piece.float() / 255, filters) for piece in pieces])

    def _describe(self, images: torch.Tensor, filters: torch.Tensor) -> torch.Tensor:
        features = [_colours(F.adaptive_avg_pool2d(images, CELLS))]
        level = _luminance(images)
        for scale in range(self._scales):
            level = F.avg_pool2d(level, 2) if scale else level
            features += _texture(level, filters)
        return torch.cat(features, 1)

    def fingerprint(self) -> str:
        """Return a digest of the definition's version and constants, and of the image's shape."""
        constants = (ORIENTATIONS, FREQUENCY, WIDTH, RADIUS, CELLS, QUIET, SMALLEST, LUMA)
        if self._image.channels < 3:  # Gray images are described as in the first version.
            return digest("wavelet", 1, constants, self._image.shape)
        return digest("wavelet", 2, (*constants, FAINT), self._image.shape)

    def names(self) -> Sequence[str]:
        """Return each feature's colour or texture, and where it lies.

        The angle is that in which brightness changes, 0° across and 90° down: vertical
        stripes are texture 0°. Scale 0 is full size, each further one half of it.
        """
        names = [
            f"{colour}, {cell}" for colour in colour_names(self._image.channels) for cell in cells(CELLS)
        ]
        for scale in range(self._scales):
            textures = [
                f"texture {180 * turn // ORIENTATIONS}°, scale {scale}" for turn in range(ORIENTATIONS)
            ]
            names += [f"{texture}, {cell}" for texture in textures for cell in cells(CELLS)]
            names += [f"unevenness of {texture}" for texture in textures]
        return names


def _colours(means: torch.Tensor) -> torch.Tensor:
    """Return brightness, opponent colours, their signed roots and other channels of `(N, C, k, k)`, flat."""
    if means.shape[1] < 3:
        return means.flatten(1)
    red, green, blue = torch.split(means[:, :3], 1, dim=1)
    opponents = torch.cat([red - green, (red + green) / 2 - blue], 1)
    roots = opponents.sign() * ((opponents.abs() + FAINT).sqrt() - math.sqrt(FAINT))
    return torch.cat([_luminance(means), opponents, roots, means[:, 3:]], 1).flatten(1)


def _luminance(images: torch.Tensor) -> torch.Tensor:
    """Return `(N, 1, H, W)`, whatever the channels: gray, gray with alpha, RGB, RGB with alpha."""
    if images.shape[1] < 3:
        return images[:, :1]
    weights = images.new_tensor(LUMA).view(1, 3, 1, 1)
    return (images[:, :3] * weights).sum(1, keepdim=True)


def _texture(level: torch.Tensor, filters: torch.Tensor) -> list[torch.Tensor]:
    """Return roots of the moduli's means by cell, `(N, ORIENTATIONS · cells)`, and of their deviations."""
    # Mirrored borders: a zero border would be the strongest edge in the picture.
    response = F.conv2d(F.pad(level, [RADIUS] * 4, mode="reflect"), filters)
    real, imaginary = response[:, :ORIENTATIONS], response[:, ORIENTATIONS:]
    modulus = (real.square() + imaginary.square()).sqrt()
    means = F.adaptive_avg_pool2d(modulus, CELLS).flatten(1)
    deviations = modulus.flatten(2).std(2, correction=0)
    return [(means + QUIET).sqrt(), (deviations + QUIET).sqrt()]
