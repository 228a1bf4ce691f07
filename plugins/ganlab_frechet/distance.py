"""‖μ₁−μ₂‖² + tr Σ₁ + tr Σ₂ − 2 tr (Σ₁Σ₂)^½ in float64, without a matrix square root.

With a factor Σ₁ = BBᵀ the eigenvalues of Σ₁Σ₂ are those of the symmetric BᵀΣ₂B, so that the
last trace is the sum of their roots. Where there are fewer samples than dimensions, a product
of the samples' Gram matrix, which is smaller, has the same eigenvalues.
"""

from __future__ import annotations

import math

import torch

__all__ = [
    "covariance_factor",
    "distance_of_few",
    "frechet_distance",
    "gram_root_trace",
    "root_trace",
    "sampling_variance",
    "sum_of_roots",
]


def covariance_factor(covariance: torch.Tensor) -> torch.Tensor:
    """Return B `(d, r)` with BBᵀ equal to the `(d, d)` float64 covariance.

    Cholesky where it succeeds; otherwise eigenvectors, without those whose eigenvalue is
    nothing but rounding (kept, they would be wrong in the sixth digit of a distance).
    """
    factor: torch.Tensor
    factor, failed = torch.linalg.cholesky_ex(covariance)
    if int(failed):
        values, vectors = torch.linalg.eigh(covariance)
        kept = values > _rounding(values)
        factor = vectors[:, kept] * values[kept].sqrt()
    return factor


def root_trace(factor: torch.Tensor, covariance: torch.Tensor) -> float:
    """Return tr (Σ₁Σ₂)^½ of a factor of Σ₁ and of Σ₂."""
    if not factor.shape[1]:
        return 0.0
    return sum_of_roots(factor.T @ covariance @ factor)


def gram_root_trace(x: torch.Tensor, y: torch.Tensor) -> float:
    """Return tr (Σ₁Σ₂)^½ of the sample covariances of features `(n, d)` and `(m, d)`."""
    x, y = (each.double() - each.double().mean(0) for each in sorted((x, y), key=len))
    gram = x @ y.T
    # Eigenvalues of its square take a quarter of the time that its singular values take.
    return sum_of_roots(gram @ gram.T) / math.sqrt((len(x) - 1) * (len(y) - 1))


def frechet_distance(
    mean_difference: torch.Tensor, trace_1: float, trace_2: float, root_trace_of_product: float
) -> float:
    """Return the squared Fréchet distance from its terms; what rounding leaves below 0 is 0."""
    shift = float(mean_difference.square().sum())
    return max(0.0, shift + trace_1 + trace_2 - 2 * root_trace_of_product)


def distance_of_few(x: torch.Tensor, y: torch.Tensor) -> float:
    """Return the squared Fréchet distance of features `(n, d)` and `(m, d)` without a `(d, d)` matrix."""
    x, y = x.double(), y.double()
    trace_1, trace_2 = (float(each.var(0).sum()) for each in (x, y))
    return frechet_distance(x.mean(0) - y.mean(0), trace_1, trace_2, gram_root_trace(x, y))


def sampling_variance(x: torch.Tensor, y: torch.Tensor) -> float:
    """Return the variance of the distance over samples `(n, d)` and `(m, d)` of the same distributions.

    Of first order in 1/n: with T₁ the optimal transport map of the first Gaussian onto the
    second, x moves the distance by (x−μ₁)ᵀ(I−T₁)(x−μ₁) + 2(x−μ₁)ᵀ(μ₁−μ₂), and y likewise.
    """
    x, y = x.double(), y.double()
    shift = x.mean(0) - y.mean(0)
    # Of one feature alone, torch's covariance is a number.
    one, other = (torch.cov(each.T).reshape(each.shape[1], -1) for each in (x, y))
    return _influence(x, _transport(one, other), shift) + _influence(y, _transport(other, one), -shift)


def _influence(x: torch.Tensor, transport: torch.Tensor, shift: torch.Tensor) -> float:
    centred = x - x.mean(0)
    moves = (centred * (centred - centred @ transport)).sum(1) + 2 * centred @ shift
    return float(moves.var()) / len(x)


def _transport(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Return Σ₁^−½ (Σ₁^½ Σ₂ Σ₁^½)^½ Σ₁^−½, where Σ₁ is not zero."""
    root, inverse = _roots(one)
    middle, _ = _roots(root @ other @ root)
    return inverse @ middle @ inverse


def _roots(matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the symmetric square root, and its pseudo-inverse."""
    values, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)
    kept = values > _rounding(values)
    values, vectors = values[kept].sqrt(), vectors[:, kept]
    return (vectors * values) @ vectors.T, (vectors / values) @ vectors.T


def sum_of_roots(matrix: torch.Tensor) -> float:
    """Return the sum of the square roots of a matrix's eigenvalues; it is symmetric but for rounding."""
    values = torch.linalg.eigvalsh((matrix + matrix.T) / 2)
    return float(values[values > _rounding(values)].sqrt().sum())


def _rounding(values: torch.Tensor) -> float:
    """Return the size below which eigenvalues of a matrix with these are rounding."""
    return float(len(values) * torch.finfo(values.dtype).eps * values.max().clamp_min(0))
