"""Positive definite kernels on feature vectors, evaluated a block at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch

__all__ = [
    "Centred",
    "EnergyKernel",
    "Kernel",
    "LinearKernel",
    "PolynomialKernel",
    "RationalQuadraticKernel",
    "RbfKernel",
    "rbf_mixture",
    "squared_distances",
    "without",
]


CLOSE = 0.01
"""Of the sum of two squared norms: squared distances below it have lost two digits of float32's seven."""


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


@dataclass(frozen=True)
class Centred:
    """Vectors moved near to zero, where float32 products lose least.

    Attributes:
        vectors: `(n, d)` float32, without the centre.
        along: `(n,)` float64, so that xᵀy = vectors·vectors + along of x + along of y.
    """

    vectors: torch.Tensor
    along: torch.Tensor

    @classmethod
    def of(cls, x: torch.Tensor, centre: torch.Tensor) -> Centred:
        """Return `(n, d)` vectors without a centre `(d,)` float64 that float32 can hold."""
        vectors = without(x, centre)
        return cls(vectors, vectors.double() @ centre + centre @ centre / 2)


def without(x: torch.Tensor, centre: torch.Tensor) -> torch.Tensor:
    """Return `x − centre` as float32."""
    return (x - centre.to(x.dtype)).float()


class Kernel(ABC):
    """A symmetric positive definite kernel (conditionally so for `EnergyKernel`)."""

    @abstractmethod
    def __call__(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return k(xᵢ, yⱼ) `(n, m)` of `(n, d)` and `(m, d)`, in their type."""

    @abstractmethod
    def tile(self, x: Centred, y: Centred) -> torch.Tensor:
        """Return k(xᵢ, yⱼ) `(n, m)` float64; the sum over d is taken in float32."""

    @abstractmethod
    def diagonal(self, x: Centred) -> torch.Tensor:
        """Return k(xᵢ, xᵢ) `(n,)` float64."""


class RadialKernel(Kernel):
    """A kernel that is a function of the distance."""

    def __call__(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return k(xᵢ, yⱼ) `(n, m)` of `(n, d)` and `(m, d)`."""
        return self._of_squares(squared_distances(x, y))

    def tile(self, x: Centred, y: Centred) -> torch.Tensor:
        """Return k(xᵢ, yⱼ) `(n, m)` float64, of distances in float32."""
        return self(x.vectors, y.vectors).double()

    def diagonal(self, x: Centred) -> torch.Tensor:
        """Return k(xᵢ, xᵢ) `(n,)` float64, which is the same for all."""
        return self._of_squares(torch.zeros(len(x.vectors), dtype=torch.float64))

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

    def tile(self, x: Centred, y: Centred) -> torch.Tensor:
        """Return −‖xᵢ−yⱼ‖ `(n, m)` float64; of close points without float32's expanded square."""
        one, other = x.vectors, y.vectors
        distances = squared_distances(one, other)
        # What rounding leaves of a distance of zero is not small any more once its root is taken.
        norms = one.square().sum(1)[:, None] + other.square().sum(1)[None, :]
        i, j = (distances < CLOSE * norms).nonzero(as_tuple=True)
        if len(i) <= max(len(one), len(other)):
            distances[i, j] = (one[i] - other[j]).square().sum(1)
        else:
            centre = other.double().mean(0)
            distances = squared_distances(one.double() - centre, other.double() - centre)
        return self._of_squares(distances).double()

    def _of_squares(self, distances: torch.Tensor) -> torch.Tensor:
        return -distances.sqrt()


class ProductKernel(Kernel):
    """(s·xᵀy + c)^p.

    Args:
        degree: p.
        constant: c.
    """

    def __init__(self, degree: int, constant: float) -> None:
        self._degree = degree
        self._constant = constant

    def __call__(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return k(xᵢ, yⱼ) `(n, m)` of `(n, d)` and `(m, d)`, in their type."""
        return self._power((x @ y.T).mul_(self._scale(x.shape[1])).add_(self._constant))

    def tile(self, x: Centred, y: Centred) -> torch.Tensor:
        """Return k(xᵢ, yⱼ) `(n, m)` float64; what the centre adds to the products is float64 throughout."""
        scale = self._scale(x.vectors.shape[1])
        rows, columns = scale * x.along + self._constant, scale * y.along
        # In as few passes as can be: they take as long as the product where dimensions are few.
        products = torch.add(rows[:, None], x.vectors @ y.vectors.T, alpha=scale)
        return self._power(products.add_(columns))

    def diagonal(self, x: Centred) -> torch.Tensor:
        """Return k(xᵢ, xᵢ) `(n,)` float64."""
        products = x.vectors.double().square().sum(1) + 2 * x.along
        return self._power(products * self._scale(x.vectors.shape[1]) + self._constant)

    @abstractmethod
    def _scale(self, dimension: int) -> float:
        """Return s for vectors of that dimension."""

    def _power(self, base: torch.Tensor) -> torch.Tensor:
        return base if self._degree == 1 else base.pow_(self._degree)


class PolynomialKernel(ProductKernel):
    """(xᵀy/d + c)^p; as (xᵀy/d + 1)³ the kernel of KID, blind to moments beyond the third.

    Bińkowski et al., "Demystifying MMD GANs", 2018.

    Args:
        degree: p.
        constant: c.
    """

    def __init__(self, degree: int = 3, constant: float = 1.0) -> None:
        super().__init__(degree, constant)

    def _scale(self, dimension: int) -> float:
        return 1 / dimension


class LinearKernel(ProductKernel):
    """xᵀy, whose biased discrepancy is the squared distance of the means."""

    def __init__(self) -> None:
        super().__init__(degree=1, constant=0.0)

    def _scale(self, dimension: int) -> float:
        return 1.0
