"""The Inception Score."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

import numpy as np
import torch

from ganlab import ComponentError, Estimate, Evaluator, FeatureBank

__all__ = ["InceptionScore", "scores_of_splits"]

SPLIT_SEED = 2020
"""torch-fidelity's: with it, the same logits give the same number there and here."""
PUBLISHED_SAMPLES = 50_000


class InceptionScore(Evaluator):
    """exp E KL(p(y|x) ‖ p(y)) of generated images alone, the mean over splits.

    Salimans et al., "Improved Techniques for Training GANs", 2016. Real images serve as the floor
    only: theirs is the score to reach.

    Args:
        splits: parts that the shuffled samples are cut into.
    """

    def __init__(self, splits: int = 10) -> None:
        self._splits = splits

    def evaluate(self, real: FeatureBank, fake: FeatureBank) -> Mapping[str, Estimate]:
        """Return `inception-score`; banks hold logits.

        Raises:
            ComponentError: there are fewer samples than splits.
        """
        if fake.features is None or fake.n < self._splits:
            raise ComponentError(
                f"{fake.n} samples cannot be cut into {self._splits} splits", option="splits"
            )
        scores = scores_of_splits(fake.features, self._splits)
        warnings = (
            (f"published scores are of {PUBLISHED_SAMPLES:,} samples; {fake.n:,} give a lower one",)
            if fake.n < PUBLISHED_SAMPLES
            else ()
        )
        notes = (
            f"±{statistics.pstdev(scores):.4g} over {self._splits} splits, as published; "
            "not a standard error of the score",
        )
        return {"inception-score": Estimate(statistics.fmean(scores), warnings=warnings, notes=notes)}


def scores_of_splits(logits: torch.Tensor, splits: int) -> list[float]:
    """Return the score of each split of shuffled `(n, classes)` logits."""
    n = len(logits)
    shuffled = logits[torch.from_numpy(np.random.RandomState(SPLIT_SEED).permutation(n))]
    scores = []
    for split in range(splits):
        log_p = shuffled[split * n // splits : (split + 1) * n // splits].double().log_softmax(1)
        p = log_p.exp()
        divergence = (p * (log_p - p.mean(0).log())).sum(1)
        scores.append(float(divergence.mean().exp()))
    return scores
