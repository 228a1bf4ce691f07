"""Warnings while a GAN trains: what goes wrong, and what to try."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

import torch

from ganlab import tags
from ganlab.runs.state import HealthWarning

__all__ = ["Health", "diversity"]

WINDOW = 5
"""Log points that a judgement on the discriminator is based on."""

SATURATED, RECOVERED = 0.99, 0.97
"""Accuracy of a discriminator that is hardly ever wrong, and of one that is again."""

VANISHED = 0.05
"""Share of its early size below which the generator's gradient counts as vanished."""

DIVERSE = 0.3
"""Diversity that a generator must once have had before it can lose it."""

SAME, UNFOLDED = 0.1, 0.2
"""Diversity below which samples are all alike, and above which they no longer are."""

TRIED, EARLY = 0.25, 200
"""Share of the training, and steps at the least, after which samples that are still all alike are a
reason to warn."""

COLLAPSED, RESTORED = 0.35, 0.6
"""Share of the greatest diversity so far at which a collapse begins and ends."""


def diversity(samples: torch.Tensor, real: torch.Tensor) -> float:
    """Return how far samples are from one another, as a share of how far real ones are.

    It is the ratio of mean pairwise Euclidean distances: 0 for one sample again and again,
    near 1 for a good generator. A collapse onto several samples that are far apart is not seen;
    distances to nearest neighbours would show it, but in a plane those fall to a third in a healthy
    run, too, when points that were everywhere gather where the real ones are.

    Args:
        samples: generated, uint8 `(N, C, H, W)` or float32 `(N, dimension)`; at least 2.
        real: real ones, of the same kind.
    """
    spread = [float(torch.pdist(each.flatten(1).float()).mean()) for each in (samples, real)]
    return spread[0] / spread[1] if spread[1] > 0 else 1.0


class Health:
    """Judges how a run is doing by what it measures anyway.

    Each warning is raised once, and again only after what it warned of has clearly ended.

    Args:
        patience: evaluations in a row without a new best until there is a warning; 0 for none.
        steps: how many the whole training has.
    """

    def __init__(self, *, patience: int, steps: int) -> None:
        self._patience = patience
        self._steps = steps
        self._accuracies: list[float] = []
        self._gradients: list[float] = []
        self._early_gradients: list[float] = []
        self._greatest_diversity = 0.0
        self._without_progress = 0
        self._raised: list[str] = []

    def log(self, step: int, values: Mapping[str, float]) -> list[HealthWarning]:
        """Judge the discriminator by a log point's scalars, where logits are log-odds.

        It is saturated where it is right about nearly everything while the generator's gradient
        has all but vanished, which is how the minimax game gets stuck (Goodfellow et al., 2014, §3).
        """
        accuracy = values.get(tags.ACCURACY)
        gradient = values.get(tags.gradient_norm("generator"))
        if accuracy is None or gradient is None:
            return []
        if len(self._early_gradients) < WINDOW:
            self._early_gradients.append(gradient)
        self._accuracies = [*self._accuracies, accuracy][-WINDOW:]
        self._gradients = [*self._gradients, gradient][-WINDOW:]
        if len(self._accuracies) < WINDOW:
            return []
        share = median(self._gradients) / max(*self._early_gradients, 1e-30)
        mean = sum(self._accuracies) / WINDOW
        begun = mean >= SATURATED and share < VANISHED
        ended = mean < RECOVERED or share > 2 * VANISHED
        return self._raise(
            begun,
            ended,
            step,
            "discriminator-saturated",
            f"the discriminator is right about {mean:.1%} of the samples, and the generator's gradient has "
            f"fallen to {share:.1%} of what it was at the start: the generator has nothing left to learn "
            "from. Try the non-saturating loss, a lower learning rate or fewer steps for the "
            "discriminator, or a gradient penalty (`r1`)",
        )

    def drawn(self, step: int, diversity: float) -> list[HealthWarning]:
        """Judge the generator by the diversity of what it makes of the fixed latents."""
        self._greatest_diversity = max(self._greatest_diversity, diversity)
        share = diversity / self._greatest_diversity if self._greatest_diversity else 1.0
        fallen = self._greatest_diversity >= DIVERSE and share < COLLAPSED
        tried = step >= max(TRIED * self._steps, EARLY)
        never = self._greatest_diversity < DIVERSE and tried and diversity < SAME
        what = "still" if never else f"only {share:.0%} of the most so far:"
        return self._raise(
            fallen or never,
            diversity > UNFOLDED if self._greatest_diversity < DIVERSE else share > RESTORED,
            step,
            "collapse",
            f"the generated samples are {diversity:.0%} as far from one another as real ones are, {what} "
            "nearly the same sample for every latent. Look at the samples; try lower learning rates, fewer "
            "steps for the generator, a gradient penalty (`r1`), or an earlier checkpoint (`ganlab resume "
            "RUN --fork --checkpoint best`)",
        )

    def evaluated(self, step: int, improved: bool) -> list[HealthWarning]:
        """Judge the run by whether the metric that chooses the best checkpoint still improves."""
        self._without_progress = 0 if improved else self._without_progress + 1
        return self._raise(
            bool(self._patience) and self._without_progress >= self._patience,
            improved,
            step,
            "no-progress",
            f"the last {self._without_progress} evaluations brought no new best. The best checkpoint is "
            "kept; to continue from it with a lower learning rate: `ganlab resume RUN --fork "
            "--checkpoint best --set optimizer.generator.learning_rate=…`",
        )

    def state_dict(self) -> dict[str, Any]:
        """Return all that later warnings depend on."""
        return {
            "accuracies": self._accuracies,
            "gradients": self._gradients,
            "early_gradients": self._early_gradients,
            "greatest_diversity": self._greatest_diversity,
            "without_progress": self._without_progress,
            "raised": self._raised,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._accuracies = list(state["accuracies"])
        self._gradients = list(state["gradients"])
        self._early_gradients = list(state["early_gradients"])
        self._greatest_diversity = state["greatest_diversity"]
        self._without_progress = state["without_progress"]
        self._raised = list(state["raised"])

    def _raise(self, begun: bool, ended: bool, step: int, name: str, message: str) -> list[HealthWarning]:
        if name in self._raised:
            if ended:
                self._raised = [other for other in self._raised if other != name]
            return []
        if not begun:
            return []
        self._raised = [*self._raised, name]
        return [HealthWarning(step, name, message)]
