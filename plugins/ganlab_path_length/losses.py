"""Path length regularisation.

Karras et al., "Analyzing and improving the image quality of StyleGAN", 2020, §3.2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from ganlab import Game, Loss

__all__ = ["PathLength"]


class PathLength(Loss):
    """E (‖Jᵀy‖ − a)², J being the Jacobian of samples by styles, y noise, a a running mean (ibid., eq. 4).

    y is normal, divided by √(H·W) for images. Of styles with several rows to a sample, their mean
    square counts. As in the authors' code, the mean begins at 0 and has each batch in it before
    that is compared; where the term has a cadence, only the batches on which it applies. A
    generator without a mapping network has its latents for styles.

    Args:
        decay: what remains of the mean from one time to the next.
        shrink: divisor of the batch.
    """

    couples_samples = True
    """The mean is that of whole batches."""

    def __init__(self, decay: float = 0.99, shrink: int = 2) -> None:
        self._decay = decay
        self._shrink = shrink
        self._mean = torch.zeros(())

    def generator(self, game: Game) -> torch.Tensor:
        """Return the penalty."""
        count = math.ceil(len(game.latents) / self._shrink)
        labels = None if game.fake_labels is None else game.fake_labels[:count]
        samples, styles = game.generate_with_styles(game.latents[:count], labels)
        noise = game.randn(*samples.shape[1:])[:count] / math.sqrt(math.prod(samples.shape[2:]))
        products = (samples * noise).flatten(1).sum(dim=1)
        lengths = _path_lengths(game.input_gradient(products, styles).float())
        mean = lengths.mean().lerp(self._mean.to(lengths), self._decay)
        self._mean = mean.detach()
        return (lengths - mean).square().mean()

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return the running mean."""
        return {"mean": self._mean}

    def load_state_dict(self, state: Mapping[str, torch.Tensor]) -> None:
        """Restore the running mean."""
        self._mean = state["mean"]


def _path_lengths(gradient: torch.Tensor) -> torch.Tensor:
    """Return ‖gradient‖ `(N,)` by styles `(N, dim)`; by styles of several rows, their root mean square."""
    squares = gradient.square().sum(dim=-1)
    # The gradient of a root at zero is NaN.
    return (squares.reshape(len(squares), -1).mean(dim=1) + 1e-12).sqrt()
