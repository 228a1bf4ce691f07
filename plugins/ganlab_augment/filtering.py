"""Random amplification of an image's bands of frequencies."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from ganlab_augment.chance import Chance
from ganlab_augment.constants import constant, linear_map

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
    height, width = images.shape[2:]
    down, across = (
        torch.einsum("nb,boi->noi", gains, linear_map(_filtered_rows, side, gains)).to(images.dtype)
        for side in (height, width)
    )
    rows = (images.flatten(1, 2) @ across.mT).reshape(images.shape)
    return down[:, None] @ rows


def _filtered_rows(rows: torch.Tensor) -> torch.Tensor:
    """Return the bands `(rows, 4, side)` of rows `(rows, side)`, reflected as often as it takes."""
    margin = BANDS.shape[1] // 2
    last = rows.shape[1] - 1
    places = torch.arange(-margin, last + margin + 1)
    reflected = rows[:, last - (places.remainder(2 * last) - last).abs()]
    return F.conv1d(reflected[:, None], torch.from_numpy(BANDS.copy())[:, None])
