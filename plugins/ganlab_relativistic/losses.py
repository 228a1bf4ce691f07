"""Relativistic losses (Jolicoeur-Martineau, "The relativistic discriminator", 2018).

Means run over samples and, where a discriminator gives several verdicts on each (a
PatchGAN), over those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

import torch
from torch.nn.functional import relu, softplus

from ganlab import Game, Loss

__all__ = ["Relativistic", "RelativisticAverage"]

Form: TypeAlias = Callable[[torch.Tensor], torch.Tensor]
"""What a player pays for a margin by which one logit lies above what it is compared with."""

FORMS: Mapping[str, Form] = {
    "standard": lambda margin: softplus(-margin),
    "hinge": lambda margin: relu(1 - margin),
    "least-squares": lambda margin: (margin - 1).square(),
}


class Relativistic(Loss):
    """−E log σ(real − fake), sample by sample, and the reverse for the generator (RpGAN).

    Beside `r1` and `r2` it is the loss of R3GAN (Huang et al., "The GAN is dead; long live
    the GAN!", 2024).
    """

    def discriminator(self, game: Game) -> torch.Tensor:
        """Return E softplus(fake − real)."""
        return softplus(game.fake_logits - game.real_logits).mean()

    def generator(self, game: Game) -> torch.Tensor:
        """Return E softplus(real − fake)."""
        return softplus(game.real_logits - game.fake_logits).mean()


class RelativisticAverage(Loss):
    """Every real logit against the mean of the fakes', and every fake one against that of the real ones.

    Args:
        form: `standard` (RaSGAN), `hinge` (RaHingeGAN) or `least-squares` (RaLSGAN).
    """

    couples_samples = True

    def __init__(self, form: Literal["standard", "hinge", "least-squares"] = "standard") -> None:
        self._form = FORMS[form]

    def discriminator(self, game: Game) -> torch.Tensor:
        """Return E f(real − E fake) + E f(E real − fake)."""
        return self._above_average(game.real_logits, game.fake_logits)

    def generator(self, game: Game) -> torch.Tensor:
        """Return E f(fake − E real) + E f(E fake − real)."""
        return self._above_average(game.fake_logits, game.real_logits)

    def _above_average(self, high: torch.Tensor, low: torch.Tensor) -> torch.Tensor:
        return self._form(high - low.mean()).mean() + self._form(high.mean() - low).mean()
