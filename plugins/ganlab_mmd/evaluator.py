"""The `mmd` evaluator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch

from ganlab import ComponentError, Estimate, Evaluator, FeatureBank
from ganlab_mmd.blocks import block_mmd2
from ganlab_mmd.kernels import (
    EnergyKernel,
    Kernel,
    LinearKernel,
    PolynomialKernel,
    RationalQuadraticKernel,
    RbfKernel,
)
from ganlab_mmd.permutation import permutation_p_value
from ganlab_mmd.statistic import KernelSums, cross_sums, mmd2, within_sums

__all__ = ["MmdEvaluator", "median_distance"]

HEURISTIC_SAMPLES = 2000
"""Real samples whose pairs the median is taken over: two million distances."""

FEW = 30
"""Samples below which the spread that the standard error is made of is a guess itself."""

PERMUTED_SAMPLES = 1000
"""Samples of each bank that are permuted: their kernel matrix is held whole."""


class MmdEvaluator(Evaluator):
    """Squared maximum mean discrepancy between generated and real features, and its p-value.

    The width of the kernels is fixed by the median distance between real samples at the
    first look, so that values of one run can be compared with each other.

    Args:
        kernel: name of the kernel.
        bandwidths: widths of the mixed kernels, in median distances.
        estimator: `unbiased` leaves the diagonals out; `block` is the mean over small blocks.
        permutations: random divisions that the p-value rests on.
    """

    def __init__(
        self,
        kernel: Literal["rbf", "rational-quadratic", "energy", "polynomial", "linear"] = "rbf",
        bandwidths: Sequence[float] = (0.25, 0.5, 1.0, 2.0, 4.0),
        *,
        estimator: Literal["unbiased", "biased", "block"] = "unbiased",
        permutations: int = 1000,
    ) -> None:
        self._name = kernel
        self._bandwidths = list(bandwidths)
        self._estimator = estimator
        self._permutations = permutations
        self._scale: float | None = None
        self._same = 0.0
        self._within: tuple[FeatureBank, KernelSums] | None = None

    def prepare(self, real: FeatureBank, held_out: FeatureBank | None) -> None:
        """Freeze the median distance between real samples."""
        if self._name in ("rbf", "rational-quadratic"):
            features = _features(real)[:HEURISTIC_SAMPLES]
            self._scale = median_distance(features)
            self._same = _share_of_equal_pairs(features)

    def evaluate(self, real: FeatureBank, fake: FeatureBank) -> Mapping[str, Estimate]:
        """Return `mmd2` with its standard error, and the `p-value` of no difference.

        Raises:
            ComponentError: a bank has no features or too few, or they have different dimensions.
        """
        discrepancy = self.discrepancy(real, fake)
        x, y = (_features(bank)[:PERMUTED_SAMPLES] for bank in (real, fake))
        p = permutation_p_value(self._kernel(), x, y, self._permutations)
        return {"mmd2": discrepancy, "p-value": Estimate(p)}

    def discrepancy(self, real: FeatureBank, fake: FeatureBank) -> Estimate:
        """Return the discrepancy alone.

        Raises:
            ComponentError: as `evaluate`.
        """
        x, y = _features(real), _features(fake)
        if x.shape[1] != y.shape[1]:
            raise ComponentError(
                f"features of {x.shape[1]} and of {y.shape[1]} elements are not of the same extractor"
            )
        value, error = self._estimate(self._kernel(), real, x, y)
        return Estimate(value, standard_error=error, warnings=tuple(self._warnings(x, y)))

    def _estimate(
        self, kernel: Kernel, real: FeatureBank, x: torch.Tensor, y: torch.Tensor
    ) -> tuple[float, float]:
        if self._estimator == "block":
            if min(len(x), len(y)) < 4:
                raise ComponentError("blocks need at least 4 samples in each bank", option="estimator")
            return block_mmd2(kernel, x, y)
        if self._within is None or self._within[0] is not real:
            self._within = (real, within_sums(kernel, x))
        unbiased = self._estimator == "unbiased"
        return mmd2(self._within[1], within_sums(kernel, y), cross_sums(kernel, x, y), unbiased=unbiased)

    def _warnings(self, x: torch.Tensor, y: torch.Tensor) -> Iterator[str]:
        fewest = min(len(x), len(y))
        if fewest < FEW:
            yield f"{fewest} samples on one side are few: the standard error is a guess itself"
        if self._same > 0.5:
            yield (
                f"{self._same:.0%} of the pairs of real samples have the same features; the kernel's width "
                "is the median distance of the others"
            )

    def state_dict(self) -> dict[str, Any]:
        """Return the frozen median distance; `None` for kernels that have no width."""
        return {"scale": self._scale}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the frozen median distance."""
        self._scale = state["scale"]
        self._within = None

    def _kernel(self) -> Kernel:
        if self._name == "energy":
            return EnergyKernel()
        if self._name == "polynomial":
            return PolynomialKernel()
        if self._name == "linear":
            return LinearKernel()
        if self._scale is None:
            raise RuntimeError("prepare() fixes the kernel's width, and was not called")
        widths = [factor * self._scale for factor in self._bandwidths]
        return RbfKernel(widths) if self._name == "rbf" else RationalQuadraticKernel(widths)


def median_distance(features: torch.Tensor) -> float:
    """Return the median distance over pairs of `(n, d)` features that are not the same point.

    Raises:
        ComponentError: all points are the same.
    """
    distances = torch.pdist((features.double() - features.double().mean(0)).float())
    apart = distances[distances > 0]
    if not len(apart):
        raise ComponentError(
            f"the kernel's width is the median distance between real samples, but the features of the "
            f'first {len(features)} are all equal; choose other `features`, or kernel = "energy"',
            option="kernel",
        )
    return float(apart.median())


def _share_of_equal_pairs(features: torch.Tensor) -> float:
    """Return which part of the pairs of `(n, d)` features, n ≥ 2, are twice the same point."""
    _, counts = np.unique(features.numpy(), axis=0, return_counts=True)
    return float((counts * (counts - 1)).sum()) / (len(features) * (len(features) - 1))


def _features(bank: FeatureBank) -> torch.Tensor:
    if bank.features is None or bank.n < 2:
        raise ComponentError("MMD compares two banks of at least 2 feature vectors each")
    return bank.features
