"""One player's turn: one optimizer update."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeAlias

import torch

from ganlab import tags
from ganlab.components import LatentSpec, LossComponent
from ganlab.config.selection import Selection
from ganlab.engine.augmentation import Augmentations
from ganlab.engine.game import Game
from ganlab.engine.guard import Guard
from ganlab.engine.loss import Loss
from ganlab.engine.loss_value import objective, parts_of, scaled, total
from ganlab.engine.meter import Meter, Scalars
from ganlab.engine.microbatch_game import MicrobatchGame
from ganlab.engine.networks import Networks, freeze
from ganlab.engine.player import Player, PlayerName
from ganlab.engine.turn_samples import TurnSamples
from ganlab.engine.whole_game import WholeGame
from ganlab.errors import UsageError
from ganlab.processes import Processes

__all__ = ["Accumulate", "Term", "Turn", "TurnSetup", "speaks_to", "undecided_logit"]


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
        """Return the term's share of the objective, and its weighted parts by tag.

        A part that depends on no weight is no part of the objective, and is logged as it is. Others
        are logged without the factor `every`, so that over many steps the parts' means add up to the mean
        of the total.

        Raises:
            ExperimentError: the loss refuses these samples, or does not return scalars; its
                entry's file and line are named.
            ComponentCrashError: it raised anything else.
        """
        with self.selection.blamed():
            parts = parts_of(getattr(self.loss, game.player)(game), game.player)
        named = {
            tags.loss(game.player, self.label, name): scaled(part, self.weight if part.requires_grad else 1)
            for name, part in parts.items()
        }
        return scaled(objective(named), self.every), named


def speaks_to(loss: Loss, player: PlayerName) -> bool:
    """Return whether a loss has something to say in a player's turn: whether it overrides the method."""
    return getattr(type(loss), player) is not getattr(Loss, player)


@dataclass(frozen=True)
class TurnSetup:
    """What all turns of an engine have in common.

    Attributes:
        networks: all networks; those that are not the player's are frozen during a turn.
        latent: what the latents are.
        batch_size: samples of a turn, over all processes.
        microbatch_size: samples that pass the networks at once.
        joint_batch: whether real and fake pass the discriminator together.
        processes: those that share a turn.
        augmentations: what the discriminator sees samples through.
        meter: where losses, balance and gradient norms go.
        guard: stops the run before a non-finite update.
    """

    networks: Networks
    latent: LatentSpec
    batch_size: int
    microbatch_size: int
    joint_batch: bool
    processes: Processes
    augmentations: Augmentations
    meter: Meter
    guard: Guard


class Turn:
    """A player's turn.

    Args:
        player: who moves.
        terms: the losses that speak to the player.
        setup: what all turns have in common.

    Attributes:
        logits_asked_for: `real` and `fake`, as far as a loss has looked at those logits since this was made.
        step_asked_for: whether a loss has looked at the step since then.
    """

    def __init__(self, player: Player, terms: Sequence[Term], setup: TurnSetup) -> None:
        self.player = player
        self.terms = tuple(terms)
        self.logits_asked_for: set[str] = set()
        self.step_asked_for = False
        self._setup = setup
        self._others = [network for name, network in setup.networks.items() if name not in player.networks]

    def play(self, samples: TurnSamples, step: int, accumulate: Accumulate) -> None:
        """Take the turn: gradients over the whole batch, then one update.

        Args:
            samples: what it is played with.
            step: completed steps before this one.
            accumulate: does what `Turn.accumulate` does.

        Raises:
            DivergedError: a loss or the gradient norm is not finite; nothing has moved.
        """
        if not self.due(step):
            return
        player = self.player
        observed = accumulate(self, samples, step)
        self._setup.meter.add(observed)
        self._setup.guard.check(player.optimizer, observed.values, step)
        if player.clip_gradient_norm is not None:
            norm = observed[tags.gradient_norm(player.name)]
            torch.nn.utils.clip_grads_with_norm_(player.parameters, player.clip_gradient_norm, norm)
        player.update()
        signs = [observed[tag] for tag in (tags.REAL_SIGN, tags.PAIR_SIGN) if tag in observed]
        if signs:
            self._setup.augmentations.observe(signs[0], self._setup.batch_size)
            scalars = self._setup.augmentations.scalars()
            if scalars:
                named = {tags.augmentation(*name): value for name, value in scalars.items()}
                self._setup.meter.add(Scalars.of(named))

    def due(self, step: int) -> tuple[Term, ...]:
        """Return the losses that apply after `step` completed steps."""
        return tuple(term for term in self.terms if term.due(step))

    def accumulate(self, samples: TurnSamples, step: int) -> Scalars:
        """Gather the gradients of the whole batch; return losses, balance and gradient norm by tag."""
        terms = self.due(step)
        self.player.optimizer.zero_grad(set_to_none=True)
        observed: list[Scalars] = []
        own = self._setup.processes.rows(self._setup.batch_size)
        count = own.stop - own.start
        with ExitStack() as frozen:
            for network in self._others:
                frozen.enter_context(freeze(network))
            for start in range(0, count, self._setup.microbatch_size):
                rows = slice(start, min(start + self._setup.microbatch_size, count))
                share = (rows.stop - rows.start) / self._setup.batch_size
                observed.append(self._backward(terms, samples, rows, share, step))
        gradients = [parameter.grad for parameter in self.player.parameters if parameter.grad is not None]
        # Once, when all backward passes are done: a penalty's second one is in it too.
        whole = functools.reduce(operator.add, observed)
        self._setup.processes.all_reduce([*gradients, whole.values])
        norm = torch.nn.utils.get_total_norm(gradients)
        # Of no gradients at all, it is 0 on the CPU.
        values = torch.cat([whole.values, norm.to(self._setup.networks.device).reshape(1)])
        return Scalars((*whole.names, tags.gradient_norm(self.player.name)), values)

    def _backward(
        self, terms: Sequence[Term], samples: TurnSamples, rows: slice, share: float, step: int
    ) -> Scalars:
        """Add a microbatch's share of the gradients; return its share of what is logged."""
        game = MicrobatchGame(
            self.player.name,
            self._setup.networks,
            samples,
            rows=rows,
            step=step,
            latent=self._setup.latent,
            leaves=frozenset().union(*(term.loss.differentiates for term in terms)),
            joint_batch=self._setup.joint_batch,
            augmentations=self._setup.augmentations,
        )
        whole = (
            WholeGame(game, self._setup.processes, self._setup.batch_size)
            if self._setup.processes.world > 1
            else game
        )
        coupled = [term.loss.couples_samples for term in terms]
        values, parts = zip(
            *(term.evaluate(whole if each else game) for term, each in zip(terms, coupled, strict=True)),
            strict=True,
        )
        # A loss over the whole batch is no share of anything: what it gives these rows is all they get.
        weighted = [scaled(value, 1 if each else share) for value, each in zip(values, coupled, strict=True)]
        _differentiate(total(weighted))
        self.logits_asked_for |= game.logits_asked_for
        self.step_asked_for |= game.step_asked_for
        observed = {name: part.detach() for named in parts for name, part in named.items()}
        observed[tags.total_loss(self.player.name)] = total(values).detach()
        if self.player.name == "discriminator":
            observed |= mean_logits(game)
            if self._setup.augmentations:
                observed |= mean_sign(game, undecided_logit(self.terms))
            if any(term.loss.log_odds for term in terms):
                observed |= balance(game)
        scalars = Scalars.of(observed)
        return Scalars(scalars.names, scaled(scalars.values, share))


