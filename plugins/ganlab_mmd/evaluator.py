"""The `mmd` evaluator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch

from ganlab import ComponentError, Estimate, Evaluator, FeatureBank
from ganlab_mmd.kernels import (
    EnergyKernel,
    Kernel,
    LinearKernel,
    PolynomialKernel,
    RationalQuadraticKernel,
    RbfKernel,
)
from ganlab_mmd.statistic import KernelSums, cross_sums, mmd2, within_sums

__all__ = ["MmdEvaluator", "median_distance"]

HEURISTIC_SAMPLES = 2000
"""Real samples whose pairs the median is taken over: two million distances."""


class MmdEvaluator(Evaluator):
    """Squared maximum mean discrepancy between generated and real features.

    The width of the kernels is fixed by the median distance between real samples at the
    first look, so that values of one run can be compared with each other.

    Args:
        kernel: name of the kernel.
        bandwidths: widths of the mixed kernels, in median distances.
        unbiased: leave the diagonals out.
    """

    def __init__(
        self,
        kernel: Literal["rbf", "rational-quadratic", "energy", "polynomial", "linear"] = "rbf",
        bandwidths: Sequence[float] = (0.25, 0.5, 1.0, 2.0, 4.0),
        *,
        unbiased: bool = True,
    ) -> None:
        self._name = kernel
        self._bandwidths = list(bandwidths)
        self._unbiased = unbiased
        self._scale: float | None = None
        self._within: tuple[FeatureBank, KernelSums] | None = None

    def prepare(self, real: FeatureBank, held_out: FeatureBank | None) -> None:
        """Freeze the median distance between real samples."""
        if self._name in ("rbf", "rational-quadratic"):
            self._scale = median_distance(_features(real)[:HEURISTIC_SAMPLES])

    def evaluate(self, real: FeatureBank, fake: FeatureBank) -> Mapping[str, Estimate]:
        """Return `mmd2` with its standard error.

        Raises:
            ComponentError: a bank has fewer than two samples or no features.
        """
        kernel = self._kernel()
        x, y = _features(real), _features(fake)
        if self._within is None or self._within[0] is not real:
            self._within = (real, within_sums(kernel, x))
        value, error = mmd2(
            self._within[1], within_sums(kernel, y), cross_sums(kernel, x, y), unbiased=self._unbiased
        )
        return {"mmd2": Estimate(value, standard_error=error)}

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


def _features(bank: FeatureBank) -> torch.Tensor:
    if bank.features is None or bank.n < 2:
        raise ComponentError("MMD compares two banks of at least 2 feature vectors each")
    return bank.features
