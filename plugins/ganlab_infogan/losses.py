"""The mutual information of InfoGAN, which stands beside an adversarial loss.

Chen et al., "InfoGAN: Interpretable representation learning by information maximizing
generative adversarial nets", 2016.
"""

from __future__ import annotations

import math

import torch

from ganlab import ComponentError, Game, Loss

__all__ = ["InfoGan"]


class InfoGan(Loss):
    """−E log Q(c | G(z, c)), which bounds the mutual information of codes and fakes (ibid., eq. 5).

    The codes c are the first of the latents, and continuous as those are. Q is the experiment's
    encoder, a network of its own that learns with the generator, where the paper's is a second
    head of the discriminator.

    Args:
        codes: how many latents are codes.
        learned_variance: whether Q's variance is the encoder's too, and not 1.
    """

    def __init__(self, codes: int, *, learned_variance: bool = False) -> None:
        self._codes = codes
        self._learned_variance = learned_variance

    def generator(self, game: Game) -> torch.Tensor:
        """Return the negative log-likelihood of the codes.

        Raises:
            ComponentError: there are fewer latents than codes.
        """
        if self._codes > game.latent.dim:
            raise ComponentError(
                f"{self._codes} of the latents cannot be codes: [latent] has {game.latent.dim}",
                option="codes",
            )
        mean, log_variance = (part[:, : self._codes] for part in game.encode(game.fake))
        if not self._learned_variance:
            log_variance = torch.zeros_like(log_variance)
        squares = (game.latents[:, : self._codes] - mean).square() / log_variance.exp()
        return ((squares + log_variance + math.log(2 * math.pi)) / 2).sum(dim=1).mean()
