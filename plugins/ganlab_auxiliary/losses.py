"""The class loss of AC-GANs, which stands beside an adversarial loss.

Odena, Olah & Shlens, "Conditional image synthesis with auxiliary classifier GANs", 2017;
Kavalerov, Czaja & Chellappa, "A multi-class hinge loss for conditional GANs", 2021.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

import torch
from torch.nn.functional import cross_entropy, one_hot, relu

from ganlab import ComponentError, Game, Loss, Verdict

__all__ = ["AuxiliaryClassifier", "multi_hinge"]

ClassLoss: TypeAlias = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Maps class logits `(N, classes)` and labels `(N,)` to a mean over samples."""


def multi_hinge(class_logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return E max(0, 1 − c_y + max over k ≠ y of c_k), c being the class logits (Crammer & Singer, 2001)."""
    right = class_logits.gather(1, labels[:, None]).squeeze(1)
    is_right = one_hot(labels, class_logits.shape[1]).bool()
    others = class_logits.masked_fill(is_right, -torch.inf).amax(dim=1)
    return relu(1 - right + others).mean()


FORMS: Mapping[str, ClassLoss] = {"cross-entropy": cross_entropy, "hinge": multi_hinge}


class AuxiliaryClassifier(Loss):
    """How badly the discriminator's class logits tell the classes: both players want them told.

    Args:
        form: `cross-entropy`, −E log P(class | x), or `hinge`.
        fakes: whether the discriminator learns from the classes of fakes too.
    """

    def __init__(
        self, form: Literal["cross-entropy", "hinge"] = "cross-entropy", *, fakes: bool = True
    ) -> None:
        self._class_loss = FORMS[form]
        self._fakes = fakes

    def discriminator(self, game: Game) -> torch.Tensor:
        """Return the class loss of real samples plus, where it learns from them, that of fakes.

        Raises:
            ComponentError: the data has no labels, or the discriminator names no classes.
        """
        real = self._of(game.real_verdict, game.real_labels)
        return real + self._of(game.fake_verdict, game.fake_labels) if self._fakes else real

    def generator(self, game: Game) -> torch.Tensor:
        """Return the class loss of fakes.

        Raises:
            ComponentError: the data has no labels, or the discriminator names no classes.
        """
        return self._of(game.fake_verdict, game.fake_labels)

    def _of(self, verdict: Verdict, labels: torch.Tensor | None) -> torch.Tensor:
        if labels is None:
            raise ComponentError("an auxiliary classifier learns from labels, and the data has none")
        if verdict.class_logits is None:
            raise ComponentError(
                "this discriminator names no classes; choose one that returns a `Verdict` with "
                '`class_logits`, as `dcgan` and `mlp` do with labels = "classifier"'
            )
        return self._class_loss(verdict.class_logits, labels)
