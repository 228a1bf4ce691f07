"""The negative evidence lower bound (Kingma & Welling, 2014)."""

from __future__ import annotations

import math

import torch

from ganlab import ComponentError, Game, Loss

__all__ = ["Elbo"]


class Elbo(Loss):
    """−E log p(x|z) + β KL(q(z|x) ‖ N(0, I)), in nats per sample.

    The prior is N(0, I), and so the experiment's latents must be normal. p(x|z) is Gaussian
    around the generator's output with standard deviation σ. With σ left open, it takes its
    maximum likelihood value for the batch, which balances the two terms by itself (σ-VAE,
    Rybkin et al., 2021).

    Args:
        beta: weight of the KL term.
        sigma: σ, or `None` for its maximum likelihood value.
    """

    def __init__(self, beta: float = 1.0, sigma: float | None = None) -> None:
        self.beta = beta
        self.sigma = sigma
        self.couples_samples = sigma is None

    def generator(self, game: Game) -> dict[str, torch.Tensor]:
        """Return the terms `reconstruction` and `kl`.

        Raises:
            ComponentError: the experiment's latents are not normal, as the prior is.
        """
        if game.latent.categories:
            raise ComponentError("the prior of a VAE is N(0, I): leave out `categories` in [latent]")
        if game.latent.distribution != "normal":
            raise ComponentError(
                f'the prior of a VAE is N(0, I): set `distribution = "normal"` in [latent], '
                f"not {game.latent.distribution!r}"
            )
        mean, log_variance = game.encode(game.real)
        noise = game.randn(mean.shape[1])
        reconstructed = game.generate(mean + (log_variance / 2).exp() * noise, game.real_labels)
        error = (reconstructed - game.real).square().flatten(1)
        kl = (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1).mean() / 2
        return {"reconstruction": self._negative_log_likelihood(error), "kl": self.beta * kl}

    def _negative_log_likelihood(self, error: torch.Tensor) -> torch.Tensor:
        """Return −log p(x|z) for squared errors `(N, elements)`."""
        if self.sigma is None:
            variance = error.mean()
            density = error / variance + variance.log()
        else:
            density = error / self.sigma**2 + 2 * math.log(self.sigma)
        return (density + math.log(2 * math.pi)).sum(dim=1).mean() / 2
