"""Positive definite kernels on feature vectors, evaluated a block at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch

__all__ = [
    "EnergyKernel",
    "Kernel",
    "LinearKernel",
    "PolynomialKernel",
    "RationalQuadraticKernel",
    "RbfKernel",
    "rbf_mixture",
    "squared_distances",
]


def squared_distances(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return ‖xᵢ − yⱼ‖² `(n, m)` of `(n, d)` and `(m, d)`, never negative.

    It expands the square into a matrix product, which is exact to rounding only where
    norms are not much larger than distances: centre the vectors first.
    """
    norms = x.square().sum(1)[:, None] + y.square().sum(1)[None, :]
    return torch.addmm(norms, x, y.T, alpha=-2).clamp_(min=0)


def rbf_mixture(distances: torch.Tensor, variances: Sequence[float | torch.Tensor]) -> torch.Tensor:
    """Return the mean over σ² in `variances` of exp(−d²/2σ²), of squared distances."""
    total = torch.zeros_like(distances)
    for variance in variances:
        total = total.add_((distances * (-0.5 / variance)).exp_())
    return total / len(variances)


class Kernel(ABC):
    """A symmetric positive definite kernel (conditionally so for `EnergyKernel`)."""

    shift_invariant: ClassVar[bool] = True
    """Whether shifting both vectors alike leaves the kernel as it is."""

    dtype: ClassVar[torch.dtype] = torch.float32
    """What to compute in: float64 where float32 loses too much."""

    @abstractmethod
    def __call__(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return k(xᵢ, yⱼ) `(n, m)` of `(n, d)` and `(m, d)`."""

    @abstractmethod
    def diagonal(self, x: torch.Tensor) -> torch.Tensor:
        """Return k(xᵢ, xᵢ) `(n,)`."""


class RadialKernel(Kernel):
    """A kernel that is a function of the distance."""

    def __call__(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return k(xᵢ, yⱼ) `(n, m)` of `(n, d)` and `(m, d)`."""
        return self._of_squares(squared_distances(x, y))

    def diagonal(self, x: torch.Tensor) -> torch.Tensor:
        """Return k(xᵢ, xᵢ) `(n,)`, which is the same for all."""
        return self._of_squares(x.new_zeros(len(x)))

    @abstractmethod
    def _of_squares(self, distances: torch.Tensor) -> torch.Tensor:
        """Return the kernel of squared distances, elementwise."""


class RbfKernel(RadialKernel):
    """The mean of Gaussian kernels exp(−‖x−y‖²/2σ²).

    Args:
        widths: the σ, in the units of the features.
    """

    def __init__(self, widths: Sequence[float]) -> None:
        self._variances = [width * width for width in widths]

    def _of_squares(self, distances: torch.Tensor) -> torch.Tensor:
        return rbf_mixture(distances, self._variances)


class RationalQuadraticKernel(RadialKernel):
    """The mean of rational quadratic kernels 1/(1 + ‖x−y‖²/2σ²), with longer tails than Gaussians.

    Args:
        widths: the σ, in the units of the features.
    """

    def __init__(self, widths: Sequence[float]) -> None:
        self._variances = [width * width for width in widths]

    def _of_squares(self, distances: torch.Tensor) -> torch.Tensor:
        total = torch.zeros_like(distances)
        for variance in self._variances:
            total += (distances * (0.5 / variance)).add_(1).reciprocal_()
        return total / len(self._variances)


class EnergyKernel(RadialKernel):
    """−‖x−y‖, whose discrepancy is the energy distance (Székely & Rizzo, 2013); no width to choose."""

    # The root of a rounding error is not small.
    dtype = torch.float64

    def _of_squares(self, distances: torch.Tensor) -> torch.Tensor:
        return -distances.sqrt()


class PolynomialKernel(Kernel):
    """(xᵀy/d + c)^p; as (xᵀy/d + 1)³ the kernel of KID, blind to moments beyond the third.

    Bińkowski et al., "Demystifying MMD GANs", 2018.

    Args:
        degree: p.
        constant: c.
    """

    shift_invariant = False
    dtype = torch.float64

    def __init__(self, degree: int = 3, constant: float = 1.0) -> None:
        self._degree = degree
        self._constant = constant

    def __call__(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return k(xᵢ, yⱼ) `(n, m)` of `(n, d)` and `(m, d)`."""
        return (x @ y.T / x.shape[1] + self._constant).pow(self._degree)

    def diagonal(self, x: torch.Tensor) -> torch.Tensor:
        """Return k(xᵢ, xᵢ) `(n,)`."""
        return (x.square().sum(1) / x.shape[1] + self._constant).pow(self._degree)


class LinearKernel(Kernel):
    """xᵀy, whose biased discrepancy is the squared distance of the means."""

    shift_invariant = False
    dtype = torch.float64

    def __call__(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return k(xᵢ, yⱼ) `(n, m)` of `(n, d)` and `(m, d)`."""
        return x @ y.T

    def diagonal(self, x: torch.Tensor) -> torch.Tensor:
        """Return k(xᵢ, xᵢ) `(n,)`."""
        return x.square().sum(1)
