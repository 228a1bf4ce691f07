"""How near is uncommonly near: a yardstick made of real samples."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from ganlab_neighbours.errors import share_error

__all__ = ["TWIN", "UNCOMMON", "Yardstick", "median_error"]

UNCOMMON = 0.01
"""Share of real samples that are as near to another one as is called uncommon."""
TWIN = 0.5
"""Of the uncommon distance, that below which samples are called copies: hardly any real ones are."""


@dataclass(frozen=True)
class Yardstick:
    """Distances of real samples to the nearest other one, as a measure of those of generated samples.

    Attributes:
        distances: `(n,)` float64.
    """

    distances: torch.Tensor

    @property
    def median(self) -> float:
        """The common distance."""
        return float(self.distances.median())

    @property
    def uncommon(self) -> float:
        """The distance that 99 % of real samples keep."""
        return self._quantile(UNCOMMON)

    @property
    def twin(self) -> float:
        """Half of that: the distance below which samples are copies of each other."""
        return TWIN * self.uncommon

    def share(
        self, distances: torch.Tensor, factor: float = 1.0, *, mutual: bool = False
    ) -> tuple[float, float]:
        """Return which share of distances is uncommon (or a factor of that), and its standard error.

        The error is that of a share, and that of the quantile: by how much the share changes
        with it.

        Args:
            distances: `(n,)` to the nearest other sample.
            factor: of the uncommon distance.
            mutual: whether these and the yardstick's are distances among the samples themselves: near ones
                then come in pairs, of which there are half as many.
        """
        together = 2 if mutual else 1
        n = len(distances)
        spread = math.sqrt(together * UNCOMMON * (1 - UNCOMMON) / len(self.distances))
        levels = UNCOMMON, max(0.0, UNCOMMON - spread), UNCOMMON + spread
        shares = [float((distances <= factor * self._quantile(level)).double().mean()) for level in levels]
        share, low, high = shares
        return share, math.hypot(math.sqrt(together) * share_error(share, n), (high - low) / 2)

    def _quantile(self, level: float) -> float:
        return float(torch.quantile(self.distances, level))


def median_error(distances: torch.Tensor) -> float:
    """Return the standard error of the median of `(n,)` numbers, whatever their distribution.

    The ranks of a one-sigma interval are n/2 ± √n/2.
    """
    ordered, n = distances.sort().values, len(distances)
    low, high = max(0, round(n / 2 - n**0.5 / 2) - 1), min(n - 1, round(n / 2 + n**0.5 / 2) - 1)
    return float(ordered[high] - ordered[low]) / 2
