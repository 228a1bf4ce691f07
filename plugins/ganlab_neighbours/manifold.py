"""Fidelity and coverage by balls that reach to the k-th nearest neighbour."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal

import torch

from ganlab import Estimate, Evaluator, FeatureBank
from ganlab_neighbours.balls import count_covering, reaches
from ganlab_neighbours.errors import at_least_a_shares, block_errors
from ganlab_neighbours.inputs import Remembered, cautions, features_of
from ganlab_neighbours.search import nearest

__all__ = ["DensityCoverage", "PrecisionRecall"]


class _OnBalls(Evaluator):
    """Two shares, or means, that rest on the balls around real samples.

    Args:
        k: which neighbour a ball reaches to.
    """

    names: ClassVar[tuple[str, str]]
    shares_of: ClassVar[tuple[Literal["real", "fake"] | None, ...]]
    """What each number is a share of; `None` for one that is none."""

    def __init__(self, k: int) -> None:
        self._k = k
        self._radii = Remembered[torch.Tensor]()

    def evaluate(self, real: FeatureBank, fake: FeatureBank) -> Mapping[str, Estimate]:
        """Return the two numbers by their names.

        Raises:
            ComponentError: a bank has k samples or fewer.
        """
        x, y = (features_of(bank, self._k, option="k") for bank in (real, fake))
        radii = self._radii.get((x,), lambda: _radii(x, self._k))
        values = self._measure(x, y, radii)
        errors = block_errors(lambda x, y: self._measure(x, y, _radii(x, self._k)), x, y, self._k, 2)
        warnings = tuple(cautions(real, fake))
        counts = {"real": len(x), "fake": len(y)}
        estimates = {}
        for name, whole, value, error in zip(self.names, self.shares_of, values, errors, strict=True):
            error = at_least_a_shares(error, value, counts[whole]) if whole else error
            estimates[name] = Estimate(value, error, warnings)
        return estimates

    @abstractmethod
    def _measure(self, x: torch.Tensor, y: torch.Tensor, radii: torch.Tensor) -> tuple[float, float]:
        """Return both numbers for real `x`, generated `y`, and the radii of the balls around `x`."""


class PrecisionRecall(_OnBalls):
    """How much of the generated set looks real, and how much of the real set is generated.

    Precision is the share of generated samples within a ball around some real sample that reaches to
    its k-th nearest other real sample; recall is the same with the sets exchanged (Kynkäänniemi et al.,
    "Improved precision and recall metric for assessing generative models", 2019). The surface belongs
    to the ball, so that identical sets score 1.

    Args:
        k: which neighbour a ball reaches to.
    """

    names = ("precision", "recall")
    shares_of = ("fake", "real")

    def __init__(self, k: int = 3) -> None:
        super().__init__(k)

    def _measure(self, x: torch.Tensor, y: torch.Tensor, radii: torch.Tensor) -> tuple[float, float]:
        precision = _share(count_covering(y, x, radii) > 0)
        return precision, _share(count_covering(x, y, _radii(y, self._k)) > 0)


class DensityCoverage(_OnBalls):
    """Precision and recall that outliers among real samples do not inflate.

    Density counts the balls around real samples that contain a generated one, over the k that are
    expected where both are distributed alike; it may exceed 1. Coverage is the share of real samples
    whose ball contains a generated one (Naeem et al., "Reliable fidelity and diversity metrics for
    generative models", 2020). For density the surface does not belong to the ball, as in the authors'
    code, which makes it exactly 1 for identical sets; for coverage it does, so that a real sample with
    copies of its own can be covered by another.

    Args:
        k: which neighbour a ball reaches to.
    """

    names = ("density", "coverage")
    shares_of = (None, "real")

    def __init__(self, k: int = 5) -> None:
        super().__init__(k)

    def _measure(self, x: torch.Tensor, y: torch.Tensor, radii: torch.Tensor) -> tuple[float, float]:
        density = float(count_covering(y, x, radii, inclusive=False).double().mean()) / self._k
        return density, _share(reaches(nearest(x, y, 1).distances[:, 0].square(), radii.square()))


def _radii(features: torch.Tensor, k: int) -> torch.Tensor:
    return nearest(features, features, k, exclude_self=True).distances[:, -1]


def _share(holds: torch.Tensor) -> float:
    return float(holds.double().mean())
