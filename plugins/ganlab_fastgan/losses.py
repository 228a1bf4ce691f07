"""The self-supervision of a discriminator that draws real samples again (Liu et al., 2021)."""

from __future__ import annotations

import torch

from ganlab import ComponentError, Game, Loss

__all__ = ["Reconstruction"]


class Reconstruction(Loss):
    """E (what the decoder drew − the real sample)², over samples and pixels.

    The discriminator shows the difference as its verdict's features. The paper compares by LPIPS,
    which takes a trained network; here pixels are compared.
    """

    def discriminator(self, game: Game) -> torch.Tensor:
        """Return the mean squared difference.

        Raises:
            ComponentError: the discriminator shows none.
        """
        difference = game.real_verdict.features
        if difference is None:
            raise ComponentError(
                "it looks at what the discriminator draws again, and this one returns logits alone; choose "
                "the discriminator `fastgan`, or leave it out"
            )
        return difference.square().mean()
