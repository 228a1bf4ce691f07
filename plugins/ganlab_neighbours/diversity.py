"""Whether generated samples are as different from each other as real ones."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from ganlab import ComponentError, Estimate, Evaluator, FeatureBank, Shown
from ganlab_neighbours.inputs import Remembered, cautions, features_of, used
from ganlab_neighbours.nearness import TWIN, Yardstick
from ganlab_neighbours.pairs import PairStatistics, over_pairs
from ganlab_neighbours.search import Neighbours, nearest

__all__ = ["Diversity"]

TWINS_SHOWN = 3
ROWS = 8
SUSPICIOUS = 0.05
"""Share of samples with a twin from which a warning is due; real samples have hardly any."""
UNEVEN = 0.1
"""By how much the share may differ from that of equally frequent samples, where it is told as such."""


@dataclass(frozen=True)
class _Reference:
    yardstick: Yardstick
    pairs: PairStatistics


class Diversity(Evaluator):
    """The mean feature distance of pairs of generated samples, over that of pairs of real ones.

    1 is right, and less is less diverse; noise gives more. The mean hardly notices copies, which
    `duplicates` counts: samples less than half as far from another generated one as 99 % of real
    samples are from another real one. Of both sets the first min(n, m) are used.
    """

    def __init__(self) -> None:
        self._reference = Remembered[_Reference]()
        self._neighbours = Remembered[Neighbours]()

    def evaluate(self, real: FeatureBank, fake: FeatureBank) -> Mapping[str, Estimate]:
        """Return `diversity` and `duplicates`.

        Raises:
            ComponentError: there are too few samples, or all real ones are equal.
        """
        n = min(real.n, fake.n)
        x, y = (features_of(bank, TWINS_SHOWN)[:n] for bank in (real, fake))
        reference = self._reference.get((x,), lambda: _measure(x))
        twin, expected = reference.yardstick.twin, reference.pairs
        pairs = over_pairs(y, twin)
        value = pairs.mean / expected.mean
        error = math.hypot(pairs.standard_error, value * expected.standard_error) / expected.mean
        duplicates, its_error = reference.yardstick.share(self._look_up(y).distances[:, 0], TWIN, mutual=True)
        usual = float((reference.yardstick.distances <= twin).double().mean())
        warnings = (*_collapse(duplicates, usual, value, pairs), *cautions(real, fake))
        return {
            "diversity": Estimate(value, error, warnings, tuple(used(real, fake))),
            "duplicates": Estimate(duplicates, its_error),
        }

    def pictures(self, real: FeatureBank, fake: FeatureBank) -> Mapping[str, Sequence[Sequence[Shown]]]:
        """Return the generated samples that are nearest to others, each beside those."""
        neighbours = self._look_up(features_of(fake, TWINS_SHOWN)[: min(real.n, fake.n)])
        rows: list[list[int]] = []
        for row in neighbours.distances[:, 0].argsort(stable=True).tolist():
            if len(rows) == ROWS:
                break
            if not any(row in shown for shown in rows):
                rows.append([row, *neighbours.indices[row].tolist()])
        return {"most-alike": [[Shown("fake", each) for each in row] for row in rows]}

    def _look_up(self, features: torch.Tensor) -> Neighbours:
        return self._neighbours.get(
            (features,), lambda: nearest(features, features, TWINS_SHOWN, exclude_self=True)
        )


def _measure(features: torch.Tensor) -> _Reference:
    neighbours = nearest(features, features, 1, exclude_self=True)
    yardstick = Yardstick(neighbours.distances[:, 0])
    pairs = over_pairs(features, yardstick.twin)
    if not pairs.mean:
        raise ComponentError(
            f"the features of all {len(features)} real samples are equal; choose other `features`"
        )
    return _Reference(yardstick, pairs)


def _collapse(duplicates: float, usual: float, value: float, pairs: PairStatistics) -> Iterator[str]:
    n = len(pairs.averages)
    spread = math.sqrt(2 * max(usual, 1 / n) / n)
    if duplicates > usual + SUSPICIOUS + 3 * spread:
        # Of as many distinct ones as samples, equally often, 1 − 1/e of the samples have a twin.
        word = "COLLAPSED" if duplicates > 1 - 1 / math.e else "REPEATS"
        yield (
            f"{word}: {duplicates:.0%} of {n:,} generated samples have a twin among the others "
            f"(of real ones, {usual:.2%} have), {_how_often(duplicates, pairs)}; "
            f"the diversity is {value:.3g} of that of real samples"
        )


def _how_often(duplicates: float, pairs: PairStatistics) -> str:
    """Say what the number of twins among all pairs means."""
    n, distinct = len(pairs.averages), pairs.distinct
    if abs(1 - (1 - 1 / max(1.0, distinct)) ** (n - 1) - duplicates) < UNEVEN:
        return f"as if drawn from {distinct:,.0f} distinct ones"
    often = "some samples come again far more often than others"
    return f"and one in {distinct:,.0f} of all pairs are twins: {often}"
