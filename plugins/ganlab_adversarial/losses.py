"""Adversarial losses as pure functions of the game.

Means run over samples and, where a discriminator gives several verdicts on each (a
PatchGAN), over those.
"""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch.nn.functional import relu, softplus

from ganlab import Game, Loss

__all__ = ["LOSSES", "AdversarialLoss", "Hinge", "LeastSquares", "Minimax", "NonSaturating", "Wasserstein"]


class AdversarialLoss(Loss):
    """A loss whose generator looks at the logits of its fakes and nothing else."""

    def generator(self, game: Game) -> torch.Tensor:
        """Return what the generator loses by its fakes."""
        return self.of_fakes(game.fake_logits)

    @abstractmethod
    def of_fakes(self, fake_logits: torch.Tensor) -> torch.Tensor:
        """Return what the generator loses by fakes with these logits, on average."""


class Minimax(AdversarialLoss):
    """V(D, G) = E log D(x) + E log(1 − D(G(z))), with D = σ(logit) (Goodfellow et al., 2014)."""

    log_odds = True

    def discriminator(self, game: Game) -> torch.Tensor:
        """Return −V."""
        return softplus(-game.real_logits).mean() + softplus(game.fake_logits).mean()

    def of_fakes(self, fake_logits: torch.Tensor) -> torch.Tensor:
        """Return E log(1 − D(G(z)))."""
        return -softplus(fake_logits).mean()


class NonSaturating(Minimax):
    """The minimax game with the generator's loss replaced by −E log D(G(z)) (ibid., §3)."""

    def of_fakes(self, fake_logits: torch.Tensor) -> torch.Tensor:
        """Return −E log D(G(z))."""
        return softplus(-fake_logits).mean()


class Hinge(AdversarialLoss):
    """Geometric GAN (Lim & Ye, 2017)."""

    undecided = 0.0

    def discriminator(self, game: Game) -> torch.Tensor:
        """Return E max(0, 1 − real) + E max(0, 1 + fake)."""
        return relu(1 - game.real_logits).mean() + relu(1 + game.fake_logits).mean()

    def of_fakes(self, fake_logits: torch.Tensor) -> torch.Tensor:
        """Return −E fake."""
        return -fake_logits.mean()


class LeastSquares(AdversarialLoss):
    """LSGAN with the targets 1 for real and 0 for fake (Mao et al., 2017, eq. 9)."""

    undecided = 0.5

    def discriminator(self, game: Game) -> torch.Tensor:
        """Return ½ E (real − 1)² + ½ E fake²."""
        return ((game.real_logits - 1).square().mean() + game.fake_logits.square().mean()) / 2

    def of_fakes(self, fake_logits: torch.Tensor) -> torch.Tensor:
        """Return ½ E (fake − 1)²."""
        return (fake_logits - 1).square().mean() / 2


class Wasserstein(AdversarialLoss):
    """The critic's estimate of the Wasserstein-1 distance (Arjovsky et al., 2017).

    It is one only for a Lipschitz critic: add `gradient-penalty`, or spectral normalisation.
    """

    def discriminator(self, game: Game) -> torch.Tensor:
        """Return E fake − E real."""
        return game.fake_logits.mean() - game.real_logits.mean()

    def of_fakes(self, fake_logits: torch.Tensor) -> torch.Tensor:
        """Return −E fake."""
        return -fake_logits.mean()


LOSSES: dict[str, type[AdversarialLoss]] = {
    "non-saturating": NonSaturating,
    "minimax": Minimax,
    "hinge": Hinge,
    "least-squares": LeastSquares,
    "wasserstein": Wasserstein,
}
