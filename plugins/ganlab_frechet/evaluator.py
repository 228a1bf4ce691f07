"""The `frechet` evaluator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch

from ganlab import ComponentError, Estimate, Evaluator, FeatureBank
from ganlab_frechet.distance import (
    bias,
    covariance_factor,
    distance_of_few,
    frechet_distance,
    root_trace,
)

__all__ = ["FrechetEvaluator"]

COMPARABLE_SAMPLES = 10_000
"""Samples below which values at different counts differ by their bias more than by what they measure."""


@dataclass(frozen=True)
class _Reference:
    """What is computed once of the real bank, and only where it is needed."""

    bank: FeatureBank

    @cached_property
    def factor(self) -> torch.Tensor:
        """A factor of its covariance."""
        return covariance_factor(self.bank.moments.covariance)

    @cached_property
    def variances(self) -> torch.Tensor:
        """`(d,)` eigenvalues of its covariance."""
        return torch.as_tensor(torch.linalg.eigvalsh(self.bank.moments.covariance))


class FrechetEvaluator(Evaluator):
    """Squared Fréchet distance between Gaussians fitted to real and generated features.

    Nothing is frozen; the factor of the reference covariance is remembered between calls.
    """

    def __init__(self) -> None:
        self._reference: _Reference | None = None

    def evaluate(self, real: FeatureBank, fake: FeatureBank) -> Mapping[str, Estimate]:
        """Return `frechet`, with its bias at these sample counts among the warnings.

        Raises:
            ComponentError: a bank has fewer than two samples, or they have different dimensions.
        """
        value = self.distance(real, fake)
        return {"frechet": Estimate(value, warnings=tuple(self._warnings(value, real, fake)))}

    def distance(self, real: FeatureBank, fake: FeatureBank) -> float:
        """Return the distance alone.

        Raises:
            ComponentError: as `evaluate`.
        """
        if min(real.n, fake.n) < 2:
            raise ComponentError("a covariance needs at least 2 samples in each bank")
        if real.dimension != fake.dimension:
            raise ComponentError(
                f"features of {real.dimension} and of {fake.dimension} elements are not of the same extractor"
            )
        if max(real.n, fake.n) < real.dimension and real.features is not None and fake.features is not None:
            return distance_of_few(real.features, fake.features)
        one, other = real.moments, fake.moments
        return frechet_distance(
            one.mean - other.mean,
            float(one.covariance.trace()),
            float(other.covariance.trace()),
            root_trace(self._remembered(real).factor, other.covariance),
        )

    def _remembered(self, real: FeatureBank) -> _Reference:
        if self._reference is None or self._reference.bank is not real:
            self._reference = _Reference(real)
        return self._reference

    def _warnings(self, value: float, real: FeatureBank, fake: FeatureBank) -> Iterator[str]:
        fewest = min(real.n, fake.n)
        if fewest < real.dimension + 1:
            yield f"the covariance of {fewest} samples in {real.dimension} dimensions is singular"
            return
        expected = bias(self._remembered(real).variances, real.n, fake.n)
        if value < 2 * expected:
            yield f"within twice {expected:.4g}, what two sets of real samples this large are apart"
        elif fewest < COMPARABLE_SAMPLES:
            yield (
                f"about {expected:.4g} of it is bias of the sample counts; "
                "compare with values at the same counts only"
            )
