"""How many Gaussians of a mixture are generated, and how well."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from ganlab import ComponentError, Estimate, Evaluator, FeatureBank

__all__ = ["GaussianModes"]

LIKELY = 0.5
"""Share of the real points expected near the modes, 1 − exp(−r²/2) within r standard deviations, below which
the modes cannot be the data's."""


class GaussianModes(Evaluator):
    """Modes hit and share of samples near one, as Srivastava et al. ("VEEGAN", 2017) count them.

    A sample is of high quality if it lies within so many standard deviations of the nearest mode's
    centre. A mode is hit if at least one such sample is nearest to it.

    Args:
        centres: of the modes, `(modes, 2)`.
        std: standard deviation of each along both axes.
        within: standard deviations.
    """

    def __init__(self, centres: NDArray[np.float64], std: float, within: float) -> None:
        self._centres = torch.from_numpy(centres)
        self._radius = std * within
        self._within = within

    def evaluate(self, real: FeatureBank, fake: FeatureBank) -> Mapping[str, Estimate]:
        """Return `hit`, the number of modes, and `high-quality`, the share of samples.

        Raises:
            ComponentError: the banks do not hold points of the plane.
        """
        distances, modes = self._nearest(fake)
        good = distances <= self._radius
        share = float(good.double().mean())
        hit = int((torch.bincount(modes[good], minlength=len(self._centres)) > 0).sum())
        missed = len(self._centres) - hit
        notes = (f"{missed} of {len(self._centres)} modes missed",) if missed else ()
        return {
            "hit": Estimate(float(hit), None, tuple(self._warnings(real)), notes),
            "high-quality": Estimate(share, (share * (1 - share) / fake.n) ** 0.5),
        }

    def _warnings(self, real: FeatureBank) -> Iterator[str]:
        near = float((self._nearest(real)[0] <= self._radius).double().mean())
        if near < LIKELY * (1 - math.exp(-(self._within**2) / 2)):
            yield (
                f"only {near:.1%} of the real points lie near the modes that are counted: give "
                "`gaussian-modes` the `arrangement`, `modes`, `radius`, `spacing` and `std` of `gaussians`"
            )

    def _nearest(self, bank: FeatureBank) -> tuple[torch.Tensor, torch.Tensor]:
        """Return each point's distance to the nearest centre, and which it is; both `(n,)`.

        Raises:
            ComponentError: the bank does not hold points of the plane.
        """
        if bank.features is None or bank.dimension != 2:
            raise ComponentError("`gaussian-modes` looks at the points themselves: leave out its `features`")
        nearest = torch.cdist(bank.features.double(), self._centres).min(1)
        return nearest.values, nearest.indices
