"""The training loop: advance, and report, measure and save when it is time to."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch

from ganlab.data.preparation import Data
from ganlab.errors import InterruptedRunError
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
        self.speed = Speed(engine.feed, self.settings.training.batch_size, engine.step)

    def train(self) -> None:
        """Train to the last step.

        Raises:
            DivergedError: a loss or gradient was not finite; checkpoints are as they were.
            InterruptedRunError: somebody asked to stop; the state was saved.
        """
        engine, settings = self.engine, self.settings
        try:
            if engine.step == 0:
                # Before training, so that an evaluator that cannot work says so now.
                self._picture("real", self.pictures.real())
                self._show_pictures()
                self._evaluate()
            while engine.step < settings.training.steps:
                self.stop.check()
                with self.speed:
                    engine.advance()
                self.console.advance(engine.step)
                if self._due(settings.training.log_every):
                    self._log()
                if self._due(settings.samples.every):
                    self._show_pictures()
                best = self._evaluate()
                if best or self._due(settings.checkpoint.every):
                    self._save(best)
        except InterruptedRunError:
            self._save(best=None)
            raise

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
        for name, picture in self.pictures.generated():
            self._picture(name, picture)

    def _picture(self, name: str, picture: Any) -> None:
        write_png(self.run.sample_path(name, self.engine.step), picture)
        self.trackers.image(f"samples/{name}", picture, self.engine.step)

    def _evaluate(self) -> Best | None:
        """Run the evaluators that are due; return the new best if this step is."""
        due = [
            choice.selection.label
            for choice in self.engine.experiment.evaluators
            if self._due(choice.settings.every)
        ]
        if not due:
            return None
        measurements = self.evaluation.run(self._generate, due)
        step = self.engine.step
        values: dict[str, float] = {}
        for measurement in measurements:
            self.run.evaluations.write(step, measurement.to_json())
            values |= _tagged(measurement)
        self.trackers.scalars(values, step)
        self.trackers.flush()
        self.console.evaluation(step, [measurement.to_json() for measurement in measurements])
        self.run.update(step=step, last=Evaluated(step, values))
        return self._improvement(measurements)

    def _generate(self, count: int) -> Iterator[torch.Tensor]:
        """Yield generated samples for evaluation: always from the same latents."""
        stream = Streams(self.settings.seed)["evaluation"]
        latents = draw_latents(self.engine.experiment.latent, count, stream)
        labels = (
            self.engine.labels.draw(count, stream) if self.engine.networks.generator_takes_labels else None
        )
        for samples in run_generator(self.engine.generator, latents, labels):
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

    def _save(self, best: Best | None) -> None:
        engine = self.engine
        engine.guard.verify()
        self.run.checkpoints.save(
            engine.step,
            {"engine": engine.state_dict(), "evaluation": self.evaluation.state_dict()},
            engine.networks.generator.state_dict(),
            None if engine.average is None else engine.average.state_dict(),
            spec=engine.spec,
        )
        if best is not None:
            self.run.checkpoints.mark_best(best.step)
        self.run.update(step=engine.step, best=best)


def _tagged(measurement: Measurement) -> dict[str, float]:
    """Return a measurement's numbers by tag: the value, its standard error, and the floor beside it."""
    tag = f"evaluation/{measurement.evaluator}/{measurement.metric.name}"
    numbers = {
        tag: measurement.value,
        f"{tag}_standard_error": measurement.estimate.standard_error,
        f"{tag}_floor": None if measurement.floor is None else measurement.floor.value,
    }
    return {name: number for name, number in numbers.items() if number is not None}
