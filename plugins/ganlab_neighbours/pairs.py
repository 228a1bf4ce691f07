"""Distances of all pairs of one sample, summed up in memory that does not grow with their number."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from ganlab_neighbours.distances import TILE, mean_of

__all__ = ["PairStatistics", "over_pairs"]

ROUNDING = 1e-13
"""How far squared distances may be off, as a share of ‖x‖² + ‖y‖²."""


@dataclass(frozen=True)
class PairStatistics:
    """What is kept of the distances between n vectors.

    Attributes:
        averages: `(n,)` float64, each vector's mean distance to the others.
        near: pairs that are within the distance asked about.
    """

    averages: torch.Tensor
    near: int

    @property
    def mean(self) -> float:
        """Mean distance of a pair."""
        return float(self.averages.mean())

    @property
    def standard_error(self) -> float:
        """Of the mean, as a U-statistic: twice the spread of the averages over √n."""
        return 2 * float(self.averages.std()) / math.sqrt(len(self.averages))

    @property
    def distinct(self) -> float:
        """Vectors that there would be, were all equally frequent, for so many near pairs (at least one).

        The birthday paradox, as in Arora, Risteski & Zhang, "Do GANs learn the distribution?", 2018.
        """
        n = len(self.averages)
        return n * (n - 1) / 2 / max(1, self.near)


def over_pairs(features: torch.Tensor, near: float) -> PairStatistics:
    """Return statistics over pairs of `(n, d)` features, with those counted that are within `near`.

    Distances are float64: the root of a float32 rounding error is not small, and there may be
    nothing but copies.
    """
    n, centre = len(features), mean_of(features)
    sums, count = torch.zeros(n, dtype=torch.float64), 0
    for i in range(0, n, TILE):
        x = features[i : i + TILE].double() - centre
        for j in range(i, n, TILE):
            y = features[j : j + TILE].double() - centre
            sizes = x.square().sum(1)[:, None] + y.square().sum(1)
            squares = torch.addmm(sizes, x, y.T, alpha=-2)
            squares.masked_fill_(squares <= ROUNDING * sizes, 0)
            close = int((squares <= near**2).sum())
            distances = squares.sqrt_()
            sums[i : i + TILE] += distances.sum(1)
            if j > i:
                sums[j : j + TILE] += distances.sum(0)
                count += close
            else:
                count += (close - len(x)) // 2
    return PairStatistics(sums / (n - 1), count)
