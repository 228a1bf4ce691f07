"""How far apart two samples of one distribution are: what no generator gets below."""

from __future__ import annotations

import math

import numpy as np
import torch

from ganlab_frechet.distance import sum_of_roots

__all__ = ["distance_of_equals", "population_variances"]

LARGEST = 512
"""Eigenvalues to simulate with: how they spread depends on samples per dimension, hardly on either alone."""
ROUNDS = 5
"""After which the simulated eigenvalues are those that were found, but for chance."""
SIMULATED = 256
"""Dimensions of all simulated draws together: chance evens out over either."""


def population_variances(found: torch.Tensor, n: int) -> torch.Tensor:
    """Return `(d,)` ascending eigenvalues of the covariance that n samples come from, as far as can be told.

    The eigenvalues `(d,)` that are found of a sample lie further apart than those of what it was drawn from,
    and the more so the fewer samples there are. Those are returned whose samples have what was found.
    """
    means = _resized(found, min(LARGEST, len(found)))
    freedom = max(1, round((n - 1) * len(means) / len(found)))
    rng = np.random.default_rng(0)
    wanted = _drawn_together(means, freedom)
    for _ in range(ROUNDS):
        seen = torch.linalg.svdvals(_root_of_sample(wanted, freedom, rng)).square().flip(0)
        tops = slice(-len(seen), None)
        wanted[tops] *= means[tops] / seen.clamp_min(torch.finfo(seen.dtype).tiny)
        wanted = (wanted * (means.sum() / wanted.sum())).nan_to_num(0.0).sort().values
    return _resized(wanted, len(found))


def distance_of_equals(variances: torch.Tensor, n: int, m: int) -> float:
    """Return the mean Fréchet distance of n and m samples of one Gaussian with `(d,)` such variances.

    With more samples than dimensions, ½(1/n + 1/m)·(2.5 tr Σ + Σᵢⱼ λᵢλⱼ/(λᵢ+λⱼ)), right to a percent or
    two; with fewer, simulated.
    """
    total = float(variances.sum())
    if min(n, m) > len(variances):
        positive = variances[variances > 0]
        pairs = torch.outer(positive, positive) / (positive[:, None] + positive[None, :])
        return 0.5 * (1 / n + 1 / m) * (2.5 * total + float(pairs.sum()))
    means = _resized(variances, min(LARGEST, len(variances)))
    scale = len(variances) / len(means)
    few, more = (max(1, round((count - 1) / scale)) for count in sorted((n, m)))
    rng = np.random.default_rng(0)
    draws = max(1, SIMULATED // len(means))
    apart = sum(_covariances_apart(means, few, more, rng) for _ in range(draws)) / draws
    return total * (1 / n + 1 / m) + scale * apart


def _resized(variances: torch.Tensor, count: int) -> torch.Tensor:
    """Return as many ascending variances of the same mean."""
    ascending = variances.double().clamp_min(0).sort().values
    resized = torch.nn.functional.interpolate(ascending[None, None], count, mode="area")[0, 0]
    return resized * (ascending.mean() / resized.mean()) if float(ascending.sum()) else resized


def _covariances_apart(variances: torch.Tensor, few: int, more: int, rng: np.random.Generator) -> float:
    one, other = (_root_of_sample(variances, freedom, rng) for freedom in (few, more))
    product = one @ other.T
    traces = one.square().sum() + other.square().sum()
    return float(traces) - 2 * sum_of_roots(product @ product.T)


def _drawn_together(found: torch.Tensor, freedom: int) -> torch.Tensor:
    """Return eigenvalues of the same sum, drawn together by as much as chance has spread these."""
    mean = found.mean()
    spread = (found - mean).square().sum()
    by_chance = (found.square().sum() + found.sum().square()) / (freedom + 1)
    kept = ((spread - by_chance).clamp_min(0) / spread).sqrt() if spread > 0 else 0
    return mean + kept * (found - mean)


def _root_of_sample(variances: torch.Tensor, freedom: int, rng: np.random.Generator) -> torch.Tensor:
    """Return R `(≤ d, d)` with RᵀR a covariance of freedom + 1 samples: them, or as Bartlett (1933)."""
    d = len(variances)
    if freedom <= d:
        normal = rng.standard_normal((freedom, d))
    else:
        normal = np.triu(rng.standard_normal((d, d)), 1)
        normal[np.diag_indices(d)] = np.sqrt(rng.chisquare(freedom - np.arange(d)))
    return torch.from_numpy(normal) * (variances.sqrt() / math.sqrt(freedom))