Accumulate: TypeAlias = Callable[[Turn, TurnSamples, int], Scalars]
"""Leaves the gradients of a turn in the parameters, and returns what is observed."""


def _differentiate(whole: torch.Tensor) -> None:
    """Add an objective's gradients to those of the weights; there are none where all losses are constant.

    Raises:
        UsageError: a gradient's gradient is asked for where torch has none.
    """
    if not whole.requires_grad:
        return
    try:
        torch.autograd.backward(whole)
    except RuntimeError as error:
        if "derivative for batch_norm_backward" not in str(error):
            raise
        raise UsageError(
            "a loss differentiates a gradient, as penalties do, and torch cannot do that through batch "
            "normalisation that is synchronised between GPUs: give that network another one, as in "
            'discriminator.normalisation = "layer", or train in one process'
        ) from error


def mean_logits(game: MicrobatchGame) -> dict[str, torch.Tensor]:
    """Return the mean logit of real and of fake samples, as far as some loss asked for them."""
    return {tags.logits(kind): logits.mean() for kind, logits in game.logits_seen.items()}


def undecided_logit(terms: Sequence[Term]) -> float | None:
    """Return the logit halfway between real and fake, as the first loss has it that knows one."""
    known = [0.0 if term.loss.log_odds else term.loss.undecided for term in terms]
    return next((logit for logit in known if logit is not None), None)


def mean_sign(game: MicrobatchGame, undecided: float | None) -> dict[str, torch.Tensor]:
    """Return how often real samples are taken for such, as far as losses have asked for the logits it takes.

    Where nothing is undecided, a real sample is held against a fake one: that stays the same whatever
    number is added to all logits.
    """
    seen = game.logits_seen
    if undecided is not None:
        return {tags.REAL_SIGN: (seen["real"] - undecided).sign().mean()} if "real" in seen else {}
    return {tags.PAIR_SIGN: (seen["real"] - seen["fake"]).sign().mean()} if len(seen) == 2 else {}


def balance(game: MicrobatchGame) -> dict[str, torch.Tensor]:
    """Return how sure the discriminator is: probabilities and accuracy over real and fake alike.

    At the equilibrium of the minimax game all three are ½ (Goodfellow et al., 2014).
    """
    if len(game.logits_seen) < 2:
        return {}
    real, fake = game.logits_seen["real"], game.logits_seen["fake"]
    return {
        tags.probability("real"): torch.sigmoid(real).mean(),
        tags.probability("fake"): torch.sigmoid(fake).mean(),
        tags.ACCURACY: ((real > 0).float().mean() + (fake <= 0).float().mean()) / 2,
    }
