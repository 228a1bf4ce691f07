"""CUDA graphs of turns: all kernels that compute a turn's gradients, launched at once.

A graph repeats what the GPU did when it was recorded, at the same addresses, and nothing that the host did.
Whether that is all there is to a turn is found by trial: a graph is used if on other samples it has left the
very bytes behind that the turn leaves without it. What no trial shows, since it may be otherwise later, is
refused beforehand: a loss that looks at the step or has a state of its own, and augmentations that adapt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, Literal, TypeAlias

import torch

from ganlab.engine.capture import Capture
from ganlab.engine.fixed_samples import FixedSamples
from ganlab.engine.meter import Scalars
from ganlab.engine.surroundings import PLACES, Surroundings
from ganlab.engine.turn import Turn
from ganlab.engine.turn_samples import Fakes, TurnSamples
from ganlab.errors import GanlabError, summarised

__all__ = ["Graphs"]

_Key: TypeAlias = tuple[str, ...]
"""Whose turn it is, and the labels of the losses that are due."""


class Graphs:
    """The graphs of an engine's turns: one for each turn and each set of losses that are due together.

    Args:
        wish: `[training] cuda_graphs`.
        capture: what records; `None` where nothing can.
        around: what turns take and move.
        blame: makes an error at that setting of a message.
    """

    def __init__(
        self,
        wish: Literal["auto"] | bool,
        capture: Capture | None,
        around: Surroundings,
        blame: Callable[[str], GanlabError],
    ) -> None:
        self._capture = capture if wish else None
        self._required = wish is True
        self._around = around
        self._blame = blame
        self._addresses: tuple[int, ...] = ()
        self._recordings: dict[_Key, _Recording | None] = {}
        self._untold: list[str] = []

    def prepare(self, step: int) -> None:
        """Record what is due after `step` completed steps and was not due so before, and try it.

        Nothing moves by it. The first step goes by without: it shows whether weights stay where they are, and
        lets losses and libraries have what they make once.

        Raises:
            GanlabError: a turn cannot be recorded, and graphs are asked for.
        """
        if self._capture is None:
            return
        before, self._addresses = self._addresses, self._around.addresses()
        if not before:
            return
        if before != self._addresses:
            self._recordings.clear()
            self._capture = None
            self._refuse("any turn", "the optimizer moves weights to other places in memory")
            return
        for turn in dict.fromkeys(self._around.turns):
            key = _key(turn, step)
            if turn.due(step) and key not in self._recordings:
                self._recordings[key] = self._record(turn, step, self._capture)

    def generate(self, fakes: Fakes, step: int) -> torch.Tensor:
        """Return fakes that both turns of a step judge; without autograd's graph where a recording has it."""
        recording = self._recordings.get(_key(self._around.turns[-1], step))
        networks = self._around.networks
        return (
            networks.generate(fakes.latents, fakes.labels) if recording is None else recording.generate(fakes)
        )

    def accumulate(self, turn: Turn, samples: TurnSamples, step: int) -> Scalars:
        """Do what `Turn.accumulate` does."""
        recording = self._recordings.get(_key(turn, step))
        return turn.accumulate(samples, step) if recording is None else recording.accumulate(samples)

    def forget(self) -> None:
        """Begin anew: what losses hold may lie elsewhere from now on."""
        self._addresses = ()
        self._recordings.clear()

    def take_refusals(self) -> list[str]:
        """Return what is computed without a graph and why, each once."""
        told, self._untold = self._untold, []
        return told

    def _record(self, turn: Turn, step: int, capture: Capture) -> _Recording | None:
        """Return a recording that has stood its trial; `None` of what cannot have one."""
        why = _reason_beforehand(turn, step, self._around)
        if not why:
            with ExitStack() as untouched:
                try:
                    # Here, since there may be no room for copies of all that may move.
                    saved = untouched.enter_context(self._around.untouched())
                    recording = _Recording(turn, step, self._around, capture)
                    why = _reason_beforehand(turn, step, self._around)
                    why = why or _reason_of_trial(recording, saved, self._around)
                except Exception as error:  # where it is a mistake, the turn itself will say so
                    why = f"it cannot be recorded: {summarised(error)}"
        if not why:
            return recording
        losses = " and ".join(repr(term.label) for term in turn.due(step))
        self._refuse(f"the {turn.player.name}'s turn with {losses}", why)
        return None

    def _refuse(self, what: str, why: str) -> None:
        if self._required:
            raise self._blame(f"{what} cannot be a CUDA graph: {why}")
        self._untold.append(f"no CUDA graph of {what}: {why}")


