"""The mutual information of InfoGAN, which stands beside an adversarial loss.

Chen et al., "InfoGAN: Interpretable representation learning by information maximizing
generative adversarial nets", 2016.
"""

from __future__ import annotations

import math

import torch
from torch.nn.functional import cross_entropy

from ganlab import ComponentError, Game, Loss

__all__ = ["InfoGan"]


class InfoGan(Loss):
    """−E log Q(c | G(z, c)), which bounds the mutual information of codes and fakes (ibid., eq. 5).

    The codes c are the experiment's categories, and the first of the latents behind them. Q is the
    experiment's encoder, a network of its own that learns with the generator, where the paper's is a
    second head of the discriminator: its means are the logits of a category, and the mean of a code
    that is continuous (ibid., §6).

    Args:
        codes: how many latents are continuous codes.
        continuous_weight: of those; the categories' is 1.
        noise: standard deviation of what is added to fakes before Q reads them, which sees patterns otherwise
            that nobody else does.
        learned_variance: whether Q's variance of them is the encoder's too, and not 1.
    """

    def __init__(
        self,
        codes: int,
        continuous_weight: float = 1.0,
        *,
        noise: float = 0.0,
        learned_variance: bool = False,
    ) -> None:
        self._codes = codes
        self._continuous_weight = continuous_weight
        self._noise = noise
        self._learned_variance = learned_variance

    def generator(self, game: Game) -> torch.Tensor | dict[str, torch.Tensor]:
        """Return the codes' negative log-likelihood; `categorical` and `continuous` where there are both.

        Raises:
            ComponentError: there are fewer latents than codes, or no codes at all.
        """
        latent = game.latent
        if self._codes > latent.continuous:
            raise ComponentError(
                f"{self._codes} of the latents cannot be continuous codes: [latent] has {latent.continuous}",
                option="codes",
            )
        if not self._codes and not latent.categories:
            raise ComponentError(
                "there are no codes: give [latent] `categories`, or this loss continuous ones", option="codes"
            )
        sizes = [*latent.categories, self._codes, latent.continuous - self._codes]
        mean, log_variance = (torch.split(each, sizes, dim=1) for each in game.encode(self._read(game)))
        *categories, codes, _ = torch.split(game.latents, sizes, dim=1)
        found = {}
        if categories:
            found["categorical"] = torch.stack(list(map(cross_entropy, mean, categories))).sum()
        if self._codes:
            found["continuous"] = self._continuous_weight * self._surprise(codes, mean[-2], log_variance[-2])
        return found if len(found) > 1 else next(iter(found.values()))

    def _read(self, game: Game) -> torch.Tensor:
        """Return fakes as the encoder is to read them."""
        return game.fake + self._noise * game.randn(*game.fake.shape[1:]) if self._noise else game.fake

    def _surprise(self, codes: torch.Tensor, mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
        """Return the negative log-likelihood of continuous codes under normal distributions."""
        if not self._learned_variance:
            log_variance = torch.zeros_like(log_variance)
        squares = (codes - mean).square() / log_variance.exp()
        return ((squares + log_variance + math.log(2 * math.pi)) / 2).sum(dim=1).mean()
