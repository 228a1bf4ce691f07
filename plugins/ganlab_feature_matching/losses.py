"""Feature matching (Salimans et al., "Improved techniques for training GANs", 2016, §3.1)."""

from __future__ import annotations

import torch
from torch.nn.functional import softplus

from ganlab import ComponentError, Game, Loss, Verdict

__all__ = ["FeatureMatching", "FeatureMatchingAlone"]


class FeatureMatching(Loss):
    """‖E f(x) − E f(G(z))‖², f being the features in the discriminator's verdict."""

    couples_samples = True

    def generator(self, game: Game) -> torch.Tensor:
        """Return the squared distance of the batch means.

        Raises:
            ComponentError: the discriminator shows no features.
        """
        real, fake = _mean_features(game.real_verdict), _mean_features(game.fake_verdict)
        return (real.detach() - fake).square().sum()


class FeatureMatchingAlone(FeatureMatching):
    """Feature matching as the whole game: the discriminator learns to tell real from fake beside it."""

    log_odds = True

    def discriminator(self, game: Game) -> torch.Tensor:
        """Return −E log σ(real) − E log(1 − σ(fake))."""
        return softplus(-game.real_logits).mean() + softplus(game.fake_logits).mean()


def _mean_features(verdict: Verdict) -> torch.Tensor:
    """Return the mean over samples of the features, `(d,)`."""
    if verdict.features is None:
        raise ComponentError(
            "feature matching compares features, and this discriminator shows none; choose one that returns "
            "a `Verdict` with `features`, as `dcgan`, `mlp` and `autoencoder` do"
        )
    return verdict.features.flatten(1).mean(dim=0)
