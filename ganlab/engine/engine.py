"""The engine: players and turns, advanced a step at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch

from ganlab.components import SampleSpec
from ganlab.config.experiment import Experiment
from ganlab.data.feed import Batch, Feed
from ganlab.data.preparation import Data
from ganlab.data.transfer import to_device
from ganlab.engine.assembly import make_networks, make_players, make_terms, make_turns, state_of
from ganlab.engine.augmentation import Augmentations
from ganlab.engine.capture import capture_for
from ganlab.engine.ema import MovingAverage
from ganlab.engine.evaluation_generator import EvaluationGenerator
from ganlab.engine.graphs import Graphs
from ganlab.engine.guard import Guard
from ganlab.engine.labels import LabelSampler
from ganlab.engine.latents import draw_latents
from ganlab.engine.meter import Meter
from ganlab.engine.networks import Networks, load_weights
from ganlab.engine.streams import Streams, derive_seed, global_state, restore_global_state
from ganlab.engine.surroundings import Surroundings
from ganlab.engine.turn import TurnSetup, undecided_logit
from ganlab.engine.turn_samples import Fakes, TurnSamples
from ganlab.engine.weights import AVERAGED, weights_in
from ganlab.errors import ExperimentError, GanlabError
from ganlab.processes import Processes

__all__ = ["Engine"]


class Engine:
    """Everything that learns, and the state it learns from.

    Args:
        experiment: what to train.
        data: what to train on.
        networks: the experiment's, as `make_networks` built them.
        processes: those that share the training; alone if left out.

    Attributes:
        step: completed steps.
        turn: completed turns of the step after those; 0 unless `advance` was left in between.
        spec: what a sample is.
        networks: generator, discriminator, encoder.
        players: who learns, by name.
        average: the averaged generator, or `None` where it is turned off.
        meter: losses, balance and gradient norms since they were last read.
        graphs: the CUDA graphs of its turns.

    Raises:
        ExperimentError: a component cannot be built as asked, or the losses do not fit the
            networks, or turns are to have CUDA graphs where there are none.
    """

    def __init__(
        self,
        experiment: Experiment,
        data: Data,
        networks: Networks,
        processes: Processes | None = None,
    ) -> None:
        settings = experiment.settings
        self.processes = processes = processes or Processes()
        self.experiment = experiment
        self.spec: SampleSpec = data.store.spec
        self.networks = networks
        self.device, self.dtype = networks.device, networks.dtype
        self.streams = Streams(settings.seed)
        self.feed = Feed(
            data.store,
            data.split.training,
            batch_size=settings.training.batch_size,
            seed=derive_seed(settings.seed, "data"),
            device=self.device,
            mirror=settings.dataset.mirror,
            rank=processes.rank,
            world=processes.world,
        )
        self.labels = LabelSampler(data.store.labels, data.split.training)
        self.meter = Meter()
        self.guard = Guard(self.device, self.meter)
        self.terms = make_terms(experiment, self.spec)
        self.players = make_players(experiment, networks, self.terms)
        self.augmentations = Augmentations(experiment.augmentations, self.spec)
        setup = TurnSetup(
            networks=networks,
            latent=experiment.latent,
            batch_size=settings.training.batch_size,
            microbatch_size=settings.training.microbatch_size or settings.training.batch_size,
            joint_batch=settings.training.joint_batch,
            processes=processes,
            augmentations=self.augmentations,
            meter=self.meter,
            guard=self.guard,
        )
        self._turns = make_turns(settings.training, self.players, self.terms, setup)
        self.graphs = self._make_graphs()
        self._logits_were_looked_at = False
        self.average = (
            MovingAverage(networks.generator, settings.ema) if settings.ema.half_life_images else None
        )
        labels = self.labels if networks.generator_takes_labels else None
        self._raw = EvaluationGenerator(networks.generator, experiment, labels)
        self._averaged = self.average and EvaluationGenerator(self.average.network, experiment, labels)
        self.step = 0
        self.turn = 0

    @classmethod
    def build(cls, experiment: Experiment, data: Data, processes: Processes | None = None) -> Engine:
        """Return an engine with networks built for it.

        Raises:
            ExperimentError: a component cannot be built as asked, or the losses do not fit the
                networks.
            UsageError: the device is not there, or the processes cannot share the batch.
        """
        networks = make_networks(experiment, data.store.spec, processes or Processes())
        return cls(experiment, data, networks, processes)

    @property
    def batch_size(self) -> int:
        """Samples of a turn, over all processes."""
        return self.experiment.settings.training.batch_size

    @property
    def rows(self) -> slice:
        """The rows of a batch that are this process's."""
        return self.processes.rows(self.batch_size)

    @property
    def images_per_step(self) -> int:
        """Images of a step, whatever its losses look at: a batch for each of the discriminator's turns.

        Where no discriminator learns, the generator's turns count.
        """
        training = self.experiment.settings.training
        judged = "discriminator" in self.players
        return self.batch_size * (training.discriminator_steps if judged else training.generator_steps)

    @property
    def images_seen(self) -> int:
        """Images of all completed steps: what losses, speeds and half-lives are compared by."""
        return self.step * self.images_per_step

    @property
    def logits_looked_at(self) -> bool:
        """Whether some loss has looked at logits of real or fake samples, in any turn so far."""
        return self._logits_were_looked_at or any(turn.logits_asked_for for turn in self._turns)

    @property
    def undecided_logit(self) -> float | None:
        """The logit halfway between real and fake; `None` where no loss gives logits such a place."""
        return undecided_logit(self.terms)

    @property
    def generator(self) -> torch.nn.Module:
        """The generator to evaluate: the averaged one where there is one, with statistics of its own."""
        averaged = self.averaged_generator
        return self.raw_generator if averaged is None else averaged

    @property
    def raw_generator(self) -> torch.nn.Module:
        """The generator that trains, to evaluate: with statistics of its own."""
        return self._raw.network(self._generator_moment)

    @property
    def averaged_generator(self) -> torch.nn.Module | None:
        """The averaged generator, to evaluate: with statistics of its own; `None` where there is none."""
        return None if self._averaged is None else self._averaged.network(self._generator_moment)

    @property
    def statistics_samples(self) -> int:
        """How many samples those statistics are taken from; 0 for a generator that has none."""
        return self._raw.samples

    @property
    def _generator_moment(self) -> tuple[int, int]:
        return self.step, self.players["generator"].updates

    def advance(self, between_turns: Callable[[], None] = lambda: None) -> None:
        """Play one step, or what is left of it: the discriminator's turns, then the generator's.

        Args:
            between_turns: called where the step may be left by an exception, and its state
                saved and continued from: as long as the generator has not moved, and where no
                two turns share a graph.

        Raises:
            DivergedError: a loss or gradient is not finite; that turn moved no weight.
        """
        self.graphs.prepare(self.step)
        shared = self._shared_fakes()
        if shared is not None:
            shared.samples = self.graphs.generate(shared, self.step)
        for turn in self._turns[self.turn :]:
            turn.play(self._turn_samples(shared or self._fakes()), self.step, self.graphs.accumulate)
            self.turn += 1
            if shared is None and turn.player.name != "generator":
                between_turns()
        self.turn = 0
        self.step += 1
        for player in self.players.values():
            player.follow_schedule(self.step)
        if self.average is not None:
            self.average.update(self.images_per_step, self.images_seen - self.images_per_step)

    def rehearse(self) -> dict[str, float]:
        """Play one step without moving a weight; return losses, balance and gradient norms by tag.

        Batch statistics and random streams do move: this is for an engine that will not train.
        """
        for turn in self._turns:
            self.meter.add(turn.accumulate(self._turn_samples(self._fakes()), step=0))
        return self.meter.read()

    def _turn_samples(self, fakes: Fakes) -> TurnSamples:
        rng, real = self.streams["losses"], fakes.real
        return TurnSamples(
            self._next_batch if real is None else lambda: real,
            fakes,
            batch_size=self.batch_size,
            rows=self.rows,
            rng=rng,
            augmentation_rng=self.streams["augmentations"] if self.augmentations else None,
            device=self.device,
        )

    def _fakes(self) -> Fakes:
        """Return what the generator is given: latents, and the labels of the real batch that comes next.

        So a real sample and the fake at its place are of one class, for losses that pair them, and for points
        between them.
        """
        labels = self.feed.labels()
        return Fakes(self._draw_latents, lambda: labels)

    @property
    def _shares_fakes(self) -> bool:
        training = self.experiment.settings.training
        names = [turn.player.name for turn in self._turns]
        whole = (training.microbatch_size or self.batch_size) >= self.rows.stop - self.rows.start
        return training.reuse_fakes and names == ["discriminator", "generator"] and whole

    def _shared_fakes(self) -> Fakes | None:
        """Return what fakes are made of that both turns judge, where the experiment allows."""
        if not self._shares_fakes:
            return None
        fakes = self._fakes()
        if fakes.labels is not None:
            fakes.real = self._next_batch()
        return fakes

    def _make_graphs(self) -> Graphs:
        training = self.experiment.settings.training

        def blame(message: str) -> ExperimentError:
            hint = 'leave it out, or set it to "auto", which uses graphs where they can be used'
            return ExperimentError([self.experiment.origin.problem("training.cuda_graphs", message, hint)])

        capture = capture_for(self.device, self.processes) if training.cuda_graphs else None
        if training.cuda_graphs is True and capture is None:
            world = self.processes.world
            ours = f"{world} processes share this run" if world > 1 else f"this run is on {self.device}"
            raise blame(f"CUDA graphs are for one process on a CUDA device, and {ours}")
        around = Surroundings(
            turns=self._turns,
            networks=self.networks,
            terms=self.terms,
            augmentations=self.augmentations,
            streams=self.streams,
            feed=self.feed,
            draw=lambda: self._turn_samples(self._shared_fakes() or self._fakes()),
            shares_fakes=self._shares_fakes,
        )
        return Graphs(training.cuda_graphs, capture, around, blame)

    def _next_batch(self) -> Batch:
        return self.feed.next()

    def _draw_latents(self) -> torch.Tensor:
        latents = draw_latents(self.experiment.latent, self.batch_size, self.streams["latents"])
        return to_device(latents[self.rows], self.device)

    def share_buffers(self) -> None:
        """Let every process's networks have the leader's buffers, as batch normalisation's averages."""
        modules = [network for _, network in self.networks.items()]
        if self.average is not None:
            modules.append(self.average.network)
        self.processes.broadcast(buffer for module in modules for buffer in module.buffers())

    def require_agreement(self) -> None:
        """Make sure that all processes hold the same weights.

        Raises:
            GanlabError: they have come apart.
        """
        weights = {
            f"{kind}.{name}": parameter
            for kind, network in self.networks.items()
            for name, parameter in network.named_parameters()
        }
        self.processes.require_equal(weights, self.step)

    def inspect(self) -> dict[str, dict[str, Any]]:
        """Return, for each parameter, its largest weight and what its gradient is like."""
        report: dict[str, dict[str, Any]] = {}
        for kind, network in self.networks.items():
            for name, parameter in network.named_parameters():
                gradient = parameter.grad
                report[f"{kind}.{name}"] = {
                    "largest_weight": float(parameter.detach().abs().max()),
                    "gradient_norm": None if gradient is None else float(gradient.norm()),
                    "not_finite": 0 if gradient is None else int((~torch.isfinite(gradient)).sum()),
                }
        return report

    def begin_with(self, state: Mapping[str, Any], networks: Collection[str]) -> tuple[str, ...]:
        """Take weights from where another engine's `state_dict` was taken, and nothing else of it.

        The averaged generator begins with the other's, or with the generator's own weights where it had none.

        Args:
            state: the other engine's.
            networks: kinds of network to take, as far as both have them.

        Returns:
            The kinds that were taken.

        Raises:
            GanlabError: none of them is there, or one has other shapes.
        """
        theirs = weights_in(state)
        taken = tuple(kind for kind, _ in self.networks.items() if kind in networks and kind in theirs)
        if not taken:
            raise GanlabError(f"it has none of these networks: {', '.join(sorted(networks))}")
        for kind, network in self.networks.items():
            if kind in taken:
                load_weights(network, theirs[kind], kind)
        if self.average is not None and "generator" in taken:
            load_weights(self.average.network, theirs.get(AVERAGED, theirs["generator"]), AVERAGED)
        return taken

    def state_dict(self) -> dict[str, Any]:
        """Return all that decides how training continues from here."""
        return {
            "step": self.step,
            "turn": self.turn,
            "players": {name: player.state_dict() for name, player in self.players.items()},
            "average": None if self.average is None else self.average.state_dict(),
            "streams": self.streams.state_dict(),
            "global_randomness": self.processes.gather_object(global_state(self.device)),
            "feed_position": self.feed.position,
            "losses": {term.label: state_of(term) for term in self.terms},
            "augmentations": self.augmentations.state_dict(),
            "meter": self.meter.state_dict(),
            "logits_looked_at": self.logits_looked_at,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from where `state_dict` was taken.

        What the state does not know, since the experiment has been changed, starts anew.

        Raises:
            RuntimeError: the weights are not those of these networks.
        """
        self.step, self.turn = state["step"], state["turn"]
        for name, player in self.players.items():
            if name in state["players"]:
                player.load_state_dict(state["players"][name])
            player.follow_schedule(self.step)
        if self.average is not None:
            self.average.load_state_dict(state["average"] or self.networks.generator.state_dict())
        self.streams.load_state_dict(state["streams"])
        if self.processes.rank < len(state["global_randomness"]):
            restore_global_state(state["global_randomness"][self.processes.rank], self.device)
        self.feed.position = state["feed_position"]
        self._logits_were_looked_at = state.get("logits_looked_at", False)
        for term in self.terms:
            if term.label in state["losses"]:
                with term.selection.blamed():
                    term.loss.load_state_dict(state["losses"][term.label])
        self.augmentations.load_state_dict(state.get("augmentations", {}))
        self.graphs.forget()
        self.meter.load_state_dict(state["meter"], self.device)
