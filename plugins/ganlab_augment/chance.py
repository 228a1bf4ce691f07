"""Whether a transform happens to an image."""

from __future__ import annotations

import math

import torch

from ganlab import Draws

__all__ = ["Chance"]


class Chance:
    """Decides for each image whether a transform happens.

    Args:
        p: probability, a scalar tensor in [0, 1].
        draws: random numbers, a row for each image.
    """

    def __init__(self, p: torch.Tensor, draws: Draws) -> None:
        self.p = p
        self.draws = draws

    def happens(self) -> torch.Tensor:
        """Return whether it happens, `(n,)` bool."""
        draw = self.draws.rand()
        return draw < self.p.to(draw.device)

    def value(self, drawn: torch.Tensor, otherwise: float) -> torch.Tensor:
        """Return what was drawn `(n, …)` where it happens, and what changes nothing where it does not."""
        happens = self.happens().reshape(-1, *(1,) * (drawn.dim() - 1))
        return torch.where(happens, drawn, torch.full_like(drawn, otherwise))

    def integer(self, below: int) -> torch.Tensor:
        """Return whole numbers below a bound, `(n,)` float; 0 where it does not happen."""
        return self.value((self.draws.rand() * below).floor(), otherwise=0.0)

    def factor(self, deviation: float) -> torch.Tensor:
        """Return log-normal factors 2^N(0, deviation²), `(n,)`; 1 where it does not happen."""
        return self.value((self.draws.randn() * deviation).exp2(), otherwise=1.0)

    def angle(self) -> torch.Tensor:
        """Return angles uniform on [-π, π), `(n,)`; 0 where it does not happen."""
        return self.value((self.draws.rand() * 2 - 1) * math.pi, otherwise=0.0)

    def half(self) -> Chance:
        """Return the chance of which two make this one: that either happens has probability p."""
        return Chance(1 - (1 - self.p).sqrt(), self.draws)
