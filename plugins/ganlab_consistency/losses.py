"""Consistency under augmentation, CR and bCR, and of near latents, zCR.

Zhang et al., "Consistency regularization for generative adversarial networks", 2020;
Zhao et al., "Improved consistency regularization for GANs", 2021.
"""

from __future__ import annotations

import math

import torch

from ganlab import Game, Loss

__all__ = ["Consistency", "LatentConsistency"]


class Consistency(Loss):
    """E (D(x) − D(T(x)))² for the discriminator, T being the augmentations that say `always = false`.

    As the papers have it, nothing else sees T.

    Args:
        fakes: whether fakes have such a term too (bCR), or real samples alone (CR).
    """

    def __init__(self, *, fakes: bool = True) -> None:
        self._fakes = fakes

    def discriminator(self, game: Game) -> torch.Tensor:
        """Return how far the logits of samples and augmented samples lie apart."""
        augmented = game.discriminate(game.augment(game.real), game.real_labels).logits
        apart = (game.real_logits - augmented).square().mean()
        if self._fakes:
            augmented = game.discriminate(game.augment(game.fake), game.fake_labels).logits
            apart = apart + (game.fake_logits - augmented).square().mean()
        return apart


class LatentConsistency(Loss):
    """λ_dis E (D(G(z)) − D(G(z + Δ)))² for the discriminator, −λ_gen E (G(z) − G(z + Δ))² for the generator.

    Δ is normal noise on all but one-hot codes; what leaves the range of uniform latents, or the sphere, is
    brought back. Squares are averaged over a sample's elements too.

    Args:
        deviation: that of the noise.
        discriminator_weight: λ_dis.
        generator_weight: λ_gen.
    """

    def __init__(self, deviation: float, discriminator_weight: float, generator_weight: float) -> None:
        self._deviation = deviation
        self._discriminator_weight = discriminator_weight
        self._generator_weight = generator_weight

    def discriminator(self, game: Game) -> torch.Tensor:
        """Return how far the logits of near latents lie apart."""
        near_logits = game.discriminate(self._near(game), game.fake_labels).logits
        return self._discriminator_weight * (game.fake_logits - near_logits).square().mean()

    def generator(self, game: Game) -> torch.Tensor:
        """Return minus how far the samples of near latents lie apart."""
        return -self._generator_weight * (game.fake - self._near(game)).square().mean()

    def _near(self, game: Game) -> torch.Tensor:
        """Return samples from latents near those of the fakes."""
        latent = game.latent
        codes, continuous = torch.split(game.latents, [sum(latent.categories), latent.continuous], dim=1)
        near = continuous + self._deviation * game.randn(latent.continuous)
        if latent.distribution == "uniform":
            near = near.clamp(-1, 1)
        elif latent.distribution == "sphere":
            near = near * (math.sqrt(latent.continuous) / near.norm(dim=1, keepdim=True))
        return game.generate(torch.cat([codes, near], dim=1), game.fake_labels)
