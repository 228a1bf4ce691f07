"""The `frechet-infinity` evaluator: the Fréchet distance with the bias of sample counts extrapolated away.

Chong & Forsyth, "Effectively Unbiased FID and Inception Score and Where to Find Them", 2020.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch

from ganlab import ComponentError, Estimate, Evaluator, FeatureBank
from ganlab_frechet.distance import sampling_variance
from ganlab_frechet.evaluator import FrechetEvaluator

__all__ = ["FrechetInfinityEvaluator", "intercept"]

SIZES = 15
FEWEST = 2 * SIZES
"""Samples below which fifteen sizes are not worth a line."""
SMALLEST = 0.1
"""The smallest size, in all samples; larger where it would not be twice the dimensions."""
SEED = 0


class FrechetInfinityEvaluator(Evaluator):
    """The intercept of the Fréchet distances of N samples, regressed on 1/N, at 15 sizes N.

    Subsets are drawn of both banks, without replacement, from a generator of its own: both are
    finite here, where the paper has a reference large enough to be left whole. Sizes run
    evenly to all samples, from a tenth of them or twice the dimensions.

    The standard error has two parts: that of the regression, and what other samples of the
    same distributions would change. Subsets of one bank overlap, so it is somewhat too small:
    twice it covers the truth in about nine cases of ten.
    """

    def evaluate(self, real: FeatureBank, fake: FeatureBank) -> Mapping[str, Estimate]:
        """Return `frechet-infinity`, which may be negative where the distributions are alike.

        Raises:
            ComponentError: a bank has no features or fewer than 30, or their dimensions differ.
        """
        x, y = real.features, fake.features
        if x is None or y is None or min(len(x), len(y)) < FEWEST:
            raise ComponentError(
                f"{SIZES} sizes to extrapolate from need at least {FEWEST} samples in each bank"
            )
        generator = torch.Generator().manual_seed(SEED)
        plain = FrechetEvaluator()
        inverse, distances = [], []
        for share in self._shares(x, y):
            one, other = (_drawn(each, share, generator) for each in (x, y))
            inverse.append((1 / len(one) + 1 / len(other)) / 2)
            distances.append(plain.distance(FeatureBank(one), FeatureBank(other)))
        value, error = intercept(inverse, distances)
        error = (error**2 + sampling_variance(x, y)) ** 0.5
        return {
            "frechet-infinity": Estimate(value, standard_error=error, warnings=tuple(self._warnings(x, y)))
        }

    def _shares(self, x: torch.Tensor, y: torch.Tensor) -> Sequence[float]:
        fewest, dimension = min(len(x), len(y)), x.shape[1]
        smallest = max(SMALLEST, min(0.5, 2 * dimension / fewest))
        return list(torch.linspace(smallest, 1, SIZES, dtype=torch.float64).tolist())

    def _warnings(self, x: torch.Tensor, y: torch.Tensor) -> Iterator[str]:
        fewest, dimension = min(len(x), len(y)), x.shape[1]
        if fewest < 4 * dimension:
            yield (
                f"{fewest} samples are too few in {dimension} dimensions: below {4 * dimension}, distances "
                "do not follow the line that is extrapolated"
            )


def intercept(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    """Return where the least-squares line through points meets x = 0, and the error by its residuals."""
    at, values = torch.tensor(x, dtype=torch.float64), torch.tensor(y, dtype=torch.float64)
    design = torch.stack([torch.ones_like(at), at / at.mean()], 1)
    inverse = torch.linalg.inv(design.T @ design)
    line = inverse @ design.T @ values
    variance = (values - design @ line).square().sum() / (len(values) - 2)
    return float(line[0]), float((variance * inverse[0, 0]).sqrt())


def _drawn(features: torch.Tensor, share: float, generator: torch.Generator) -> torch.Tensor:
    count = round(share * len(features))
    return features[torch.randperm(len(features), generator=generator)[:count]]
