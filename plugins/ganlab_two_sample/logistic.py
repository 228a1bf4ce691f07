"""Ridge logistic regression, on several subsets of the samples at once."""

from __future__ import annotations

import math

import torch

__all__ = ["fit"]

ITERATIONS = 100
TOLERANCE = 1e-8
"""Decrease of the mean loss that another step promises, below which there is none."""


def fit(
    features: torch.Tensor, labels: torch.Tensor, training: torch.Tensor, regularisation: float
) -> torch.Tensor:
    """Return the weights `(d, k)` of k classifiers, each trained on some of the samples.

    Each minimises Σ log(1 + exp(−yᵢ wᵀxᵢ)) + ½ · regularisation · d · ‖w‖² over its own samples:
    where features are standardised, the penalty bounds the spread of logits whatever d is, d > n
    included. The curvature of the loss is nowhere above that of ¼XᵀX, which one Cholesky factor
    of all samples therefore bounds for all k (Böhning & Lindsay, 1988); steps in its metric are
    accelerated, and restarted where they overshoot (O'Donoghue & Candès, 2015). It is
    deterministic, and knows of labels through the gradient alone.

    Args:
        features: `(n, d)` float64; a column of ones stands for an intercept.
        labels: `(n,)` float64, 0 or 1.
        training: `(n, k)` float64, 1 where a sample belongs to a classifier's subset.
        regularisation: strength of the penalty.
    """
    n, d = features.shape
    ridge = regularisation * d / n
    curvature = features.T @ features / (4 * n)
    curvature.diagonal().add_(ridge)
    factor = torch.linalg.cholesky(curvature)
    weights = ahead = features.new_zeros(d, training.shape[1])
    momentum = 1.0
    for _ in range(ITERATIONS):
        residuals = training * (torch.sigmoid(features @ ahead) - labels[:, None])
        gradient = features.T @ residuals / n + ridge * ahead
        step = torch.cholesky_solve(gradient, factor)
        moved = ahead - step
        if float((gradient * (moved - weights)).sum()) > 0:
            momentum = 1.0
        following = (1 + math.sqrt(1 + 4 * momentum**2)) / 2
        ahead = moved + (momentum - 1) / following * (moved - weights)
        weights, momentum = moved, following
        if float((gradient * step).sum(0).max()) < TOLERANCE:
            break
    return weights
