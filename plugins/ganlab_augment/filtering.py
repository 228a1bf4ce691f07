"""Random amplification of an image's bands of frequencies."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from ganlab_augment.chance import Chance
from ganlab_augment.constants import constant

__all__ = ["BANDS", "filtered"]

SYM2 = (-0.12940952255092145, 0.22414386804185735, 0.836516303737469, 0.48296291314469025)
"""Low-pass filter of the orthonormal wavelet sym2 (Daubechies, 1992)."""
POWER = np.array([10.0, 1.0, 1.0, 1.0]) / 13
"""Expected power of natural images in each band, from low to high frequencies."""
DEVIATION = 1.0
"""Standard deviation of the binary logarithm of a band's amplification."""


def _bands() -> NDArray[np.float64]:
    """Return symmetric filters whose sum is the unit impulse, `(bands, taps)`: one for each octave."""
    low = np.array(SYM2)
    high = low * (-1.0) ** np.arange(len(low))
    low, high = (np.convolve(half, half[::-1]) / 2 for half in (low, high))
    bands = np.eye(len(POWER), 1)
    for band in range(1, len(POWER)):
        spread = np.zeros((len(bands), 2 * bands.shape[1] - 1))
        spread[:, ::2] = bands
        bands = np.stack([np.convolve(row, low) for row in spread])
        start = (bands.shape[1] - len(high)) // 2
        bands[band, start : start + len(high)] += high
    return bands


BANDS = _bands()
"""Filters of the bands, `(4, taps)`, from low to high frequencies."""


def filtered(images: torch.Tensor, chance: Chance) -> torch.Tensor:
    """Return images some of whose bands are stronger or weaker, the expected power being kept.

    Args:
        images: `(n, C, H, W)`.
        chance: that each band is changed.
    """
    gains = torch.ones(len(images), len(BANDS), device=images.device)
    power = constant(tuple(POWER.tolist()), gains)
    for band in range(len(BANDS)):
        factors = torch.ones_like(gains)
        factors[:, band] = chance.factor(DEVIATION)
        gains = gains * factors / (power * factors.square()).sum(1, keepdim=True).sqrt()
    taps = (gains @ constant(tuple(map(tuple, BANDS.tolist())), gains)).to(images.dtype)
    return _convolved(_convolved(images, taps), taps, transposed=True)


def _convolved(images: torch.Tensor, taps: torch.Tensor, transposed: bool = False) -> torch.Tensor:
    """Return each image with its rows (or columns) convolved with its own taps, reflected at borders."""
    if transposed:
        return _convolved(images.transpose(2, 3), taps).transpose(2, 3)
    count, channels, height, width = images.shape
    margin = taps.shape[1] // 2
    side = torch.arange(-margin, width + margin, device=images.device)
    places = (width - 1) - (side.remainder(2 * (width - 1)) - (width - 1)).abs()
    padded = images[..., places].reshape(1, count * channels, height, width + 2 * margin)
    kernels = taps.repeat_interleave(channels, 0)[:, None, None]
    return F.conv2d(padded, kernels, groups=count * channels).reshape(images.shape)