class _Recording:
    """A turn's gradients, computed by graphs.

    Attributes:
        turn: whose turn.
        step: when it was recorded.
        generates: whether the fakes are generated by it, before the turn.
    """

    def __init__(self, turn: Turn, step: int, around: Surroundings, capture: Capture) -> None:
        self.turn, self.step = turn, step
        self._around, self._addresses = around, around.addresses()
        self.generates = around.shares_fakes and turn.player.name == "generator"
        first = around.draw()
        if around.shares_fakes and not self.generates:
            first.fakes.samples = around.networks.generate(first.fakes.latents, first.fakes.labels).detach()
        self._samples = FixedSamples(first)
        # Fetched now, and then nothing reads ahead any more: what a thread pins meanwhile spoils a recording.
        _ = first.real
        around.feed.position = around.feed.position
        *self._before, self._replay = capture([*[self._generate] * self.generates, self._accumulate])
        self._samples.complete()
        self._gradients = [(parameter, parameter.grad) for parameter in turn.player.parameters]

    def generate(self, fakes: Fakes) -> torch.Tensor:
        """Return the fakes of the turn that is to come, without a graph of autograd."""
        self._samples.fakes.fill(fakes)
        for replay in self._before:
            replay()
        assert self._samples.fakes.samples is not None
        return self._samples.fakes.samples

    def accumulate(self, samples: TurnSamples) -> Scalars:
        """Leave the gradients for these samples in the parameters; return what is observed.

        Raises:
            GanlabError: weights lie elsewhere than at the beginning of the step.
        """
        if self._addresses != self._around.addresses():
            raise GanlabError(
                "an optimizer has moved weights to other places in memory, which CUDA graphs cannot follow: "
                "set training.cuda_graphs = false"
            )
        self._samples.fill(samples)
        self._replay()
        for parameter, gradient in self._gradients:
            parameter.grad = gradient
        return Scalars(self._observed.names, self._observed.values.clone())

    def _generate(self) -> None:
        fakes = self._samples.fakes
        fakes.samples = self._around.networks.generate(fakes.latents, fakes.labels)

    def _accumulate(self) -> None:
        self._observed = self.turn.accumulate(self._samples, self.step)


def _key(turn: Turn, step: int) -> _Key:
    return (turn.player.name, *(term.label for term in turn.due(step)))


def _reason_beforehand(turn: Turn, step: int, around: Surroundings) -> str:
    """Return why a trial would not tell, or nothing."""
    adapting = [label for label, state in around.augmentations.state_dict().items() if state]
    if adapting:
        return f"the augmentation {adapting[0]!r} adapts between turns, which a graph would not notice"
    for term in turn.due(step):
        if _moves(term.loss.state_dict()):
            return f"the loss {term.label!r} has a state of its own, which a graph could lose sight of"
    return "a loss looks at `game.step`, which a graph would leave as it is" if turn.step_asked_for else ""


def _moves(state: Any) -> bool:
    """Return whether there is anything but text in a state, which only says what it belongs to."""
    return any(map(_moves, state.values())) if isinstance(state, Mapping) else not isinstance(state, str)


def _reason_of_trial(recording: _Recording, saved: Mapping[str, Any], around: Surroundings) -> str:
    """Return how a recording differs from the turn itself, on samples that it was not made of; or nothing."""
    turn, step = recording.turn, recording.step
    now = around.save()
    begin = {**saved, **{place: now[place] for place in PLACES}}

    def generate(fakes: Fakes) -> torch.Tensor:
        return around.networks.generate(fakes.latents, fakes.labels)

    def played(
        make: Callable[[Fakes], torch.Tensor], play: Callable[[TurnSamples], Scalars]
    ) -> dict[str, Any]:
        around.restore(begin)
        samples = around.draw()
        if around.shares_fakes:
            samples.fakes.samples = make(samples.fakes)
        observed = play(samples)
        gradients = [parameter.grad for parameter in turn.player.parameters]
        return {
            **around.save(),
            **dict(zip(observed.names, observed.values.clone(), strict=True)),
            **{
                f"the gradient of parameter {number}": None if gradient is None else gradient.clone()
                for number, gradient in enumerate(gradients)
            },
        }

    def plainly(samples: TurnSamples) -> Scalars:
        return turn.accumulate(samples, step)

    plain = played(generate, plainly)
    if differs := _difference(plain, played(generate, plainly)):
        return f"without one, too, it is not the same to the byte each time: {differs} differs"
    made = recording.generate if recording.generates else generate
    differs = _difference(plain, played(made, recording.accumulate))
    return f"{differs} would be another with it" if differs else ""


def _difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Return the first thing that differs, what is random before what follows from it; or nothing."""
    names = [*PLACES, *(name for name in {**one, **other} if name not in PLACES)]
    return next((name for name in names if not _same_bytes(one.get(name), other.get(name))), "")


def _same_bytes(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        alike = one.shape == other.shape and one.dtype == other.dtype
        return alike and torch.equal(_bytes(one), _bytes(other))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same_bytes(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_same_bytes, one, other))
    return bool(one == other)


def _bytes(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().reshape(-1).contiguous().view(torch.uint8)
