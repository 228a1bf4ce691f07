"""Promises of losses."""

from __future__ import annotations

import statistics
from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property

import torch

from ganlab.components import LossComponent, SampleSpec
from ganlab.engine.loss import Loss
from ganlab.engine.loss_value import objective, parts_of
from ganlab.engine.player import PlayerName
from ganlab.engine.turn import speaks_to
from ganlab.errors import ComponentError, located
from ganlab.testing.networks import require_finite
from ganlab.testing.stand_in_game import BATCH, StandInGame
from ganlab.testing.state import same_state, saved
from ganlab.testing.subject import Subject

__all__ = ["PROMISES", "check"]

PROMISES = "finite scalars, gradients, means over the samples, its own randomness, and its state"
"""What is checked, in words."""

VERDICTS: tuple[tuple[int, ...], ...] = ((), (2, 2))
DRAWS = 24
"""Games over which a loss that draws random numbers is averaged."""
MORE = 3
"""Turns that a loss plays on from a checkpoint."""
LATE = 10**9
"""A step by which every loss has begun."""
TOLERANCE = 1e-3
PLAYERS: tuple[PlayerName, ...] = ("discriminator", "generator")


def check(subject: Subject[LossComponent]) -> None:
    """Check a loss in every turn that it speaks in, on all samples that it accepts."""
    with subject.promise("it is built, and speaks to a player", base=True):
        loss = _build(subject)
        players = [player for player in PLAYERS if speaks_to(loss, player)]
        subject.require(
            bool(players), "it is a loss for neither player; override discriminator() or generator()"
        )
        _require_no_slip(subject, loss)
    for spec in subject.labelled_specs:
        for verdicts in VERDICTS if "discriminator" in subject.component.needs else VERDICTS[:1]:
            stand_ins = StandInGame(spec, subject.latent, verdicts, subject.component.needs_outputs)
            for player in players:
                _Turn(subject, spec, stand_ins, player).check()


def _build(subject: Subject[LossComponent]) -> Loss:
    loss = subject.build(*((None,) if subject.component.takes_features else ()))
    subject.require(isinstance(loss, Loss), f"`build` returned a {type(loss).__name__}, not a ganlab.Loss")
    subject.require(
        isinstance(loss.differentiates, frozenset | set) and loss.differentiates <= {"real", "fake"},
        'its `differentiates` must be a frozenset of "real", "fake" or both',
    )
    built: Loss = loss
    return built


def _require_no_slip(subject: Subject[LossComponent], loss: Loss) -> None:
    """Require that no method is nearly called like one that the engine knows, which it would never call."""
    known = [name for name, value in vars(Loss).items() if callable(value) and not name.startswith("_")]
    for name, value in vars(type(loss)).items():
        if callable(value) and not name.startswith("_") and name not in known:
            (meant, *_) = [*get_close_matches(name, known, n=1, cutoff=0.85), ""]
            subject.require(not meant, f"nothing calls its {name}(); did you mean {meant}()?")


