"""The engine: players and turns, put together from an experiment and advanced a step at a time."""

from __future__ import annotations

from typing import Any

import torch

from ganlab.components import SampleSpec
from ganlab.config.experiment import Experiment, LossChoice
from ganlab.data.feed import Batch, Feed
from ganlab.data.preparation import Data
from ganlab.errors import ExperimentError
from ganlab.training.ema import MovingAverage
from ganlab.training.game import TurnSamples
from ganlab.training.guard import Guard
from ganlab.training.labels import LabelSampler
from ganlab.training.latents import draw_latents
from ganlab.training.meter import Meter
from ganlab.training.networks import Networks, build_networks
from ganlab.training.player import Player, PlayerName, make_player
from ganlab.training.precision import choose_device, choose_precision
from ganlab.training.streams import Streams, derive_seed
from ganlab.training.turn import Term, Turn, speaks_to

__all__ = ["Engine"]


class Engine:
    """Everything that learns, and the state it learns from.

    Args:
        experiment: what to train.
        data: what to train on.

    Attributes:
        step: completed steps.
        spec: what a sample is.
        networks: generator, discriminator, encoder.
        players: who learns, by name.
        average: the averaged generator, or `None` where it is turned off.
        meter: losses, balance and gradient norms since they were last read.

    Raises:
        ExperimentError: a component cannot be built as asked.
        UsageError: the device is not there.
    """

    def __init__(self, experiment: Experiment, data: Data) -> None:
        settings = experiment.settings
        self.experiment = experiment
        self.spec: SampleSpec = data.store.spec
        self.device = choose_device(settings.training.device)
        self.dtype = choose_precision(settings.training.precision, self.device)
        self.networks: Networks = build_networks(experiment, self.spec, self.device, self.dtype)
        self.streams = Streams(settings.seed)
        self.feed = Feed(
            data.store,
            data.split.training,
            batch_size=settings.training.batch_size,
            seed=derive_seed(settings.seed, "data"),
            device=self.device,
            mirror=settings.dataset.mirror,
        )
        self.labels = LabelSampler(data.store.labels, data.split.training)
        self.meter = Meter()
        self.guard = Guard(self.device, self.meter)
        self.terms = [_make_term(choice) for choice in experiment.losses]
        _check_microbatches(experiment, self.terms)
        self.players = self._make_players()
        self.average = (
            MovingAverage(self.networks.generator, settings.ema) if settings.ema.half_life_images else None
        )
        self._turns = self._make_turns()
        self.step = 0

    @property
    def images_seen(self) -> int:
        """Images shown so far: one batch a step."""
        return self.step * self.experiment.settings.training.batch_size

    @property
    def generator(self) -> torch.nn.Module:
        """The generator to look at: the averaged one where there is one."""
        return self.networks.generator if self.average is None else self.average.network

    def advance(self) -> None:
        """Play one step: the discriminator's turns, then the generator's.

        Raises:
            DivergedError: a loss or gradient is not finite; the weights were left alone.
        """
        shared = self._shared_samples()
        for turn in self._turns:
            turn.play(shared or self._turn_samples(), self.step)
        batch_size = self.experiment.settings.training.batch_size
        if self.average is not None:
            self.average.update(batch_size, self.images_seen)
        self.step += 1

    def rehearse(self) -> dict[str, float]:
        """Play one step without moving a weight; return losses, balance and gradient norms by tag.

        Batch statistics and random streams do move: this is for an engine that will not train.
        """
        for turn in self._turns:
            self.meter.add(turn.accumulate(self._turn_samples(), step=0))
        return self.meter.read()

    def _turn_samples(self) -> TurnSamples:
        return TurnSamples(self._next_batch, self._draw_latents, self._draw_labels)

    def _shared_samples(self) -> TurnSamples | None:
        """Return fakes that both turns judge, made once with their graph, where the experiment allows."""
        training = self.experiment.settings.training
        names = [turn.player.name for turn in self._turns]
        whole = training.microbatch_size in (None, training.batch_size)
        if not training.reuse_fakes or names != ["discriminator", "generator"] or not whole:
            return None
        samples = self._turn_samples()
        samples.fake = self.networks.generate(samples.latents, samples.fake_labels)
        return samples

    def _next_batch(self) -> Batch:
        return self.feed.next()

    def _draw_latents(self) -> torch.Tensor:
        count = self.experiment.settings.training.batch_size
        latents = draw_latents(self.experiment.latent, count, self.streams["latents"])
        return latents.to(self.device, non_blocking=True)

    def _draw_labels(self) -> torch.Tensor | None:
        count = self.experiment.settings.training.batch_size
        labels = self.labels.draw(count, self.streams["labels"])
        return None if labels is None else labels.to(self.device, non_blocking=True)

    def _make_players(self) -> dict[PlayerName, Player]:
        """Return a player for each network that some loss moves."""
        settings = self.experiment.settings
        turns = {
            "discriminator": settings.training.discriminator_steps,
            "generator": settings.training.generator_steps,
        }
        names: tuple[PlayerName, ...] = ("discriminator", "generator")
        return {
            name: make_player(
                name, self.networks, getattr(settings.optimizer, name), settings.training.steps * turns[name]
            )
            for name in names
            if any(speaks_to(term.loss, name) for term in self.terms)
        }

    def _make_turns(self) -> list[Turn]:
        """Return a step's turns in order."""
        training = self.experiment.settings.training
        turns: list[Turn] = []
        for name, count in (
            ("discriminator", training.discriminator_steps),
            ("generator", training.generator_steps),
        ):
            if name not in self.players:
                continue
            turn = Turn(
                self.players[name],
                [player for other, player in self.players.items() if other != name],
                [term for term in self.terms if speaks_to(term.loss, name)],
                self.networks,
                batch_size=training.batch_size,
                microbatch_size=training.microbatch_size or training.batch_size,
                joint_batch=training.joint_batch,
                rng=self.streams["losses"],
                meter=self.meter,
                guard=self.guard,
            )
            turns += [turn] * count
        return turns

    def state_dict(self) -> dict[str, Any]:
        """Return all that decides how training goes on from here."""
        return {
            "step": self.step,
            "players": {name: player.state_dict() for name, player in self.players.items()},
            "average": None if self.average is None else self.average.state_dict(),
            "streams": self.streams.state_dict(),
            "global_rng": torch.get_rng_state(),
            "feed_position": self.feed.position,
            "losses": {term.label: term.loss.state_dict() for term in self.terms},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where `state_dict` was taken."""
        self.step = state["step"]
        for name, player in self.players.items():
            player.load_state_dict(state["players"][name])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.streams.load_state_dict(state["streams"])
        torch.set_rng_state(state["global_rng"])
        self.feed.position = state["feed_position"]
        for term in self.terms:
            term.loss.load_state_dict(state["losses"][term.label])


def _make_term(choice: LossChoice) -> Term:
    return Term(
        selection=choice.selection,
        loss=choice.selection.build(),
        weight=choice.settings.weight,
        every=choice.settings.every,
    )


def _check_microbatches(experiment: Experiment, terms: list[Term]) -> None:
    """Refuse microbatches for a loss that compares the samples of a batch with one another."""
    training = experiment.settings.training
    if training.microbatch_size in (None, training.batch_size):
        return
    problems = [
        choice.selection.origin.problem(
            "training.microbatch_size",
            f"the loss {term.label!r} compares whole batches, which microbatches would change",
            "leave `microbatch_size` out, or lower `batch_size`",
        )
        for choice, term in zip(experiment.losses, terms, strict=True)
        if term.loss.couples_samples
    ]
    if problems:
        raise ExperimentError(problems)
