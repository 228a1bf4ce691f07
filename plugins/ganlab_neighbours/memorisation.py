"""Whether generated samples are copies of training samples."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from ganlab import ComponentError, Estimate, Evaluator, FeatureBank, Shown
from ganlab_neighbours.inputs import Remembered, cautions, features_of
from ganlab_neighbours.nearness import TWIN, UNCOMMON, Yardstick, median_error
from ganlab_neighbours.search import Neighbours, nearest

__all__ = ["Memorisation"]

SHOWN = 3
"""Training samples beside each generated one in the picture."""
ROWS = 8
STAND_INS = 5000
"""Training samples that make the yardstick where nothing is held out."""
SUSPICIOUS_SHARE = 0.1
"""Share of uncommonly near samples, ten times the expected one, from which a warning is due."""
RARE = 1e-3
"""How often chance alone may accuse: a share of 1 − RARE^(1/m), no less, has to be nearer to a training
sample than the nearest of m held-out ones, which is all that is known where these are few."""


class Memorisation(Evaluator):
    """Distances of generated samples to their nearest training sample, against those of held-out ones.

    A generator that learned the distribution is as far from its training set as fresh real samples
    are; one that learned the set is nearer. Held-out samples are the yardstick (Meehan et al., "A
    non-parametric test to detect data-copying in generative models", 2020, compare the same distances);
    where there are none, training samples are, by their nearest other training sample.

    `ratio` compares medians: near 1 is right, less is memorisation, more is distance from the data, so
    that neither way is better. `near` and `copies` also see a generator that memorises now and then.
    """

    def __init__(self) -> None:
        self._yardstick: Yardstick | None = None
        self._is_stand_in = False
        self._neighbours = Remembered[Neighbours]()

    def prepare(self, real: FeatureBank, held_out: FeatureBank | None) -> None:
        """Measure the yardstick.

        Raises:
            ComponentError: there are too few samples, or they are all equal.
        """
        training = features_of(real, SHOWN)
        self._is_stand_in = held_out is None
        if held_out is None:
            neighbours = nearest(training[:STAND_INS], training, 1, exclude_self=True)
        else:
            neighbours = self._look_up(training, features_of(held_out, 1))
        self._yardstick = Yardstick(neighbours.distances[:, 0].clone())
        if not self._yardstick.median:
            raise ComponentError(
                "more than half of the real samples have the features of a training sample exactly: "
                "nothing can be said of copies; choose other `features`"
            )

    def evaluate(self, real: FeatureBank, fake: FeatureBank) -> Mapping[str, Estimate]:
        """Return `ratio`, and the shares `near` and `copies`.

        `near` is the share of generated samples that are nearer to a training sample than 99 % of
        held-out ones are, `copies` of those that are less than half as far as that.

        Raises:
            ComponentError: there are too few samples.
        """
        assert self._yardstick is not None, "prepare() makes the yardstick"
        neighbours = self._look_up(features_of(real, SHOWN), features_of(fake, 1))
        distances, expected = neighbours.distances[:, 0], self._yardstick.distances
        ratio = float(distances.median()) / self._yardstick.median
        error = math.hypot(
            median_error(distances) / self._yardstick.median,
            ratio * median_error(expected) / self._yardstick.median,
        )
        near, near_error = self._yardstick.share(distances)
        copies, copies_error = self._yardstick.share(distances, TWIN)
        warnings = (*self._accusations(near, copies, ratio, fake.n), *self._reservations(real, fake))
        return {
            "ratio": Estimate(ratio, error, warnings),
            "near": Estimate(near, near_error),
            "copies": Estimate(copies, copies_error),
        }

    def pictures(self, real: FeatureBank, fake: FeatureBank) -> Mapping[str, Sequence[Sequence[Shown]]]:
        """Return the generated samples that are nearest to training samples, each beside those."""
        neighbours = self._look_up(features_of(real, SHOWN), features_of(fake, 1))
        rows = neighbours.distances[:, 0].argsort(stable=True)[:ROWS].tolist()
        return {
            "nearest-training": [
                [Shown("fake", row), *(Shown("real", each) for each in neighbours.indices[row].tolist())]
                for row in rows
            ]
        }

    def state_dict(self) -> dict[str, Any]:
        """Return the yardstick."""
        distances = None if self._yardstick is None else self._yardstick.distances
        return {"distances": distances, "stand-in": self._is_stand_in}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the yardstick."""
        self._yardstick = None if state["distances"] is None else Yardstick(state["distances"])
        self._is_stand_in = state["stand-in"]

    def _look_up(self, training: torch.Tensor, samples: torch.Tensor) -> Neighbours:
        return self._neighbours.get((training, samples), lambda: nearest(samples, training, SHOWN))

    def _accusations(self, near: float, copies: float, ratio: float, n: int) -> Iterator[str]:
        assert self._yardstick is not None
        m = len(self._yardstick.distances)
        usual = float((self._yardstick.distances <= self._yardstick.twin).double().mean())
        by_chance = 1 - RARE ** (1 / m)
        if copies - usual > max(UNCOMMON + 3 * _spread(max(usual, UNCOMMON), n, m), by_chance):
            yield (
                f"MEMORISATION: {round(copies * n):,} of {n:,} generated samples are copies of training "
                f"samples (of real ones, {usual:.2%} are); the median distance is {ratio:.3g} of what it "
                "should be"
            )
        elif near > max(SUSPICIOUS_SHARE + 3 * _spread(UNCOMMON, n, m), by_chance):
            yield (
                f"{near:.0%} of the generated samples are nearer to a training sample than "
                f"{1 - UNCOMMON:.0%} of held-out ones are: memorisation, or plainer samples than the data's"
            )

    def _reservations(self, real: FeatureBank, fake: FeatureBank) -> Iterator[str]:
        yield from cautions(real, fake)
        assert self._yardstick is not None
        if (m := len(self._yardstick.distances)) * UNCOMMON < 1:
            yield (
                f"{m} real samples are too few to tell how near one in a hundred is to another: `near` and "
                f"`copies` are by the nearest of them, and a share of {1 / (m + 1):.0%} is usual for `near`"
            )
        if self._is_stand_in:
            yield (
                "no samples are held out (`dataset.holdout`): training samples and their nearest other "
                "training samples are the yardstick"
            )


def _spread(share: float, n: int, m: int) -> float:
    """Return the standard deviation of the difference of two such shares, of n and of m samples."""
    return math.sqrt(share * (1 - share) * (1 / n + 1 / m))
