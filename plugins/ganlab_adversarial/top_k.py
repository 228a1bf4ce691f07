"""Top-k training: the generator learns from its best fakes alone."""

from __future__ import annotations

import math

import torch

from ganlab import Game, Loss, LossValue
from ganlab_adversarial.losses import AdversarialLoss

__all__ = ["TopK"]


class TopK(Loss):
    """An adversarial loss whose generator learns from the k fakes of a batch that look most real.

    Sinha et al., "Top-k training of GANs", 2020. The share k/N begins at 1 and falls
    geometrically to its least. Of several verdicts on a fake their mean counts. Relativistic losses are
    not among those it takes: theirs is the margin to a real sample, so that the k best would be those
    that met an unlikely one, and not those that look most real.

    Args:
        loss: what both players minimise.
        least: the share that is always kept.
        decay: factor on the share.
        decay_steps: steps from one such factor to the next.
    """

    couples_samples = True

    def __init__(self, loss: AdversarialLoss, least: float, decay: float, decay_steps: int) -> None:
        self._loss = loss
        self._least = least
        self._decay = decay
        self._decay_steps = decay_steps
        self.log_odds, self.undecided = loss.log_odds, loss.undecided

    def discriminator(self, game: Game) -> LossValue:
        """Return the adversarial loss of the whole batch."""
        return self._loss.discriminator(game)

    def generator(self, game: Game) -> torch.Tensor:
        """Return the adversarial loss of the best fakes."""
        logits = game.fake_logits
        share = max(self._least, self._decay ** (game.step // self._decay_steps))
        best = logits.flatten(1).mean(dim=1) if logits.dim() > 1 else logits
        kept = best.topk(math.ceil(share * len(logits))).indices
        return self._loss.of_fakes(logits[kept])
