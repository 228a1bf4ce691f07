"""The `frechet` evaluator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch

from ganlab import ComponentError, Estimate, Evaluator, FeatureBank
from ganlab_frechet.chance import distance_of_equals, population_variances
from ganlab_frechet.distance import covariance_factor, distance_of_few, frechet_distance, root_trace

__all__ = ["FrechetEvaluator"]

COMPARABLE_SAMPLES = 10_000
"""Samples below which values at different counts differ by their bias more than by what they measure."""


@dataclass(frozen=True)
class _Reference:
    """What is computed once of the real bank, and only where it is needed."""

    bank: FeatureBank
    known: dict[tuple[int, int], float] = field(default_factory=dict)

    @cached_property
    def factor(self) -> torch.Tensor:
        """A factor of its covariance."""
        return covariance_factor(self.bank.moments.covariance)

    @cached_property
    def variances(self) -> torch.Tensor:
        """`(d,)` eigenvalues of the covariance that it was drawn from."""
        return population_variances(sample_variances(self.bank), self.bank.n)

    def apart(self, n: int, m: int) -> float:
        """Return about how far apart two sets of real samples are."""
        if (n, m) not in self.known:
            self.known[n, m] = distance_of_equals(self.variances, n, m)
        return self.known[n, m]


def sample_variances(bank: FeatureBank) -> torch.Tensor:
    """Return the `(d,)` eigenvalues of a bank's covariance, without that matrix where samples are few."""
    if bank.features is None or bank.n >= bank.dimension:
        return torch.as_tensor(torch.linalg.eigvalsh(bank.moments.covariance))
    centred = bank.features.double() - bank.features.double().mean(0)
    found = torch.linalg.eigvalsh(centred @ centred.T / (bank.n - 1))
    return torch.cat([found.new_zeros(bank.dimension - bank.n), found])


class FrechetEvaluator(Evaluator):
    """Squared Fréchet distance between Gaussians fitted to real and generated features.

    Nothing is frozen; the factor of the reference covariance is remembered between calls.
    """

    def __init__(self) -> None:
        self._reference: _Reference | None = None

    def evaluate(self, real: FeatureBank, fake: FeatureBank) -> Mapping[str, Estimate]:
        """Return `frechet`, and among its warnings what real samples in such numbers are apart.

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
        apart = f"{self._remembered(real).apart(real.n, fake.n):.4g}"
        if fewest <= real.dimension:
            yield (
                f"the covariance of {fewest} samples in {real.dimension} dimensions is singular, and much of "
                f"the value is chance: two sets of real samples this large are about {apart} apart"
            )
        elif value < 2 * float(apart):
            yield f"within twice {apart}, about what two sets of real samples this large are apart"
        elif fewest < COMPARABLE_SAMPLES:
            yield (
                f"two sets of real samples this large are about {apart} apart; "
                "compare with values at the same counts only"
            )
