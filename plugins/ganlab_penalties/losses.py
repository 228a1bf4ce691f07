"""Penalties on the gradient of the discriminator by its input.

They assume that a sample's logit depends on that sample alone; batch normalisation in the
discriminator breaks this, and layer or no normalisation goes with them better.
"""

from __future__ import annotations

import torch
from torch.nn.functional import relu

from ganlab import Game, Loss

__all__ = ["R1", "GradientPenalty"]


class GradientPenalty(Loss):
    """E (‖∇D(x̂)‖ − target)² at points x̂ between real and fake (Gulrajani et al., 2017).

    Every sample has its own point, uniform on the line from a real to a fake.

    Args:
        target: the norm that is not punished.
        one_sided: whether only norms above it are.
    """

    def __init__(self, target: float = 1.0, *, one_sided: bool = False) -> None:
        self.target = target
        self.one_sided = one_sided

    def discriminator(self, game: Game) -> torch.Tensor:
        """Return the penalty."""
        share = game.rand(*[1] * (game.real.dim() - 1))
        between = game.leaf(torch.lerp(game.real, game.fake, share))
        gradient = game.input_gradient(game.discriminate(between, game.real_labels).logits, between)
        # Not `norm()`: its gradient at zero is NaN.
        norm = (gradient.flatten(1).square().sum(dim=1) + 1e-12).sqrt()
        excess = norm - self.target
        return (relu(excess) if self.one_sided else excess).square().mean()


class R1(Loss):
    """½ E ‖∇D(x)‖² on real samples (Mescheder et al., 2018, eq. 9); the entry's weight is γ.

    It shares its forward pass with whatever else looks at the real logits.
    """

    differentiates = frozenset({"real"})

    def discriminator(self, game: Game) -> torch.Tensor:
        """Return the penalty."""
        gradient = game.input_gradient(game.real_logits, game.real)
        return gradient.flatten(1).square().sum(dim=1).mean() / 2
