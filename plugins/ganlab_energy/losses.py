"""The loss of energy-based GANs (Zhao, Mathieu & LeCun, 2017); a sample's energy is minus its logit.

A discriminator whose logits are such, never above 0, shows them as the output `energy`.
"""

from __future__ import annotations

import torch
from torch.nn.functional import normalize, relu

from ganlab import ComponentError, Game, Loss, Verdict

__all__ = ["Ebgan"]


class Ebgan(Loss):
    """The discriminator lowers the energy of real samples, and raises that of fakes up to a margin.

    Args:
        margin: energy beyond which a fake is left alone.
        pulling_away: weight of the pulling-away term, which compares the fakes of a batch.
    """

    def __init__(self, margin: float = 0.1, pulling_away: float = 0.0) -> None:
        self._margin = margin
        self._pulling_away = pulling_away
        self.couples_samples = pulling_away > 0

    def discriminator(self, game: Game) -> torch.Tensor:
        """Return E energy(real) + E max(0, margin − energy(fake)).

        Raises:
            ComponentError: the discriminator's logits are no energies.
        """
        game.real_verdict.output("energy")
        return relu(self._margin + game.fake_logits).mean() - game.real_logits.mean()

    def generator(self, game: Game) -> dict[str, torch.Tensor]:
        """Return `energy`, E energy(fake), and the term `pulling-away` where it has a weight.

        Raises:
            ComponentError: the discriminator's logits are no energies; the term is asked for, and
                the discriminator shows no codes or a batch has one sample only.
        """
        game.fake_verdict.output("energy")
        terms = {"energy": -game.fake_logits.mean()}
        if self._pulling_away:
            terms["pulling-away"] = self._pulling_away * _pulling_away(game.fake_verdict)
        return terms


def _pulling_away(verdict: Verdict) -> torch.Tensor:
    """Return the mean squared cosine between the codes of two different samples (ibid., eq. 4)."""
    if verdict.features is None:
        raise ComponentError(
            "the pulling-away term compares codes, and this discriminator returns logits alone; choose "
            "`autoencoder`, or another that returns a `Verdict` with `features`",
            option="pulling_away",
        )
    count = len(verdict.features)
    if count < 2:
        raise ComponentError(
            "the pulling-away term compares samples; `training.batch_size` must be at least 2",
            option="pulling_away",
        )
    directions = normalize(verdict.features.flatten(1), dim=1)
    squares = (directions @ directions.T).square()
    return (squares.sum() - squares.diagonal().sum()) / (count * (count - 1))
