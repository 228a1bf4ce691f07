"""The `classifier-test` evaluator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch

from ganlab import Estimate, Evaluator, FeatureBank
from ganlab_two_sample.logistic import fit
from ganlab_two_sample.trial import Trial

__all__ = ["ClassifierTest"]

NAMED = 5
"""Features of the largest weights that are named."""


class ClassifierTest(Evaluator):
    """Held-out accuracy of a ridge logistic regression that tells fakes from reals.

    Accuracy and AUC are 0.5 where it can do no better than a coin. Each bank is cut to the size
    of the smaller one. Nothing is frozen; which samples are held out is the same every time.

    Args:
        regularisation: strength of the L2 penalty.
    """

    def __init__(self, regularisation: float = 0.3) -> None:
        self._regularisation = regularisation

    def evaluate(self, real: FeatureBank, fake: FeatureBank) -> Mapping[str, Estimate]:
        """Return `accuracy`, with the features of the largest weights in its notes, and the other numbers.

        Raises:
            ComponentError: a bank has no features, or too few samples.
        """
        trial = Trial.of(real, fake)
        features = torch.cat([trial.features, torch.ones(2 * trial.n, 1, dtype=torch.float64)], 1)
        weights = fit(features, trial.labels, trial.subsets().double(), self._regularisation)
        scores = features @ weights
        estimates = dict(trial.estimates(lambda column: scores[:, column]))
        notes = _notes(weights[:-1, -1], real.names)
        estimates["accuracy"] = replace(estimates["accuracy"], notes=notes)
        return estimates


def _notes(weights: torch.Tensor, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return what the largest weights `(d,)` say, by name; nothing where features have none."""
    if not names:
        return ()
    largest = weights.abs().argsort(descending=True, stable=True)[:NAMED].tolist()
    return tuple(
        f"fakes have {'more' if weights[index] > 0 else 'less'} of: {names[index]} "
        f"(weight {float(weights[index]):+.2f})"
        for index in largest
        if weights[index] != 0
    )
