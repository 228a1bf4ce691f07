"""What a loss is, and what it may ask of the game."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ganlab.errors import ComponentError

if TYPE_CHECKING:
    import torch

    from ganlab.engine.game import Game

__all__ = ["Loss", "LossValue", "Verdict"]

LossValue: TypeAlias = "torch.Tensor | Mapping[str, torch.Tensor]"
"""A scalar, or named scalars: summed and logged one by one; what depends on no weight is only logged."""


@dataclass(frozen=True)
class Verdict:
    """What a discriminator may return where logits are not all that a loss looks at.

    Attributes:
        logits: `(N,)` or `(N, …)`, higher is more real.
        features: `(N, …)`, what an inner layer makes of the sample: a representation of it, and nothing else.
        class_logits: `(N, classes)` of an auxiliary classifier.
        outputs: whatever else it shows, by name, each `(N, …)`; the record names them too
            (`ganlab.DiscriminatorComponent.outputs`).
    """

    logits: torch.Tensor
    features: torch.Tensor | None = None
    class_logits: torch.Tensor | None = None
    outputs: Mapping[str, torch.Tensor] = field(default_factory=dict)

    def output(self, name: str) -> torch.Tensor:
        """Return one of `outputs`.

        Raises:
            ComponentError: the discriminator does not show it.
        """
        if name not in self.outputs:
            raise ComponentError(
                f"it looks at `{name}` among the discriminator's outputs, and there is none such; its record "
                f'should say needs_outputs=frozenset({{"{name}"}})'
            )
        return self.outputs[name]

    def map(self, function: Callable[[torch.Tensor], torch.Tensor]) -> Verdict:
        """Return the verdict with a function applied to each of its tensors."""
        return Verdict(
            function(self.logits),
            None if self.features is None else function(self.features),
            None if self.class_logits is None else function(self.class_logits),
            {name: function(output) for name, output in self.outputs.items()},
        )


class Loss:
    """A term of the objective; returning tensors is all it does.

    Override `discriminator`, `generator` or both: the engine plays a player's turn if
    some loss speaks to that player. Tensors read from the game are float32, and what
    is returned is averaged over the samples (`mean`), so that microbatches add up.
    Gradients, devices, precision and randomness are the engine's (`game.rand` and
    `game.randn` are where to draw from).
    """

    differentiates: frozenset[Literal["real", "fake"]] = frozenset()
    """Samples with respect to which the loss takes gradients; the engine hands them out as leaves."""

    log_odds: bool = False
    """Whether logits are log-odds of being real, so that probabilities and accuracy mean something."""

    undecided: float | None = None
    """The logit halfway between real and fake: 0 of log-odds and where a loss says so; `None` where adding a
    number to all logits changes nothing, or the loss leaves it open."""

    couples_samples: bool = False
    """Whether a sample's share depends on the rest of the batch, which microbatches would change."""

    def discriminator(self, game: Game) -> LossValue:
        """Return what the discriminator minimises in its turn."""
        raise NotImplementedError

    def generator(self, game: Game) -> LossValue:
        """Return what the generator (and the encoder) minimises in its turn."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """Return adaptive state, as tensors, numbers, strings, lists and dicts; `{}` if there is none."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
