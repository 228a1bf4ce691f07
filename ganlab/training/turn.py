"""One player's turn: one optimizer update."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import torch

from ganlab.components import LossComponent
from ganlab.config.experiment import Selection
from ganlab.errors import ComponentError
from ganlab.training.game import Game, TurnSamples
from ganlab.training.guard import Guard
from ganlab.training.loss import Loss
from ganlab.training.meter import Meter
from ganlab.training.networks import Networks
from ganlab.training.player import Player, PlayerName

__all__ = ["Term", "Turn", "speaks_to"]


@dataclass(frozen=True)
class Term:
    """A loss with its place in the objective.

    Attributes:
        selection: the experiment's entry.
        loss: what its component built; returns the tensors.
        weight: its factor in the sum.
        every: it applies on every n-th step, n times as strongly.
    """

    selection: Selection[LossComponent]
    loss: Loss
    weight: float = 1.0
    every: int = 1

    @property
    def label(self) -> str:
        """What tags call it."""
        return self.selection.label

    def due(self, step: int) -> bool:
        """Return whether the term applies after `step` completed steps."""
        return step % self.every == 0

    def evaluate(self, game: Game) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the weighted sum of the loss's parts, and the unweighted parts by tag.

        Raises:
            ExperimentError: the loss refuses these samples; its entry's file and line are named.
        """
        try:
            value = getattr(self.loss, game.player)(game)
        except ComponentError as error:
            raise self.selection.refusal(error) from error
        tag = f"loss/{game.player}/{self.label}"
        parts = value if isinstance(value, Mapping) else {"": value}
        named = {f"{tag}/{name}" if name else tag: part for name, part in parts.items()}
        return self.weight * self.every * torch.stack(list(parts.values())).sum(), named


def speaks_to(loss: Loss, player: PlayerName) -> bool:
    """Return whether a loss has something to say in a player's turn: whether it overrides the method."""
    return getattr(type(loss), player) is not getattr(Loss, player)


class Turn:
    """A player's turn.

    Args:
        player: who moves.
        others: the players that are frozen meanwhile.
        terms: the losses that speak to the player.
        networks: all networks.
        batch_size: samples of the turn, in this process.
        microbatch_size: samples that pass the networks at once.
        joint_batch: whether real and fake pass the discriminator together.
        rng: randomness of the losses.
        meter: where losses, balance and gradient norms go.
        guard: stops the run before a non-finite update.
    """

    def __init__(
        self,
        player: Player,
        others: Sequence[Player],
        terms: Sequence[Term],
        networks: Networks,
        *,
        batch_size: int,
        microbatch_size: int,
        joint_batch: bool,
        rng: torch.Generator,
        meter: Meter,
        guard: Guard,
    ) -> None:
        self.player = player
        self.terms = tuple(terms)
        self._others = tuple(others)
        self._networks = networks
        self._batch_size = batch_size
        self._microbatch_size = microbatch_size
        self._joint_batch = joint_batch
        self._rng = rng
        self._meter = meter
        self._guard = guard

    def play(self, samples: TurnSamples, step: int) -> None:
        """Take the turn: gradients over the whole batch, then one update.

        Raises:
            DivergedError: a loss or the gradient norm is not finite; nothing has moved.
        """
        if not any(term.due(step) for term in self.terms):
            return
        player = self.player
        observed = self.accumulate(samples, step)
        self._meter.add(observed)
        self._guard.check(player.optimizer, list(observed.values()), player=player.name, step=step)
        if player.clip_gradient_norm is not None:
            norm = observed[f"gradient_norm/{player.name}"]
            torch.nn.utils.clip_grads_with_norm_(player.parameters, player.clip_gradient_norm, norm)
        player.update()

    def accumulate(self, samples: TurnSamples, step: int) -> dict[str, torch.Tensor]:
        """Gather the gradients of the whole batch; return losses, balance and gradient norm by tag."""
        terms = [term for term in self.terms if term.due(step)]
        self.player.optimizer.zero_grad(set_to_none=True)
        observed: dict[str, torch.Tensor] = {}
        with ExitStack() as frozen:
            for other in self._others:
                frozen.enter_context(other.frozen())
            for start in range(0, self._batch_size, self._microbatch_size):
                rows = slice(start, min(start + self._microbatch_size, self._batch_size))
                share = (rows.stop - rows.start) / self._batch_size
                for name, value in self._backward(terms, samples, rows, share, step).items():
                    observed[name] = observed[name] + value if name in observed else value
        observed[f"gradient_norm/{self.player.name}"] = self._gradient_norm()
        return observed

    def _backward(
        self, terms: Sequence[Term], samples: TurnSamples, rows: slice, share: float, step: int
    ) -> dict[str, torch.Tensor]:
        """Add a microbatch's share of the gradients; return its share of what is logged."""
        game = Game(
            self.player.name,
            self._networks,
            samples,
            rows=rows,
            step=step,
            rng=self._rng,
            leaves=frozenset().union(*(term.loss.differentiates for term in terms)),
            joint_batch=self._joint_batch,
        )
        values, parts = zip(*(term.evaluate(game) for term in terms), strict=True)
        total = torch.stack(values).sum()
        torch.autograd.backward(total * share)
        observed = {name: part.detach() for named in parts for name, part in named.items()}
        observed[f"loss/{self.player.name}/total"] = total.detach()
        if any(term.loss.log_odds for term in terms) and self.player.name == "discriminator":
            observed |= balance(game)
        return {name: value * share for name, value in observed.items()}

    def _gradient_norm(self) -> torch.Tensor:
        gradients = [parameter.grad for parameter in self.player.parameters if parameter.grad is not None]
        return torch.nn.utils.get_total_norm(gradients)


def balance(game: Game) -> dict[str, torch.Tensor]:
    """Return how sure the discriminator is: probabilities and accuracy over real and fake alike.

    At the equilibrium of the minimax game all three are ½ (Goodfellow et al., 2014).
    """
    if game.judged is None:
        return {}
    real, fake = game.judged
    return {
        "balance/p_real": torch.sigmoid(real).mean(),
        "balance/p_fake": torch.sigmoid(fake).mean(),
        "balance/accuracy": ((real > 0).float().mean() + (fake <= 0).float().mean()) / 2,
    }
