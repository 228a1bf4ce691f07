"""Penalties on the gradient of the discriminator by its input.

D is the verdict on a sample: its logit or, where a discriminator gives several (a PatchGAN), their
mean. The penalties assume that a sample's logits depend on that sample alone; batch normalisation in
the discriminator breaks this, and layer or no normalisation goes with them better.
"""

from __future__ import annotations

import torch
from torch.nn.functional import relu

from ganlab import Game, Loss

__all__ = ["R1", "R2", "Dragan", "GradientPenalty"]


class GradientPenalty(Loss):
    """E (‖∇D(x̂)‖ − target)² at points x̂ between real and fake (Gulrajani et al., 2017).

    Every sample has its own point, uniform on the line from a real to a fake. With the target 0
    it is 0-GP, E ‖∇D(x̂)‖² (Thanh-Tung et al., 2019, eq. 4).

    Args:
        target: the norm that is not punished.
        one_sided: whether only norms above it are.
    """

    def __init__(self, target: float = 1.0, *, one_sided: bool = False) -> None:
        self.target = target
        self.one_sided = one_sided

    def discriminator(self, game: Game) -> torch.Tensor:
        """Return the penalty."""
        points = game.leaf(torch.lerp(game.real, game.fake, _share(game)))
        excess = _norm(_gradient_at(game, points)) - self.target
        return (relu(excess) if self.one_sided else excess).square().mean()


class Dragan(Loss):
    """E (‖∇D(x̂)‖ − target)² at points x̂ near real samples (Kodali et al., 2017).

    As the authors' code has it, x̂ is uniform on the line from a real sample x to x + aσu,
    u uniform on [0, 1) for each element, and σ is the standard deviation of all elements
    of the batch.

    Args:
        target: the norm that is not punished.
        amplitude: a.
        deviation: σ, or `None` for that of the batch, which couples its samples.
    """

    def __init__(self, target: float = 1.0, amplitude: float = 0.5, deviation: float | None = None) -> None:
        self.target = target
        self.amplitude = amplitude
        self.deviation = deviation
        self.couples_samples = deviation is None

    def discriminator(self, game: Game) -> torch.Tensor:
        """Return the penalty."""
        real = game.real.detach()
        deviation = real.std(correction=0) if self.deviation is None else self.deviation
        noise = self.amplitude * deviation * game.rand(*real.shape[1:])
        near = game.leaf(real + _share(game) * noise)
        return (_norm(_gradient_at(game, near)) - self.target).square().mean()


class R1(Loss):
    """½ E ‖∇D(x)‖² on real samples (Mescheder et al., 2018, eq. 9); the entry's weight is γ.

    It shares its forward pass with whatever else looks at the real logits.
    """

    differentiates = frozenset({"real"})

    def discriminator(self, game: Game) -> torch.Tensor:
        """Return the penalty."""
        return _mean_square(game.input_gradient(game.real_logits, game.real)) / 2


class R2(Loss):
    """½ E ‖∇D(x)‖² on fakes (Mescheder et al., 2018, eq. 10); the entry's weight is γ.

    It shares its forward pass with whatever else looks at the fake logits.
    """

    differentiates = frozenset({"fake"})

    def discriminator(self, game: Game) -> torch.Tensor:
        """Return the penalty."""
        return _mean_square(game.input_gradient(game.fake_logits, game.fake)) / 2


def _share(game: Game) -> torch.Tensor:
    """Return a number on [0, 1) for each sample, shaped to multiply samples."""
    return game.rand(*[1] * (game.real.dim() - 1))


def _gradient_at(game: Game, leaves: torch.Tensor) -> torch.Tensor:
    """Return ∇D at samples made of the real ones, judged under their labels."""
    return game.input_gradient(game.discriminate(leaves, game.real_labels).logits, leaves)


def _norm(gradient: torch.Tensor) -> torch.Tensor:
    """Return each sample's gradient norm `(N,)`."""
    # Not `norm()`: its gradient at zero is NaN.
    return (gradient.flatten(1).square().sum(dim=1) + 1e-12).sqrt()


def _mean_square(gradient: torch.Tensor) -> torch.Tensor:
    """Return the mean over samples of ‖gradient‖²."""
    return gradient.flatten(1).square().sum(dim=1).mean()
