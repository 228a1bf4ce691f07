"""The `frechet-infinity` evaluator: the Fréchet distance with the bias of sample counts extrapolated away.

Chong & Forsyth, "Effectively Unbiased FID and Inception Score and Where to Find Them", 2020.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch

from ganlab import ComponentError, Estimate, Evaluator, FeatureBank
from ganlab_frechet.distance import sampling_variance
from ganlab_frechet.evaluator import FrechetEvaluator

__all__ = ["FrechetInfinityEvaluator", "intercept_weights"]

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

    The standard error comes from how the subsets vary and what each weighs in the intercept, not from how
    well they fit the line: the smallest, which varies most, pulls the line to itself.
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
        shares = self._shares(x, y)
        inverse, distances = [], []
        for share in shares:
            one, other = (_drawn(each, share, generator) for each in (x, y))
            inverse.append((1 / len(one) + 1 / len(other)) / 2)
            distances.append(plain.distance(FeatureBank(one), FeatureBank(other)))
        weights = intercept_weights(inverse)
        value = float(weights @ torch.tensor(distances, dtype=torch.float64))
        error = _variance(x, y, shares, weights, generator) ** 0.5
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


def intercept_weights(x: Sequence[float]) -> torch.Tensor:
    """Return `(k,)` float64: the share of a value at each x in where their least-squares line meets x = 0."""
    at = torch.tensor(x, dtype=torch.float64)
    design = torch.stack([torch.ones_like(at), at / at.mean()], 1)
    lines: torch.Tensor = torch.linalg.inv(design.T @ design) @ design.T
    return lines[0]


def _variance(
    x: torch.Tensor,
    y: torch.Tensor,
    shares: Sequence[float],
    weights: torch.Tensor,
    generator: torch.Generator,
) -> float:
    """Return the variance of the intercept over samples of the same distributions, and over subsets of them.

    Over samples a distance varies by V + W, where V falls with their number and W with its square: W is
    all there is where the distributions are equal. Subsets of a share s of given banks vary by
    V(1/s−1) + W(1/s−1)² more, each on its own; else all move as one, and weights sum to one.
    """
    first = sampling_variance(x, y)
    second = _second_order(x, y, first, generator)
    beyond = 1 / torch.tensor(shares, dtype=torch.float64) - 1
    of_subsets = float(weights.square() @ (first * beyond + second * beyond.square()))
    # Subsets of these banks vary as found; over samples V is less: chance was taken for a difference, as 2W.
    return max(first - second, second) + of_subsets


def _second_order(x: torch.Tensor, y: torch.Tensor, first: float, generator: torch.Generator) -> float:
    """Return W: `sampling_variance` finds V + 2W of all samples and 2V + 8W of a half of them."""
    halves = zip(_halves(x, generator), _halves(y, generator), strict=True)
    of_halves = [sampling_variance(one, other) for one, other in halves]
    return max(0.0, (sum(of_halves) / 2 - 2 * first) / 4)


def _halves(features: torch.Tensor, generator: torch.Generator) -> Sequence[torch.Tensor]:
    return [features[rows] for rows in torch.randperm(len(features), generator=generator).chunk(2)]


def _drawn(features: torch.Tensor, share: float, generator: torch.Generator) -> torch.Tensor:
    count = round(share * len(features))
    return features[torch.randperm(len(features), generator=generator)[:count]]
