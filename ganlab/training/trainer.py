"""The training loop: advance, and report, measure and save when it is time to."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch

from ganlab.data.preparation import Data
from ganlab.errors import DivergedError, GanlabError, InterruptedRunError
from ganlab.evaluation.measurement import Measurement
from ganlab.evaluation.planner import Evaluation
from ganlab.runs.directory import RunDirectory
from ganlab.runs.state import Best, Evaluated
from ganlab.tracking.console import Console
from ganlab.tracking.hub import TrackerHub
from ganlab.tracking.pictures import write_png
from ganlab.training.engine import Engine
from ganlab.training.interrupt import StopRequest
from ganlab.training.latents import draw_latents
from ganlab.training.pictures import Pictures
from ganlab.training.sampling import run_generator
from ganlab.training.speed import Speed, memory
from ganlab.training.streams import Streams

__all__ = ["Trainer"]


class Trainer:
    """Takes an engine to its last step, and a run directory and trackers with it.

    Args:
        engine: what trains.
        data: what it trains on.
        run: where the run is kept.
        evaluation: what is measured.
        trackers: where scalars, pictures and text go beside the run.
        console: what a person sees.
        stop: asked between steps, and by the evaluation, whether to stop.
    """

    def __init__(
        self,
        engine: Engine,
        data: Data,
        run: RunDirectory,
        evaluation: Evaluation,
        trackers: TrackerHub,
        console: Console,
        stop: StopRequest,
    ) -> None:
        self.settings = engine.experiment.settings
        self.engine = engine
        self.run = run
        self.evaluation = evaluation
        self.trackers = trackers
        self.console = console
        self.stop = stop
        self.pictures = Pictures(engine, data, self.settings.samples.count)
        self.speed = Speed(engine.feed, engine.batch_size, engine.step)
        self._evaluated = -1
        self._saved = -1

    def train(self) -> None:
        """Train to the last step.

        Raises:
            DivergedError: a loss or gradient was not finite; checkpoints are as they were.
            InterruptedRunError: somebody asked to stop; the state was saved.
        """
        engine = self.engine
        try:
            if engine.step == 0:
                self._picture("real", self.pictures.real())
                self._show_pictures()
            if self._evaluated < engine.step:
                # Before training, too, so that an evaluator that cannot work says so now.
                self._evaluate()
            while engine.step < self.settings.training.steps:
                self.stop.check()
                with self.speed:
                    engine.advance()
                with self._saved_on_failure():
                    self._report()
        except InterruptedRunError:
            self._save()
            raise

    @contextmanager
    def _saved_on_failure(self) -> Iterator[None]:
        """Keep the completed step when what comes after it fails: a report must not cost training."""
        try:
            yield
        except (DivergedError, InterruptedRunError):
            raise
        except Exception:
            with suppress(GanlabError):
                self._save()
            raise

    def _report(self) -> None:
        """Log, draw, save and measure what is due; save before measuring, which may fail or be stopped."""
        settings = self.settings
        self.console.advance(self.engine.step)
        if self._due(settings.training.log_every):
            self._log()
        if self._due(settings.samples.every):
            self._show_pictures()
        if self._due(settings.checkpoint.every):
            self._save()
        self._evaluate()

    def _due(self, every: int) -> bool:
        return self.engine.step % every == 0 or self.engine.step == self.settings.training.steps

    def _log(self) -> None:
        engine = self.engine
        with self.speed:  # an accelerator finishes its queued steps here
            engine.guard.verify()
            values = engine.meter.read()
        for name, player in engine.players.items():
            values[f"learning_rate/{name}"] = player.learning_rate
            values[f"progress/{name}_updates"] = player.updates
        values["progress/images"] = engine.images_seen
        values |= self.speed.read(engine.step) | memory(engine.device)
        self.run.metrics.write(engine.step, values)
        self.run.update(step=engine.step)
        self.trackers.scalars(values, engine.step)
        self.trackers.flush()
        self.console.log(engine.step, values)

    def _show_pictures(self) -> None:
        self.engine.guard.verify()
        for name, picture in self.pictures.generated():
            self._picture(name, picture)

    def _picture(self, name: str, picture: Any) -> None:
        write_png(self.run.sample_path(name, self.engine.step), picture)
        self.trackers.image(f"samples/{name}", picture, self.engine.step)

    def _evaluate(self) -> None:
        """Run the evaluators that are due; keep a checkpoint of this step if it is the best so far."""
        due = [
            choice.selection.label
            for choice in self.engine.experiment.evaluators
            if self._due(choice.settings.every)
        ]
        if not due:
            return
        self.engine.guard.verify()
        measurements = self.evaluation.run(self._generate, due)
        self._evaluated = step = self.engine.step
        values: dict[str, float] = {}
        for measurement in measurements:
            self.run.evaluations.write(step, measurement.to_json())
            values |= _tagged(measurement)
        self.trackers.scalars(values, step)
        self.trackers.flush()
        self.console.evaluation(step, [measurement.to_json() for measurement in measurements])
        self.run.update(step=step, last=Evaluated(step, values))
        best = self._improvement(measurements)
        if best is not None:
            self._save(regular=False)
            self.run.checkpoints.mark_best(step)
            self.run.update(best=best)

    def _generate(self, count: int) -> Iterator[torch.Tensor]:
        """Yield generated samples for evaluation: always from the same latents.

        They are drawn for the greediest evaluator, so that none sees others when it is due alone.
        """
        engine, streams = self.engine, Streams(self.settings.seed)
        most = self.evaluation.greediest
        latents = draw_latents(engine.experiment.latent, most, streams["evaluation"])[:count]
        labels = None
        if engine.networks.generator_takes_labels:
            labels = engine.labels.draw(most, streams["evaluation/labels"])
        labels = None if labels is None else labels[:count]
        for samples in run_generator(engine.generator, latents, labels):
            self.stop.check()
            yield samples

    def _improvement(self, measurements: list[Measurement]) -> Best | None:
        chosen = self.engine.experiment.best
        for measurement in measurements:
            if chosen is None or (measurement.evaluator, measurement.metric) != (chosen.label, chosen.metric):
                continue
            value, before = measurement.value, self.run.state.best
            sign = -1 if chosen.metric.better == "lower" else 1
            if math.isfinite(value) and (before is None or sign * value > sign * before.value):
                return Best(self.engine.step, f"{chosen.label}.{chosen.metric.name}", value)
        return None

    def _save(self, *, regular: bool = True) -> None:
        """Write a checkpoint of this step, if there is none yet; one that is not regular may go sooner."""
        engine = self.engine
        if self._saved == engine.step:
            return
        engine.guard.verify()
        self.run.checkpoints.save(
            engine.step,
            {
                "engine": engine.state_dict(),
                "evaluation": self.evaluation.state_dict(),
                "evaluated": self._evaluated,
            },
            engine.networks.generator.state_dict(),
            None if engine.average is None else engine.average.state_dict(),
            spec=engine.spec,
            regular=regular,
        )
        self._saved = engine.step
        self.run.update(step=engine.step)


def _tagged(measurement: Measurement) -> dict[str, float]:
    """Return a measurement's numbers by tag: the value, its standard error, and the floor beside it.

    The features are part of the tag: a number on other features is another number.
    """
    features = "-".join(filter(None, (measurement.features, measurement.protocol)))
    tag = f"evaluation/{measurement.evaluator}/{measurement.metric.name}-{features}"
    numbers = {
        tag: measurement.value,
        f"{tag}_standard_error": measurement.estimate.standard_error,
        f"{tag}_floor": None if measurement.floor is None else measurement.floor.value,
    }
    return {name: number for name, number in numbers.items() if number is not None}
