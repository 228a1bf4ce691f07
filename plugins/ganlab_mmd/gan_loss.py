"""The `mmd-gan` loss: MMD between what a discriminator makes of real and of generated samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import torch

from ganlab import ComponentError, Loss, Verdict
from ganlab_mmd.kernels import rbf_mixture, squared_distances

if TYPE_CHECKING:
    from ganlab import Game

__all__ = ["MmdGan"]


class MmdGan(Loss):
    """MMD² under a kernel that the discriminator learns (Li et al., "MMD GAN", 2017).

    The generator minimises the unbiased estimate of MMD² with a mixture of Gaussian kernels on
    the discriminator's answers, the discriminator maximises it. As it could do so by scaling
    its answers, it wants to be bounded: by spectral normalisation or, where logits are compared, a gradient
    penalty, which bounds no features.

    With the repulsive loss (Wang, Sun & Halgamuge, 2019, eq. 6) the discriminator parts
    real samples from one another instead, and draws fakes together.

    Args:
        space: what the kernels compare, the verdict's `features` or its `logits`.
        bandwidths: widths of the kernels, in the units of that space.
        repulsive: whether the discriminator's loss is the repulsive one.
    """

    couples_samples = True

    def __init__(
        self,
        space: Literal["features", "logits"] = "features",
        bandwidths: Sequence[float] = (1.0, 2.0, 4.0, 8.0, 16.0),
        *,
        repulsive: bool = False,
    ) -> None:
        self._space = space
        self._variances = [width * width for width in bandwidths]
        self._repulsive = repulsive

    def discriminator(self, game: Game) -> torch.Tensor:
        """Return −MMD²; of the repulsive loss, E k(real, real') − E k(fake, fake').

        Raises:
            ComponentError: the discriminator shows no features, or a batch has one sample only.
        """
        real, fake = self._answers(game)
        if self._repulsive:
            return self._within(real) - self._within(fake)
        return -self._discrepancy(real, fake)

    def generator(self, game: Game) -> torch.Tensor:
        """Return MMD².

        Raises:
            ComponentError: the discriminator shows no features, or a batch has one sample only.
        """
        real, fake = self._answers(game)
        return self._discrepancy(real.detach(), fake)

    def _answers(self, game: Game) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what is compared of real and of fake samples, each `(N, d)`, near zero."""
        if self._space == "logits":
            real, fake = (logits.reshape(len(logits), -1) for logits in (game.real_logits, game.fake_logits))
        else:
            real, fake = _features(game.real_verdict), _features(game.fake_verdict)
        if len(real) < 2:
            raise ComponentError("`mmd-gan` compares batches; `training.batch_size` must be at least 2")
        # Distances stay the same, and the expansion of their square loses fewer digits.
        centre = real.detach().mean(dim=0)
        return real - centre, fake - centre

    def _discrepancy(self, real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
        return self._within(real) + self._within(fake) - 2 * self._kernel(real, fake).mean()

    def _within(self, answers: torch.Tensor) -> torch.Tensor:
        """Return the mean kernel of two different samples of a batch."""
        count = len(answers)
        # Each sample's kernel with itself is 1.
        return (self._kernel(answers, answers).sum() - count) / (count * (count - 1))

    def _kernel(self, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        return rbf_mixture(squared_distances(one, other), self._variances)


def _features(verdict: Verdict) -> torch.Tensor:
    """Return the features, `(N, d)`."""
    if verdict.features is None:
        raise ComponentError(
            "this discriminator shows no features; choose one that returns a `Verdict` with `features`, as "
            '`dcgan`, `mlp` and `autoencoder` do, or compare logits: space = "logits"',
            option="space",
        )
    return verdict.features.flatten(1)
