"""The `tree-test` evaluator."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import torch

from ganlab import ComponentError, Estimate, Evaluator, FeatureBank
from ganlab_two_sample.trial import Trial

__all__ = ["TreeTest"]

MOST = 4000
"""Samples that a tree is grown from at the most; a few questions are found in no more."""
LEAF = 0.01
"""Share of them that a leaf holds at the least."""
TOLD = 3
"""Questions of the tree that are put in words."""


class TreeTest(Evaluator):
    """Held-out accuracy of a shallow decision tree that tells fakes from reals, and its questions.

    It sees less than logistic regression does, and says in words what it saw. Nothing is frozen.

    Args:
        depth: questions from the root to a leaf, at the most.

    Raises:
        ComponentError: scikit-learn is not installed.
    """

    def __init__(self, depth: int = 3) -> None:
        try:
            from sklearn.tree import DecisionTreeClassifier
        except ImportError as error:
            raise ComponentError(
                "a decision tree needs scikit-learn, which is not installed: pip install ganlab[trees]"
            ) from error
        self._classifier = DecisionTreeClassifier
        self._depth = depth

    def evaluate(self, real: FeatureBank, fake: FeatureBank) -> Mapping[str, Estimate]:
        """Return `accuracy`, with what gave the fakes away in its notes, and the other numbers.

        Raises:
            ComponentError: a bank has no features, or too few samples.
        """
        trial = Trial.of(real, fake)
        # Thresholds in the features' own units, so that they can be read.
        features = (trial.features * trial.scale + trial.shift).numpy().astype(np.float32)
        labels, subsets = trial.labels.numpy(), trial.subsets().numpy()

        @cache
        def tree(column: int) -> Any:
            (chosen,) = np.nonzero(subsets[:, column])
            # Every so manieth, and with that as many of each kind.
            chosen = chosen[:: math.ceil(len(chosen) / MOST)]
            smallest = max(1, int(LEAF * len(chosen)))
            # The seed decides between questions that are equally good.
            classifier = self._classifier(max_depth=self._depth, min_samples_leaf=smallest, random_state=0)
            return classifier.fit(features[chosen], labels[chosen])

        def score(column: int) -> torch.Tensor:
            return torch.from_numpy(tree(column).predict_proba(features)[:, 1] - 0.5)

        estimates = dict(trial.estimates(score))
        whole = tree(subsets.shape[1] - 1).tree_
        notes = tuple(question.text(real.names) for question in _best_questions(whole))
        estimates["accuracy"] = replace(estimates["accuracy"], notes=notes)
        return estimates


@dataclass(frozen=True)
class _Question:
    """An inner node of a tree, seen from the side that holds more of the fakes.

    Attributes:
        answers: from the root to this node, and then on to that side: feature, threshold, and
            whether its value is above it.
        fakes: share of the fakes at this node that are on that side.
        reals: likewise.
        gain: impurity that the question takes away, summed over samples.
    """

    answers: tuple[tuple[int, float, bool], ...]
    fakes: float
    reals: float
    gain: float

    def text(self, names: Sequence[str]) -> str:
        """Return the question in words."""
        *before, last = [
            f"{names[index] if names else f'feature {index}'} {'>' if above else '≤'} {threshold:.3g}"
            for index, threshold, above in self.answers
        ]
        among = f"where {' and '.join(before)}: " if before else ""
        return f"{among}{last} in {self.fakes:.0%} of the fakes and {self.reals:.0%} of the reals"


def _best_questions(tree: Any) -> list[_Question]:
    """Return the questions that told most, the best one first."""
    return sorted(_questions(tree), key=lambda question: -question.gain)[:TOLD]


def _questions(
    tree: Any, node: int = 0, answers: tuple[tuple[int, float, bool], ...] = ()
) -> Iterator[_Question]:
    low, high = int(tree.children_left[node]), int(tree.children_right[node])
    if low == high:
        return  # A leaf asks nothing.
    # Samples of both classes at each node; `value` holds their shares.
    counts = tree.value[:, 0] * tree.n_node_samples[:, None]
    impurity = tree.impurity * tree.n_node_samples
    shares = counts[high] / counts[node]
    above = bool(shares[1] >= shares[0])
    asked = (int(tree.feature[node]), float(tree.threshold[node]))
    reals, fakes = shares if above else 1 - shares
    gain = float(impurity[node] - impurity[low] - impurity[high])
    yield _Question((*answers, (*asked, above)), float(fakes), float(reals), gain)
    yield from _questions(tree, low, (*answers, (*asked, False)))
    yield from _questions(tree, high, (*answers, (*asked, True)))
