"""The self-supervision of a discriminator that draws real samples again (Liu et al., 2021)."""

from __future__ import annotations

import torch

from ganlab import Game, Loss

__all__ = ["Reconstruction"]


class Reconstruction(Loss):
    """E (what the decoder drew − the real sample)², over samples and pixels.

    The discriminator shows the difference as its output `reconstruction_error`. The paper compares by LPIPS,
    which takes a trained network; here pixels are compared.
    """

    def discriminator(self, game: Game) -> torch.Tensor:
        """Return the mean squared difference.

        Raises:
            ComponentError: the discriminator shows none.
        """
        return game.real_verdict.output("reconstruction_error").square().mean()