@dataclass(frozen=True)
class _Turn:
    """One player's turn among one set of stand-ins."""

    subject: Subject[LossComponent]
    spec: SampleSpec
    stand_ins: StandInGame
    player: PlayerName

    def check(self) -> None:
        loss = self._loss()
        before = torch.get_rng_state()
        with self._promise("finite scalars", base=True):
            total = self._total(loss)
        with self._promise("random numbers from the game alone", base=True):
            self.subject.require(
                torch.equal(before, torch.get_rng_state()),
                f"{self.player}() draws from torch's global generator, which no checkpoint restores; "
                "draw from game.rand or game.randn",
            )
        with self._promise("finite gradients, left to the engine"):
            self._check_gradients(total)
        if not loss.couples_samples:
            with self._promise("a mean over the samples"):
                self._check_mean()
        with self._promise("its state survives a checkpoint"):
            self._check_state(loss)

    def _promise(self, words: str, *, base: bool = False) -> AbstractContextManager[None]:
        return self.subject.promise(f"{self.player}(): {words}", base=base)

    def _loss(self) -> Loss:
        return _build(self.subject)

    @cached_property
    def _step(self) -> int:
        """A step at which the loss gives gradients, as far as there is one: it may begin later."""
        return 0 if self._total(self._loss(), step=0).requires_grad else LATE

    def _total(
        self, loss: Loss, rows: slice = slice(0, BATCH), seed: int = 0, step: int | None = None
    ) -> torch.Tensor:
        """Return the objective in what the loss returns, after a look at each part."""
        step = self._step if step is None else step
        needs = self.subject.component.needs
        game = self.stand_ins.game(self.player, needs, loss.differentiates, rows, seed, step)
        try:
            value = getattr(loss, self.player)(game)
        except Exception as error:
            self.subject.fail(self._diagnosis(loss, error), error)
        try:
            parts = parts_of(value, self.player)
        except ComponentError as error:
            self.subject.fail(str(error), error)
        for name, part in parts.items():
            require_finite(
                self.subject, part, f"what {self.player}() returns" + (f" as `{name}`" if name else "")
            )
        return objective(parts)

    def _diagnosis(self, loss: Loss, error: Exception) -> str:
        """Say what the loss forgot to declare, if with it the game can be played."""
        needs, leaves = self.subject.component.needs, loss.differentiates
        for missing in sorted({"augmentation", "discriminator", "encoder"} - needs):
            if self._playable({*needs, missing}, leaves):
                return (
                    f"{self.player}() asks for the {missing}, which the record does not declare; "
                    f'set needs=frozenset({{"{missing}"}})'
                )
        for samples in ("real", "fake"):
            if samples not in leaves and self._playable(needs, {*leaves, samples}):
                return (
                    f"{self.player}() differentiates by the {samples} samples, which the loss does not "
                    f'declare; set differentiates = frozenset({{"{samples}"}})'
                )
        if isinstance(error, ComponentError):
            self.subject.refuse(f"{self.player}() refuses to play with {self.spec}: {error}", error)
        return f"{self.player}() raises {located(error)} with {self.spec}"

    def _playable(self, present: Collection[str], leaves: Collection[str]) -> bool:
        try:
            getattr(self._loss(), self.player)(self.stand_ins.game(self.player, present, leaves))
        except Exception:
            return False
        return True

    def _check_gradients(self, total: torch.Tensor) -> None:
        parameters = self.stand_ins.parameters(self.player)
        self.subject.require(
            all(parameter.grad is None for parameter in parameters),
            f"{self.player}() calls backward(); return the loss and leave that to the engine",
        )
        gradients: list[torch.Tensor | None] = [None]
        if total.requires_grad:
            gradients = list(torch.autograd.grad(total, parameters, allow_unused=True))
        reached = [gradient for gradient in gradients if gradient is not None]
        self.subject.require(
            bool(reached),
            f"no gradient of {self.player}() reaches the {self.player}, so that it learns nothing; compute "
            "from the game's tensors without detach() or torch.no_grad()",
        )
        for gradient in reached:
            require_finite(self.subject, gradient, f"the gradient of {self.player}()")

    def _check_mean(self) -> None:
        """Require that the halves of a batch average to the whole, as microbatches must."""
        whole = [self._value(slice(0, BATCH), seed) for seed in (0, 1)]
        seeds = range(1) if whole[0] == whole[1] else range(DRAWS)
        gaps = [self._gap(seed) for seed in seeds]
        error = statistics.stdev(gaps) / len(gaps) ** 0.5 if len(gaps) > 1 else 0.0
        scale = max(abs(value) for value in whole)
        self.subject.require(
            abs(statistics.fmean(gaps)) <= 5 * error + TOLERANCE * scale + 1e-6,
            f"{self.player}() of a batch is not the average of {self.player}() of its halves; take mean() "
            "over the samples, not sum(), or set couples_samples = True if they depend on each other",
        )

    def _gap(self, seed: int) -> float:
        half = BATCH // 2
        # A seed for each part: nothing is said about the order in which a loss draws.
        first = self._value(slice(0, half), 1000 + seed)
        second = self._value(slice(half, BATCH), 2000 + seed)
        return self._value(slice(0, BATCH), seed) - (first + second) / 2

    def _value(self, rows: slice, seed: int) -> float:
        return self._total(self._loss(), rows, seed).item()

    def _check_state(self, loss: Loss) -> None:
        state = saved(self.subject, loss.state_dict())
        fresh = self._loss()
        with self.subject.during("load_state_dict()"):
            fresh.load_state_dict(state)
        self.subject.require(
            same_state(fresh.state_dict(), state),
            "load_state_dict() does not restore what state_dict() returned",
        )
        # A few more turns, for what changes slowly, or at first not at all.
        undisturbed, continued = (
            [self._total(each, seed=turn).item() for turn in range(MORE)] for each in (loss, fresh)
        )
        self.subject.require(
            undisturbed == continued,
            f"restored from its state_dict(), {self.player}() gives other values than undisturbed; what it "
            "remembers from turn to turn belongs into state_dict(), and back from there in load_state_dict()",
        )
