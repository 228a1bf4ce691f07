"""Which classes of a labelled dataset are generated, and how often."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from ganlab import ComponentError, Estimate, Evaluator, FeatureBank
from ganlab_neighbours.inputs import cautions, features_of
from ganlab_neighbours.search import Neighbours, nearest

__all__ = ["Modes"]

RELIABLE = 0.9
"""Accuracy of the classifier below which its verdicts on generated samples come with a warning."""


class Modes(Evaluator):
    """Classes hit by generated samples, and the divergence of their frequencies from the real ones.

    A sample's class is that of most of its k nearest real samples. A class is hit if its share of the
    generated samples is at least `least` of its share of the real ones, so that a few misjudged
    samples do not count (with 0, a single sample is enough, as in Metz et al., "Unrolled generative
    adversarial networks", 2017, and Srivastava et al., "VEEGAN", 2017).

    Args:
        classes: of the dataset.
        k: neighbours that vote.
        least: share of a class's real frequency.
    """

    def __init__(self, classes: int, k: int = 5, least: float = 0.1) -> None:
        self._classes = classes
        self._k = k
        self._least = least
        self._accuracy = 0.0
        self._judged = ""

    def prepare(self, real: FeatureBank, held_out: FeatureBank | None) -> None:
        """Measure the classifier's accuracy, on held-out samples or else by leaving one out.

        Raises:
            ComponentError: there are too few samples, or no labels.
        """
        points, labels = features_of(real, self._k, option="k"), _labels(real)
        if held_out is not None and held_out.labels is not None:
            truth, self._judged = held_out.labels, f"{held_out.n:,} held-out samples"
            neighbours = nearest(features_of(held_out, 0), points, self._k)
        else:
            truth, self._judged = labels, f"{real.n:,} training samples, each left out in its turn"
            neighbours = nearest(points, points, self._k, exclude_self=True)
        self._accuracy = float((self._classify(neighbours, labels) == truth).double().mean())

    def evaluate(self, real: FeatureBank, fake: FeatureBank) -> Mapping[str, Estimate]:
        """Return `classes-hit` and `kl`, KL(generated ‖ real) in nats.

        Raises:
            ComponentError: there are too few samples, or no labels.
        """
        points, labels = features_of(real, self._k, option="k"), _labels(real)
        classes = self._classify(nearest(features_of(fake, 0), points, self._k), labels)
        generated = torch.bincount(classes, minlength=self._classes).double() / fake.n
        expected = torch.bincount(labels, minlength=self._classes).double() / real.n
        hit = (generated > 0) & (generated >= self._least * expected)
        warnings = (*self._warnings(expected), *cautions(real, fake))
        notes = (
            f"the {self._k} nearest neighbours name the class of {self._accuracy:.1%} of {self._judged}",
            *_missed((expected > 0) & ~hit),
        )
        value, error = _divergence(generated, expected, fake.n, real.n)
        return {
            "classes-hit": Estimate(float(hit.sum()), None, warnings, notes),
            "kl": Estimate(value, error),
        }

    def state_dict(self) -> dict[str, Any]:
        """Return the classifier's accuracy."""
        return {"accuracy": self._accuracy, "judged": self._judged}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the classifier's accuracy."""
        self._accuracy, self._judged = state["accuracy"], state["judged"]

    def _classify(self, neighbours: Neighbours, labels: torch.Tensor) -> torch.Tensor:
        votes = torch.zeros(len(neighbours.indices), self._classes, dtype=torch.float64)
        # Of classes with equally many votes, nearer neighbours decide.
        weights = 1 + torch.linspace(0.5, 0, self._k, dtype=torch.float64) / self._k
        votes.scatter_add_(1, labels[neighbours.indices], weights.expand(len(votes), -1))
        return votes.argmax(1)

    def _warnings(self, expected: torch.Tensor) -> Iterator[str]:
        if self._accuracy < RELIABLE:
            yield (
                f"the classes are guesses: nearest neighbours name those of only {self._accuracy:.1%} of "
                f"{self._judged}; choose `features` that tell them apart"
            )
        absent = int((expected == 0).sum())
        if absent:
            yield f"{absent} of {self._classes} classes have no real sample here, and cannot be hit"


def _labels(bank: FeatureBank) -> torch.Tensor:
    if bank.labels is None:
        raise ComponentError(
            "`modes` counts the classes of labelled data, and these real samples have no labels"
        )
    return bank.labels


def _missed(missed: torch.Tensor) -> Iterator[str]:
    which = missed.nonzero()[:, 0].tolist()
    if which:
        yield f"missed: class {', '.join(map(str, which))}" if len(which) < 20 else f"{len(which)} missed"


def _divergence(generated: torch.Tensor, expected: torch.Tensor, n: int, m: int) -> tuple[float, float]:
    """Return Σ p log(p/q) with its standard error, p of n samples and q of m.

    Its variance is that of the delta method; where the first order vanishes since p = q, that of the
    χ² which the divergence then follows, and which the first order overstates twice.
    """
    present = generated > 0
    p, q = generated[present], expected[present]
    log_ratio = (p / q).log()
    value = float((p * log_ratio).sum())
    first = (float((p * log_ratio.square()).sum()) - value**2) / n + (float((p.square() / q).sum()) - 1) / m
    second = (int((expected > 0).sum()) - 1) / 2 * (1 / n + 1 / m) ** 2
    return value, math.sqrt(max(first - second, second))
