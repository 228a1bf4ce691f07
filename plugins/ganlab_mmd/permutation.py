"""The permutation test of MMD² (Gretton et al., 2012): how often chance alone gives as much."""

from __future__ import annotations

import torch

from ganlab_mmd.kernels import Centred, Kernel
from ganlab_mmd.statistic import centre_of

__all__ = ["permutation_p_value"]

SEED = 0
"""Of the labellings: the same for the same counts, every time."""


def permutation_p_value(kernel: Kernel, x: torch.Tensor, y: torch.Tensor, permutations: int) -> float:
    """Return p of the hypothesis that `(n, d)` and `(m, d)` features are of one distribution.

    p = (1 + #{permuted MMD² ≥ observed}) / (permutations + 1), of the unbiased estimate: never
    below 1/(permutations + 1), and uniform where the hypothesis holds. Memory grows with
    (n + m)², so hand it a part of large samples.

    Args:
        kernel: the kernel.
        x: one sample.
        y: the other.
        permutations: random divisions of all the vectors into n and m.
    """
    n, m = len(x), len(y)
    pooled = torch.cat([x, y])
    points = Centred.of(pooled, centre_of([pooled]))
    matrix = kernel.tile(points, points).fill_diagonal_(0)
    signs = _labellings(n, m, permutations)
    # With rows sums r and total t of the matrix, s'Ks = Σxx + Σyy − Σxy − Σyx and s'r = Σxx − Σyy.
    total = matrix.sum()
    product = (signs * (matrix @ signs)).sum(0)
    difference = matrix.sum(1) @ signs
    xx = (total + product + 2 * difference) / 4
    yy = (total + product - 2 * difference) / 4
    cross = (total - product) / 4
    values = xx / (n * (n - 1)) + yy / (m * (m - 1)) - 2 * cross / (n * m)
    # Labellings that are equally good must not be told apart by rounding.
    rounding = 1e-12 * float(matrix.abs().mean())
    reached = int((values[1:] >= values[0] - rounding).sum())
    return (1 + reached) / (permutations + 1)


def _labellings(n: int, m: int, permutations: int) -> torch.Tensor:
    """Return `(n + m, 1 + permutations)` columns of n times +1 and m times −1, the first as given."""
    generator = torch.Generator().manual_seed(SEED)
    signs = torch.ones(1 + permutations, n + m, dtype=torch.float64)
    signs[0, n:] = -1
    order = torch.rand(permutations, n + m, generator=generator).argsort(1)
    signs[1:].scatter_(1, order[:, n:], -1.0)
    return signs.T
