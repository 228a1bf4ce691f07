"""The engine: players and turns, advanced a step at a time."""

from __future__ import annotations

from typing import Any

import torch

from ganlab.components import SampleSpec
from ganlab.config.experiment import Experiment
from ganlab.data.feed import Batch, Feed
from ganlab.data.preparation import Data
from ganlab.training.assembly import make_players, make_terms, make_turns
from ganlab.training.ema import MovingAverage
from ganlab.training.game import Fakes, TurnSamples
from ganlab.training.guard import Guard
from ganlab.training.labels import LabelSampler
from ganlab.training.latents import draw_latents, to_device
from ganlab.training.meter import Meter
from ganlab.training.networks import Networks, build_networks
from ganlab.training.precision import choose_device, choose_precision
from ganlab.training.streams import Streams, derive_seed, global_state, restore_global_state

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
        ExperimentError: a component cannot be built as asked, or the losses do not fit the
            networks.
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
        self.terms = make_terms(experiment)
        self.players = make_players(experiment, self.networks, self.terms)
        self._turns = make_turns(experiment, self.networks, self.players, self.terms, self.meter, self.guard)
        self.average = (
            MovingAverage(self.networks.generator, settings.ema) if settings.ema.half_life_images else None
        )
        self.step = 0

    @property
    def batch_size(self) -> int:
        """Samples of a turn."""
        return self.experiment.settings.training.batch_size

    @property
    def images_seen(self) -> int:
        """Real samples shown so far."""
        return self.feed.position * self.batch_size

    @property
    def generator(self) -> torch.nn.Module:
        """The generator to look at: the averaged one where there is one."""
        return self.networks.generator if self.average is None else self.average.network

    def advance(self) -> None:
        """Play one step: the discriminator's turns, then the generator's.

        Raises:
            DivergedError: a loss or gradient is not finite; that turn moved no weight.
        """
        shared = self._shared_fakes()
        for turn in self._turns:
            turn.play(self._turn_samples(shared or self._fakes()), self.step)
        for player in self.players.values():
            player.schedule.step()
        if self.average is not None:
            self.average.update(self.batch_size, self.step * self.batch_size)
        self.step += 1

    def rehearse(self) -> dict[str, float]:
        """Play one step without moving a weight; return losses, balance and gradient norms by tag.

        Batch statistics and random streams do move: this is for an engine that will not train.
        """
        for turn in self._turns:
            self.meter.add(turn.accumulate(self._turn_samples(self._fakes()), step=0))
        return self.meter.read()

    def _turn_samples(self, fakes: Fakes) -> TurnSamples:
        rng = self.streams["losses"]
        return TurnSamples(self._next_batch, fakes, batch_size=self.batch_size, rng=rng, device=self.device)

    def _fakes(self) -> Fakes:
        return Fakes(self._draw_latents, self._draw_labels)

    def _shared_fakes(self) -> Fakes | None:
        """Return fakes that both turns judge, made once with their graph, where the experiment allows."""
        training = self.experiment.settings.training
        names = [turn.player.name for turn in self._turns]
        whole = training.microbatch_size in (None, training.batch_size)
        if not training.reuse_fakes or names != ["discriminator", "generator"] or not whole:
            return None
        fakes = self._fakes()
        fakes.samples = self.networks.generate(fakes.latents, fakes.labels)
        return fakes

    def _next_batch(self) -> Batch:
        return self.feed.next()

    def _draw_latents(self) -> torch.Tensor:
        latents = draw_latents(self.experiment.latent, self.batch_size, self.streams["latents"])
        return to_device(latents, self.device)

    def _draw_labels(self) -> torch.Tensor | None:
        labels = self.labels.draw(self.batch_size, self.streams["labels"])
        return None if labels is None else to_device(labels, self.device)

    def state_dict(self) -> dict[str, Any]:
        """Return all that decides how training goes on from here."""
        return {
            "step": self.step,
            "players": {name: player.state_dict() for name, player in self.players.items()},
            "average": None if self.average is None else self.average.state_dict(),
            "streams": self.streams.state_dict(),
            "global_randomness": global_state(self.device),
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
        restore_global_state(state["global_randomness"], self.device)
        self.feed.position = state["feed_position"]
        for term in self.terms:
            term.loss.load_state_dict(state["losses"][term.label])
