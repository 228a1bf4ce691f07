"""The LeCam regulariser, a penalty on the logits themselves."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch.nn.functional import relu

from ganlab import Game, Loss

__all__ = ["Lecam"]


class Lecam(Loss):
    """E (D(real) − α_fake)² + E (D(fake) − α_real)², where the α are moving averages of logits.

    Tseng et al., "Regularizing generative adversarial networks under limited data", 2021,
    eq. 5. The averages begin at the first batch, and have each batch in them before it is
    compared; where the term has a cadence, only the batches on which it applies.

    Args:
        decay: what remains of the averages from one batch to the next.
        one_sided: whether only real logits above α_fake and fake ones below α_real are punished.
    """

    couples_samples = True
    """The averages are those of whole batches."""

    def __init__(self, decay: float = 0.99, *, one_sided: bool = False) -> None:
        self._decay = decay
        self._one_sided = one_sided
        self._averages: dict[str, torch.Tensor] = {}

    def discriminator(self, game: Game) -> torch.Tensor:
        """Return the penalty."""
        average_real = self._average("real", game.real_logits)
        average_fake = self._average("fake", game.fake_logits)
        above, below = game.real_logits - average_fake, average_real - game.fake_logits
        if self._one_sided:
            above, below = relu(above), relu(below)
        return above.square().mean() + below.square().mean()

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return the averages, none before the first batch."""
        return dict(self._averages)

    def load_state_dict(self, state: Mapping[str, torch.Tensor]) -> None:
        """Restore the averages."""
        self._averages = dict(state)

    def _average(self, kind: str, logits: torch.Tensor) -> torch.Tensor:
        """Take a batch into an average, and return it."""
        mean = logits.detach().mean()
        before = self._averages.get(kind, mean).to(mean.device)
        self._averages[kind] = torch.lerp(mean, before, self._decay)
        return self._averages[kind]
