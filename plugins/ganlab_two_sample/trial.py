"""What both tests share: the two classes, how they are held out, and what is made of the scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch

from ganlab import ComponentError, Estimate, FeatureBank

__all__ = ["FEWEST", "Trial", "area_under_curve", "p_value"]

FOLDS = 5
FEWEST = 20
"""Samples of each kind below which no classifier is trained and tested on a part of them."""
RELIABLE = 100
"""Samples of each kind below which the numbers are told to be coarse."""
SEED = 0
SHARED = 1.7
"""By what classifiers that share training samples vary more than a coin."""
SIGNIFICANT = 4.0
"""Standard deviations below a coin from which a warning is due, many times in a run."""


@dataclass(frozen=True)
class Trial:
    """As many reals as fakes, and which of them each classifier learns from and is tested on.

    Accuracy and AUC are those of five classifiers, each tested on the fifth that it has not
    seen. Their accuracy together is no binomial number (they share training samples: its
    variance is about 1.7 times as large, and p-values made from it reject a true hypothesis
    at twice the level). The p-value therefore comes from one more classifier, trained on one
    half and tested once on the other. An accuracy well below ½ is no better: fakes that copy
    reals are taken for them, since their originals were learned with the other label.

    Attributes:
        features: `(2n, d)` float64, the first n real, the others fake; each column of mean 0 and
            deviation 1 over all of them, or 0.
        labels: `(2n,)` float64, 1 for fakes.
        folds: `(2n,)` int64 in `range(FOLDS)`, both classes in equal shares.
        halves: `(2n,)` int64, 0 to learn from and 1 to be tested on, likewise.
        scale: `(d,)` float64 deviations that features were divided by.
        shift: `(d,)` float64 means that were taken off.
        given: real and generated samples that there were.
    """

    features: torch.Tensor
    labels: torch.Tensor
    folds: torch.Tensor
    halves: torch.Tensor
    scale: torch.Tensor
    shift: torch.Tensor
    given: tuple[int, int]

    @classmethod
    def of(cls, real: FeatureBank, fake: FeatureBank) -> Trial:
        """Return the trial of the first min(n, m) samples of two banks.

        Raises:
            ComponentError: a bank has no features, or fewer than `FEWEST` samples.
        """
        if real.features is None or fake.features is None:
            raise ComponentError("a classifier needs whole features, and this bank has moments only")
        n = min(real.n, fake.n)
        if n < FEWEST:
            raise ComponentError(
                f"a classifier cannot be trained and tested on {n} real and {n} generated samples; "
                f"it takes {FEWEST} of each, and {RELIABLE} to be of use"
            )
        both = torch.cat([real.features[:n], fake.features[:n]]).double()
        shift, scale = both.mean(0), both.std(0, correction=0)
        # What is constant but for rounding says nothing; divided by its deviation it would shout.
        constant = scale <= 1e-6 * both.abs().amax(0)
        scale = torch.where(constant, torch.ones_like(scale), scale)
        standardised = ((both - shift) / scale).masked_fill_(constant, 0)
        labels = torch.cat([torch.zeros(n), torch.ones(n)]).double()
        generator = torch.Generator().manual_seed(SEED)
        folds, halves = _dealt(n, FOLDS, generator), _dealt(n, 2, generator)
        return cls(standardised, labels, folds, halves, scale, shift, (real.n, fake.n))

    @property
    def n(self) -> int:
        """Samples of each kind."""
        return len(self.labels) // 2

    def subsets(self) -> torch.Tensor:
        """Return what each classifier learns from, `(2n, FOLDS + 2)` bool.

        One column for each fold, one for the half, and one with all samples.
        """
        columns = [self.folds != fold for fold in range(FOLDS)]
        return torch.stack([*columns, self.halves == 0, torch.ones_like(self.labels, dtype=torch.bool)], 1)

    def estimates(self, score: Callable[[int], torch.Tensor]) -> Mapping[str, Estimate]:
        """Return the accuracy, its departure from ½, AUC and p-value.

        Args:
            score: maps a column of `subsets` to its classifier's scores `(2n,)` of all samples,
                positive for fakes.
        """
        right, areas = 0.0, []
        for fold in range(FOLDS):
            tested = self.folds == fold
            scores, labels = score(fold)[tested], self.labels[tested]
            right += _right(scores, labels)
            areas.append(area_under_curve(scores[labels == 1], scores[labels == 0]))
        half = self.halves == 1
        accuracy = right / len(self.labels)
        once = _right(score(FOLDS)[half], self.labels[half]) / int(half.sum())
        warnings = (
            (f"{self.n} samples of each kind make coarse numbers; take {RELIABLE} or more",)
            if self.n < RELIABLE
            else ()
        )
        suspicions = tuple(_suspicions(accuracy, self.n))
        real, fake = self.given
        notes = (
            (f"of {real:,} real and {fake:,} generated samples, the first {self.n:,} of both",)
            if real != fake
            else ()
        )
        return {
            "departure": Estimate(abs(accuracy - 0.5), warnings=warnings, notes=notes),
            "accuracy": Estimate(accuracy, warnings=(*suspicions, *warnings)),
            "auc": Estimate(sum(areas) / FOLDS, warnings=warnings),
            "p-value": Estimate(p_value(once, int(half.sum())), warnings=warnings),
        }


def _suspicions(accuracy: float, n: int) -> Iterator[str]:
    """Yield a warning where n samples of each kind are told apart far less often than by a coin."""
    below = (0.5 - accuracy) / math.sqrt(SHARED / (8 * n))
    if below > SIGNIFICANT:
        yield (
            f"fakes are taken for reals: they are told apart in {accuracy:.1%} of cases, {below:.1f} "
            "standard deviations less often than by a coin, as copies of the reals are"
        )


def p_value(accuracy: float, n: int) -> float:
    """Return P(N(½, 1/4n) ≥ accuracy): how often a coin would do as well on n samples."""
    return 0.5 * math.erfc((accuracy - 0.5) * 2 * math.sqrt(n) / math.sqrt(2))


def area_under_curve(fake: torch.Tensor, real: torch.Tensor) -> float:
    """Return P(a fake's score is above a real's) + ½ P(they are equal), of scores `(n,)` and `(m,)`."""
    ordered = real.sort().values
    below = torch.searchsorted(ordered, fake.contiguous())
    up_to = torch.searchsorted(ordered, fake.contiguous(), right=True)
    return float((below + up_to).double().mean()) / (2 * len(real))


def _right(scores: torch.Tensor, labels: torch.Tensor) -> float:
    """Return how many are told right; a score of 0 is right half of the time."""
    signs = torch.sign(scores) * (2 * labels - 1)
    return float(((signs + 1) / 2).sum())


def _dealt(n: int, parts: int, generator: torch.Generator) -> torch.Tensor:
    """Return a part for each of `2n` samples, at random, each class in equal shares."""
    dealt = torch.arange(n) % parts
    return torch.cat([dealt[torch.randperm(n, generator=generator)] for _ in range(2)])
