"""Standard errors of numbers that rest on neighbours, for which there are no formulas."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

__all__ = ["at_least_a_shares", "block_errors", "share_error"]

BLOCKS = 16
SMALLEST = 8
"""Samples of a block for each neighbour that is looked at: fewer would be another statistic."""

Measure = Callable[[torch.Tensor, torch.Tensor], Sequence[float]]


def block_errors(
    measure: Measure, x: torch.Tensor, y: torch.Tensor, neighbours: int, count: int
) -> Sequence[float | None]:
    """Return standard errors of the numbers that `measure(x, y)` yields, over new draws of both.

    Both samples are cut into 16 blocks, and the spread of the measure over blocks is scaled to the whole:
    its variance goes with 1/n, even where its mean depends on n. That one real sample is in many
    balls, which a binomial error overlooks, is in it. `None` where blocks would be too small.

    Args:
        measure: maps two samples to `count` numbers.
        x: `(n, d)`.
        y: `(m, d)`.
        neighbours: how many the measure looks at.
        count: numbers that it yields.
    """
    if min(len(x), len(y)) < BLOCKS * SMALLEST * neighbours:
        return (None,) * count
    blocks = zip(x.tensor_split(BLOCKS), y.tensor_split(BLOCKS), strict=True)
    values = torch.tensor([list(measure(*block)) for block in blocks], dtype=torch.float64)
    errors: list[float] = (values.std(0) / math.sqrt(BLOCKS)).tolist()
    return errors


def at_least_a_shares(error: float | None, share: float, n: int) -> float | None:
    """Return the error, or that of a share of n where it is larger: blocks may all agree by chance."""
    return None if error is None else max(error, share_error(share, n))


def share_error(share: float, n: int) -> float:
    """Return the standard error of a share of n, taken with one more sample on either side.

    That none of n is seen does not make it certain that there are none.
    """
    share = (share * n + 1) / (n + 2)
    return math.sqrt(share * (1 - share) / n)
