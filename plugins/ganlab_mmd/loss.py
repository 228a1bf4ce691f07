"""The `mmd` loss: a generator that learns by comparing samples, with no discriminator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

from ganlab import ComponentError, Loss, LossValue
from ganlab_mmd.kernels import rbf_mixture, squared_distances

if TYPE_CHECKING:
    from ganlab import Game, LossFeatures

__all__ = ["MmdLoss"]

EPSILON = 1e-8
"""Under the root, whose gradient is infinite at zero."""


class MmdLoss(Loss):
    """√MMD² of a real and a generated batch: generative moment matching networks.

    Li, Swersky & Zemel, "Generative Moment Matching Networks", 2015; Dziugaite, Roy &
    Ghahramani, 2015. The biased estimate, which is never negative, with a mixture of
    Gaussian kernels whose widths follow the real batch. Of features, it compares what these make
    of the samples: those of an autoencoder make it Li et al.'s "GMMN+AE", but for the generator,
    which makes samples here, and codes there.

    Args:
        bandwidths: widths, in root mean square distances between the real batch's samples.
        scales: factors by which images are averaged down; the terms of all scales add up.
        root: take the square root.
        features: what is compared of samples; the samples themselves if `None`.

    Raises:
        ComponentError: features are asked for at several scales.
    """

    couples_samples = True

    def __init__(
        self,
        bandwidths: Sequence[float] = (0.25, 0.5, 1.0, 2.0, 4.0),
        scales: Sequence[int] = (1,),
        *,
        root: bool = True,
        features: LossFeatures | None = None,
    ) -> None:
        if features is not None and list(scales) != [1]:
            raise ComponentError(
                "features are not averaged down as images are: use scales = [1]", option="scales"
            )
        self._bandwidths = list(bandwidths)
        self._scales = list(scales)
        self._root = root
        self._features = features

    def generator(self, game: Game) -> LossValue:
        """Return the discrepancy, or one for each scale where there are several.

        Raises:
            ComponentError: a scale does not suit the samples, or a batch has one sample only.
        """
        terms = {f"scale-{scale}": self._discrepancy(game.real, game.fake, scale) for scale in self._scales}
        return terms if len(terms) > 1 else next(iter(terms.values()))

    def _discrepancy(self, real: torch.Tensor, fake: torch.Tensor, scale: int) -> torch.Tensor:
        if len(real) < 2:
            raise ComponentError("the `mmd` loss compares batches; `training.batch_size` must be at least 2")
        x, y = (_at_scale(self._seen(samples), scale) for samples in (real.detach(), fake))
        # Distances stay the same, and the expansion of their square loses fewer digits.
        centre = x.mean(0)
        x, y = x - centre, y - centre
        among_real = squared_distances(x, x)
        mean_square = among_real.sum() / (len(x) * (len(x) - 1))
        variances = [width * width * mean_square.clamp_min(1e-12) for width in self._bandwidths]
        squared = (
            rbf_mixture(among_real, variances).mean()
            + rbf_mixture(squared_distances(y, y), variances).mean()
            - 2 * rbf_mixture(squared_distances(x, y), variances).mean()
        )
        # The sum of means can fall below zero by rounding alone.
        return (squared.clamp_min(0) + EPSILON).sqrt() if self._root else squared

    def _seen(self, samples: torch.Tensor) -> torch.Tensor:
        return samples if self._features is None else self._features(samples)

    def state_dict(self) -> dict[str, Any]:
        """Return which features are compared, where there are any."""
        return {} if self._features is None else {"features": self._features.fingerprint()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Make sure that the features are still those that were compared.

        Raises:
            ComponentError: they are others: the weights of what extracts them have changed, say.
        """
        if dict(state) != self.state_dict():
            raise ComponentError(
                "its features are not those that were learned by so far: bring back what made them, "
                "or give the loss another `label`, which has it begin anew",
                option="features",
            )


def _at_scale(samples: torch.Tensor, scale: int) -> torch.Tensor:
    """Return samples `(N, d)`, images averaged down by `scale`."""
    if scale == 1:
        return samples.flatten(1)
    if samples.ndim != 4:
        raise ComponentError("only images can be averaged down: use scales = [1]", option="scales")
    if scale > min(samples.shape[2:]):
        height, width = samples.shape[2:]
        raise ComponentError(
            f"images of {height}×{width} cannot be averaged down by {scale}", option="scales"
        )
    return F.avg_pool2d(samples, scale).flatten(1)
