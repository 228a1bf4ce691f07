"""FID and KID: distances whose numerics are other plugins', under the names that Inception gives them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

import numpy as np
import torch

from ganlab import ComponentError, Estimate, Evaluator, FeatureBank
from ganlab_frechet.evaluator import FrechetEvaluator
from ganlab_inception.protocols import Protocol
from ganlab_mmd.evaluator import MmdEvaluator
from ganlab_mmd.kernels import PolynomialKernel
from ganlab_mmd.statistic import cross_sums, mmd2, within_sums

__all__ = ["Fid", "Kid", "SubsetKid"]

SUBSET_SEED = 2020
"""torch-fidelity's: with it, the same features give the same subsets there and here."""


class Fid(FrechetEvaluator):
    """The Fréchet Inception Distance (Heusel et al., 2017).

    Args:
        protocol: of the features; it names the metric.
    """

    def __init__(self, protocol: Protocol) -> None:
        super().__init__()
        self._protocol = protocol

    def evaluate(self, real: FeatureBank, fake: FeatureBank) -> Mapping[str, Estimate]:
        """Return the distance under the protocol's name.

        Raises:
            ComponentError: a bank has fewer than two samples.
        """
        return {self._protocol: super().evaluate(real, fake)["frechet"]}


class Kid(MmdEvaluator):
    """The Kernel Inception Distance (Bińkowski et al., 2018): all pairs, with a standard error."""

    def __init__(self) -> None:
        super().__init__("polynomial")

    def evaluate(self, real: FeatureBank, fake: FeatureBank) -> Mapping[str, Estimate]:
        """Return `kid`, which may be negative.

        Raises:
            ComponentError: a bank has fewer than two samples.
        """
        return {"kid": self.discrepancy(real, fake)}


class SubsetKid(Evaluator):
    """KID as it was published: the mean over random subsets.

    It has the same mean as `Kid`, and more variance, for it sees fewer pairs.

    Args:
        subsets: how many.
        size: samples of each bank in a subset.
    """

    def __init__(self, subsets: int = 100, size: int = 1000) -> None:
        self._subsets = subsets
        self._size = size

    def evaluate(self, real: FeatureBank, fake: FeatureBank) -> Mapping[str, Estimate]:
        """Return `kid`, with the spread over subsets in a note.

        Raises:
            ComponentError: a bank is smaller than a subset.
        """
        fewest = min(real.n, fake.n)
        if real.features is None or fake.features is None or fewest < self._size:
            raise ComponentError(
                f"subsets of {self._size} cannot be drawn from {fewest} samples; "
                f'set `subset_size` to at most {fewest}, or `estimator` to "unbiased", for any number',
                option="subset_size",
            )
        rng = np.random.RandomState(SUBSET_SEED)
        values = [
            _distance(_drawn(rng, fake.features, self._size), _drawn(rng, real.features, self._size))
            for _ in range(self._subsets)
        ]
        note = (
            f"±{statistics.pstdev(values):.4g} over {self._subsets} subsets of {self._size}, as published; "
            "not a standard error of their mean"
        )
        return {"kid": Estimate(statistics.fmean(values), notes=(note,))}


def _drawn(rng: np.random.RandomState, features: torch.Tensor, size: int) -> torch.Tensor:
    return features[torch.from_numpy(rng.choice(len(features), size, replace=False))]


def _distance(x: torch.Tensor, y: torch.Tensor) -> float:
    kernel = PolynomialKernel()
    return mmd2(within_sums(kernel, x), within_sums(kernel, y), cross_sums(kernel, x, y))[0]
