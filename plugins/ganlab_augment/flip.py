"""Images mirrored at random."""

from __future__ import annotations

import torch

from ganlab import Augmentation, Draws

__all__ = ["Flip"]


class Flip(Augmentation):
    """Mirrors each image with a fixed probability.

    Args:
        horizontal: probability of left to right, in [0, 1].
        vertical: probability of upside down, in [0, 1].
    """

    def __init__(self, horizontal: float, vertical: float) -> None:
        self._chances = {-1: horizontal, -2: vertical}

    def __call__(self, samples: torch.Tensor, draws: Draws) -> torch.Tensor:
        """Return images `(n, C, H, W)`, some of them mirrored."""
        for side, chance in self._chances.items():
            if chance > 0:
                chosen = (draws.rand() < chance)[:, None, None, None]
                samples = torch.where(chosen, samples.flip(side), samples)
        return samples
